"""What a table of predictions holds besides, and what its reference has of the sensitive columns."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.data import files
from auditor.data.read import Read
from auditor.errors import LoadError
from auditor.subject import Data
from tests.data.reading import read

N = 240
SPEC = {"target": "y", "score": "p", "sensitive": ["sex", "age"]}


def frame(n: int = N, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame({
        "p": draw.random(n), "y": draw.integers(0, 2, n), "sex": draw.choice(["f", "m"], n),
        "age": draw.integers(18, 90, n), "split": draw.choice(["train", "test"], n),
        "income": np.where(np.arange(n) % 5, draw.normal(50, 9, n), np.nan), "city": draw.choice(["x", "y", ""], n),
        "member": draw.random(n) > 0.5, "id": [f"n{i}" for i in range(n)], "visits": draw.integers(0, 4, n),
    })  # fmt: skip


def others(data: Data) -> dict[str, Labels | np.ndarray]:
    if data.others is None:
        pytest.fail("the data has no other columns")
    return dict(data.others())


@pytest.fixture(params=["csv", "parquet", "jsonl"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The frame in a file of each kind; that in Parquet is read in several parts."""
    monkeypatch.setattr(files, "PART", 100)
    name = f"t.{request.param}"
    if request.param == "csv":
        frame().to_csv(tmp_path / name, index=False)
    elif request.param == "parquet":
        frame().to_parquet(tmp_path / name)
    else:
        frame().to_json(tmp_path / name, orient="records", lines=True)
    return name


def test_other_columns_are_numbers_or_few_texts_of_the_same_rows(tmp_path: Path, path: str) -> None:
    data = read(tmp_path, {"path": path, **SPEC, "where": {"split": "test"}, "limit": 103}, model=None).data
    rows, found = frame().iloc[data.row_ids], others(data)

    assert data.other_names == ("income", "city", "member", "id", "visits")
    assert set(found) == {"income", "city", "member", "visits"}  # an id says nothing of many
    np.testing.assert_allclose(found["income"], rows["income"])
    np.testing.assert_array_equal(found["visits"], rows["visits"])
    assert found["income"].dtype == found["visits"].dtype == np.float64
    assert list(found["city"]) == [c or MISSING for c in rows["city"]]
    assert [name.lower() for name in found["member"]] == [str(m).lower() for m in rows["member"]]


def test_they_follow_the_rows_and_are_read_only_when_asked(tmp_path: Path, path: str) -> None:
    data = read(tmp_path, {"path": path, **SPEC}, model=None).data
    some = data.at(np.array([9, 3, 200]))

    np.testing.assert_array_equal(others(some)["visits"], frame()["visits"].iloc[[9, 3, 200]])
    assert list(others(some.take(2, 0))["city"]) == [
        frame()["city"][i] or MISSING for i in some.take(2, 0).row_ids
    ]  # fmt: skip
    (tmp_path / path).unlink()
    assert len(next(iter(data.batches(N))).y) == N
    with pytest.raises((LoadError, OSError)):
        others(data)


def test_inputs_name_which_ones(tmp_path: Path, path: str) -> None:
    spec = {"path": path, **SPEC}

    assert set(others(read(tmp_path, {**spec, "inputs": ["income", "sex"]}, model=None).data)) == {"income", "sex"}
    assert set(others(read(tmp_path, {**spec, "inputs": "city"}, model=None).data)) == {"city"}
    with pytest.raises(LoadError, match="has no column 'zip', which is its input column"):
        read(tmp_path, {**spec, "inputs": ["zip"]}, model=None)


def test_what_is_neither_number_nor_text_is_left_out(tmp_path: Path) -> None:
    table = frame(4).assign(tags=[[1], [2], [], None], raw=[b"\xff"] * 4, day=[date(2020, 1, 1)] * 4, none=[None] * 4)
    table.to_parquet(tmp_path / "t.parquet")

    found = others(read(tmp_path, {"path": "t.parquet", **SPEC, "sensitive": []}, model=None).data)

    assert not {"tags", "raw"} & set(found)
    assert list(found["day"]) == ["2020-01-01"] * 4 and list(found["none"]) == [MISSING] * 4


def test_a_hundred_values_are_few_and_more_are_not(tmp_path: Path) -> None:
    n = 303
    table = frame(n).assign(
        few=[f"v{i % 100}" if i < 300 else None for i in range(n)], more=[f"v{i % 101}" for i in range(n)]
    )
    table.to_parquet(tmp_path / "t.parquet")

    found = others(read(tmp_path, {"path": "t.parquet", **SPEC}, model=None).data)

    assert "few" in found and "more" not in found


def test_a_model_and_an_array_have_none(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False)

    found = read(tmp_path, {"path": "t.csv", "target": "y", "inputs": ["age", "visits"]}).data

    assert found.others is None and found.other_names == ()


# ---- the reference -----------------------------------------------------------------------------------------------
def with_reference(folder: Path, reference: pd.DataFrame) -> Read:
    frame().to_parquet(folder / "t.parquet")
    reference.to_csv(folder / "r.csv", index=False)
    return read(folder, {"path": "t.parquet", **SPEC, "reference": "r.csv"}, model=None)


def test_a_reference_keeps_its_groups_by_the_names_and_edges_of_the_data(tmp_path: Path) -> None:
    theirs = frame(60, seed=5).assign(sex=["m", "x", "f"] * 20)
    theirs.loc[0, "age"] = 200
    found = with_reference(tmp_path, theirs)
    ours, edges = found.data.groups["age"], np.quantile(frame()["age"], [0.25, 0.5, 0.75], method="lower")

    assert list(found.reference.groups["sex"]) == ["m", "x", "f"] * 20
    place = np.searchsorted(edges, theirs["age"], side="left")
    assert list(found.reference.groups["age"]) == [ours.names[i] for i in place]
    assert found.reference.groups["age"].names == ours.names
    assert [c for c in found.data.caveats if "reference" in c] == []


def test_a_reference_without_a_sensitive_column_has_no_groups_by_it(tmp_path: Path) -> None:
    found = with_reference(tmp_path, frame(60).drop(columns=["age"]))

    assert set(found.reference.groups) == {"sex"} and set(found.data.groups) == {"sex", "age"}


def test_a_sensitive_column_of_the_reference_that_does_not_fit_is_a_caveat(tmp_path: Path) -> None:
    found = with_reference(tmp_path, frame(60).assign(age="old", sex=[f"s{i}" for i in range(101)][:60]))
    many = with_reference(tmp_path, frame(150).assign(sex=[f"s{i}" for i in range(150)]))

    assert set(found.reference.groups) == {"sex"} and set(many.reference.groups) == {"age"}
    assert any(
        c.startswith("The reference has no groups by 'age': column 'age' holds 'old'") for c in found.data.caveats
    )
    assert any("no groups by 'sex': sensitive column 'sex' has 150 different" in c for c in many.data.caveats)


def test_a_reference_of_one_group_is_no_reason_to_refuse(tmp_path: Path) -> None:
    found = with_reference(tmp_path, frame(60).assign(sex="f", y=1))

    assert found.reference.groups["sex"].names == ("f",)


def test_sensitive_columns_of_a_reference_are_none_of_its_inputs(tmp_path: Path) -> None:
    table = frame()[["age", "visits", "sex", "y"]]
    table.to_csv(tmp_path / "t.csv", index=False)
    spec = {"path": "t.csv", "target": "y", "sensitive": ["sex"], "reference": "t.csv"}

    found = read(tmp_path, spec)

    assert found.reference.shape == found.data.shape == (2,)
    assert list(found.reference.groups["sex"]) == list(table["sex"])


def test_arrays_of_a_reference_keep_their_groups(tmp_path: Path) -> None:
    x, y, sex = np.zeros((4, 2), np.float32), [0, 1, 0, 1], np.array(["f", "m", "f", "m"])
    np.savez(tmp_path / "t.npz", x=x, y=y, sex=sex)
    np.savez(tmp_path / "r.npz", x=x, y=y, sex=sex[::-1])
    np.savez(tmp_path / "bare.npz", x=x, y=y)
    spec = {"path": "t.npz", "sensitive": ["sex"]}

    assert list(read(tmp_path, {**spec, "reference": "r.npz"}).reference.groups["sex"]) == ["m", "f", "m", "f"]
    assert read(tmp_path, {**spec, "reference": "bare.npz"}).reference.groups == {}
