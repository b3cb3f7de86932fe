"""What a column is taken for, against pandas and hand counts; and what is made of its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.initialising.columns import Seen, of_arrays, of_table
from app.initialising.inputs import inputs_of
from app.initialising.roles import answers_of, roles_of
from app.initialising.vocabulary import is_identifier, is_sensitive
from auditor.config import DataSpec


def seen(folder: Path, columns: dict[str, list[object]], ending: str = ".csv") -> dict[str, Seen]:
    path = folder / f"d{ending}"
    frame = pd.DataFrame(columns)
    frame.to_parquet(path) if ending == ".parquet" else frame.to_csv(path, index=False)
    return {c.name: c for c in of_table(path, DataSpec(path=str(path)))}


def numbers(name: str, values: int) -> Seen:
    """A column of whole numbers 0 to `values` - 1."""
    held = tuple(map(str, range(values)))
    return Seen(name, "flag" if values == 2 else "number", 100, held, values, high=values - 1.0, whole=True)


def words(name: str, values: int) -> Seen:
    return Seen(name, "category", 100, tuple(f"w{i}" for i in range(values)), values)


# ---- what it holds -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_columns_are_what_they_hold(tmp_path: Path, ending: str) -> None:
    sentence = "a sentence that is long enough to be read and not to be named "
    found = seen(tmp_path, {
        "n": [1.5, 2.5, -3.0, 4.0], "w": [3, 1, 2, 2], "f": [0, 1, 1, 0], "yes": ["yes", "no", "yes", "yes"],
        "c": ["b", "a", "b", "a"], "t": [f"{sentence}{i}" for i in range(4)], "e": [None] * 4, "one": [7, 7, 7, 7],
    }, ending)  # fmt: skip

    assert {n: c.kind for n, c in found.items()} == {
        "n": "number", "w": "number", "f": "flag", "yes": "flag", "c": "category", "t": "text", "e": "empty",
        "one": "number",
    }  # fmt: skip
    assert [found[n].whole for n in ("n", "w", "f")] == [False, True, True]
    assert found["c"].names == ("a", "b") and found["t"].names == ()
    assert found["w"].stored == (ending == ".parquet")


def test_figures_are_those_of_pandas_however_many_values_there_are(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    given = {"few": draw.choice([1.5, 2, 9], 12_000), "many": draw.normal(5, 3, 12_000)}
    found = seen(tmp_path, {n: v.tolist() for n, v in given.items()})

    for name, values in given.items():
        column = found[name]
        expected = (values.min(), values.max(), values.mean(), values.std())
        assert (column.low, column.high, column.mean, column.std) == pytest.approx(expected)
    assert len(found["few"].names) == 3 and found["many"].names == ()


def test_a_marker_is_a_gap_among_numbers_and_a_word_among_words(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("n,c,q\n1,NA,?\nNA,m,a\n3,f,b\n?,m,\n")
    n, c, q = of_table(tmp_path / "d.csv", DataSpec(path="d.csv"))

    assert (n.kind, dict(n.missing), n.gaps, n.names) == ("number", {"NA": 1, "?": 1}, 2, ("1", "3"))
    assert (c.kind, dict(c.missing), c.gaps, c.names) == ("category", {"NA": 1}, 0, ("NA", "f", "m"))
    assert (q.kind, dict(q.missing), q.gaps, q.names) == ("category", {"?": 1, "": 1}, 2, ("a", "b"))


def test_a_text_after_many_numbers_makes_a_column_that_is_neither(tmp_path: Path) -> None:
    found = seen(tmp_path, {"a": [*range(11_000), "x"]})

    assert found["a"].kind in {"other", "text"}


def test_arrays_are_columns_too() -> None:
    arrays = {"x": np.zeros((3, 4)), "y": np.array([2, 0, 1]), "s": np.array(["f", "m", "f"]), "long": np.zeros(9)}

    assert [(c.name, c.kind, c.names) for c in of_arrays(arrays, 3)] == [
        ("y", "number", ("0", "1", "2")), ("s", "category", ("f", "m")),
    ]  # fmt: skip


# ---- what its name says ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["sex", "Gender", "RACE", "ethnic_group", "age", "AgeGroup", "maritalStatus",
                                  "native-country", "is_disabled", "Foreign Worker", "Date of birth"])  # fmt: skip
def test_names_that_say_whom_something_is_about(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize("name", ["mileage", "page", "essex", "package", "usage", "trace", "racecar", "stage", ""])
def test_names_that_only_contain_such_words(name: str) -> None:
    assert not is_sensitive(name)


def test_names_of_keys() -> None:
    assert [n for n in ("id", "ID", "user_id", "Unnamed: 0", "idea", "paid", "index", "grid") if is_identifier(n)] == [
        "id", "ID", "user_id", "Unnamed: 0", "index",
    ]  # fmt: skip


# ---- what it is for ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("columns", "outputs", "target", "others"),
    [
        ([numbers("a", 3), numbers("label", 2)], 2, "label", ()),
        ([numbers("label", 2), numbers("target", 2)], 2, "target", ("label",)),
        ([numbers("target", 50), numbers("label", 2)], 2, "label", ()),  # 50 values are none of two answers
        ([words("w", 3), numbers("a", 9), numbers("b", 2)], 3, "w", ()),  # by how many there are
        ([words("w", 3), words("v", 3)], 3, None, ("w", "v")),
        ([words("sex", 2), words("w", 2)], 1, "w", ()),  # one output tells two classes apart
        ([numbers("a", 7)], 2, None, ()),
        ([], 2, None, ()),
    ],
)
def test_the_target_is_found_by_its_name_or_by_the_number_of_its_values(
    columns: list[Seen], outputs: int, target: str | None, others: tuple[str, ...]
) -> None:
    found = roles_of(columns, outputs).target

    assert (found.column.name if found.column else None) == target
    assert found.others == others


def test_labels_of_a_model_tell_its_target() -> None:
    assert roles_of([words("a", 3), words("b", 2)], 5, ("w0", "w1", "w2", "w3", "w4")).target.column is None
    found = roles_of([words("a", 3), Seen("b", "category", 9, ("no", "yes"), 2)], 2, ("yes", "no")).target
    assert found.column is not None and found.column.name == "b"


def test_groups_are_taken_where_they_are_few_and_offered_where_not() -> None:
    columns = [
        words("sex", 2), words("race", 20), words("country_of_birth", 21), numbers("age", 60), words("ethnie", 1),
        numbers("y", 2), words("sex=m", 2), Seen("religion", "category", 9, ("a", "b&c=d"), 2),
    ]  # fmt: skip
    found = roles_of(columns, 2)

    assert [c.name for c in found.sensitive] == ["sex", "race"]
    assert list(found.offered) == ["country_of_birth", "age", "ethnie", "sex=m", "religion"]
    assert "four ranges" in found.offered["age"] and "rename it" in found.offered["religion"]


@pytest.mark.parametrize(
    ("values", "where"),
    [(("test", "train"), {"split": "test"}), (("Train", "VAL"), {"split": "VAL"}), (("a", "b"), {}), (("test",), {})],
)
def test_rows_that_a_model_was_not_trained_on(values: tuple[str, ...], where: dict[str, str]) -> None:
    assert roles_of([Seen("split", "category", 9, values, len(values)), numbers("y", 2)], 2).where == where


def test_answers_by_name() -> None:
    several = answers_of([numbers("prob_0", 9), numbers("prob_1", 9), numbers("y", 2), words("y_pred", 2)])
    assert [c.name for c in several.scores] == ["prob_0", "prob_1"]
    assert several.prediction is not None and several.prediction.name == "y_pred"
    assert answers_of([numbers("a", 9), numbers("decile_score", 10)]).names == ("decile_score",)
    assert answers_of([numbers("a", 9), words("score_text", 3)]).names == ()


# ---- what goes in ------------------------------------------------------------------------------------------------
def test_every_way_to_the_width_of_a_model_is_counted_as_pandas_counts() -> None:
    columns = [numbers("a", 9), words("c", 4), words("sex", 2), numbers("y", 2), numbers("id", 100), words("d", 3)]
    roles = roles_of(columns, 2)
    frame = pd.DataFrame({c.name: [c.names[i % len(c.names)] for i in range(100)] for c in columns})
    wide = pd.get_dummies(frame[["a", "c", "d"]], columns=["c", "d"])

    found = inputs_of(columns, roles, wide.shape[1])
    assert (found.fits, found.others, found.has_categories) == (True, (), True)
    assert [c.name for c, _ in found.columns] == ["a", "c", "d"]
    assert [len(values) for _, values in found.columns] == [0, 4, 3]
    assert [c.name for c, _ in inputs_of(columns, roles, 10).columns] == ["a", "c", "sex", "d"]
    assert [c.name for c, _ in inputs_of(columns, roles, 1).columns] == ["a"]
    assert [c.name for c, _ in inputs_of(columns, roles, 2).columns] == ["a", "id"]  # and no row number before that
    assert inputs_of(columns, roles, 77).fits is False
    assert inputs_of(columns, roles, None).fits is None


def test_two_ways_to_the_same_width_are_both_said() -> None:
    columns = [numbers("a", 9), numbers("age", 60), words("c", 2), numbers("y", 2)]
    found = inputs_of(columns, roles_of(columns, 2), 3)

    assert [c.name for c, _ in found.columns] == ["a", "c"]
    assert found.others == ()
    both = [numbers("a", 9), numbers("age", 60), numbers("id", 100), numbers("y", 2)]
    found = inputs_of(both, roles_of(both, 2), 2)
    assert [c.name for c, _ in found.columns] == ["a", "age"]
    assert found.others == ("numbers, without sensitive columns, with row numbers",)
