"""Files to samples: every reader gives the rows, targets and groups that were written, and says what it cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from auditor.config import parse_audit_file
from auditor.data.read import Read, read_data
from auditor.errors import AuditError, LoadError, UsageError
from auditor.subject import Data

MODEL = {"path": "m.pt", "architecture": "mlp:2-2"}


def read(folder: Path, data: dict[str, Any], **more: Any) -> Read:
    """The data of an audit file with these parts; `model=None` for predictions only."""
    given = {"data": data, "model": MODEL, **more}
    return read_data(parse_audit_file({k: v for k, v in given.items() if v is not None}), folder)


def rows(data: Data) -> np.ndarray[Any, Any]:
    return data.read(np.arange(len(data))).numpy()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twelve people; ages 20 to 31, two of them without a city."""
    frame = pd.DataFrame(
        {
            "age": range(20, 32),
            "member": [0, 1] * 6,
            "city": ["x", "y", "z", "x", "y", "?", "x", "", "z", "x", "y", "z"],
            "sex": ["f", "m", "m", "f", "f", "m", "f", "m", "m", "f", "NA", "None"],
            "split": ["train", "test", "test"] * 4,
            "p": np.linspace(0.0, 1.0, 12),
            "y": [0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1],
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "t.parquet")
    return tmp_path


SPEC = {"path": "t.csv", "target": "y", "inputs": ["age", "member"]}


# ---- tables ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet"])
def test_a_table_is_read_the_same_from_every_format(table: Path, name: str) -> None:
    found = read(table, {**SPEC, "path": name, "sensitive": ["sex", "city"]})

    assert rows(found.data).tolist() == [[a, m] for a, m in zip(range(20, 32), [0, 1] * 6, strict=True)]
    assert found.data.y.tolist() == [0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1]
    assert list(found.data.groups["sex"])[-2:] == ["NA", "None"]  # values, not missing
    assert list(found.data.groups["city"]) == [
        "x", "y", "z", "x", "y", "(missing)", "x", "(missing)", "z", "x", "y", "z",
    ]  # fmt: skip
    assert found.facts["rows"] == 12


def test_where_keeps_rows_whose_column_equals_it_as_text(table: Path) -> None:
    found = read(table, {**SPEC, "where": {"split": "test", "member": 1}})

    assert found.data.row_ids.tolist() == [1, 5, 7, 11]
    assert rows(found.data)[:, 0].tolist() == [21, 25, 27, 31]
    assert found.data.y.tolist() == [1, 0, 1, 1]


def test_without_inputs_all_columns_that_serve_nothing_else_are_used(table: Path) -> None:
    pd.read_csv(table / "t.csv").drop(columns=["city"]).to_csv(table / "u.csv", index=False)

    found = read(
        table, {"path": "u.csv", "target": "y", "sensitive": ["sex"], "where": {"split": "test"}, "score": "p"}
    )

    assert [c.name for c in found.data.columns] == ["age", "member"]
    assert [c.kind for c in found.data.columns] == ["number", "flag"]


COLUMNS: list[dict[str, Any]] = [
    {"name": "age", "kind": "number", "mean": 25.0, "std": 2.0},
    {"name": "city", "kind": "category", "values": ["y", "x"]},
    {"name": "member", "kind": "flag"},
]


def test_columns_say_how_a_row_becomes_a_vector(table: Path) -> None:
    found = read(table, {"path": "t.csv", "target": "y"}, columns=COLUMNS)

    x = rows(found.data)
    assert x[0].tolist() == [-2.5, 0, 1, 0]
    assert x[1].tolist() == [-2.0, 1, 0, 1]
    assert x[2].tolist() == [-1.5, 0, 0, 0]  # z is not listed: all zeros
    assert found.data.caveats == ("Column 'city': 5 rows have a value that is not listed (all zeros).",)
    assert [(c.name, c.start, c.stop) for c in found.data.columns] == [("age", 0, 1), ("city", 1, 3), ("member", 3, 4)]
    assert [c.shown(x[1].tolist()) for c in found.data.columns] == ["21", "y", "1"]
    assert found.data.columns[1].shown(x[2].tolist()) == "(none of the values)"


def test_a_table_is_bounded_by_its_reference_and_only_numbers_may_change(table: Path) -> None:
    pd.DataFrame({"age": [10, 50], "city": ["x", "y"], "member": [0, 1], "y": [0, 1]}).to_csv(
        table / "r.csv", index=False
    )
    fixed = [{**COLUMNS[0], "mutable": False}, *COLUMNS[1:]]

    found = read(table, {"path": "t.csv", "target": "y", "reference": "r.csv"}, columns=COLUMNS)
    low, high = (torch.as_tensor(b).tolist() for b in found.bounds)

    assert (low, high) == ([-7.5, 0, 0, 0], [12.5, 1, 1, 1])
    assert torch.as_tensor(found.unit).tolist() == [10.0, 0, 0, 0]  # the deviation of -7.5 and 12.5
    assert torch.as_tensor(read(table, {"path": "t.csv", "target": "y"}, columns=fixed).unit).tolist() == [0, 0, 0, 0]
    assert found.reference is not None and len(found.reference) == 2


def test_a_columns_own_range_and_kind_bind_attacks(table: Path) -> None:
    age = {"name": "age", "min": 22, "max": 30}
    spec = {"path": "t.csv", "target": "y"}

    low, high = (torch.as_tensor(b).tolist() for b in read(table, spec, columns=[age]).bounds)
    units = [
        torch.as_tensor(read(table, spec, columns=[{**age, **more}]).unit).tolist()[0]
        for more in ({}, {"integer": True}, {"increasing_only": True})
    ]

    assert (low, high) == ([22], [30])
    assert units[0] == pytest.approx(np.arange(20, 32).std())
    assert units[1:] == [0, 0]


@pytest.mark.parametrize("more", [{}, {"where": {"split": "test"}, "sensitive": ["sex"]}, {"sensitive": ["member"]}])
def test_a_reference_with_the_columns_of_the_data_has_its_inputs_alone(table: Path, more: dict[str, Any]) -> None:
    """Who may not be an input of the data (sensitive, `where`) is none of the reference either."""
    spec = {"path": "u.csv", "target": "y", "reference": "u.csv", **more}
    frame = pd.read_csv(table / "t.csv")
    if "where" not in more:
        frame = frame.drop(columns=["sex", "split"])
    frame.drop(columns=["city"]).to_csv(table / "u.csv", index=False)

    found = read(table, spec)

    assert found.reference is not None
    assert found.reference.shape == found.data.shape
    assert len(found.reference) == 12
    assert torch.equal(found.data.read(np.arange(1)), found.reference.read(found.data.row_ids[:1]))


def test_a_table_in_an_npz_is_bounded_as_other_tables(tmp_path: Path) -> None:
    x = np.array([[0, 5, 1], [1, 7, 1], [0, 9, 0]], np.float32)
    np.savez(tmp_path / "t.npz", x=x, y=[0, 1, 1])

    found = read(tmp_path, {"path": "t.npz"}, input={"kind": "table"})

    low, high = (torch.as_tensor(b).tolist() for b in found.bounds)
    assert (low, high) == ([0, 5, 0], [1, 9, 1])
    assert torch.as_tensor(found.unit).tolist() == pytest.approx([0, np.std([5, 7, 9]), 0])  # flags may not change
    assert [(c.name, c.kind) for c in found.data.columns] == [("x[0]", "flag"), ("x[1]", "number"), ("x[2]", "flag")]


def test_what_attacks_cannot_keep_yet_is_refused(table: Path) -> None:
    with pytest.raises(UsageError, match="relations"):
        read(table, SPEC, relations=[{"weights": {"age": 1.0}, "equals": 0}])


def test_missing_numbers_are_filled_with_a_declared_mean_and_counted_else_refused(table: Path) -> None:
    pd.DataFrame({"a": ["1", "?", "3"], "y": [0, 1, 0]}).to_csv(table / "m.csv", index=False)
    spec = {"path": "m.csv", "target": "y"}

    filled = read(table, spec, columns=[{"name": "a", "mean": 3.0, "std": 2.0}])

    assert rows(filled.data)[:, 0].tolist() == [-1.0, 0.0, 0.0]
    assert filled.data.caveats == ("Column 'a': 1 rows have no value (its mean).",)
    with pytest.raises(LoadError, match=r"'a' is missing in row 1 \(counted from 0\); give the column a mean"):
        read(table, spec)


def test_a_file_without_a_header_is_read_with_given_names(table: Path) -> None:
    (table / "n.csv").write_text("1,5,0\n2,6,1\n")

    found = read(table, {"path": "n.csv", "header": False, "columns": ["a", "b", "y"], "target": "y"})

    assert rows(found.data).tolist() == [[1, 5], [2, 6]]
    with pytest.raises(UsageError, match="columns has 2 names; 'n.csv' has 3 columns"):
        read(table, {"path": "n.csv", "header": False, "columns": ["a", "y"], "target": "y"})


def test_a_large_table_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.data.tables.BLOCK", 2000)
    lines = [f"{i},{'ab'[i % 2]},{i % 2}" for i in range(3000)]
    (tmp_path / "l.csv").write_text("n,g,y\n" + "\n".join(lines) + "\n")

    found = read(tmp_path, {"path": "l.csv", "target": "y", "inputs": ["n"], "sensitive": ["g"], "where": {"g": "b"}})

    assert found.data.row_ids.tolist() == list(range(1, 3000, 2))
    assert rows(found.data)[:, 0].tolist() == list(range(1, 3000, 2))


# ---- limit -------------------------------------------------------------------------------------------------------
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


# ---- arrays ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3), (2, 3, 4, 5)),
        (np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5), (2, 1, 4, 5)),
        (np.random.default_rng(0).random((2, 3, 4, 5)), (2, 3, 4, 5)),
        (np.random.default_rng(0).random((2, 7)).astype(np.float32), (2, 7)),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_arrays_are_read_as_the_design_says(
    tmp_path: Path, x: np.ndarray[Any, Any], shape: tuple[int, ...], packed: bool
) -> None:
    (np.savez_compressed if packed else np.savez)(tmp_path / "d.npz", x=x, y=np.array([1, 0]))

    found = rows(read(tmp_path, {"path": "d.npz", "inputs": "x", "target": "y"}).data)

    assert found.shape == shape
    if x.dtype == np.uint8:
        pixels = x[..., None] if x.ndim == 3 else x
        assert found == pytest.approx(pixels.transpose(0, 3, 1, 2) / 255)
    else:
        assert found == pytest.approx(x)


def test_arrays_may_be_names_and_groups(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz",
        x=np.zeros((3, 2), np.float32),
        label=np.array(["cat", "dog", "cat"]),
        age=np.array([1.0, 2.0, 1.0]),
    )

    found = read(tmp_path, {"path": "d.npz", "target": "label", "sensitive": ["age"]})

    assert found.classes == ("cat", "dog")
    assert found.data.y.tolist() == [0, 1, 0]
    assert list(found.data.groups["age"]) == ["1", "2", "1"]


def test_pixels_are_resized_then_cut(tmp_path: Path) -> None:
    x = np.zeros((1, 20, 40, 3), np.uint8)
    x[:, :, 10:30] = 200
    np.savez(tmp_path / "d.npz", x=x, y=np.array([0]))

    whole = rows(read(tmp_path, {"path": "d.npz", "target": "y"}, input={"resize": 10, "size": [10, 10]}).data)
    squeezed = rows(read(tmp_path, {"path": "d.npz", "target": "y"}, input={"size": [10, 10]}).data)

    assert whole.shape == squeezed.shape == (1, 3, 10, 10)
    assert whole[0, 0, 5, 2:8] == pytest.approx(200 / 255, abs=0.02)  # the centre
    assert squeezed[0, 0, 5, 0] == pytest.approx(0, abs=0.02)  # the whole width
    with pytest.raises(LoadError, match="size is 12x12, larger than the 10x20"):
        rows(read(tmp_path, {"path": "d.npz", "target": "y"}, input={"resize": 10, "size": [12, 12]}).data)


@pytest.mark.parametrize(("w", "h"), [(322, 322), (347, 347), (322, 500), (389, 300)])
def test_the_short_side_has_the_length_that_was_asked_for(tmp_path: Path, w: int, h: int) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((1, h, w, 3), np.uint8), y=np.array([0]))
    given = {"resize": 256, "size": [256, 256]}

    assert rows(read(tmp_path, {"path": "d.npz"}, input=given).data).shape == (1, 3, 256, 256)
    assert min(rows(read(tmp_path, {"path": "d.npz"}, input={"resize": 256}).data).shape[2:]) == 256


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


# ---- image folders -----------------------------------------------------------------------------------------------
def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (6, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    for name, colour in (("red/1.png", (255, 0, 0)), ("red/2.bmp", (255, 0, 0)), ("blue/1.png", (0, 0, 255))):
        picture(tmp_path / "d" / name, colour)
    (tmp_path / "d" / "red" / "notes.txt").write_text("x")

    found = read(tmp_path, {"path": "d"})

    assert found.classes == ("blue", "red")
    assert found.data.y.tolist() == [0, 1, 1]
    assert rows(found.data)[:, :, 0, 0].tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 0]]


def test_a_folder_with_a_labels_csv(tmp_path: Path) -> None:
    for i in range(3):
        picture(tmp_path / "d" / f"{i}.png", (i * 100, 0, 0))
    (tmp_path / "labels.csv").write_text("file,what,light\n2.png,dog,dark\n0.png,cat,bright\n")
    (tmp_path / "names.csv").write_text("index,name\n0,cat\n1,dog\n")

    found = read(
        tmp_path,
        {"path": "d", "labels": "labels.csv", "target": "what", "classes": "names.csv", "sensitive": ["light"]},
    )

    assert found.classes == ("cat", "dog")
    assert found.data.y.tolist() == [1, 0]
    assert rows(found.data)[:, 0, 0, 0] == pytest.approx([200 / 255, 0])
    assert list(found.data.groups["light"]) == ["dark", "bright"]


def test_sixteen_bits_a_channel_are_scaled_not_cut(tmp_path: Path) -> None:
    """Pillow's own conversion makes 255 of every value above 255."""
    (tmp_path / "d" / "a").mkdir(parents=True)
    levels = np.array([[0, 0x4000], [0x8000, 0xFFFF]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "d" / "a" / "1.png")

    found = rows(read(tmp_path, {"path": "d"}).data)

    assert found[0, 0].tolist() == pytest.approx(np.array([[0, 64], [128, 255]]) / 255)


def test_a_picture_of_very_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    picture(tmp_path / "d" / "a" / "1.png", (0, 0, 0), (21_000, 1_000))

    with pytest.raises(LoadError, match=r"'a/1.png' has 21000 x 1000 pixels; at most 20,000,000 are read"):
        rows(read(tmp_path, {"path": "d"}).data)


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
    ("x", "kind", "needs"),
    [
        (np.zeros((2, 4, 4, 3), np.uint8), "table", r"\(N,F\) floats"),
        (np.zeros((2, 3)), "image", r"\(N,C,H,W\) floats"),
    ],
)
def test_an_array_that_is_not_of_the_declared_kind_is_refused(
    tmp_path: Path, x: np.ndarray[Any, Any], kind: str, needs: str
) -> None:
    np.savez(tmp_path / "d.npz", x=x, y=[0, 1])

    with pytest.raises(LoadError, match=f"kind = '{kind}' needs {needs}"):
        read(tmp_path, {"path": "d.npz"}, input={"kind": kind})


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("file,y\n9.png,0\n", "row 0: there is no image '9.png'"),
        ("file,y\n../secret.png,0\n", "lies outside"),
        ("file,y\n/etc/passwd,0\n", "lies outside"),
        ("name,y\n0.png,0\n", "no column 'file'"),
        ("file,y\n", "lists no images"),
        ("file,y\nbad.png,0\n", "'d/bad.png' cannot be read"),
        ("file,y\n0.png,0\nbig.png,1\n", "differ in size"),
    ],
)
def test_images_that_cannot_be_read_are_named(tmp_path: Path, csv: str, message: str) -> None:
    picture(tmp_path / "d" / "0.png", (1, 2, 3))
    picture(tmp_path / "d" / "big.png", (1, 2, 3), (9, 9))
    (tmp_path / "d" / "bad.png").write_text("no picture")
    (tmp_path / "secret.png").write_text("x")
    (tmp_path / "l.csv").write_text(csv)

    with pytest.raises(AuditError, match=message):
        rows(read(tmp_path, {"path": "d", "labels": "l.csv", "target": "y"}).data)


# ---- targets -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("target", "classes", "y", "names"),
    [
        (["0", "2", "1"], None, [0, 2, 1], None),
        (["1.0", "0.0", "1.0"], None, [1, 0, 1], None),
        (["b", "a", "b"], None, [1, 0, 1], ("a", "b")),
        (["2", "1", "2"], ["2", "1"], [0, 1, 0], ("2", "1")),  # text is matched to names first
        (["0", "2", "1"], ["1", "2", "3"], [0, 2, 1], ("1", "2", "3")),  # and read in one way: 0 is no name, so indices
        (["1", "0", "0"], ["crane", "crane"], [1, 0, 0], ("crane (0)", "crane (1)")),
        (["true", "false", "true"], None, [1, 0, 1], ("false", "true")),
    ],
)
def test_targets_are_names_or_indices(
    tmp_path: Path, target: list[str], classes: object, y: list[int], names: object
) -> None:
    pd.DataFrame({"a": [1, 2, 3], "y": target}).to_csv(tmp_path / "t.csv", index=False)

    found = read(tmp_path, {"path": "t.csv", "target": "y", **({"classes": classes} if classes else {})})

    assert found.data.y.tolist() == y
    assert found.classes == names


@pytest.mark.parametrize(
    ("target", "classes", "message"),
    [
        (["0", "7", "1"], ["a", "b"], "'7' in row 1 .*index from 0 to 1 or one of the 2 class names"),
        (["0", "-1", "1"], None, "'-1' in row 1"),
        (["a", "c", "b"], ["a", "b"], "'c' in row 1"),
        (["0", "", "1"], None, r"missing in 1 rows \(first: 1"),
        (["0.5", "1", "0"], ["a", "b"], "'0.5' in row 0"),
        (["b", "a", "1"], ["a", "b"], r"mixes class names \('a'\) and indices \('1'\)"),
        (["3", "0", "1"], ["1", "2", "3"], r"mixes class names \('3'\) and indices \('0'\)"),
    ],
)
def test_targets_that_mean_nothing_are_refused(
    tmp_path: Path, target: list[str], classes: object, message: str
) -> None:
    pd.DataFrame({"a": [1, 2, 3], "y": target}).to_csv(tmp_path / "t.csv", index=False)

    with pytest.raises(LoadError, match=message):
        read(tmp_path, {"path": "t.csv", "target": "y", **({"classes": classes} if classes else {})})


@pytest.mark.parametrize("name", ["t.npz", "t.parquet"])
def test_targets_that_are_numbers_in_the_file_are_indices_whatever_the_names(tmp_path: Path, name: str) -> None:
    y = np.array([1, 0, 2])
    np.savez(tmp_path / "t.npz", x=np.zeros((3, 2), np.float32), y=y)
    pd.DataFrame({"a": [1, 2, 3], "y": y}).to_parquet(tmp_path / "t.parquet")

    found = read(tmp_path, {"path": name, "classes": ["2", "0", "1"]})

    assert found.data.y.tolist() == [1, 0, 2]


# ---- groups ------------------------------------------------------------------------------------------------------
def test_numbers_with_many_values_become_ranges_with_stated_edges(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(100), "age": [*range(99), None], "y": [0, 1] * 50}).to_csv(tmp_path / "t.csv", index=False)

    found = read(tmp_path, {"path": "t.csv", "target": "y", "inputs": ["a"], "sensitive": ["age"]})
    groups = found.data.groups["age"]

    assert groups.names == ("up to 24", "over 24 to 49", "over 49 to 73", "over 73 to 98", "(missing)")
    assert np.bincount(groups.codes).tolist() == [25, 25, 24, 25, 1]
    assert found.data.caveats == ("Sensitive column 'age' holds numbers; they were cut at 24, 49, 73.",)


def test_ranges_of_large_numbers_stay_apart_and_hold_every_row(tmp_path: Path) -> None:
    times = [*(str(1_600_000_000 + i) for i in range(100)), "", "", ""]
    pd.DataFrame({"a": range(103), "t": times, "y": [0] * 103}).to_csv(tmp_path / "t.csv", index=False)

    groups = read(tmp_path, {"path": "t.csv", "target": "y", "inputs": ["a"], "sensitive": ["t"]}).data.groups["t"]

    assert groups.names[0] == "up to 1600000024" and groups.names[-1] == "(missing)"
    assert np.bincount(groups.codes).tolist() == [25, 25, 25, 25, 3]


def test_numbers_that_are_nearly_all_the_same_are_one_range_and_the_rest(tmp_path: Path) -> None:
    values = [5.0] * 90 + list(np.linspace(1, 4, 22))
    pd.DataFrame({"a": range(112), "t": values, "y": [0] * 112}).to_csv(tmp_path / "t.csv", index=False)

    groups = read(tmp_path, {"path": "t.csv", "target": "y", "inputs": ["a"], "sensitive": ["t"]}).data.groups["t"]

    assert groups.names == ("up to 5",)
    assert len(groups) == 112


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("s", "f&race=b", "holds 'f&race=b', which reads as two groups"), ("a=b", "f", "has = or & in its name")],
)
def test_groups_that_would_read_as_others_are_refused(tmp_path: Path, name: str, value: str, message: str) -> None:
    pd.DataFrame({"a": [1, 2], name: ["m", value], "y": [0, 1]}).to_csv(tmp_path / "t.csv", index=False)

    with pytest.raises(UsageError, match=message):
        read(tmp_path, {"path": "t.csv", "target": "y", "inputs": ["a"], "sensitive": [name]})


def test_too_many_groups_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(200), "id": [f"n{i}" for i in range(200)], "y": [0, 1] * 100}).to_csv(
        tmp_path / "t.csv", index=False
    )

    with pytest.raises(UsageError, match="'id' has 200 different values; at most 100 are compared"):
        read(tmp_path, {"path": "t.csv", "target": "y", "inputs": ["a"], "sensitive": ["id"]})


# ---- predictions only --------------------------------------------------------------------------------------------
def test_a_score_is_positive_strictly_above_the_threshold(table: Path) -> None:
    pd.DataFrame({"p": [0.2, 0.5, 0.51, 0.9], "y": [0, 1, 1, 0]}).to_csv(table / "s.csv", index=False)
    spec = {"path": "s.csv", "target": "y", "score": "p"}

    usual, low = (
        read(table, spec, model=None).data.given,
        read(table, {**spec, "threshold": 0.2}, model=None).data.given,
    )
    other = read(table, {**spec, "positive": 0}, model=None).data.given

    assert usual is not None and low is not None and other is not None
    assert usual.predicted.tolist() == [0, 0, 1, 1]
    assert low.predicted.tolist() == [0, 1, 1, 1]
    assert other.predicted.tolist() == [1, 1, 0, 0]
    assert usual.probabilities is not None and usual.probabilities[:, 1] == pytest.approx([0.2, 0.5, 0.51, 0.9])
    assert other.probabilities is not None and other.probabilities[:, 0] == pytest.approx([0.2, 0.5, 0.51, 0.9])


def test_a_score_beyond_0_and_1_needs_a_threshold_of_its_own(table: Path) -> None:
    """Deciles are no probabilities: at the usual 0.5 every one of them would be positive."""
    pd.DataFrame({"decile": [1, 4, 5, 10], "y": [0, 1, 1, 0]}).to_csv(table / "s.csv", index=False)
    spec = {"path": "s.csv", "target": "y", "score": "decile"}

    found = read(table, {**spec, "threshold": 4}, model=None).data.given

    assert found is not None and found.predicted.tolist() == [0, 0, 1, 1]
    assert found.probabilities is None
    with pytest.raises(LoadError, match=r"score 'decile' is 4 in row 1 .*expected probabilities"):
        read(table, spec, model=None)


def test_scores_of_every_class_and_plain_predictions(table: Path) -> None:
    frame = pd.DataFrame({"a": [0.2, 0.5], "b": [0.7, 0.1], "c": [0.1, 0.4], "d": ["b", "z"], "y": ["b", "z"]})
    frame.to_csv(table / "s.csv", index=False)
    spec = {"path": "s.csv", "target": "y", "classes": ["x", "b", "z"]}

    scores = read(table, {**spec, "score": ["a", "b", "c"]}, model=None).data.given
    plain = read(table, {**spec, "prediction": "d"}, model=None).data.given

    assert scores is not None and plain is not None
    assert scores.predicted.tolist() == [1, 0]
    assert plain.predicted.tolist() == [1, 2]
    assert plain.probabilities is None
    for score in (["a", "b"], ["a", "b", "b"]):
        with pytest.raises(UsageError, match="score lists 2 columns for 3 classes"):
            read(table, {**spec, "score": score}, model=None)
    with pytest.raises(UsageError, match="one column, which needs two classes; there are 3"):
        read(table, {**spec, "score": "a"}, model=None)


# ---- what cannot be read -----------------------------------------------------------------------------------------
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
        ("a.jsonl", "{}", {}, "of a kind that cannot be read; expected .npz, a folder of images, .csv"),
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


@pytest.mark.parametrize(
    ("arrays", "spec", "message"),
    [
        ({"x": np.zeros((0, 3), np.float32), "y": np.zeros(0)}, {}, "has no samples"),
        ({"a": np.zeros((2, 3)), "y": np.zeros(2)}, {}, "no column 'x', which is its inputs; it has: a, y"),
        ({"x": np.zeros((2, 3)), "y": np.zeros((2, 2))}, {}, r"array 'y' is \(2, 2\); expected \(2,\)"),
        ({"x": np.zeros((2, 3)), "y": np.zeros(3)}, {}, r"array 'y' is \(3,\); expected \(2,\)"),
        ({"x": np.zeros((2, 3), np.int64), "y": np.zeros(2)}, {}, "is int64.*expected uint8 pixels"),
        ({"x": np.zeros((2, 3)), "y": np.array([{}, 1])}, {}, "it holds Python objects"),
        ({"x": np.zeros((2, 3)), "y": np.zeros(2)}, {"inputs": ["x"]}, "inputs is a list"),
    ],
)
def test_arrays_that_do_not_fit_are_one_line(
    tmp_path: Path, arrays: dict[str, Any], spec: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "d.npz", **arrays)

    with pytest.raises(AuditError, match=message):
        read(tmp_path, {"path": "d.npz", "target": "y", **spec})


def test_text_is_not_audited_yet_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'text' cannot be audited yet"):
        read(tmp_path, {"path": "a.csv", "target": "y"}, input={"kind": "text"})
