"""Hugging Face directories answer as transformers does; what names code or a place elsewhere is refused unread."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from app.cli import invoke
from auditor.config import parse_audit_file
from auditor.errors import AuditError, LoadError, UsageError
from auditor.intake.huggingface import read_directory
from auditor.intake.inspection import inspect_model
from auditor.intake.outputs import settle
from auditor.opening import Opened, open_audit
from auditor.store import load
from auditor.types import Status
from tests.intake.modelfiles import Payload
from tests.intake.pretrained import IMAGE, TEXT, changed, saved_images, saved_texts
from tests.intake.zoo_packages import installed

CORPUS = [
    f"{a} {b} {c}" for a in ("a good", "the bad", "one") for b in ("film", "plot") for c in ("indeed", "not at all")
]
LABELS = {"id2label": {0: "no", 1: "yes"}, "label2id": {"no": 0, "yes": 1}}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every architecture in a folder of its own, and data for them."""
    folder = tmp_path_factory.mktemp("models")
    for name in TEXT:
        saved_texts(folder / name, CORPUS, name, **LABELS)
    for name in IMAGE:
        saved_images(folder / name, name)
    rows = "".join(f"{text},{'yes' if i % 2 else 'no'},{'fm'[i % 3 == 0]}\n" for i, text in enumerate(CORPUS * 3))
    (folder / "d.csv").write_text(f"text,y,sex\n{rows}")
    draw = np.random.default_rng(0)
    np.savez(folder / "d.npz", x=draw.integers(0, 256, (12, 21, 24, 3), np.uint8), y=np.arange(12) % 3)
    return folder


@pytest.fixture
def bert(models: Path, tmp_path: Path) -> Path:
    """A copy of a text model that a test may change."""
    shutil.copytree(models / "Bert", tmp_path / "m")
    return tmp_path / "m"


def opened(folder: Path, path: str, data: dict[str, Any], **more: Any) -> Opened:
    model = more.pop("model", {})
    found = open_audit(parse_audit_file({"model": {"path": path, **model}, "data": data, **more}), folder)
    assert found.model is not None
    return replace(found, model=settle(found.model, found.data)[0])


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
    assert found.model is not None

    with torch.no_grad():
        ours = found.model(found.data.read(np.arange(12)))

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
    assert found.model is not None
    with np.load(models / "d.npz") as arrays:
        pictures = [Image.fromarray(x) for x in arrays["x"]]
    pixels = library.AutoImageProcessor.from_pretrained(models / name, use_fast=False)(pictures, return_tensors="pt")
    module = library.AutoModelForImageClassification.from_pretrained(models / name).eval()

    x = found.data.read(np.arange(12))
    with torch.no_grad():
        assert torch.allclose(found.model.normalize(x), pixels["pixel_values"], atol=0.03)
        assert torch.allclose(found.model(x), module(found.model.normalize(x)).logits, atol=1e-5)
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
    assert whole.model is not None and sharded.model is not None

    x = whole.data.read(np.arange(12))
    with torch.no_grad():
        assert torch.allclose(whole.model(x), sharded.model(x), atol=5e-3)
    described = inspect_model(tmp_path / "ViT")
    assert set(described.tensors) == set(tensors)
    assert described.size > sum(t.numel() * 2 for t in tensors.values())


# ---- what the directory says, and the audit file instead ---------------------------------------------------------
def test_the_audit_file_wins_over_the_directory(models: Path) -> None:
    named = {"path": "d.csv", "inputs": "text", "classes": ["yes", "no"]}

    found = opened(models, "Bert", named, input={"max_length": 6})
    assert found.model is not None and found.model.classes == ("yes", "no")
    assert found.data.shape == (6,)

    own = opened(models, "ViT", {"path": "d.npz"}, input={"size": [16, 16]})
    assert own.model is not None
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

    assert found.model is not None and found.model.output == "value" and found.model.classes == ()
    with torch.no_grad():
        assert found.model(found.data.read(np.arange(4))).shape == (4,)
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
    assert found.model is not None

    with torch.no_grad():
        assert torch.allclose(
            found.model(found.data.read(np.arange(12))), from_transformers(models / "Bert", CORPUS), atol=1e-5
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


# ---- what is refused ---------------------------------------------------------------------------------------------
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("config.json", {"auto_map": {"AutoModel": "evil.Evil"}}, r"own Python code \(auto_map\)"),
    ("config.json", {"text_config": {"auto_map": {}}}, r"own Python code \(auto_map\)"),
    ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}, "brings its own"),
    ("config.json", {"_attn_implementation": "attacker/kernel"}, "names a remote kernel"),
    ("config.json", {"_attn_implementation": {"": "attacker/kernel@v1:f"}}, "names a file or repository|remote kernel"),
    ("config.json", {"_experts_implementation": "attacker:kernel"}, "names a remote kernel"),
    ("config.json", {"backbone": "attacker/resnet"}, r"names a file or repository \('backbone'"),
    ("config.json", {"use_pretrained_backbone": True}, "asks for use_pretrained_backbone"),
    ("config.json", {"quantization_config": {"quant_method": "gptq"}}, "asks for quantization_config"),
    ("config.json", {"architectures": ["BertForMaskedLM"]}, "expected one that ends in ForSequenceClassification"),
    ("config.json", {"architectures": ["os.systemForSequenceClassification"]}, "expected one that ends in"),
    ("config.json", {"architectures": None}, "names the architecture None"),
    ("config.json", {"problem_type": "multi_label_classification"}, "gives several labels at once"),
    ("config.json", {"hidden_size": 10**6, "intermediate_size": 4 * 10**6}, "describes at least 12,000,"),
    ("config.json", {"num_hidden_layers": 10**9}, "asks for num_hidden_layers = 1,000,000,000; at most 1,000"),
    ("config.json", {"id2label": {"0": "a", "2": "b"}}, "id2label of config.json is not a name for each class"),
    ("config.json", {"id2label": ["a"]}, "id2label of config.json is not a name"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "values", "message"), REFUSED)
def test_what_names_code_or_a_place_elsewhere_is_refused_unread(
    bert: Path, file: str, values: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(bert / file, **values)

    assert invoke(["inspect", str(bert)]) == 3

    err = capsys.readouterr().err
    assert err.count("\n") == 1
    with pytest.raises(LoadError, match=message):
        read_directory(bert)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'config.json' is no sound JSON"),
        ("[1]", "'config.json' holds list"),
        ('{"a": 1, "a": 2}', "a name stands in it twice"),
        ('{"a": NaN}', "no sound JSON"),
        ("[" * 100_000, "no sound JSON"),
        ('{"a": "' + "x" * (1 << 20) + '"}', "has 1,048,.* bytes; expected a JSON object of at most"),
        ('{"a": ' + "[" * 100 + "]" * 100 + "}", "nests more than 32 deep"),
    ],
)
def test_a_configuration_that_is_none_is_refused(bert: Path, text: str, message: str) -> None:
    (bert / "config.json").write_text(text)

    with pytest.raises(LoadError, match=message):
        read_directory(bert)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_size": 64}, "cannot be built|of another shape"),
        ({"num_hidden_layers": 3}, "16 missing"),
        ({"num_hidden_layers": 1}, "16 not in the architecture"),
        ({"vocab_size": 2_000_000}, "describes 64,.* weights, its files hold"),
        ({"model_type": "roberta"}, "its model_type is 'roberta', which BertForSequenceClassification is not"),
        ({"architectures": ["NoneForSequenceClassification"]}, "is no model of the installed transformers"),
        ({"hidden_act": "no such thing"}, "cannot be built: KeyError"),
        ({"num_attention_heads": 0}, "cannot be built: ZeroDivisionError"),
    ],
)
def test_a_configuration_that_is_not_of_these_weights_is_refused(
    models: Path, bert: Path, values: dict[str, Any], message: str
) -> None:
    changed(bert / "config.json", **values)

    with pytest.raises(LoadError, match=message) as e:
        opened(bert.parent, "m", {"path": str(models / "d.csv"), "inputs": "text"})
    assert "\n" not in str(e.value)


ODD: list[Any] = [[], {}, [[]], "x", -1, 0, None, 1e308, True, 10**40, {"0": []}]


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_no_value_of_another_kind_gets_further_than_one_line(bert: Path, file: str) -> None:
    given = {"id2label": {"0": "a"}, "problem_type": None, "model_max_length": 5, "backbone": None}
    kept = {**given, **json.loads((bert / file).read_text())}
    refused = 0
    for key in kept:
        for odd in ODD:
            (bert / file).write_text(json.dumps({**kept, key: odd}))
            try:
                found = read_directory(bert)
            except AuditError:
                refused += 1
            else:
                assert found.notes and found.is_regression in {True, False}
                assert found.longest is None or found.longest > 0
    assert (refused > 10) == (file == "config.json")


def test_a_tokenizer_from_elsewhere_cuts_at_what_the_model_takes(models: Path, bert: Path) -> None:
    changed(bert / "tokenizer_config.json", model_max_length=500)
    (bert / "config.json").unlink()

    found = opened(models, "Bert", {"path": "d.csv", "inputs": "text"}, input={"tokenizer": str(bert)})

    assert found.data.shape == (24,)


def test_weights_must_be_safetensors(bert: Path) -> None:
    shutil.move(bert / "model.safetensors", bert / "other.safetensors")
    with pytest.raises(LoadError, match="weights must be safetensors .found no weights"):
        read_directory(bert)

    torch.save({"w": Payload()}, bert / "pytorch_model.bin")
    with pytest.raises(LoadError, match="weights must be safetensors .found 'pytorch_model.bin'"):
        read_directory(bert)

    shutil.move(bert / "pytorch_model.bin", bert / "model.safetensors")  # a pickle under the name of the other
    with pytest.raises(LoadError, match="'model.safetensors' is state_dict; expected safetensors"):
        inspect_model(bert)


def test_what_lies_beside_is_named_and_never_read(models: Path, bert: Path) -> None:
    torch.save({"w": Payload()}, bert / "pytorch_model.bin")
    torch.save({"w": Payload()}, bert / "training_args.bin")
    (bert / "handler.py").write_text("raise SystemExit(1)")

    assert inspect_model(bert).notes[-1] == ("beside it and not read: handler.py, pytorch_model.bin, training_args.bin")
    opened(bert.parent, "m", {"path": str(models / "d.csv"), "inputs": "text"})


# ---- without the network, without the package, without torch -----------------------------------------------------
def test_nothing_asks_the_network(models: Path, bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def refused(*address: object, **_: object) -> None:
        asked.append(address)
        raise OSError

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    changed(bert / "config.json", _name_or_path="attacker/model")
    changed(bert / "tokenizer_config.json", name_or_path="attacker/model", tokenizer_file="/etc/hostname")

    opened(bert.parent, "m", {"path": str(models / "d.csv"), "inputs": "text"})
    opened(models, "ViT", {"path": "d.npz"})

    assert asked == []


def test_without_the_package_it_is_one_line(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(UsageError, match="needs the package transformers .extra `zoos`., which cannot be imported"):
        opened(models, "ViT", {"path": "d.npz"})
    assert inspect_model(models / "ViT").format == "hugging face"


def test_a_directory_is_described_without_torch_and_transformers(models: Path) -> None:
    code = f"""
import sys
from app.cli import invoke
assert invoke(["inspect", {str(models / "Bert")!r}]) == 0
assert invoke(["inspect", {str(models / "ResNet")!r}]) == 0
print([m for m in ("torch", "numpy", "transformers", "tokenizers", "safetensors") if m in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "Bert: hugging face, " in out and "Say what" not in out
    assert "Note: BertForSequenceClassification, which takes texts.\nNote: 2 labels: no, yes.\n" in out
    assert "Note: tokenizer: tokenizer.json, at most 24 tokens.\n" in out
    assert "Note: image processor: resample = bilinear, resize = 18, size = [16, 16], mean = [0.5, 0.4, 0.3], " in out
    assert out.splitlines()[-1] == "[]"


# ---- the whole way -----------------------------------------------------------------------------------------------
def test_an_audit_of_texts_runs_and_says_what_does_not_apply(models: Path, tmp_path: Path) -> None:
    text = '[model]\npath = "Bert"\n[data]\npath = "d.csv"\ninputs = "text"\nsensitive = ["sex"]\n'
    (models / "a.toml").write_text(text)

    assert invoke(["run", str(models / "a.toml"), "--out", str(tmp_path / "out")]) in {0, 1}

    audit = load(tmp_path / "out").audit
    status = {o.check: (o.status, o.reason) for o in audit.outcomes}
    assert not [o for o in audit.outcomes if o.status is Status.ERROR]
    for check in ("explain.lrp", "explain.shap", "explain.lime"):
        assert status[check] == (
            Status.NOT_APPLICABLE,
            "the inputs are texts; this explains images and rows of columns",
        )
    assert "these texts have no height" in status["explain.gradcam"][1]
    assert "a text has no small changes" in status["robustness.curve"][1]
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
    assert outcomes["explain.gradcam"].result is not None
    assert outcomes["robustness.curve"].result is not None


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="is a folder without a config.json; expected a state_dict"):
        inspect_model(tmp_path)
