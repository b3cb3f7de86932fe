"""Columns beside the inputs: targets, groups, and predictions that came with the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auditor.data.targets import favourable
from auditor.errors import LoadError, UsageError
from tests.data.reading import read


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


def test_numbers_with_many_values_become_ranges_with_stated_edges(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(100), "age": [*range(99), None], "y": [0, 1] * 50}).to_csv(tmp_path / "t.csv", index=False)

    found = read(tmp_path, {"path": "t.csv", "target": "y", "inputs": ["a"], "sensitive": ["age"]})
    groups = found.data.groups["age"]

    assert groups.names == ("up to 24", "over 24 to 49", "over 49 to 73", "over 73 to 98", "(missing)")
    assert np.bincount(groups.codes).tolist() == [25, 25, 24, 25, 1]
    assert found.data.caveats == (
        "Sensitive column 'age' holds numbers; they were cut at 24, 49, 73.",
        "Group '(missing)' of 'age' has under 10 rows: no gap is judged on so few.",
    )


def test_ranges_of_large_numbers_stay_apart_and_hold_every_row(tmp_path: Path) -> None:
    times = [*(str(1_600_000_000 + i) for i in range(100)), "", "", ""]
    pd.DataFrame({"a": range(103), "t": times, "y": [0, *[1] * 102]}).to_csv(tmp_path / "t.csv", index=False)

    groups = read(tmp_path, {"path": "t.csv", "target": "y", "inputs": ["a"], "sensitive": ["t"]}).data.groups["t"]

    assert groups.names[0] == "up to 1600000024" and groups.names[-1] == "(missing)"
    assert np.bincount(groups.codes).tolist() == [25, 25, 25, 25, 3]


def test_numbers_that_are_nearly_all_the_same_are_one_range_which_compares_with_nothing(tmp_path: Path) -> None:
    values = [5.0] * 90 + list(np.linspace(1, 4, 22))
    pd.DataFrame({"a": range(112), "t": values, "y": [0, 1] * 56}).to_csv(tmp_path / "t.csv", index=False)

    with pytest.raises(
        LoadError, match=r"sensitive column 't' has a single group \('up to 5'\); a comparison needs two"
    ):
        read(tmp_path, {"path": "t.csv", "target": "y", "inputs": ["a"], "sensitive": ["t"]})


def test_groups_of_one_class_cannot_be_compared_and_without_groups_they_need_not(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(9), "g": ["x", "y", "z"] * 3, "y": [1] * 9}).to_csv(tmp_path / "t.csv", index=False)
    spec = {"path": "t.csv", "target": "y", "inputs": ["a"]}

    with pytest.raises(LoadError, match="target 'y' has a single class in 9 rows; groups cannot be compared"):
        read(tmp_path, {**spec, "sensitive": ["g"]})
    assert len(read(tmp_path, spec).data) == 9


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


def test_a_score_is_positive_strictly_above_the_threshold(table: Path) -> None:
    pd.DataFrame({"p": [0.2, 0.5, 0.51, 0.9], "y": [0, 1, 1, 0]}).to_csv(table / "s.csv", index=False)
    spec = {"path": "s.csv", "target": "y", "score": "p"}

    usual, low = (
        read(table, spec, model=None).data.given,
        read(table, {**spec, "threshold": 0.2}, model=None).data.given,
    )
    other = read(table, {**spec, "positive": 0}, model=None).data.given

    assert usual.predicted.tolist() == [0, 0, 1, 1]
    assert low.predicted.tolist() == [0, 1, 1, 1]
    assert other.predicted.tolist() == [1, 1, 0, 0]
    assert usual.probabilities[:, 1] == pytest.approx([0.2, 0.5, 0.51, 0.9])
    assert other.probabilities[:, 0] == pytest.approx([0.2, 0.5, 0.51, 0.9])


def test_a_score_beyond_0_and_1_needs_a_threshold_of_its_own(table: Path) -> None:
    """Deciles are no probabilities: at the usual 0.5 every one of them would be positive."""
    pd.DataFrame({"decile": [1, 4, 5, 10], "y": [0, 1, 1, 0]}).to_csv(table / "s.csv", index=False)
    spec = {"path": "s.csv", "target": "y", "score": "decile"}

    found = read(table, {**spec, "threshold": 4}, model=None).data.given

    assert found.predicted.tolist() == [0, 0, 1, 1]
    assert found.probabilities is None
    with pytest.raises(LoadError, match=r"score 'decile' is 4 in row 1 .*expected probabilities"):
        read(table, spec, model=None)


def test_scores_of_every_class_and_plain_predictions(table: Path) -> None:
    frame = pd.DataFrame({"a": [0.2, 0.5], "b": [0.7, 0.1], "c": [0.1, 0.4], "d": ["b", "z"], "y": ["b", "z"]})
    frame.to_csv(table / "s.csv", index=False)
    spec = {"path": "s.csv", "target": "y", "classes": ["x", "b", "z"]}

    scores = read(table, {**spec, "score": ["a", "b", "c"]}, model=None).data.given
    plain = read(table, {**spec, "prediction": "d"}, model=None).data.given

    assert scores.predicted.tolist() == [1, 0]
    assert plain.predicted.tolist() == [1, 2]
    assert plain.probabilities is None
    for score in (["a", "b"], ["a", "b", "b"]):
        with pytest.raises(UsageError, match="score lists 2 columns for 3 classes"):
            read(table, {**spec, "score": score}, model=None)
    with pytest.raises(UsageError, match="one column, which needs two classes; there are 3"):
        read(table, {**spec, "score": "a"}, model=None)


@pytest.mark.parametrize(
    ("positive", "said"),
    [
        (
            "yes",
            "'yes' is no class; did you mean yess? expected an index below 7 or the name of a class: 'no', 'yess', ",
        ),
        (7, "7 is no class; expected an index below 7 or the name of a class: 'no', 'yess', 'c', 'd', 'e' and 2 more"),
    ],
)
def test_a_favourable_class_that_is_none_is_refused_with_those_there_are(positive: int | str, said: str) -> None:
    with pytest.raises(UsageError) as e:
        favourable(positive, ("no", "yess", "c", "d", "e", "f", "g" * 900))
    assert said in str(e.value) and len(str(e.value)) < 300
