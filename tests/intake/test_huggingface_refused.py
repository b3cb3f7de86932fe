"""What a Hugging Face directory may not name or ask for is refused unread; nothing of one runs or is fetched."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from app.cli import invoke
from auditor.errors import AuditError, LoadError, UsageError
from auditor.intake.huggingface import read_directory
from auditor.intake.inspection import inspect_model
from tests.intake.directories import opened
from tests.intake.modelfiles import Payload
from tests.intake.pretrained import changed

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


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="is a folder without a config.json; expected a state_dict"):
        inspect_model(tmp_path)


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
