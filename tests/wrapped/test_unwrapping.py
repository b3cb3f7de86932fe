"""A wrapper's file is audited as the model behind it, digests and all; what does not belong together is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from app.cli import invoke
from auditor.config import AuditFile, load_audit_file
from auditor.errors import AuditError, LoadError, UsageError
from auditor.intake.unwrapping import unwrapped
from auditor.opening import open_audit
from auditor.sandbox.reach import files_of_audit
from tests.app.files import AUDIT, table_audit
from tests.shared import model_of
from tests.wrapped.files import SQUEEZING, wrapper_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table_audit(tmp_path, AUDIT.replace("m.safetensors", "squeezed.json"))
    return tmp_path


def audited(folder: Path) -> AuditFile:
    return load_audit_file(folder / "audit.toml")


def test_a_wrapper_answers_as_the_squeezed_model_does(folder: Path) -> None:
    wrapper_file(folder)
    opened = open_audit(audited(folder), folder)
    plain = open_audit(load_audit_file(table_audit(folder)), folder)
    x = plain.data.read(np.arange(40))
    steps = 2 ** SQUEEZING["bits"] - 1
    coarse = ((x + 4) / 8 * steps).round() / steps * 8 - 4

    with torch.no_grad():
        assert torch.allclose(model_of(opened)(x), model_of(plain)(coarse), atol=1e-5)
    assert model_of(opened).classes == model_of(plain).classes
    about = opened.subject["model"]
    assert (about["file"], about["wrapper"], about["wrapped_file"]) == (
        "squeezed.json", "feature_squeezing", "m.safetensors",
    )  # fmt: skip
    assert about["sha256"] == hashlib.sha256((folder / "squeezed.json").read_bytes()).hexdigest()
    assert about["wrapped_sha256"] == plain.subject["model"]["sha256"]
    assert about["weights_sha256"] == plain.subject["model"]["weights_sha256"]
    assert about["evidence_grade"] == "data"


def test_what_the_wrapper_names_is_what_the_sandbox_may_read(folder: Path) -> None:
    wrapper_file(folder)

    readable = {p.name for p in files_of_audit(audited(folder), folder)}

    assert {"squeezed.json", "m.safetensors", "d.csv"} <= readable
    assert unwrapped(audited(folder), folder)[0].model.path == "m.safetensors"


@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"model_sha256": "0" * 64}, LoadError, "was made around another 'm.safetensors'"),
        ({"model": "none.pt"}, LoadError, "the model file of the wrapper 'squeezed.json', 'none.pt' does not exist"),
        ({"model": "squeezed.json"}, UsageError, "a wrapper itself"),
        ({"model": "."}, LoadError, "without a config.json"),
        ({"format": "auditor-wrapper-v2"}, LoadError, "is no wrapper (auditor-wrapper-v1): format"),
        ({"kind": "magic"}, LoadError, "kind: Input should be 'feature_squeezing'"),
        ({"more": 1}, LoadError, "more: Extra inputs are not permitted"),
        ({"model_sha256": None}, LoadError, "model_sha256: Field required"),
        ({"settings": {"bits": {}}}, LoadError, "is no wrapper"),
        ({"settings": {"bits": 4}}, UsageError, "the wrapper feature_squeezing needs 'median'"),
        ({"settings": SQUEEZING | {"bits": 4.5}}, UsageError, "bits = 4.5"),
    ],
)
def test_what_does_not_belong_together_is_one_line(
    folder: Path, changed: dict[str, object], kind: type[AuditError], message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    wrapper_file(folder, **changed)

    with pytest.raises(kind) as raised:
        open_audit(audited(folder), folder)
    assert message in str(raised.value)
    assert invoke(["run", str(folder / "audit.toml")]) == 3
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


@pytest.mark.parametrize("name", ["../m.safetensors", "/etc/passwd", "package:numpy/__init__.py"])
def test_an_upload_wraps_nothing_outside_itself(folder: Path, name: str) -> None:
    wrapper_file(folder, model=name)

    for ask in (open_audit, files_of_audit):
        with pytest.raises(UsageError, match="lies outside the upload"):
            ask(audited(folder), folder, uploaded=True)


def test_inspect_says_what_a_wrapper_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wrapper_file(folder)

    assert invoke(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "squeezed.json: wrapper" in out
    assert "feature_squeezing (bits 3, median False" in out
    assert "it stands around 'm.safetensors'" in out
    assert invoke(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "wrapper"
