"""Every stored type comes back as it was; nobody finds half an audit."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from auditor.errors import LoadError, UsageError
from auditor.folders import COMPARISON, COMPARISON_JSON, MANIFEST, may_replace, replacing
from auditor.policy import judge, load_policy
from auditor.schema import audit_from_json, audit_to_json, canonical
from auditor.stats import rate, ratio
from auditor.store import Record, load, save
from auditor.types import SCHEMA, Audit, Image, Measure, Outcome, Policy, Result, Status, Table, Verdict

PUBLISHED = Path(__file__).resolve().parents[1] / "reports" / "schema" / "audit-v1.json"


def audit() -> Audit:
    """An audit with something in every field."""
    result = Result(
        (rate("accuracy", 90, 100), Measure("majority_share", "", 0.5, 100), Measure("nothing", "class=a", None, 0)),
        (Table("by class", ("class", "n", "share", "seen"), (("a", 3, 0.5, True), ("b\n<b>", 4, None, False))),),
        (Image("row 3: a", "performance.accuracy/row-3", "map", "alt"),),
        ("a caveat",),
    )
    ran = Outcome(
        "performance.accuracy", "Accuracy", "Wilson", Status.MEASURED, "", {"n": 4, "e": (0.1, 0.2)}, (), result
    )
    unfair = Result((ratio("impact_ratio", (10, 100), (50, 100), slice="sex=f"),))
    more = Outcome("fairness.impact_ratio", "Ratio", "", Status.MEASURED, "", {}, (), unfair)
    broken = Outcome("explain.lrp", "LRP", "", Status.ERROR, "ValueError: no", {})
    subject = {"name": "x", "model": {"sha256": "ab", "parameters": 12}, "data": {"classes": ["a", "b\u202e"]}}
    raw = Audit(SCHEMA, subject, {"X": "y"}, {"threads": 2}, 7, Policy("none"), Verdict.PASS, (ran, more, broken))
    return judge(raw, load_policy("default"))


def test_an_audit_comes_back_equal_and_is_written_the_same_again() -> None:
    text = audit_to_json(audit())

    again = audit_from_json(text)

    assert again == audit()
    assert audit_to_json(again) == text


def test_the_keys_are_the_field_names() -> None:
    found = json.loads(audit_to_json(audit()))

    assert sorted(found) == sorted(Audit.__dataclass_fields__)
    assert sorted(found["outcomes"][0]) == sorted(Outcome.__dataclass_fields__)
    assert sorted(found["outcomes"][0]["result"]["measures"][0]) == sorted(Measure.__dataclass_fields__)


def test_an_audit_is_valid_by_the_published_schema_and_a_damaged_one_is_not() -> None:
    validator = Draft202012Validator(json.loads(PUBLISHED.read_text()))
    good = json.loads(audit_to_json(audit()))
    bad = json.loads(audit_to_json(audit()))
    bad["outcomes"][0]["status"] = "splendid"

    assert list(validator.iter_errors(good)) == []
    assert list(validator.iter_errors(bad))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("seed"), "seed"),
        (lambda a: a.update(extra=1), "extra"),
        (lambda a: a["outcomes"][0].update(status="splendid"), "status"),
        (lambda a: a.update(schema="audit-v9"), "schema 'audit-v9'"),
    ],
)
def test_what_is_no_audit_is_refused(change: object, message: str) -> None:
    stored = json.loads(audit_to_json(audit()))
    change(stored)

    with pytest.raises(LoadError, match=message):
        audit_from_json(json.dumps(stored).encode())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_cannot_be_written(value: float) -> None:
    with pytest.raises(ValueError, match="a figure that cannot be said is None"):
        Measure("m", "", value, 3)
    with pytest.raises(ValueError, match="not representable"):
        canonical({"x": value})


def test_a_record_comes_back_with_its_arrays(tmp_path: Path) -> None:
    arrays = {"explain.lrp/row-1": np.arange(6.0).reshape(2, 3), "samples/row-1": np.zeros((2, 2, 3), np.uint8)}

    save(Record(audit(), arrays, {"started": "2026-01-01T00:00:00+00:00"}), tmp_path)
    found = load(tmp_path)

    assert found.audit == audit()
    assert sorted(found.arrays) == sorted(arrays)
    assert len(found.arrays) == 2
    for name, array in arrays.items():
        assert np.array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype
    with pytest.raises(KeyError):
        found.arrays["explain.lrp/row-2"]
    with pytest.raises(KeyError):
        found.arrays["../audit/row-1"]


def test_the_same_record_is_written_as_the_same_bytes(tmp_path: Path) -> None:
    record = Record(audit(), {"explain.lrp/a": np.arange(3.0)}, {"started": "x"})
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save(record, tmp_path / name)

    one, two = ([p.read_bytes() for p in sorted((tmp_path / n).rglob("*")) if p.is_file()] for n in ("one", "two"))
    assert one == two


def test_no_audit_here_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="holds no audit"):
        load(tmp_path)


# ---- taking the place of an older audit --------------------------------------------------------------------------
def written(folder: Path, text: str = "old") -> Path:
    folder.mkdir(parents=True)
    (folder / "audit.json").write_text(text)
    (folder / MANIFEST).write_text(json.dumps({"audit.json": ""}))
    return folder


def test_an_older_audit_gives_way_only_to_a_complete_one(tmp_path: Path) -> None:
    out = written(tmp_path / "out")

    with pytest.raises(RuntimeError), replacing(out) as fresh:
        (fresh / "audit.json").write_text("half")
        raise RuntimeError

    assert (out / "audit.json").read_text() == "old"
    with replacing(out) as fresh:
        (fresh / "audit.json").write_text("new")
        assert (out / "audit.json").read_text() == "old"
    assert (out / "audit.json").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def _header(folder: Path, header: bytes) -> None:
    """An array whose description says `header`, in an archive that is whole."""
    with zipfile.ZipFile(folder / "evidence" / "a.b.npz", "w") as z:
        z.writestr("x.npy", b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n")


def _alone(folder: Path) -> None:
    """An array without an archive around it."""
    with (folder / "evidence" / "a.b.npz").open("wb") as f:
        np.save(f, np.ones(2))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": lambda f: (f / "evidence" / "a.b.npz").unlink(),
    "no folder": lambda f: shutil.rmtree(f / "evidence"),
    "cut": lambda f: (f / "evidence" / "a.b.npz").write_bytes(b"PK\x03\x04"),
    "no brackets": lambda f: _header(f, b"(((("),
    "too large": lambda f: _header(f, b"{'descr': '<i8', 'fortran_order': False, 'shape': (1099511627776,), }"),
    "another": lambda f: np.savez(f / "evidence" / "a.b.npz", y=np.ones(2)),
    "alone": _alone,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_evidence_that_cannot_be_read_is_named_by_who_needs_it_and_else_not_there(tmp_path: Path, damage: str) -> None:
    save(Record(audit(), {"a.b/x": np.ones((3, 3))}), tmp_path)
    found = load(tmp_path)
    assert found.picture("a.b/x").shape == (3, 3)
    DAMAGE[damage](tmp_path)

    assert "a.b/x" not in found.arrays and found.arrays.get("a.b/x") is None
    with pytest.raises(LoadError, match=r"evidence/a.b.npz has no 'x' that can be read: .*damaged; give"):
        found.array("a.b/x")
    with pytest.raises(LoadError, match=r"evidence/a.b.npz"):
        found.picture("a.b/x")


@pytest.mark.parametrize("damage", ["cut", "no brackets", "alone"])
def test_damaged_evidence_is_not_written_again(tmp_path: Path, damage: str) -> None:
    save(Record(audit(), {"a.b/x": np.ones((3, 3))}), tmp_path)
    DAMAGE[damage](tmp_path)
    (tmp_path / "again").mkdir()

    with pytest.raises(LoadError, match=r"evidence/a.b.npz"):
        save(load(tmp_path), tmp_path / "again")


@pytest.mark.parametrize(
    "array", [np.ones(3), np.ones((2, 2, 2)), np.ones((0, 2)), np.array([["a"]]), np.ones((1,) * 4)]
)
def test_what_is_no_picture_is_not_drawn(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(LoadError, match=r"evidence/a.b.npz has a 'x' of shape .*, which is no picture"):
        Record(audit(), {"a.b/x": array}).picture("a.b/x")


def test_a_new_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    with replacing(tmp_path / "a" / "b") as fresh:
        (fresh / "audit.json").write_text("new")

    assert (tmp_path / "a" / "b" / "audit.json").read_text() == "new"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("attestation.dsse.json", "signed audit"),
        ("after/attestation.dsse.json", "signed audit"),
        ("signoff.dsse.json", "signed audit"),
        ("before/signoff.dsse.json", "signed audit"),
        ("thesis.docx", "holds 'thesis.docx', which no audit left there"),
        ("evidence/notes.txt", "holds 'evidence/notes.txt', which no audit left there"),
        ("after/thesis.docx", "holds 'after/thesis.docx', which no audit left there"),
    ],
)
def test_what_is_signed_or_no_audit_is_never_replaced(tmp_path: Path, name: str, message: str) -> None:
    out = written(tmp_path / "out")
    for part in ("before", "after"):
        written(out / part)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("precious")

    with pytest.raises(UsageError, match=message), replacing(out):
        pass
    assert (out / name).read_text() == "precious"


def test_two_audits_and_their_comparison_give_way_together(tmp_path: Path) -> None:
    written(tmp_path / "out" / "before")
    written(tmp_path / "out" / "after")
    for name in (COMPARISON, COMPARISON_JSON):
        (tmp_path / "out" / name).write_text("old")

    with replacing(tmp_path / "out") as fresh:
        (fresh / "audit.json").write_text("new")

    assert [p.name for p in (tmp_path / "out").iterdir()] == ["audit.json"]


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "file/below"])
def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(UsageError, match="cannot be written"):
        may_replace(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["loop", "loop/below"])
def test_a_link_to_itself_is_no_place(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(UsageError, match="cannot be written"):
        may_replace(tmp_path / name)


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")

    with pytest.raises(UsageError, match="is a file"), replacing(tmp_path / "out"):
        pass
