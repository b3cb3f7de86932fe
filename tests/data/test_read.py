"""What an audit file says of its data: which rows, what is refused, what would be ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from auditor.errors import AuditError, UsageError
from tests.data.reading import MODEL, picture, read


def test_limit_draws_by_the_seed_stratified_in_file_order(tmp_path: Path) -> None:
    y = np.array([0] * 70 + [1] * 20 + [2] * 10)
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).random((100, 2)).astype(np.float32), y=y)
    spec = {"path": "d.npz", "target": "y", "limit": 30}

    first, again = read(tmp_path, spec), read(tmp_path, spec)
    other = read(tmp_path, spec, checks={"seed": 1})

    assert np.bincount(first.data.y).tolist() == [21, 6, 3]
    assert first.data.row_ids.tolist() == sorted(first.data.row_ids.tolist()) == again.data.row_ids.tolist()
    assert other.data.row_ids.tolist() != first.data.row_ids.tolist()
    assert len(read(tmp_path, {**spec, "limit": 1000}).data) == 100


def test_a_limit_below_the_number_of_classes_takes_any_of_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((300, 2), np.float32), y=np.repeat(np.arange(100), 3))

    taken = [read(tmp_path, {"path": "d.npz", "limit": 20}, checks={"seed": seed}).data.y for seed in (0, 1)]

    assert all(len(set(y.tolist())) == 20 and y.max() > 50 for y in taken)
    assert set(taken[0].tolist()) != set(taken[1].tolist())


def test_a_limit_of_numbers_is_a_plain_draw(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((2000, 2), np.float32), y=np.linspace(0, 100, 2000))
    spec = {**MODEL, "output": "value"}

    found = read(tmp_path, {"path": "d.npz", "limit": 200}, model=spec)

    assert len(found.data) == 200
    assert found.data.y.mean() == pytest.approx(50, abs=6)  # three standard errors


def test_true_and_false_are_written_as_toml_writes_them(tmp_path: Path) -> None:
    ok = np.array([True, False, True])
    np.savez(tmp_path / "d.npz", x=np.zeros((3, 2), np.float32), y=[0, 1, 1], ok=ok)
    pd.DataFrame({"a": [1, 2, 3], "y": [0, 1, 1], "ok": ok}).to_parquet(tmp_path / "d.parquet")

    for path in ("d.npz", "d.parquet"):
        assert read(tmp_path, {"path": path, "where": {"ok": True}}).data.row_ids.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("name", "spec", "more", "message"),
    [
        ("f.npz", {}, {"input": {"resize": 8}}, "resize and size are for pixels"),
        ("f.npz", {"labels": "l.csv"}, {}, r"\[data\] labels would be ignored with 'f.npz': they belong to a folder"),
        ("f.npz", {"columns": ["a"]}, {}, r"\[data\] columns would be ignored"),
        ("f.npz", {"header": False}, {}, r"\[data\] header would be ignored"),
        ("f.npz", {}, {"columns": [{"name": "a"}]}, r"\[\[columns\]\] would be ignored"),
        ("f.npz", {}, {"input": {"kind": "table", "bounds": [0, 1]}}, r"bounds would be ignored"),
        ("f.npz", {}, {"relations": [{"weights": {"a": 1.0}, "equals": 0}]}, r"\[\[relations\]\] would be ignored"),
        ("t.csv", {"columns": ["a", "y"]}, {}, r"\[data\] columns would be ignored"),
        ("t.csv", {}, {"input": {"size": [8, 8]}}, "resize or size would be ignored"),
        (
            "t.csv",
            {},
            {"input": {"bounds": [0, 1]}},
            r"bounds would be ignored with 't.csv': give the \[\[columns\]\] min",
        ),
    ],
)
def test_a_key_that_would_be_ignored_is_refused(
    tmp_path: Path, name: str, spec: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "f.npz", x=np.zeros((3, 2), np.float32), y=[0, 1, 1])
    (tmp_path / "t.csv").write_text("a,y\n1,0\n2,1\n")

    with pytest.raises(UsageError, match=message):
        read(tmp_path, {"path": name, **spec}, **more)


@pytest.mark.parametrize(
    ("kind", "path", "gives", "more"),
    [("image", "t.csv", "table", {"inputs": ["age"]}), ("table", "d", "image", {})],
)
def test_a_declared_kind_that_the_data_is_not_is_refused(
    table: Path, kind: str, path: str, gives: str, more: dict[str, Any]
) -> None:
    picture(table / "d" / "a" / "1.png", (0, 0, 0))

    with pytest.raises(UsageError, match=f"kind = '{kind}', but data file '{path}' gives a {gives}"):
        read(table, {"path": path, "target": "y", **more}, input={"kind": kind})


@pytest.mark.parametrize(
    ("name", "content", "spec", "message"),
    [
        ("a.csv", "", {}, "cannot be read as CSV in UTF-8: Empty CSV file"),
        ("a.csv", "a,y\n", {}, "'a.csv' is empty: it has no rows"),
        ("a.csv", "a,y\n1,0\n2\n", {}, "Expected 2 columns, got 1"),
        ("a.csv", "a,a,y\n1,2,0\n", {}, "two columns named 'a'"),
        ("a.csv", "a,y\nfive,0\n", {}, "'a' holds 'five' in row 0 .*expected a number"),
        ("a.csv", "a,y\n1e999,0\n", {}, "'a' holds infinity in row 0"),
        ("a.csv", "a,y\nnan,0\n", {}, "'a' is missing in row 0"),
        ("a.csv", b"a,y\n\xff,0\n", {}, "cannot be read as CSV in UTF-8"),
        ("a.csv", "a,y\n1,0\n", {"target": "label"}, "no column 'label', which is its target; it has: a, y"),
        ("a.csv", "a,y\n1,0\n", {"sensitive": ["sex"]}, "no column 'sex', which is its sensitive column"),
        (
            "a.csv",
            "a,y\n1,0\n",
            {"inputs": ["b"]},
            "'a.csv' has no column 'b', which is its input column; it has: a, y",
        ),
        ("a.csv", "a,b,y\n1,2,0\n", {"where": {"a": "7"}}, "is empty: no row has a = '7'"),
        ("a.csv", "a,y\n1,0\n", {"where": {"split": "x"}}, "no column 'split', which is its where column"),
        ("a.csv", "y\n1\n", {}, "no column left for inputs"),
        ("a.parquet", "PAR1", {}, "cannot be read as Parquet"),
        ("a.npz", "PK", {}, "cannot be read as .npz"),
        ("a.xlsx", "{}", {}, "of a kind that cannot be read; expected .npz, a folder of images, .csv"),
        ("a.csv", "a,y\n1,0\n", {"reference": "b.csv"}, "data file 'b.csv' does not exist"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    tmp_path: Path, name: str, content: str | bytes, spec: dict[str, Any], message: str
) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(AuditError, match=message) as e:
        read(tmp_path, {"path": name, "target": "y", **spec})
    assert "\n" not in str(e.value)
