"""A model of several inputs is audited on one vector a sample: its answers and its checks are those of the module."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from app.cli import invoke
from auditor.config import parse_audit_file
from auditor.errors import AuditError
from auditor.intake.outputs import settle
from auditor.opening import Opened, open_audit
from auditor.store import load
from auditor.types import Status
from tests.shared import model_of, module_at

ARCHS = """
import torch
from torch import nn

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.grid, self.head = nn.Embedding(5, 3), nn.Linear(4, 3), nn.Linear(7, 3)

    def forward(self, kind, grid, age):
        parts = self.embed(kind), torch.relu(self.grid(grid.flatten(1))), age[:, None]
        return self.head(torch.cat(parts, 1))

class Remembers(Two):
    def forward(self, kind, grid, age, state):
        return super().forward(kind, grid, age), state
"""


WIDE = """
import torch

class Wide(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(5001, 2)

    def forward(self, a, b):
        return self.head(torch.cat([a.flatten(1), b[:, None]], 1))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module with its weights, as a state_dict and as programs, and its three inputs by name."""
    tmp_path = tmp_path_factory.mktemp("several")
    (tmp_path / "archs.py").write_text(ARCHS)
    torch.manual_seed(0)
    module = module_at(tmp_path / "archs.py").Two().eval()
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    draw = np.random.default_rng(0)
    n = 40
    arrays: dict[str, Any] = {
        "kind": draw.integers(0, 5, n), "grid": draw.normal(size=(n, 2, 2)).astype(np.float32),
        "age": draw.normal(50, 10, n).astype(np.float32), "sex": draw.choice(["f", "m"], n),
    }  # fmt: skip
    with torch.no_grad():
        y = module(*(torch.from_numpy(arrays[k]) for k in ("kind", "grid", "age"))).argmax(1)
    np.savez(tmp_path / "d.npz", y=np.where(np.arange(n) < 4, (y + 1) % 3, y), **arrays)
    torch.jit.script(module).save(str(tmp_path / "script.pt"))
    given = {k: torch.from_numpy(arrays[k][:4]) for k in ("kind", "grid", "age")}
    shapes = {k: {0: torch.export.Dim("batch")} for k in given}
    torch.export.save(torch.export.export(module, (), given, dynamic_shapes=shapes), tmp_path / "e.pt2")
    placed = torch.export.export(module, tuple(given.values()), dynamic_shapes=tuple(shapes.values()))
    torch.export.save(placed, tmp_path / "placed.pt2")
    return tmp_path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def opened(folder: Path, inputs: list[str], model: dict[str, Any], **data: Any) -> Opened:
    given = {"model": model, "data": {"path": "d.npz", "inputs": inputs, **data}}
    return open_audit(parse_audit_file(given), folder)


NAMES = ["kind", "grid", "age"]
WEIGHTS = {"path": "w.safetensors", "architecture": "archs:Two"}
PROGRAMS = [{"path": p, "trust": "program"} for p in ("script.pt", "e.pt2", "placed.pt2")]


@pytest.mark.parametrize("model", [WEIGHTS, *PROGRAMS], ids=["module", "TorchScript", "pt2 by name", "pt2 by position"])
@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]], ids=["in order", "in another"])
def test_the_answers_are_those_of_the_module(folder: Path, names: list[str], model: dict[str, Any]) -> None:
    found = opened(folder, names, model)
    handle, caveats = settle(model_of(found), found.data)
    module: nn.Module = module_at(folder / "archs.py").Two()
    module.load_state_dict(model_of(opened(folder, NAMES, WEIGHTS)).module.state_dict())
    with np.load(folder / "d.npz") as arrays:
        given: dict[str, Tensor] = {k: torch.from_numpy(arrays[k]) for k in NAMES}

    x = found.data.read(np.arange(40))

    assert x.shape == (40, 6) and x.dtype == torch.float32
    with torch.no_grad():
        assert torch.allclose(handle(x), module(**given), atol=1e-6) and caveats == ()
    assert sum(found.data.y == module(**given).argmax(1).numpy()) == 36


def test_every_element_has_its_name_and_ids_are_not_moved(folder: Path) -> None:
    found = opened(folder, NAMES, WEIGHTS)

    assert [c.name for c in found.data.columns] == ["kind", "grid[0]", "grid[1]", "grid[2]", "grid[3]", "age"]
    with np.load(folder / "d.npz") as arrays:
        spread = [0.0, *arrays["grid"].reshape(40, 4).std(0), arrays["age"].std()]
    assert torch.as_tensor(found.model.unit).tolist() == pytest.approx(spread, rel=1e-5)


def test_every_check_runs_on_them(folder: Path, tmp_path: Path) -> None:
    (folder / "a.toml").write_text(
        '[model]\npath = "w.safetensors"\narchitecture = "archs:Two"\n'
        '[data]\npath = "d.npz"\ninputs = ["kind", "grid", "age"]\nsensitive = ["sex"]\n'
    )

    assert invoke(["run", str(folder / "a.toml"), "--out", str(tmp_path / "out"), "--profile", "quick"]) in {0, 1}

    outcomes = {o.check: o for o in load(tmp_path / "out").audit.outcomes}
    assert not [o for o in outcomes.values() if o.status is Status.ERROR]
    for check in ("explain.lrp", "explain.shap", "explain.lime", "robustness.curve", "fairness.groups"):
        assert outcomes[check].result.measures, outcomes[check]
    ledger = [m.value for m in outcomes["explain.lrp"].result.measures if m.name == "ledger_error" and not m.slice]
    assert ledger[0] < 1e-4
    accuracy = [m.value for m in outcomes["performance.accuracy"].result.measures if m.name == "accuracy"]
    assert accuracy == [0.9]


@pytest.mark.parametrize(
    ("change", "inputs", "model", "message"),
    [
        ({}, ["kind", "grid", "sex"], WEIGHTS, "array 'sex' is <U1; expected floats, or whole numbers"),
        ({}, ["kind", "size"], WEIGHTS, "no column 'size', which is its inputs"),
        (
            {"age": np.zeros(3, np.float32)},
            NAMES,
            WEIGHTS,
            r"array 'age' is \(3,\), 'kind' is \(40,\); expected N rows",
        ),
        ({"kind": np.full(40, 1 << 30)}, NAMES, WEIGHTS, "array 'kind' holds numbers beyond 16,777,216"),
        ({"more": np.zeros(40, np.float32)}, [*NAMES, "more"], WEIGHTS, "names 'more', which the model does not take"),
        ({"more": np.zeros(40, np.float32)}, [*NAMES, "more"], PROGRAMS[0], "names 'more', which the model does not"),
        ({}, ["kind", "grid"], WEIGHTS, "cannot take inputs of shape .*missing 1 required .*'age'"),
        ({}, NAMES, {**WEIGHTS, "architecture": "archs:Remembers"}, "missing 1 required .*'state'"),
        ({"kind": np.full(40, 9)}, NAMES, WEIGHTS, "cannot take inputs of shape .*index out of range"),
    ],
)
def test_what_does_not_fit_is_one_line(
    folder: Path, change: dict[str, Any], inputs: list[str], model: dict[str, Any], message: str
) -> None:
    with np.load(folder / "d.npz") as arrays:
        np.savez(folder / "d.npz", **{**dict(arrays), **change})

    with pytest.raises(AuditError, match=message) as e:
        opened(folder, inputs, model)
    assert "\n" not in str(e.value)


def test_a_reference_of_another_shape_is_refused(folder: Path) -> None:
    with np.load(folder / "d.npz") as arrays:
        np.savez(folder / "r.npz", **{**dict(arrays), "grid": arrays["grid"].reshape(40, 4)})

    with pytest.raises(AuditError, match="its inputs are not those of the audited data"):
        opened(folder, NAMES, WEIGHTS, reference="r.npz")


def test_inputs_too_many_to_be_told_apart_are_not_explained(folder: Path) -> None:
    (folder / "wide.py").write_text(WIDE)
    torch.save(module_at(folder / "wide.py").Wide().state_dict(), folder / "wide.pt")
    draw = np.random.default_rng(0)
    arrays = {"a": draw.random((30, 50, 100), np.float32), "b": draw.random(30, np.float32)}
    np.savez(folder / "wide.npz", y=np.arange(30) % 2, **arrays)
    (folder / "a.toml").write_text(
        '[model]\npath = "wide.pt"\narchitecture = "wide:Wide"\n[data]\npath = "wide.npz"\ninputs = ["a", "b"]\n'
    )

    assert invoke(["run", str(folder / "a.toml"), "--out", str(folder / "o"), "--only", "explain.*"]) == 2

    outcomes = {o.check: o for o in load(folder / "o").audit.outcomes}
    assert outcomes["explain.shap"].reason == "inputs of 5,001 columns; at most 4,096 are explained one by one"
