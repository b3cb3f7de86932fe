"""Predictions that came as data: one column of scores, and values of a regression."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from auditor.audit import run
from auditor.errors import LoadError, UsageError
from auditor.given import Given
from auditor.registry import Context
from auditor.selection import Selection
from auditor.subject import Data
from tests.checks.audited import measures
from tests.data.reading import read

VALUES = {"path": "t.csv", "target": "y", "prediction": "d"}


def table(folder: Path, **columns: object) -> None:
    pd.DataFrame(columns).to_csv(folder / "t.csv", index=False)


def data_of(folder: Path, **spec: object) -> Data:
    return read(folder, {**VALUES, **spec}, model=None).data


def said(data: Data) -> list[float] | None:
    """The values that were predicted."""
    found = data.given.values  # noqa: PD011
    return None if found is None else found.tolist()


def test_answers_that_are_their_own_labels_say_so(tmp_path: Path) -> None:
    table(tmp_path, y=["no", "yes"] * 5, d=["no", "no"] * 5)

    assert any("same column" in c for c in data_of(tmp_path, prediction="y", positive="yes").caveats)
    assert not any("same column" in c for c in data_of(tmp_path, prediction="d", positive="yes").caveats)


def test_a_table_without_the_usual_target_says_how_to_name_one(tmp_path: Path) -> None:
    table(tmp_path, hired=["no", "yes"] * 5, d=["no", "yes"] * 5)

    with pytest.raises(LoadError, match=r"no column 'y', which is its target unless \[data\] target names one; it has"):
        data_of(tmp_path, target=None)


# ---- one column of scores ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("positive", [0, 1])
def test_one_column_of_scores_is_kept_as_one_and_spread_when_asked(tmp_path: Path, positive: int) -> None:
    p = np.random.default_rng(0).random(50)
    table(tmp_path, p=p, y=[0, 1] * 25)
    data = read(tmp_path, {"path": "t.csv", "target": "y", "score": "p", "positive": positive}, model=None).data
    given, context = data.given, Context(None, data)

    assert given.scores.shape == (50,) and given.scores.dtype == np.float32 and given.predicted.dtype == np.int8
    expected = np.stack([p, 1 - p] if positive == 0 else [1 - p, p], 1)
    for found in (given.probabilities, context.predictions.probabilities):
        np.testing.assert_allclose(found, expected, atol=1e-7)
    np.testing.assert_array_equal(context.predictions.of_rows(slice(3, 5)), given.probabilities[3:5])
    for label in (0, 1):
        np.testing.assert_array_equal(context.counted(label).score, given.probabilities[:, label])
    some = data.at(np.array([7, 2])).given
    np.testing.assert_array_equal(some.probabilities, given.probabilities[[7, 2]])
    assert (some.of, some.predicted.tolist()) == (positive, given.predicted[[7, 2]].tolist())


def test_a_threshold_is_compared_with_the_score_as_it_stands_in_the_file(tmp_path: Path) -> None:
    """Rounded to float32, both scores would be the threshold itself."""
    table(tmp_path, p=[0.1 + 1e-12, 0.1, 0.7], y=[1, 0, 1])

    given = read(tmp_path, {"path": "t.csv", "target": "y", "score": "p", "threshold": 0.1}, model=None).data.given

    assert given.predicted.tolist() == [1, 0, 1]


def test_figures_of_one_column_are_those_of_both(tmp_path: Path) -> None:
    p = np.random.default_rng(1).random(80)
    table(tmp_path, p=p, q=1 - p, y=(p > 0.4).astype(int))
    spec = {"path": "t.csv", "target": "y"}
    one, both = (read(tmp_path, {**spec, "score": s}, model=None).data for s in ("p", ["q", "p"]))

    found = [
        [m.value for o in run(None, replace(d, positive=1), selection=Selection(only=("performance.*",))).outcomes
         for m in (o.result.measures if o.result else ())]
        for d in (one, both)
    ]  # fmt: skip

    assert found[0] == pytest.approx(found[1], abs=1e-6) and len(found[0]) > 5


# ---- values ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("y", "d", "holder"),
    [
        ([1.5, 2.0, 3.0], [1.0, 2.0, 3.0], "target"),
        ([1.0, 2.0, 3.0], [1.5, 2.0, 3.0], "prediction"),
        ([120_000, 80_000, 95_000], [110_000, 85_000, 90_000], "target"),
        ([-1.5, 2.0, 0.0], [1, 2, 3], "target"),
    ],
)
def test_numbers_that_are_no_classes_are_compared_as_values(
    tmp_path: Path, y: list[float], d: list[float], holder: str
) -> None:
    table(tmp_path, y=y, d=d)
    data = data_of(tmp_path)

    assert data.y.tolist() == y and said(data) == d
    assert data.given.classes == () and data.given.scores is None
    assert Context(None, data).is_regression
    assert data.caveats[0] == f"The {holder} holds numbers that are no classes: values are compared."


@pytest.mark.parametrize(
    ("y", "d", "more"),
    [
        ([0, 1, 2], [2, 1, 0], {}),
        ([0.0, 1.0, 1.0], [1, 1, 0], {}),
        (["0.5", "1.5", "x"], ["x", "0.5", "1.5"], {}),
        (["1.5", "2.5", "1.5"], ["1.5", "1.5", "2.5"], {"classes": ["1.5", "2.5"]}),
    ],
)
def test_classes_stay_classes(tmp_path: Path, y: list[Any], d: list[Any], more: dict[str, Any]) -> None:
    table(tmp_path, y=y, d=d)
    data = data_of(tmp_path, **more)

    assert said(data) is None and not Context(None, data).is_regression
    assert data.caveats == ()


def test_probabilities_in_the_place_of_decisions_are_asked_about(tmp_path: Path) -> None:
    table(tmp_path, y=[0, 1, 1], d=[0.2, 0.7, 0.4])

    (caveat,) = data_of(tmp_path).caveats

    assert caveat.endswith("If they are probabilities, name their column as [data] score.")


def test_a_regression_of_values_has_an_error_and_no_figures_of_classes(tmp_path: Path) -> None:
    y = np.linspace(0, 10, 40)
    table(tmp_path, y=y, d=y + 0.5, g=["a", "b"] * 20)
    audit = run(None, data_of(tmp_path, sensitive=["g"]), selection=Selection("quick"))

    preflight = audit.outcome("intake.preflight").result
    assert measures(preflight, "mean_absolute_error")[""].value == pytest.approx(0.5)
    residual = measures(audit.outcome("fairness.groups").result, "mean_residual")
    assert [residual[f"g={name}"].value for name in "ab"] == pytest.approx([0.5, 0.5])
    assert audit.outcome("performance.accuracy").reason == "the predictions are values, not classes"
    assert "impact_ratio" not in {m.name for m in audit.outcome("fairness.impact_ratio").result.measures}
    assert not any(o.status.value == "error" for o in audit.outcomes)


def test_values_of_both_sides_are_compared_with_the_reference(tmp_path: Path) -> None:
    y = np.linspace(0, 10, 40)
    table(tmp_path, y=y, d=y + 0.5)
    pd.DataFrame({"y": [1, 2, 3, 4, 5, 6], "d": [2, 3, 4, 5, 6, 7]}).to_csv(tmp_path / "r.csv", index=False)
    found = read(tmp_path, {**VALUES, "reference": "r.csv"}, model=None)  # whole numbers there, read as the data's are

    audit = run(None, found.data, reference=found.reference, selection=Selection("quick", ("robustness.shift",)))
    result = audit.outcome("robustness.shift").result

    errors = {s: m.value for s, m in measures(result, "mean_absolute_error").items()}
    assert errors == {"data=reference": 1, "data=audited": pytest.approx(0.5)}
    assert result.tables[0].rows[0][:2] == ("reference", 1)


def test_a_draw_of_values_is_a_plain_one(tmp_path: Path) -> None:
    y = np.linspace(0, 100, 500)
    table(tmp_path, y=y, d=y)

    data = data_of(tmp_path, limit=50)

    assert len(data) == 50 and said(data) == data.y.tolist()


@pytest.mark.parametrize(
    ("y", "d", "more", "error", "message"),
    [
        ([1.5, None, 2.0], [1, 2, 3], {}, LoadError, "target 'y' is missing or infinite in 1 rows (first: 1"),
        ([1.5, 2.5, 2.0], [1, None, np.inf], {}, LoadError, "prediction 'd' is missing or infinite in 2 rows"),
        ([1.5, 2.5, 2.0], [1, 2, 3], {"positive": 1}, UsageError, "positive names a class, but the target holds"),
    ],
)
def test_values_that_cannot_be_compared_are_refused(
    tmp_path: Path, y: list[Any], d: list[Any], more: dict[str, Any], error: type[Exception], message: str
) -> None:
    table(tmp_path, y=y, d=d)

    with pytest.raises(error) as e:
        data_of(tmp_path, **more)
    assert message in str(e.value) and "\n" not in str(e.value)


def test_values_given_by_hand_follow_the_rows() -> None:
    given = Given((), np.zeros(3, np.int8), None, values=np.array([1.0, 2.0, 3.0]))

    assert given.probabilities is None
    some = given.at(np.array([2, 0]))
    assert some.values.tolist() == [3, 1]  # noqa: PD011
