"""A model file with its architecture becomes a handle; what brings code of its own says so or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from auditor.config import KNOWN_CODE, InputSpec, ModelSpec, parse_audit_file
from auditor.errors import AuditError, LoadError, UsageError
from auditor.intake.architectures import build, mlp
from auditor.intake.load import Loaded, load_model
from auditor.intake.located import locate
from auditor.intake.zoos import ZOOS
from auditor.opening import open_audit
from auditor.subject import Data

ARCHS = """
from torch import nn
SCALE = 3
class Nested:
    @staticmethod
    def net(width=4): return nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 2))
net = Nested.net
def broken(): raise RuntimeError("first\\nsecond")
def leaves(): raise SystemExit(0)
number = lambda: 4
class Wrapper:  # what skorch's NeuralNetClassifier is to us
    def __init__(self, module): self.module = module
    def initialize(self): self.module_ = self.module(); return self
def wrapped(): return Wrapper(net)
def ready(): return Wrapper(net).initialize()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An architecture file with weights, a TorchScript and a .pt2 program of it."""
    (tmp_path / "archs.py").write_text(ARCHS)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    torch.save(module.state_dict(), tmp_path / "w.pt")
    torch.jit.script(module).save(str(tmp_path / "script.pt"))
    batch = torch.export.Dim("batch")
    program = torch.export.export(module, (torch.rand(4, 3),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "program.pt2")
    return tmp_path


DATA = Data.of(torch.rand(6, 3), torch.zeros(6).long())


def load(
    folder: Path, path: str, *, uploaded: bool = False, classes: tuple[str, ...] | None = None, **spec: object
) -> Loaded:
    model = ModelSpec(path=path, **spec)
    return load_model(model, InputSpec(), DATA, folder=folder, classes=classes, bounds=(0.0, 1.0), uploaded=uploaded)


@pytest.mark.parametrize("name", ["archs:net", "archs:Nested.net", "archs:wrapped", "archs:ready", "mlp:3-4-2"])
def test_weights_in_an_architecture(folder: Path, name: str) -> None:
    found = load(folder, "w.pt", architecture=name)

    assert found.model.classes == ("0", "1")
    assert found.facts["evidence_grade"] == ("data" if name.startswith("mlp") else "code")
    assert found.facts["parameters"] == 26
    assert not found.model.module.training
    x = torch.rand(5, 3)
    expected = torch.jit.load(str(folder / "script.pt"))(x)
    assert torch.allclose(found.model(x), expected)


def test_arguments_reach_the_architecture(folder: Path) -> None:
    with pytest.raises(LoadError, match="0.weight is 4x3, the architecture needs 7x3"):
        load(folder, "w.pt", architecture="archs:net", arguments={"width": 7})


@pytest.mark.parametrize("path", ["script.pt", "program.pt2"])
def test_programs_load_only_when_they_are_trusted(folder: Path, path: str) -> None:
    with pytest.raises(UsageError, match="runs code of its own; allow it with .* trust = 'program'"):
        load(folder, path)

    found = load(folder, path, trust="program")

    assert found.facts["evidence_grade"] == "program"
    x = torch.rand(5, 3)
    plain = load(folder, "w.pt", architecture="mlp:3-4-2")
    assert torch.allclose(found.model(x), plain.model(x), atol=1e-6)
    assert found.facts["weights_sha256"]


@pytest.mark.parametrize(
    ("path", "spec", "message"),
    [
        ("w.pt", {"architecture": "archs:net"}, "runs Python of its own, which is refused here"),
        ("w.pt", {"architecture": "os:system"}, "runs Python of its own, which is refused here"),
        ("w.pt", {"trust": "pickle"}, "trust = 'pickle' runs Python of its own, which is refused here"),
        ("../w.pt", {"architecture": "mlp:3-4-2"}, "lies outside the upload"),
        ("/etc/passwd", {"architecture": "mlp:3-4-2"}, "lies outside the upload"),
        ("package:torch/version.py", {"architecture": "mlp:3-4-2"}, "lies outside the upload"),
    ],
)
def test_an_upload_may_bring_no_code_and_name_no_other_file(
    folder: Path, path: str, spec: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load(folder, path, uploaded=True, **spec)


def test_an_upload_of_weights_in_a_built_in_architecture_loads(folder: Path) -> None:
    assert load(folder, "w.pt", uploaded=True, architecture="mlp:3-4-2").facts["evidence_grade"] == "data"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"path": "nowhere.pt", "architecture": "mlp:3-4-2"}, "model file 'nowhere.pt' does not exist"),
        ({"path": "w.pt"}, "holds weights alone; say what they belong to"),
        ({"path": "w.pt", "architecture": "resnet"}, "'resnet' is no architecture"),
        ({"path": "w.pt", "architecture": "mlp:3"}, "needs layer sizes such as mlp:8-16-2"),
        ({"path": "w.pt", "architecture": "mlp:3-0-2"}, "needs layer sizes"),
        ({"path": "w.pt", "architecture": "mlp:999999-999999-2"}, "weights; at most 250,000,000 are built"),
        ({"path": "w.pt", "architecture": "mlp:3-4-2", "arguments": {"width": 4}}, "takes no .model. arguments"),
        ({"path": "w.pt", "architecture": "demo:gpt"}, "does not exist; the demos have demo:digits_cnn"),
        ({"path": "w.pt", "architecture": "archs:nothing"}, "cannot be built: AttributeError"),
        ({"path": "w.pt", "architecture": "nowhere:net"}, "cannot be built: ModuleNotFoundError"),
        ({"path": "w.pt", "architecture": "archs:broken"}, "cannot be built: RuntimeError: first second"),
        ({"path": "w.pt", "architecture": "archs:leaves"}, "cannot be built: SystemExit"),
        ({"path": "w.pt", "architecture": "archs:number"}, "returns int; expected a torch.nn.Module"),
        ({"path": "w.pt", "architecture": "archs:SCALE"}, "cannot be built: TypeError"),
        ({"path": "package:nowhere/w.pt", "architecture": "mlp:3-4-2"}, "no package 'nowhere' is installed"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(folder: Path, spec: dict[str, object], message: str) -> None:
    with pytest.raises(AuditError, match=message) as e:
        load(folder, **spec)
    assert "\n" not in str(e.value)


def test_a_program_whose_weights_are_no_numbers_is_refused(folder: Path) -> None:
    module = nn.Linear(3, 2)
    module.weight.data[0, 0] = torch.nan
    torch.jit.script(module).save(str(folder / "nan.pt"))

    with pytest.raises(LoadError, match="weight.* NaN or infinity"):
        load(folder, "nan.pt", trust="program")


def test_two_files_of_the_same_name_do_not_mix(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "archs.py").write_text("from torch import nn\nnet = lambda: nn.Linear(3, 9)\n")

    first, second = (build("archs:net", {}, f).module for f in (folder, other))

    assert isinstance(first, nn.Sequential)
    assert isinstance(second, nn.Linear)


def test_channels_must_fit_the_normalisation(folder: Path) -> None:
    given = InputSpec(mean=(0.5, 0.5), std=(1.0, 1.0))

    with pytest.raises(UsageError, match="mean has 2 values; the inputs have 3 channels"):
        load_model(
            ModelSpec(path="w.pt", architecture="mlp:3-4-2"),
            given,
            DATA,
            folder=folder,
            classes=None,
            bounds=(0.0, 1.0),
        )


def test_an_unknown_device_is_refused(folder: Path) -> None:
    spec = ModelSpec(path="w.pt", architecture="mlp:3-4-2")

    with pytest.raises(UsageError, match="device 'gpu7' cannot be used"):
        load_model(spec, InputSpec(), DATA, folder=folder, classes=None, bounds=(0.0, 1.0), device="gpu7")


def test_files_inside_packages_are_found() -> None:
    assert locate("package:torch/version.py", Path(), "file").is_file()


def test_the_sizes_of_an_mlp_are_its_layers() -> None:
    layers = [(m.in_features, m.out_features) for m in mlp("8-16-4-2") if isinstance(m, nn.Linear)]

    assert layers == [(8, 16), (16, 4), (4, 2)]


@pytest.mark.parametrize(
    ("spec", "grade"),
    [
        ({"architecture": "mlp:1-2"}, "data"), ({"architecture": "demo:digits_cnn"}, "data"),
        ({"architecture": "torchvision:resnet18"}, "data"), ({"architecture": "os:system"}, "code"),
        ({}, "data"), ({"trust": "program"}, "program"), ({"trust": "pickle"}, "code"),
        ({"trust": "program", "architecture": "os:system"}, "code"),
    ],
)  # fmt: skip
def test_the_most_that_a_model_can_bring(spec: dict[str, Any], grade: str) -> None:
    assert ModelSpec(path="m", **spec).grade == grade


def test_every_zoo_is_known_code() -> None:
    assert set(ZOOS) <= set(KNOWN_CODE)


def test_what_was_left_out_of_a_checkpoint_is_a_caveat_of_the_audit(folder: Path) -> None:
    content = torch.load(folder / "w.pt", weights_only=True)
    torch.save({"n_averaged": torch.tensor(2), **{f"module.{k}": v for k, v in content.items()}}, folder / "a.pt")
    np.savez(folder / "d.npz", x=np.random.default_rng(0).random((6, 3), np.float32), y=np.arange(6) % 2)
    given = {"model": {"path": "a.pt", "architecture": "mlp:3-4-2"}, "data": {"path": "d.npz"}}

    opened = open_audit(parse_audit_file(given), folder)

    said = "Of 'a.pt' only what stands under 'module.' was read; 1 beside it not (n_averaged)."
    assert opened.data.caveats == (said,)
    assert (
        load(folder, "a.pt", architecture="mlp:3-4-2").facts["weights_sha256"]
        == (load(folder, "w.pt", architecture="mlp:3-4-2").facts["weights_sha256"])
    )
