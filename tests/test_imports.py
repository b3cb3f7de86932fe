"""What loads what, as it happens when the code runs: import-linter does not see everything."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "captum", "shap", "lime", "foolbox", "fairlearn", "streamlit", "sklearn", "auditor.checks")
LIGHT = (
    "types", "schema", "errors", "policy", "stats", "store", "config", "settings", "requirements", "folders",
    "installed",
)  # fmt: skip
REPORTS = ("bundle", "html", "compare", "ci", "findings", "crosswalk", "signing", "verifying", "verifier")


def loaded(code: str) -> set[str]:
    """The modules of HEAVY that a fresh Python has loaded after running `code`."""
    found = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(found.stdout.splitlines()[-1].split())


def test_reading_an_audit_loads_no_engine() -> None:
    assert loaded("import " + ", ".join(f"auditor.{m}" for m in LIGHT)) == set()


def test_writing_reports_loads_no_engine() -> None:
    assert loaded("import " + ", ".join(f"reports.{m}" for m in REPORTS)) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["nonsense"]])
def test_the_command_line_loads_no_engine_to_answer(arguments: list[str]) -> None:
    assert loaded(f"from app.cli import invoke\ninvoke({arguments!r})") == set()


def test_peers_are_loaded_by_the_checks_that_use_them_alone() -> None:
    assert loaded("import auditor.audit") & {"captum", "shap", "lime", "foolbox", "fairlearn", "streamlit"} == set()
