"""fairness.groups against hand counts and fairlearn."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fairlearn import metrics as fairlearn
from sklearn.metrics import accuracy_score, precision_score

from auditor.audit import run
from auditor.comparing.kept import groups_of
from auditor.contingency import MISSING
from auditor.given import Given
from auditor.intervals import newcombe, wilson
from auditor.progress import Finished, Listener
from auditor.selection import Selection
from auditor.store import Record
from auditor.subject import Data
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of

CHECK = "fairness.groups"


def decided(
    predicted: Any,
    actual: Any,
    groups: dict[str, list[str]],
    classes: tuple[str, ...] = ("no", "yes"),
    positive: int | None = 1,
) -> Any:
    """The result for predictions that are given."""
    data = Data.of(torch.zeros(len(actual), 1), torch.tensor(actual), groups, positive=positive)
    given = Given(classes, np.asarray(predicted, np.int64), None)
    data = Data(data.read, data.y, data.row_ids, data.groups, (), positive, given)
    outcome = run(None, data, selection=Selection(only=(CHECK,))).outcome(CHECK)
    return outcome.result


def test_a_hand_count() -> None:
    predicted = [1, 1, 0, 0, 1, 0, 0, 0]
    actual = [1, 0, 1, 0, 1, 1, 1, 0]
    result = decided(predicted, actual, {"sex": ["f"] * 4 + ["m"] * 4})
    found = {(m.name, m.slice): m.counts for m in result.measures if "=" in m.slice}

    assert found["selection_rate", "sex=f"] == (2, 4)
    assert found["tpr", "sex=f"] == (1, 2)
    assert found["fpr", "sex=f"] == (1, 2)
    assert found["fnr", "sex=m"] == (2, 3)
    assert found["tnr", "sex=m"] == (1, 1)
    assert found["ppv", "sex=m"] == (1, 1)
    assert found["npv", "sex=m"] == (1, 3)
    assert found["accuracy", "sex=m"] == (2, 4)
    m = measures(result, "tpr")["sex=m"]
    assert (m.low, m.high) == (wilson(1, 3).low, wilson(1, 3).high)


RATES: dict[str, Callable[..., float]] = {
    "selection_rate": fairlearn.selection_rate,
    "tpr": fairlearn.true_positive_rate,
    "fpr": fairlearn.false_positive_rate,
    "fnr": fairlearn.false_negative_rate,
    "tnr": fairlearn.true_negative_rate,
    "ppv": precision_score,
    "accuracy": accuracy_score,
}


@pytest.fixture(scope="module")
def random_case() -> dict[str, Any]:
    generator = np.random.default_rng(0)
    n = 2000
    sex, race = generator.choice(["f", "m"], n), generator.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    actual = (generator.random(n) < 0.3 + 0.2 * (sex == "m")).astype(int)
    predicted = np.where(generator.random(n) < 0.75, actual, 1 - actual)
    result = decided(predicted, actual.tolist(), {"sex": sex.tolist(), "race": race.tolist()})
    return {"sex": sex, "race": race, "actual": actual, "predicted": predicted, "result": result}


@pytest.mark.parametrize("name", RATES)
def test_every_rate_is_fairlearns_for_groups_and_crossings(random_case: dict[str, Any], name: str) -> None:
    c = random_case
    found = measures(c["result"], name)
    for attributes in (("sex",), ("race",), ("sex", "race")):
        frame = fairlearn.MetricFrame(
            metrics=RATES[name], y_true=c["actual"], y_pred=c["predicted"],
            sensitive_features={a: c[a] for a in attributes},
        ).by_group  # fmt: skip
        for group, value in frame.items():
            names = group if isinstance(group, tuple) else (group,)
            where = "&".join(f"{a}={g}" for a, g in zip(attributes, names, strict=True))
            assert found[where].value == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("attribute", ["sex", "race"])
def test_differences_are_fairlearns(random_case: dict[str, Any], attribute: str) -> None:
    c = random_case
    arguments = {"y_true": c["actual"], "y_pred": c["predicted"], "sensitive_features": c[attribute]}
    for name in ("demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference"):
        expected = getattr(fairlearn, name)(**arguments)
        assert measures(c["result"], name)[attribute].value == pytest.approx(expected, abs=1e-12)


def test_a_difference_carries_the_interval_of_its_two_groups() -> None:
    result = decided([1] * 30 + [0] * 10 + [1] * 10 + [0] * 30, [1] * 80, {"g": ["a"] * 40 + ["b"] * 40})
    gap = measures(result, "demographic_parity_difference")["g"]

    assert gap.counts == (30, 40, 10, 40)
    assert (gap.low, gap.high) == (newcombe(30, 40, 10, 40).low, newcombe(30, 40, 10, 40).high)


def test_planted_bias_is_found_and_its_absence_too() -> None:
    biased = result_of(zoo.biased_table(), CHECK)
    even = decided([0, 1] * 60, [0, 1] * 60, {"g": ["a"] * 60 + ["b"] * 60})

    assert measures(biased, "demographic_parity_difference")["group"].value == 1.0
    assert measures(even, "demographic_parity_difference")["g"].value == 0.0


def test_missing_is_a_group_that_is_shown_and_sets_no_difference() -> None:
    groups = {"g": ["a"] * 20 + ["b"] * 20 + ["(missing)"] * 20}
    result = decided([1] * 20 + [0, 1] * 10 + [0] * 20, [1, 0] * 30, groups)

    assert measures(result, "selection_rate")["g=(missing)"].counts == (0, 20)
    assert measures(result, "demographic_parity_difference")["g"].counts == (20, 20, 10, 20)


def test_small_groups_are_shown_with_a_caveat_and_set_no_difference() -> None:
    result = decided([1] * 40 + [0] * 4, [1] * 44, {"g": ["a"] * 20 + ["b"] * 20 + ["c"] * 4})

    assert measures(result, "selection_rate")["g=c"].counts == (0, 4)
    assert measures(result, "demographic_parity_difference")["g"].value == 0.0
    assert "Group g=c has 4 rows only." in result.caveats


def test_degenerate_groups_have_no_figure_never_zero() -> None:
    one = decided([1, 0] * 20, [1, 0] * 20, {"g": ["a"] * 40})
    never = decided([1, 0] * 20, [0] * 40, {"g": ["a", "b"] * 20})

    assert measures(one, "demographic_parity_difference")["g"].value is None
    assert any("one group only" in c for c in one.caveats)
    assert measures(never, "tpr")["g=a"].value is None
    assert measures(never, "equalized_odds_difference")["g"].value is None


def test_without_a_favourable_class_each_is_taken_in_turn() -> None:
    result = decided([0, 1, 2, 2], [0, 1, 2, 0], {"g": ["a", "a", "b", "b"]}, ("x", "y", "z"), positive=None)

    assert measures(result, "selection_rate")["g=b&class=z"].counts == (2, 2)
    assert measures(result, "selection_rate")["g=a&class=x"].counts == (1, 2)


def test_without_sensitive_columns_it_does_not_apply() -> None:
    case = zoo.linear_table()
    data = Data(case.data.read, case.data.y, case.data.row_ids)

    assert not_applicable(zoo.Case(case.model, data), CHECK) == "the audit file names no sensitive columns"


KEPT = (
    "demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference",
    "predictive_parity_difference", "accuracy_difference",
)  # fmt: skip


@pytest.mark.parametrize("positive", [1, None])
def test_the_kept_groups_make_up_every_gap(positive: int | None) -> None:
    """Groups with as many rows as it takes, too few, and missing; rates of some rows, which differ by the gap."""
    random = np.random.default_rng(3)
    names = ["a"] * 60 + ["b"] * 50 + ["c"] * 45 + ["few"] * 6 + [MISSING] * 30
    actual = random.integers(0, 2, len(names))
    predicted = np.where(random.random(len(names)) < 0.7, actual, 1 - actual)
    data = Data.of(torch.zeros(len(names), 1), torch.tensor(actual), {"sex": names}, positive=positive)
    data = replace(data, given=Given(("no", "yes"), predicted, None))
    seen: list[Finished] = []
    audit = run(None, data, selection=Selection(only=(CHECK,)), tell=Listener(finished=seen.append))
    record = Record(audit, seen[-1].arrays)
    gaps = [m for m in audit.outcome(CHECK).result.measures if m.name in KEPT]

    assert len(gaps) == (5 if positive else 10)
    for m in gaps:
        found = groups_of(record, CHECK, m)
        assert found is not None, m
        (k1, n1), (k2, n2) = found.highest.counts, found.lowest.counts
        assert {(k1, n1), (k2, n2)} <= set(itertools.pairwise(m.counts))
        assert k1 / n1 - k2 / n2 == pytest.approx(m.value)
        inside = {names[i] for rate in (found.highest, found.lowest) for i in rate.rows}
        assert inside <= {"a", "b", "c"}


def test_a_gap_that_cannot_be_said_keeps_nothing() -> None:
    data = Data.of(torch.zeros(20, 1), torch.zeros(20, dtype=torch.long), {"sex": ["a"] * 20}, positive=1)
    seen: list[Finished] = []
    given = replace(data, given=Given(("no", "yes"), np.zeros(20, np.int64), None))
    run(None, given, selection=Selection(only=(CHECK,)), tell=Listener(finished=seen.append))

    assert not [name for name in seen[-1].arrays if "/groups-" in name]
