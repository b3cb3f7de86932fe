"""fairness.groups where attributes cross, groups are suppressed or odd, and values are predicted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from auditor.checks import fairness_groups as module
from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.counting import crossings, ordered
from auditor.fairness import ranked, told
from auditor.given import Given
from auditor.registry import Context
from auditor.stats import interval
from auditor.subject import Data
from auditor.types import Measure
from tests.checks.audited import measures, result_of
from tests.checks.predicted import answers, result, scores
from tests.checks.tables import normal, regression

CHECK = "fairness.groups"


def planted(per_group: int = 300) -> tuple[Data, dict[str, list[str]]]:
    """Four groups, of which two crossed ones are told the favourable half as often: each attribute alone looks even."""
    sex, race = ["f", "m"] * (2 * per_group), (["a"] * 2 + ["b"] * 2) * per_group
    disfavoured = np.array([(s, r) in {("f", "a"), ("m", "b")} for s, r in zip(sex, race, strict=True)])
    turn = np.arange(len(sex)) // 4 % 10
    predicted = np.where(disfavoured, turn < 3, turn < 6)
    groups = {"sex": sex, "race": race}
    return answers(predicted, np.ones(len(sex), int) - (turn == 9), groups), groups


def of(found: Any, name: str, where: str) -> Measure:
    return measures(found, name)[where]


def test_a_gap_of_crossed_groups_is_found_where_each_attribute_alone_looks_even() -> None:
    data, _ = planted()
    found = result(data, CHECK)

    for attribute in ("sex", "race"):
        assert of(found, "demographic_parity_difference", attribute).value == pytest.approx(0)
    gap = of(found, "demographic_parity_difference", "sex&race")
    assert gap.value == pytest.approx(0.3)
    assert gap.low is not None and gap.low > 0.15
    assert "sex&race" not in measures(result(data, CHECK, depth=1), "demographic_parity_difference")


def test_figures_of_a_hand_count() -> None:
    """Ten rows of one group: 3 true and 1 false positive, 2 false and 4 true negatives."""
    predicted, actual = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
    found = result(answers(predicted * 2, actual * 2, {"g": ["a"] * 10 + ["b"] * 10}), CHECK)
    value = {name: of(found, name, "g=a").value for name in ("fdr", "for", "balanced_accuracy", "mcc", "fn_fp_ratio")}

    assert value == pytest.approx(
        {
            "fdr": 1 / 4,
            "for": 2 / 6,
            "balanced_accuracy": (3 / 5 + 4 / 5) / 2,
            "mcc": (12 - 2) / 600**0.5,
            "fn_fp_ratio": 2,
        }
    )
    mean = (10 - 2 + 1) / 10  # benefits: 1 where right, 0 of the 2 missed, 2 of the 1 wrongly favoured
    assert of(found, "generalized_entropy", "g=a").value == pytest.approx(((7 + 4) / 10 / mean**2 - 1) / 2)
    assert of(found, "between_group_generalized_entropy", "g").value == pytest.approx(0)
    assert of(found, "treatment_equality_difference", "g").value is None  # 3 errors are fewer than 10


def test_treatment_equality_compares_what_kind_of_errors_groups_bear() -> None:
    actual, predicted = [1] * 30 + [0] * 30, [0] * 20 + [1] * 10 + [0] * 20 + [1] * 10
    mirrored = [0] * 10 + [1] * 20 + [0] * 10 + [1] * 20
    found = result(answers(predicted + mirrored, actual * 2, {"g": ["a"] * 60 + ["b"] * 60}), CHECK)

    assert of(found, "fn_fp_ratio", "g=a").value == pytest.approx(2)
    assert of(found, "fn_fp_ratio", "g=b").value == pytest.approx(1 / 2)
    assert of(found, "treatment_equality_difference", "g").counts == (20, 30, 10, 30)


def test_every_interval_comes_of_the_counts() -> None:
    random = np.random.default_rng(0)
    p = random.random(400)
    groups = {"g": random.choice(list("abc"), 400).tolist(), "h": random.choice(list("pq"), 400).tolist()}
    for m in result(scores(p, random.random(400) < p, groups), CHECK, depth=0).measures:
        again = interval(m.method, m.counts) if m.value is not None else None
        assert again is None or (again.value, again.low, again.high) == (m.value, m.low, m.high)
        if m.low is not None and m.high is not None and m.value is not None:
            assert m.low - 1e-12 <= m.value <= m.high + 1e-12


def test_small_cells_are_suppressed_on_request_and_the_next_smallest_with_a_lone_one() -> None:
    names = ["a"] * 40 + ["b"] * 30 + ["c"] * 12 + ["d"] * 4
    data = answers([1, 0] * 43, [1, 1, 0, 0] * 21 + [1, 0], {"g": names})
    found = result(data, CHECK, suppress_below=10)
    shown = {m.slice for m in found.measures}

    assert shown == {"g=a", "g=b", "g"}
    (table,) = found.tables
    assert [row[1] for row in table.rows] == [40, 30, *["fewer than 10, or suppressed with it"] * 2]
    assert all(value is None for row in table.rows[2:] for value in row[2:])
    assert not any("has 4 rows" in c or "has 12 rows" in c for c in found.caveats)
    assert "By g 2 groups are suppressed: no figure of theirs is shown or compared." in found.caveats
    assert of(found, "demographic_parity_difference", "g").counts == (20, 40, 15, 30)


def test_empty_crossings_are_counted_and_have_no_figure() -> None:
    groups = {"g": ["a"] * 20 + ["b"] * 20, "h": ["p"] * 30 + ["q"] * 10}
    found = result(answers([1, 0] * 20, [1, 1, 0, 0] * 10, groups), CHECK)

    assert "g=a&h=q" not in measures(found, "selection_rate")
    assert "Nobody is in 1 of the 4 groups by g and h." in found.caveats


def test_groups_without_positives_and_constant_answers_have_no_rate() -> None:
    groups = {"g": ["a"] * 20 + ["b"] * 20}
    found = result(answers([1, 0] * 20, [0] * 20 + [1, 0] * 10, groups), CHECK)

    assert of(found, "tpr", "g=a").value is None
    assert of(found, "equal_opportunity_difference", "g").value is None
    assert of(found, "equalized_odds_difference", "g").value is None
    assert "By g no row of a is truly favourable: rates of such rows have no value there." in found.caveats

    constant = result(answers([0] * 40, [1, 0] * 20, groups), CHECK)
    assert of(constant, "ppv", "g=a").value is None
    assert of(constant, "mcc", "g=a").value is None
    assert of(constant, "demographic_parity_ratio", "g").value is None  # nobody is selected
    assert of(constant, "demographic_parity_difference", "g").value == 0.0
    assert of(constant, "demographic_parity_difference", "g").high == pytest.approx(interval("wilson", (0, 20)).high)


def test_missing_is_shown_in_crossings_and_not_compared() -> None:
    groups = {"g": ["a"] * 20 + ["b"] * 20 + [MISSING] * 20, "h": ["p", "q"] * 30}
    found = result(answers([1] * 40 + [0] * 20, [1, 0] * 30, groups), CHECK)

    assert of(found, "selection_rate", f"g={MISSING}&h=p").counts == (0, 10)
    assert of(found, "demographic_parity_difference", "g&h").value == 0.0
    told_of = "Of 20 rows g is missing: they are a group of their own, which is shown and not compared."
    assert told_of in found.caveats


def test_many_classes_end_with_a_caveat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MEASURES", 50)
    names = tuple(map(str, range(10)))
    data = answers(list(range(10)) * 4, list(range(10)) * 4, {"g": ["a", "b"] * 20}, names, positive=None)
    found = result(data, CHECK)

    assert "Only the first 2 of 10 classes are taken as favourable." in found.caveats
    assert not measures(found, "tpr").keys() & {"g=a&class=5"}


def test_crossings_of_too_many_groups_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossings, "MOST_CELLS", 5)
    groups = {"g": ["a", "b"] * 20, "h": ["p", "q", "r", "s"] * 10}
    found = result(answers([1, 0] * 20, [1, 1, 0, 0] * 10, groups), CHECK)

    assert "g=a&h=p" not in measures(found, "tpr") and "g=a" in measures(found, "tpr")
    assert "1 crossings may form more than 5 groups: not counted." in found.caveats


def test_above_a_million_rows_figures_of_order_come_from_bins_and_say_how_far_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    p = random.random(2000)
    data = scores(p, random.random(2000) < p, {"g": random.choice(list("abc"), 2000).tolist()})
    exact = result(data, CHECK)
    for reader in (ordered, ranked, told):
        monkeypatch.setattr(reader, "EXACT", 1000)
    binned = result(data, CHECK)

    (said,) = [c for c in binned.caveats if "counted in bins" in c]
    assert not [c for c in exact.caveats if "counted in bins" in c]
    off = float(said.partition("off by ")[2].split()[0])
    for where in ("g=a", "g=b", "g=c"):
        assert of(binned, "auc", where).value == pytest.approx(of(exact, "auc", where).value, abs=off)


def test_a_regression_has_residuals_and_distances_by_group() -> None:
    x = normal(300, 2)
    group = np.array(["a", "b", "c"] * 100)
    shift = torch.tensor(np.where(group == "b", 0.8, 0.0), dtype=torch.float32)
    case = regression(lambda rows: rows[:, 0], x)
    y = (x[:, 0] - shift).numpy()
    data = replace(case.data, y=y.astype(np.float64), groups={"g": Labels.of(group.tolist())})
    found = result_of(replace(case, data=data), CHECK)

    assert of(found, "mean_residual", "g=b").value == pytest.approx(0.8, abs=1e-6)
    gap = of(found, "mean_residual_difference", "g")
    assert gap.value == pytest.approx(0.8, abs=1e-6) and gap.low is not None and gap.low > 0.7
    assert of(found, "mean_absolute_error", "g=a").value == pytest.approx(0, abs=1e-6)
    assert of(found, "ks_distance", "g=a").n == 100
    assert "tpr" not in {m.name for m in found.measures}
    assert [t.title for t in found.tables] == ["By g", "Scores by g"]


def test_per_row_evidence_is_kept_for_few_rows_and_never_of_suppressed_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = planted(20)

    def kept(**settings: Any) -> list[str]:
        ctx = Context(None, data, check=CHECK)
        module.groups(ctx, **settings)
        return [name for name in ctx.evidence if "/groups-" in name]

    assert kept()
    assert not kept(suppress_below=10)
    monkeypatch.setattr(module, "MOST_GROUPED_ROWS", 10)
    assert not kept()


def test_scores_that_are_no_probabilities_have_an_order_and_nothing_else() -> None:
    """Points from 0 to 100, half of them up: what their order says is what it says of them as probabilities."""
    random = np.random.default_rng(0)
    points = random.integers(0, 101, 300)
    actual = random.random(300) * 100 < points
    groups = {"g": random.choice(list("ab"), 300).tolist()}
    plain = answers(points > 50, actual.astype(int), groups)
    plain = replace(plain, given=Given(("no", "yes"), (points > 50).astype(np.int64), None, plain=points.astype(float)))
    found, same = result(plain, CHECK), result(scores(points / 100, actual.astype(int), groups), CHECK)

    for name in ("auc", "ks_distance"):
        assert of(found, name, "g=a").value == pytest.approx(of(same, name, "g=a").value)
    assert not measures(found, "brier") and not measures(found, "mean_score")
    (quantiles,) = [t for t in found.tables if t.title == "Scores by g"]
    assert quantiles.rows[0][3] == np.quantile(points[np.array(groups["g"]) == "a"], 0.5, method="inverted_cdf")


def test_how_many_rows_are_missing_is_suppressed_too() -> None:
    names = ["a"] * 40 + ["b"] * 30 + [MISSING] * 4
    data = answers([1, 0] * 37, [1, 0] * 37, {"g": names})

    assert any(c.startswith("Of 4 rows g is missing") for c in result(data, CHECK).caveats)
    found = result(data, CHECK, suppress_below=10)
    assert not any("is missing" in c for c in found.caveats)
    assert {m.n for m in found.measures if m.slice == "g=(missing)"} == set()


def test_a_suppressed_group_is_not_found_out_from_other_tables() -> None:
    """Women of 60 and more are 4: what is left of all women, or of all of 60 and more, must not tell it."""
    sex, age = ["f"] * 44 + ["m"] * 60, ["young"] * 40 + ["old"] * 4 + ["young"] * 30 + ["old"] * 30
    found = result(answers([1, 0] * 52, [1, 1, 0, 0] * 26, {"sex": sex, "age": age}), CHECK, suppress_below=10)
    crossed = {m.slice for m in measures(found, "selection_rate").values() if "&" in m.slice}

    assert "sex=f&age=old" not in crossed
    assert len(crossed) < 3  # the total of a row and of a column would tell it beside one of them
