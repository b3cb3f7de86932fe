"""Hugging Face directories answer as transformers does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from app.cli import invoke
from auditor.errors import LoadError, UsageError
from auditor.intake.inspection import inspect_model
from auditor.store import load
from auditor.types import Status
from tests.intake.directories import CORPUS, opened
from tests.intake.pretrained import IMAGE, TEXT, changed, saved_texts
from tests.intake.zoo_packages import installed
from tests.shared import model_of


def from_transformers(folder: Path, texts: list[str]) -> torch.Tensor:
    """What transformers itself says of the texts, loaded in its own way."""
    library = installed("transformers")
    model = library.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = library.AutoTokenizer.from_pretrained(folder)
    given = tokenizer(texts, padding=True, truncation=True, max_length=24, return_tensors="pt")
    given.pop("token_type_ids", None)
    with torch.no_grad():
        return model(**given).logits


# ---- the same answers --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", TEXT)
def test_texts_are_answered_as_by_transformers(models: Path, name: str) -> None:
    found = opened(models, name, {"path": "d.csv", "inputs": "text", "sensitive": ["sex"]})

    with torch.no_grad():
        ours = model_of(found)(found.data.read(np.arange(12)))

    expected = from_transformers(models / name, CORPUS)
    assert torch.allclose(ours, expected, atol=1e-5)
    assert float(expected.std(0).min()) > 1e-3
    assert found.model.classes == ("no", "yes") and found.data.positive == 1
    assert found.subject["model"]["evidence_grade"] == "data"
    assert found.subject["model"]["architecture"] == f"{name}ForSequenceClassification"


@pytest.mark.parametrize("name", IMAGE)
def test_images_are_answered_as_by_transformers(models: Path, name: str) -> None:
    """Its own processor resizes on another path (torchvision's), so that pixels differ by a hundredth."""
    library = installed("transformers")
    found = opened(models, name, {"path": "d.npz"})
    with np.load(models / "d.npz") as arrays:
        pictures = [Image.fromarray(x) for x in arrays["x"]]
    pixels = library.AutoImageProcessor.from_pretrained(models / name, use_fast=False)(pictures, return_tensors="pt")
    module = library.AutoModelForImageClassification.from_pretrained(models / name).eval()

    x = found.data.read(np.arange(12))
    with torch.no_grad():
        assert torch.allclose(found.model.normalize(x), pixels["pixel_values"], atol=0.03)
        assert torch.allclose(model_of(found)(x), module(found.model.normalize(x)).logits, atol=1e-5)
    assert found.model.classes == ("0", "1", "2")


def test_shards_halves_and_names_of_older_versions_are_read(models: Path, tmp_path: Path) -> None:
    """In two files, in half precision: the same answers up to its rounding."""
    shutil.copytree(models / "ViT", tmp_path / "ViT")
    (tmp_path / "ViT" / "model.safetensors").unlink()
    tensors = {k: v.half() for k, v in load_file(models / "ViT" / "model.safetensors").items()}
    assert any(".attention.attention.query." in name for name in tensors)  # which the module itself calls otherwise
    parts = {"a.safetensors": dict(list(tensors.items())[::2]), "b.safetensors": dict(list(tensors.items())[1::2])}
    for file, part in parts.items():
        save_file(part, tmp_path / "ViT" / file)
    index = {"weight_map": {name: file for file, part in parts.items() for name in part}}
    (tmp_path / "ViT" / "model.safetensors.index.json").write_text(json.dumps(index))
    shutil.copy(models / "d.npz", tmp_path)

    whole, sharded = (opened(f, "ViT", {"path": "d.npz"}) for f in (models, tmp_path))

    x = whole.data.read(np.arange(12))
    with torch.no_grad():
        assert torch.allclose(model_of(whole)(x), model_of(sharded)(x), atol=5e-3)
    described = inspect_model(tmp_path / "ViT")
    assert set(described.tensors) == set(tensors)
    assert described.size > sum(t.numel() * 2 for t in tensors.values())


# ---- what the directory says, and the audit file instead ---------------------------------------------------------
def test_the_audit_file_wins_over_the_directory(models: Path) -> None:
    named = {"path": "d.csv", "inputs": "text", "classes": ["yes", "no"]}

    found = opened(models, "Bert", named, input={"max_length": 6})
    assert found.model.classes == ("yes", "no")
    assert found.data.shape == (6,)

    own = opened(models, "ViT", {"path": "d.npz"}, input={"size": [16, 16]})
    assert torch.equal(own.model.normalize(torch.ones(1, 3, 2, 2)), torch.ones(1, 3, 2, 2))


def test_the_digest_covers_what_changes_the_answers(bert: Path) -> None:
    before = inspect_model(bert).sha256
    (bert / "README.md").write_text("hello")
    assert inspect_model(bert).sha256 == before

    for name in ("config.json", "tokenizer_config.json"):
        changed(bert / name, more=1)
        assert inspect_model(bert).sha256 != before
        before = inspect_model(bert).sha256


def test_one_output_is_a_value(models: Path, tmp_path: Path) -> None:
    module = saved_texts(tmp_path / "r", CORPUS, num_labels=1)
    rows = "".join(f"{text},{i / 10}\n" for i, text in enumerate(CORPUS))
    (tmp_path / "d.csv").write_text(f"text,y\n{rows}")

    found = opened(tmp_path, "r", {"path": "d.csv", "target": "y"})

    assert model_of(found).output == "value" and found.model.classes == ()
    with torch.no_grad():
        assert model_of(found)(found.data.read(np.arange(4))).shape == (4,)
    assert module.config.num_labels == 1


def test_an_architecture_by_name_takes_the_weights_of_a_directory(models: Path) -> None:
    config = json.loads((models / "Bert" / "config.json").read_text())
    keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
    arguments = {k: config[k] for k in (*keys, "max_position_embeddings")}
    model = {"architecture": "transformers:BertForSequenceClassification", "arguments": arguments}

    found = opened(
        models, "Bert/model.safetensors", {"path": "d.csv", "inputs": "text"}, model=model,
        input={"kind": "text", "tokenizer": "Bert"},
    )  # fmt: skip

    with torch.no_grad():
        assert torch.allclose(
            model_of(found)(found.data.read(np.arange(12))), from_transformers(models / "Bert", CORPUS), atol=1e-5
        )


def test_what_stands_twice_or_does_not_belong_is_refused(models: Path, tmp_path: Path) -> None:
    data = {"path": "d.csv", "inputs": "text"}
    with pytest.raises(UsageError, match=r"says itself what its weights belong to \(config.json\)"):
        opened(models, "Bert", data, model={"architecture": "mlp:2-2"})
    with pytest.raises(UsageError, match="max_length is 600; the model takes at most 24 tokens"):
        opened(models, "Bert", data, input={"max_length": 600})
    with pytest.raises(LoadError, match="the tokenizer gives ids up to .*, the model has 20 tokens"):
        saved_texts(tmp_path / "small", CORPUS, vocab_size=20)
        opened(tmp_path, "small", {**data, "path": str(models / "d.csv"), "classes": ["no", "yes"]})
    with pytest.raises(UsageError, match="kind = 'text' needs a tokenizer"):
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (tmp_path / "small" / name).unlink()
        opened(tmp_path, "small", {**data, "path": str(models / "d.csv")})


# ---- the whole way -----------------------------------------------------------------------------------------------
def test_an_audit_of_texts_is_explained_by_words_and_says_what_does_not_apply(models: Path, tmp_path: Path) -> None:
    text = '[model]\npath = "Bert"\n[data]\npath = "d.csv"\ninputs = "text"\nsensitive = ["sex"]\n'
    (models / "a.toml").write_text(text)

    assert invoke(["run", str(models / "a.toml"), "--out", str(tmp_path / "out")]) in {0, 1}

    audit = load(tmp_path / "out").audit
    status = {o.check: (o.status, o.reason) for o in audit.outcomes}
    assert not [o for o in audit.outcomes if o.status is Status.ERROR]
    for check in ("explain.lrp", "explain.attention", "explain.shap"):
        (tables,) = [o.result.tables for o in audit.outcomes if o.check == check and o.result]
        assert any(t.columns[0] == "word" for t in tables)
    assert status["explain.lime"][0] is Status.MEASURED
    assert "these texts have no height" in status["explain.gradcam"][1]
    assert status["robustness.curve"][0] is Status.MEASURED
    expected = from_transformers(models / "Bert", CORPUS * 3).argmax(1).numpy() == np.arange(36) % 2
    measured = {m.name: m for o in audit.outcomes if o.result for m in o.result.measures if not m.slice}
    assert measured["accuracy"].value == measured["clean_accuracy"].value == pytest.approx(expected.mean())
    assert status["fairness.groups"][0] is Status.MEASURED
    assert "ForSequenceClassification" in (tmp_path / "out" / "report.html").read_text()


def test_an_audit_of_images_runs(models: Path, tmp_path: Path) -> None:
    (models / "i.toml").write_text('[model]\npath = "ViT"\n[data]\npath = "d.npz"\n')

    quick = ["--profile", "quick", "--set", "robustness.curve.steps=2", "--set", "explain.shap.budget=40"]
    assert invoke(["run", str(models / "i.toml"), "--out", str(tmp_path / "out"), *quick]) in {0, 1}

    outcomes = {o.check: o for o in load(tmp_path / "out").audit.outcomes}
    assert not [o for o in outcomes.values() if o.status is Status.ERROR]
    assert outcomes["explain.gradcam"].status is outcomes["robustness.curve"].status is Status.MEASURED
    found = opened(models, "ViT", {"path": "d.npz"})
    with torch.no_grad():
        answers = model_of(found)(found.data.read(np.arange(12))).argmax(1)
    measures = {m.name: m for m in outcomes["intake.preflight"].result.measures}
    assert measures["clean_accuracy"].counts == (int((answers.numpy() == found.data.y).sum()), 12)
