"""The audit file: every key of the design is read, and what does not fit is one line that lists what would."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from auditor.config import AuditFile, load_audit_file, parse_audit_file
from auditor.errors import UsageError
from tests.shared import AUDITS, needs_shared

WHOLE = """
[subject]
name = "credit"
version = "1"
provider = "us"
purpose = "x"
intended_use = "y"
out_of_scope = "z"
[statements]
"EU-AIA:9(5)" = "we looked"
"who was asked" = "nobody"
[model]
path = "m.pt"
architecture = "mlp:8-16-2"
arguments = { a = 1 }
output = "logits"
trust = "data"
[input]
kind = "image"
resize = 256
size = [224, 224]
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
bounds = [0.0, 1.0]
tokenizer = "DIR"
max_length = 128
[data]
path = "test.npz"
target = "y"
header = true
labels = "labels.csv"
classes = ["a", "b"]
positive = 1
sensitive = ["sex"]
where = { split = "test", fold = 3, big = true }
limit = 1000
reference = "train.npz"
missing = ["", "?"]
score = "p"
threshold = 0.5
[[columns]]
name = "age"
kind = "number"
mean = 38.6
std = 13.6
mutable = true
min = 0
max = 120
integer = true
increasing_only = true
[[relations]]
weights = { total = 1, a = -1 }
equals = 0
[checks]
profile = "standard"
seed = 0
device = "cpu"
only = ["robustness.*"]
skip = ["explain.lime"]
[checks."robustness.curve"]
norm = "linf"
[defend.pgd]
epsilon = 0.1
[policy]
path = "policy.toml"
"""


def test_every_key_of_the_design_is_read() -> None:
    file = parse_audit_file(tomllib.loads(WHOLE))

    assert file.checks.settings == {"robustness.curve": {"norm": "linf"}}
    assert file.columns[0].increasing_only
    assert file.data.where == {"split": "test", "fold": 3, "big": True}
    assert file.defend == {"pgd": {"epsilon": 0.1}}
    assert file.policy.path == "policy.toml"


def test_five_lines_are_enough() -> None:
    file = parse_audit_file(
        {"model": {"path": "m.pt", "architecture": "mlp:2-2"}, "data": {"path": "x.csv", "target": "y"}}
    )

    assert file.checks.profile == "standard"
    assert file.policy.path == "default"
    assert file.data.missing == ("", "?")


@needs_shared
@pytest.mark.parametrize("name", sorted(p.name for p in AUDITS.glob("*.toml")))
def test_real_audit_files_are_read(name: str) -> None:
    assert isinstance(load_audit_file(AUDITS / name), AuditFile)


BASE = {"model": {"path": "m.pt"}, "data": {"path": "x.csv"}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"modle": {}}, r"unknown key 'modle' in the top level; known: checks, columns, data"),
        ({"model": {"path": "m", "pth": 1}}, r"unknown key 'pth' in \[model\]; known: architecture, arguments"),
        ({"checks": {"profil": "quick"}}, r"unknown key 'profil' in \[checks\]; known: .*profile.*\"CHECK.ID\""),
        ({"checks": {"profile": "big"}}, r"checks.profile: .*'quick', 'standard' or 'deep', found 'big'"),
        ({"checks": {"settings": {}}}, r"no key settings"),
        ({"checks": {"seed": -1}}, r"checks.seed: .*found -1"),
        ({"columns": [{"name": "a", "knd": "x"}]}, r"unknown key 'knd' in \[columns\]; known: .*kind"),
        ({"columns": [{"name": "a", "kind": "category"}]}, r"category without values"),
        ({"columns": [{"name": "a", "mean": 1.0}]}, r"mean and std are given together"),
        ({"input": {"mean": [1.0]}}, r"mean and std are given together"),
        ({"input": {"mean": [1.0], "std": [1.0, 2.0]}}, r"mean has 1 values and std 2"),
        ({"input": {"mean": [1.0], "std": [0.0]}}, r"input.std number 1: .*greater than 0, found 0"),
        ({"input": {"bounds": [1, 0]}}, r"bounds are \[1, 0\]"),
        ({"input": {"size": [224]}}, r"input.size"),
        ({"data": {}}, r"\[data\] has no 'path', which it needs"),
        ({"data": {"path": "x", "limit": 0}}, r"data.limit: .*found 0"),
        ({"data": {"path": "x", "inputs": ["a"]}, "columns": [{"name": "a"}]}, r"both say what the inputs are"),
        ({"model": None}, r"no \[model\], and \[data\] names no score or prediction"),
        ({"data": {"path": "x", "score": "p", "prediction": "q"}}, r"both score and prediction"),
        ({"model": {"path": "m", "trust": "yes"}}, r"model.trust: .*found 'yes'"),
        ({"columns": [{"name": "a", "min": 3, "max": 2}]}, r"min is 3.* max .*2"),
        (
            {"columns": [{"name": "a", "kind": "category", "values": ["x"], "integer": True}]},
            r"'a' is a category: min, max",
        ),
        ({"relations": [{"weights": {"a": 1.0}}]}, r"equals or at_most, and not both"),
        ({"relations": [{"weights": {"a": 1.0}, "equals": 0, "at_most": 1}]}, r"equals or at_most, and not both"),
        ({"relations": [{"weights": {}, "equals": 0}]}, r"a relation has no weights"),
        ({"relations": [{"weights": {"a": 0.0}, "equals": 0}]}, r"the weight 0 for 'a'"),
        ({"data": {"path": "x", "limit": "5"}}, r"data.limit: .*found '5'"),
        ({"data": {"path": "x", "limit": True}}, r"data.limit: .*found True"),
        ({"data": {"path": "x", "header": "no"}}, r"data.header: .*found 'no'"),
        ({"data": {"path": "x", "threshold": float("nan")}}, r"data.threshold: .*found nan"),
        ({"checks": {"seed": 2**32}}, r"checks.seed: .*found 4294967296"),
    ],
)
def test_what_does_not_fit_is_one_line(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as e:
        parse_audit_file({**BASE, **given})
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[model\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"a = " + b"9" * 5000, "is not TOML"),
        (b"a = " + b"[" * 5000, "is not TOML"),
        (None, "no audit file"),
    ],
)
def test_what_is_no_toml_file_is_one_line(tmp_path: Path, text: bytes | None, message: str) -> None:
    path = tmp_path / "audit.toml"
    if text is not None:
        path.write_bytes(text)

    with pytest.raises(UsageError, match=message):
        load_audit_file(path)
    with pytest.raises(UsageError, match="is a folder"):
        load_audit_file(tmp_path)


def test_a_byte_order_mark_of_an_editor_is_no_part_of_an_audit_file(tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text('[model]\npath = "größe.safetensors"\n[data]\npath = "d.npz"\n', "utf-8-sig")

    file = load_audit_file(tmp_path / "audit.toml")
    assert file.model is not None and file.model.path == "größe.safetensors"
