"""Columns that are known to decide get the relevance; where a method cannot see it, what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from auditor.columns import Relation
from auditor.evidence.methods import scores_of
from auditor.evidence.scene import Scene, Scores
from auditor.explained.playing import background_of, boards
from auditor.explained.samples import explained_samples
from auditor.registry import Context
from auditor.types import Result
from tests.checks.audited import measures, result_of
from tests.explain.planted import APART, INNOCENT, PAIRS, SENSITIVE, broken, exclusive_or, linear, trap
from tests.zoo import Case

ROWS = 24
EXACT = ("LRP", "Integrated gradients", "Expected gradients", "SmoothGrad x input", "Input x gradient", "Occlusion")
PLANTED: Mapping[str, tuple[Callable[[], Case], tuple[int, ...]]] = {
    "linear": (linear, (0, 1, 2)),
    "exclusive or": (exclusive_or, (0, 1)),
    "trap": (trap, (0,)),
}


@cache
def scored(name: str) -> tuple[Scene, Mapping[str, Scores]]:
    """What every method that applies says of the columns of ROWS rows, by its name."""
    case, _ = PLANTED[name]
    with case().model.frozen():
        scene = Scene.of(Context(case().model, case().data, batch_size=4096), ROWS)
        found, _ = scores_of(scene, 10**6)
    return scene, {m.name: own for m, own in found.items()}


def share(name: str, method: str, columns: Sequence[int] = ()) -> float:
    """The share of the relevance that lies on the planted columns (or on these), in the mean over rows."""
    sizes = np.abs(np.stack(scored(name)[1][method]))
    return float((sizes[:, list(columns or PLANTED[name][1])].sum(1) / sizes.sum(1)).mean())


def shown(result: Result, columns: Sequence[str]) -> list[float]:
    """The share of the bars' lengths that these columns have, for every row that is drawn."""
    found = []
    for t in (t for t in result.tables if t.columns[:2] == ("column", "value")):
        bars = {str(row[0]): abs(float(row[2] or 0)) for row in t.rows}
        found.append(sum(v for name, v in bars.items() if set(name.split(" + ")) & set(columns)) / sum(bars.values()))
    return found


def values(result: Result, name: str) -> dict[str, float | None]:
    """The measure of that name by column."""
    return {s.removeprefix("column="): m.value for s, m in measures(result, name).items()}


def changed(result: Result, first: bool = False) -> set[str]:
    """The columns that any way (or the first of each row) changes."""
    tables = [t for t in result.tables if t.columns[0] == "way"]
    return {str(row[2]) for t in tables for row in t.rows if not first or row[0] == 1}


# ---- the truth itself --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "least"), [("linear", 1.0), ("exclusive or", 0.99), ("trap", 0.99)])
def test_the_planted_columns_decide(name: str, least: float) -> None:
    case, planted = PLANTED[name]
    data = case().data
    x, y = data.read(np.arange(len(data))), torch.from_numpy(data.y)
    others = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    alike = x[others].clone()
    alike[:, list(planted)] = x[:, list(planted)]  # all other columns from another row, together
    with torch.no_grad(), case().model.frozen():
        own, other = (case().model(rows).argmax(1) for rows in (x, alike))

    assert float((own == y).float().mean()) >= least
    assert float((other == own).float().mean()) >= least


def test_rows_that_cannot_exist_are_decided_by_the_innocent_column() -> None:
    case = trap()
    x = case.data.read(np.arange(len(case.data)))
    assert float(broken(x).max()) < APART
    apart = x.clone()
    apart[:, 2] = x[:, 2] + 1
    with torch.no_grad(), case.model.frozen():
        assert torch.equal(case.model(apart).argmax(1), (x[:, 1] > 0).long())


# ---- a linear model ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", EXACT)
def test_of_a_linear_model_methods_give_exactly_nothing_to_the_other_columns(method: str) -> None:
    assert share("linear", method) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("method", "least"), [("SHAP", 0.95), ("LIME", 0.8)])
def test_sampling_gives_little_to_columns_that_do_not_matter(method: str, least: float) -> None:
    assert least <= share("linear", method) < 1  # 128 answers for ten columns: their noise is all that is left


def test_every_method_was_looked_at() -> None:
    for name in PLANTED:
        assert set(scored(name)[1]) == {*EXACT, "SHAP", "LIME"}


def test_the_checks_draw_what_decides_a_linear_model() -> None:
    names = ("c0", "c1", "c2")

    assert shown(result_of(linear(), "explain.shap", samples=12), names) == pytest.approx([1] * 12)  # all coalitions
    assert shown(result_of(linear(), "explain.occlusion", samples=12), names) == pytest.approx([1] * 12)
    drawn = shown(result_of(linear(), "explain.lime", samples=12), names)
    assert len(drawn) >= 8 and min(drawn) >= 0.8


def test_of_a_linear_model_importance_and_changes_stay_on_what_decides() -> None:
    worth = values(result_of(linear(), "explain.global"), "permutation_importance")
    assert min(worth[c] or 0 for c in ("c0", "c1", "c2")) > 0.1
    assert {worth[f"c{i}"] for i in range(3, 10)} == {0}

    result = result_of(linear(), "explain.counterfactuals", samples=12)
    assert measures(result, "validity")[""].value == 1
    assert changed(result) <= {"c0", "c1", "c2"}
    assert changed(result, first=True) == {"c0"}  # the steepest of columns of one spread


def test_rules_that_cannot_follow_a_slope_are_not_shown() -> None:
    result = result_of(linear(), "explain.rules", samples=4)

    assert measures(result, "fidelity")[""].value < 0.9
    assert any("No simple rule set" in c for c in result.caveats)
    assert not any(t.title == "Rules that follow the model" for t in result.tables)


# ---- an exclusive or ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "method",
    [
        "LRP",
        "Integrated gradients",
        "Expected gradients",
        "SmoothGrad x input",
        "Input x gradient",
        "Occlusion",
        "SHAP",
    ],
)
def test_of_an_exclusive_or_methods_find_both_columns(method: str) -> None:
    assert share("exclusive or", method) >= 0.9
    # each of the two, not one alone: they decide alike
    assert min(share("exclusive or", method, (i,)) for i in (0, 1)) >= 0.25


def test_lime_cannot_say_it_as_no_line_follows_an_exclusive_or() -> None:
    assert 0.5 < share("exclusive or", "LIME") < 0.8  # the line is nearly flat, so that its noise stands out

    result = result_of(exclusive_or(), "explain.lime", samples=12)
    assert measures(result, "drawn")[""].value < 0.25
    assert measures(result, "fidelity")[""].value < 0.5
    assert any("not locally linear here, and no weights are drawn" in c for c in result.caveats)
    assert len(shown(result, ("c0", "c1"))) == measures(result, "drawn")[""].counts[0]
    assert all(s >= 0.7 for s in shown(result, ("c0", "c1")))


@pytest.mark.parametrize("check", ["explain.shap", "explain.occlusion"])
def test_the_checks_draw_both_columns_of_an_exclusive_or(check: str) -> None:
    drawn = shown(result_of(exclusive_or(), check, samples=12), ("c0", "c1"))

    assert len(drawn) == 12
    assert np.mean(drawn) >= 0.9


def test_both_columns_matter_to_the_whole_though_no_average_curve_shows_it() -> None:
    result = result_of(exclusive_or(), "explain.global", rows=0)
    worth = values(result, "permutation_importance")
    assert min(worth["c0"] or 0, worth["c1"] or 0) > 0.4
    assert max(abs(worth[f"c{i}"] or 0) for i in range(2, 8)) < 0.02

    for name in ("c0", "c1"):
        (t,) = (t for t in result.tables if t.title == f"The answer at each value of {name}")
        mean, low, high = (t.columns.index(c) for c in ("difference", "10 % of rows", "90 % of rows"))
        assert max(abs(float(row[mean] or 0)) for row in t.rows) < 0.1
        spread = [float(row[high] or 0) - float(row[low] or 0) for row in t.rows if abs(float(row[0])) > 0.5]
        assert len(spread) >= 4 and min(spread) > 0.9  # the rows' own curves do, away from where they cross


def test_rules_of_an_exclusive_or_name_the_two_columns() -> None:
    result = result_of(exclusive_or(), "explain.rules", samples=4)
    (rules,) = (t for t in result.tables if t.title == "Rules that follow the model")
    (held,) = (t for t in result.tables if t.title == "Anchors")

    assert measures(result, "fidelity")[""].value >= 0.9
    named = {word for row in rules.rows for word in str(row[0]).split() if word.startswith("c")}
    assert named == {"c0", "c1"}
    assert all("c0" in str(row[2]) and "c1" in str(row[2]) for row in held.rows)


def test_changes_of_an_exclusive_or_are_of_one_of_the_two_columns() -> None:
    result = result_of(exclusive_or(), "explain.counterfactuals", samples=12)

    assert measures(result, "validity")[""].value == 1
    assert changed(result, first=True) <= {"c0", "c1"}


# ---- a trap off the data -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["LRP", "Integrated gradients", "Expected gradients", "Input x gradient"])
def test_what_stays_at_the_row_or_between_real_rows_is_not_trapped(method: str) -> None:
    # the way between two real rows keeps the pairs together
    assert share("trap", method) >= 0.99


@pytest.mark.parametrize(
    ("method", "most"), [("SHAP", 0.3), ("LIME", 0.1), ("SmoothGrad x input", 0.2), ("Occlusion", 0.3)]
)
def test_what_pulls_columns_apart_one_by_one_is_trapped(method: str, most: float) -> None:
    assert share("trap", method) < most


def test_bars_of_a_trapped_model_show_the_innocent_column() -> None:
    for check, most in (("explain.shap", 0.3), ("explain.lime", 0.05)):
        result = result_of(trap(), check, samples=12)
        sensitive, innocent = (np.mean(shown(result, (c,))) for c in (SENSITIVE, INNOCENT))
        assert sensitive < most and innocent > sensitive


def test_columns_that_go_together_as_one_player_spring_the_trap() -> None:
    result = result_of(trap(), "explain.shap", samples=12, joined_above=0.9)

    assert shown(result, (SENSITIVE,)) == pytest.approx([1] * 12, abs=1e-4)
    names = {row[0] for t in result.tables for row in t.rows}
    assert names >= {f"c{first} + c{second}" for first, second in PAIRS}


def test_rows_made_of_columns_of_two_rows_cannot_exist_and_of_groups_of_columns_can() -> None:
    apart, together = (beyond(alike_above) for alike_above in (1.0, 0.9))

    assert apart > 0.8  # why bars over single columns say nothing of this model
    assert together == 0


def beyond(alike_above: float) -> float:
    """The share of the rows that SHAP makes, of random halves of the columns, in which a pair is apart."""
    ctx = Context(trap().model, trap().data)
    background, _ = background_of(ctx, 50)
    samples = explained_samples(ctx, ROWS)
    played = boards(ctx, samples, parts=1, background=background, alike_above=alike_above)
    chance = np.random.default_rng(0)
    made = [b.game.show(chance.random((20, b.game.players)) < 0.5).flatten(0, 1) for b in played]
    return float((broken(torch.cat(made)) > APART).float().mean())


def test_permutation_among_alike_rows_tells_the_sensitive_column_from_the_pairs() -> None:
    result = result_of(trap(), "explain.global", rows=0)
    marginal, conditional = (values(result, f"{n}_importance") for n in ("permutation", "conditional"))
    pairs = [f"c{i}" for pair in PAIRS for i in pair]

    assert marginal[SENSITIVE] > 0.4 and conditional[SENSITIVE] > 0.3
    assert marginal[INNOCENT] == 0 == conditional[INNOCENT]
    assert all(marginal[c] > 0.2 > 2 * conditional[c] for c in pairs)  # pulled apart, and kept together
    assert any("Columns that go together" in c and "c2 and c3" in c for c in result.caveats)


def test_rules_of_real_rows_name_the_sensitive_column() -> None:
    result = result_of(trap(), "explain.rules", samples=4)
    (t,) = (t for t in result.tables if t.title == "Rules that follow the model")

    assert measures(result, "fidelity")[""].value >= 0.99
    assert len(t.rows) == 2 and all(str(row[0]).startswith(f"{SENSITIVE} ") for row in t.rows)


def test_changes_that_keep_the_pairs_together_are_of_the_sensitive_column() -> None:
    kept = tuple(
        Relation(((first, sign), (second, -sign)), at_most=0.2) for first, second in PAIRS for sign in (1.0, -1.0)
    )
    free = result_of(trap(), "explain.counterfactuals", samples=12)
    bound = result_of(replace(trap(), data=replace(trap().data, relations=kept)), "explain.counterfactuals", samples=12)

    assert changed(free) & {f"c{i}" for pair in PAIRS for i in pair}
    assert changed(bound) == {SENSITIVE}


# ---- what gives the trap away -------------------------------------------------------------------------------
@pytest.mark.parametrize("check", ["explain.shap", "explain.lime", "explain.occlusion"])
def test_it_is_said_that_columns_which_go_together_are_pulled_apart(check: str) -> None:
    result = result_of(trap(), check, samples=12)

    assert any("together" in c and "c2" in c for c in result.caveats)


def test_evidence_does_not_prefer_the_trapped_method() -> None:
    result = result_of(trap(), "explain.faithfulness", samples=ROWS, passes=10_000)
    found = {s.removeprefix("method="): m.value for s, m in measures(result, "evidence_for").items()}

    assert found["SHAP"] <= found["Integrated gradients"] or any("together" in c for c in result.caveats)


def test_changes_that_pull_a_pair_apart_are_not_called_plausible() -> None:
    result = result_of(trap(), "explain.counterfactuals", samples=12)

    assert measures(result, "plausibility")[""].value < 0.9
