"""fairness.impact_ratio against the examples of New York's rule, fairlearn, and hand counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fairlearn.metrics import MetricFrame, selection_rate
from torch import nn

from auditor.audit import run
from auditor.errors import UsageError
from auditor.given import Given
from auditor.intervals import mover_r
from auditor.policy import load_policy, settings_of
from auditor.selection import Selection
from auditor.stats import interval
from auditor.subject import Data, Model
from auditor.types import Audit, Outcome, Result, Status, Table, Verdict
from auditor.unanswered import unanswered
from tests import zoo
from tests.checks.audited import measures, not_applicable, outcome_of
from tests.checks.predicted import answers

CHECK = "fairness.impact_ratio"
NYC = {"profile": "nyc-ll144"}
Groups = dict[str, Sequence[str]]


def audited(
    predicted: Any,
    groups: Groups,
    scores: Any = None,
    *,
    classes: tuple[str, ...] = ("no", "yes"),
    positive: int | None = 1,
    policy: str = "default",
    **settings: Any,
) -> Audit:
    """An audit of answers, and of probabilities of the favourable class, that came as data."""
    data = answers(predicted, [0] * len(predicted), groups, classes, positive)
    both = None if scores is None else np.stack([1 - np.asarray(scores), scores], 1)
    data = replace(data, given=Given(classes, np.asarray(predicted, np.int64), both))
    asked = load_policy(policy)
    given = settings_of(asked, {CHECK: settings})
    return run(None, data, selection=Selection(only=(CHECK,), settings=given), policy=asked)


def people(selected: dict[tuple[str, ...], tuple[int, int]], names: Sequence[str] = ("g",)) -> tuple[Any, Groups]:
    """Who is selected, and of which groups: of n people of each crossing k."""
    chosen = np.concatenate([np.repeat([1, 0], [k, n - k]) for k, n in selected.values()])
    every = [g for g, (_, n) in selected.items() for _ in range(n)]
    return chosen, {name: [g[i] for g in every] for i, name in enumerate(names)}


def outcome(selected: dict[str, tuple[int, int]], policy: str = "default", **settings: Any) -> Outcome:
    """The outcome for groups of n people of whom k are selected."""
    found = audited(*people({(g,): kn for g, kn in selected.items()}), policy=policy, **settings).outcome(CHECK)
    assert found is not None
    return found


def result(audit: Audit) -> Result:
    found = audit.outcome(CHECK)
    assert found is not None and found.result is not None, found
    return found.result


def table(found: Result, title: str) -> Table:
    return next(t for t in found.tables if t.title == title)


def roles(found: Result, title: str = "Impact ratio by g") -> dict[str, str]:
    return {", ".join(map(str, row[:-7])): str(row[-7]) for row in table(found, title).rows}


def rule(found: Result) -> dict[str, object]:
    return {str(about): said for about, said in table(found, "The rule").rows}


# ---- the rule's own examples -------------------------------------------------------------------------------------
SEX = ({"male": (543, 1000), "female": (447, 1000)}, {"male": 1.0, "female": 0.82})
RACE = (
    {
        "hispanic": (642, 1000), "white": (1125, 3000), "black": (500, 1000), "pacific": (625, 1000),
        "asian": (1251, 3000),
    },
    {"hispanic": 1.0, "white": 0.58, "black": 0.78, "pacific": 0.97, "asian": 0.65},
)  # fmt: skip


@pytest.mark.parametrize(("counts", "ratios"), [SEX, RACE])
def test_the_rules_scoring_rates(counts: dict[str, tuple[int, int]], ratios: dict[str, float]) -> None:
    """6 RCNY 5-301(c): rates in percent with one decimal, ratios to two."""
    above, groups = people({(g,): kn for g, kn in counts.items()})
    assert above.mean() < 0.5  # so that the median is the lower score
    found = result(audited(above, groups, np.where(above == 1, 0.9, 0.4), **NYC))

    rates = {row[0]: row[-4] for row in table(found, "Scoring impact ratio by g").rows}
    assert rates == pytest.approx({g: k / n for g, (k, n) in counts.items()})
    assert {row[0]: round(row[-3], 2) for row in table(found, "Scoring impact ratio by g").rows} == ratios


@pytest.mark.parametrize(("counts", "ratios"), [SEX, RACE])
def test_ratios_of_selection_are_made_the_same_way(
    counts: dict[str, tuple[int, int]], ratios: dict[str, float]
) -> None:
    found = outcome(counts, **NYC).result

    assert {row[0]: round(row[-3], 2) for row in table(found, "Impact ratio by g").rows} == ratios
    best = next(g for g, r in ratios.items() if r == 1)
    assert f"g={best}" not in measures(found, "impact_ratio")  # 1 by definition
    assert roles(found)[best] == "reference"


def test_the_score_that_counts_lies_strictly_above_the_median_of_all_rows() -> None:
    scores = [0.1, 0.2, 0.5, 0.5, 0.9, 0.5, 0.6, 0.4]
    found = result(audited([0] * 8, {"g": list("aaaabbbb")}, scores, **NYC))

    assert measures(found, "scoring_rate")["g=a"].counts == (0, 4)
    assert measures(found, "scoring_rate")["g=b"].counts == (2, 4)
    assert rule(found)["median score of all rows"] == 0.5
    assert "Only 2 of 8 rows lie above the median score, which many share" in found.caveats[0]


# ---- against others ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def crossed() -> dict[str, Any]:
    random = np.random.default_rng(0)
    n = 3000
    groups = {
        "sex": random.choice(["f", "m"], n), "race": random.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
        "age": random.choice(["old", "young"], n),
    }  # fmt: skip
    chosen = (random.random(n) < 0.3 + 0.2 * (groups["sex"] == "m")).astype(int)
    found = result(audited(chosen, {k: v.tolist() for k, v in groups.items()}, depth=3))
    return {"groups": groups, "chosen": chosen, "result": found}


@pytest.mark.parametrize("attributes", [("sex",), ("race",), ("sex", "race"), ("sex", "race", "age")])
def test_rates_and_ratios_are_fairlearns(crossed: dict[str, Any], attributes: tuple[str, ...]) -> None:
    features = {a: crossed["groups"][a] for a in attributes}
    chosen = crossed["chosen"]
    expected = MetricFrame(metrics=selection_rate, y_true=chosen, y_pred=chosen, sensitive_features=features).by_group
    rates, ratios = measures(crossed["result"], "selection_rate"), measures(crossed["result"], "impact_ratio")

    for group, value in expected.items():
        names = group if isinstance(group, tuple) else (group,)
        where = "&".join(f"{a}={g}" for a, g in zip(attributes, names, strict=True))
        assert rates[where].value == pytest.approx(value)
        if value == expected.max():
            assert where not in ratios
        else:
            assert ratios[where].value == pytest.approx(value / expected.max())


def test_the_interval_of_two_groups_is_that_of_their_ratio() -> None:
    m = measures(outcome({"a": (70, 100), "b": (50, 100)}).result, "impact_ratio")["g=b"]
    expected = mover_r(50, 100, 70, 100)

    assert (m.value, m.n, m.better) == (expected.value, 200, "higher")
    assert (m.low, m.high) == pytest.approx((expected.low, expected.high))


def test_the_interval_of_several_holds_whichever_is_the_best() -> None:
    m = measures(outcome({"a": (70, 100), "b": (68, 100), "c": (50, 100)}).result, "impact_ratio")["g=c"]
    alone = mover_r(50, 100, 70, 100)

    assert m.counts == (50, 100, 70, 100, 68, 100)
    assert m.low == pytest.approx(alone.low)  # however high the best is
    assert m.high is not None and alone.high is not None and m.high > alone.high
    again = interval(m.method, m.counts)
    assert (m.value, m.low, m.high) == (again.value, again.low, again.high)


# ---- verdicts ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("groups", "status"),
    [
        ({"a": (500, 1000), "b": (490, 1000)}, Status.PASS),
        ({"a": (500, 1000), "b": (250, 1000)}, Status.WARN),
        ({"a": (50, 100), "b": (40, 100)}, Status.INCONCLUSIVE),
        ({"a": (20, 100), "b": (14, 100), "c": (20, 100), "d": (15, 100)}, Status.INCONCLUSIVE),  # naive: two convicted
    ],
)
def test_healthy_sick_and_undecided_groups(groups: dict[str, tuple[int, int]], status: Status) -> None:
    assert outcome(groups).status is status


def test_twelve_equal_groups_are_not_convicted() -> None:
    """Of 12 groups of 200 with a rate of .1 each the bare ratio convicts one nearly always."""
    random, bare = np.random.default_rng(1), 0
    for _ in range(20):
        found = outcome({f"g{i}": (int(random.binomial(200, 0.1)), 200) for i in range(12)}, "four-fifths")
        bare += any((m.value or 0) < 0.8 for m in measures(found.result, "impact_ratio").values())
        assert found.status is Status.INCONCLUSIVE
    assert bare == 20


@pytest.mark.parametrize(
    ("policy", "second", "verdict"),
    [
        ("four-fifths", 480, Verdict.PASS),
        ("four-fifths", 250, Verdict.FAIL),
        ("four-fifths", 400, Verdict.INCOMPLETE),  # required, and not decided
        ("nyc-ll144", 480, Verdict.CONDITIONS),  # figures are asked for, nothing is judged
        ("nyc-ll144", 250, Verdict.CONDITIONS),
    ],
)
def test_the_rules_as_policies(policy: str, second: int, verdict: Verdict) -> None:
    chosen, groups = people({("a",): (500, 1000), ("b",): (second, 1000)})
    found = audited(chosen, groups, policy=policy)

    assert found.verdict is verdict
    assert (found.outcome(CHECK).status is Status.MEASURED) == (policy == "nyc-ll144")


def test_new_yorks_rule_is_not_met_by_the_figures_of_another_one() -> None:
    chosen, groups = people({("a",): (500, 1000), ("b",): (480, 1000), ("c",): (3, 10)})
    asked = audited(chosen, groups, policy="nyc-ll144")
    other = audited(chosen, groups, policy="nyc-ll144", profile="four-fifths")

    assert asked.outcome(CHECK).params["profile"] == "nyc-ll144"
    assert (asked.verdict, other.verdict) == (Verdict.CONDITIONS, Verdict.INCOMPLETE)
    assert {why for _, why in unanswered(other)} == {
        "fairness.impact_ratio ran with profile = four-fifths, and the policy asks for nyc-ll144"
    }


def test_what_a_rule_asks_for_and_cannot_be_said_leaves_the_audit_incomplete() -> None:
    chosen, groups = people({("a",): (0, 100), ("b",): (0, 100)})

    assert audited(chosen, groups, policy="nyc-ll144").verdict is Verdict.INCOMPLETE
    assert audited(chosen, {}, policy="nyc-ll144").verdict is Verdict.INCOMPLETE


# ---- what is left out --------------------------------------------------------------------------------------------
CATEGORIES = {"a": (500, 1000), "b": (400, 1000), "tiny": (6, 10), "(missing)": (0, 300)}


def test_small_categories_and_unknown_ones_are_counted_not_compared() -> None:
    found = outcome(CATEGORIES).result

    assert set(measures(found, "impact_ratio")) == {"g=b"}
    assert roles(found) == {"a": "reference", "b": "compared", "tiny": "excluded", "(missing)": "unknown"}
    assert measures(found, "selection_rate")["g=tiny"].counts == (6, 10)
    assert measures(found, "unknown_count")["g"].value == 300
    assert "under 2 % of the rows and left out of the ratios: g = tiny (n = 10, rate 0.6)" in " ".join(found.caveats)


def test_in_new_york_every_category_is_compared_unless_a_reason_is_given() -> None:
    every = outcome(CATEGORIES, **NYC).result
    left = outcome(CATEGORIES, **NYC, smallest_share=0.02, justification="Ten people say nothing.").result

    assert roles(every)["tiny"] == "reference"
    assert roles(left)["tiny"] == "excluded"
    assert "g = tiny (n = 10, rate 0.6). Justification: Ten people say nothing." in " ".join(left.caveats)
    assert rule(left)["justification"] == "Ten people say nothing."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smallest_share": 0.01}, "smallest_share = 0.01 leaves .* needs a reason; give justification"),
        ({"smallest_share": 0.01, "justification": " "}, ".*give justification"),
        (
            {"smallest_share": 0.05, "justification": "x"},
            "smallest_share = 0.05 .* allows of less than 2 % of the rows; give 0.02 or less",
        ),
    ],
)
def test_new_york_refuses_to_leave_out_without_a_reason(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"{CHECK}.{message}"):
        outcome(CATEGORIES, **NYC, **settings)


def test_the_rule_is_printed_with_its_status_and_its_date() -> None:
    four, nyc = rule(outcome(CATEGORIES).result), rule(outcome(CATEGORIES, **NYC).result)

    assert "1607.4(D)" in str(four["source"]) and "RIN 3046-AB43" in str(four["status on 2026-11-22"])
    assert "6 RCNY 5-300" in str(nyc["source"]) and "sets no number" in str(nyc["status on 2026-11-22"])
    assert nyc["left out of the ratios"] == "no category"


def test_suppressed_groups_have_no_figure_and_are_not_told_by_the_others() -> None:
    cells = {("f", "a"): (50, 100), ("f", "b"): (3, 5), ("m", "a"): (60, 100), ("m", "b"): (20, 40)}
    chosen, groups = people(cells, ("sex", "race"))
    found = result(audited(chosen, groups, depth=2, suppress_below=10))

    assert {m.slice for m in found.measures if "&" in m.slice} == {"sex&race"}  # the count of unknown ones alone
    rows = {row[:2]: row[2:] for row in table(found, "Impact ratio by sex and race").rows}
    assert rows["f", "b"][:2] == ("not shown", "fewer than 10")
    assert rows["m", "b"] == ("not shown", None, None, None, None, None, None)
    assert set(roles(found, "Impact ratio by sex").values()) == {"reference", "compared"}
    assert "4 groups are not shown: those of fewer than 10 rows" in found.caveats[0]


def test_a_suppressed_count_of_unknown_ones_is_not_printed_either() -> None:
    found = outcome({"a": (50, 100), "b": (40, 100), "(missing)": (0, 3)}, suppress_below=10).result

    assert measures(found, "unknown_count")["g"].value is None


def test_the_largest_of_very_many_categories_are_compared() -> None:
    found = outcome({f"g{i:02}": (i, 100 + i) for i in range(60)}, smallest_share=0).result

    assert list(roles(found).values()).count("counted only") == 10
    assert len(measures(found, "impact_ratio")) == 49
    assert len(measures(found, "impact_ratio")["g=g20"].counts) == 100
    assert "the 50 largest categories are compared" in " ".join(found.caveats)


def test_empty_crossings_are_named() -> None:
    cells = {("f", "a"): (50, 100), ("m", "a"): (60, 100), ("m", "b"): (20, 40)}
    chosen, groups = people(cells, ("sex", "race"))

    said = result(audited(chosen, groups, depth=2)).caveats
    assert "No row is in 1 of the 4 crossings of sex and race: sex = f, race = b." in said
    assert not any("crossings" in c for c in result(audited(chosen, groups, depth=1)).caveats)


# ---- what it cannot say ------------------------------------------------------------------------------------------
def test_nobody_selected_says_nothing() -> None:
    found = outcome({"a": (0, 100), "b": (0, 100)})

    assert [m.value for m in measures(found.result, "impact_ratio").values()] == [None, None]
    assert "reference" not in roles(found.result).values()
    assert found.status is Status.INCONCLUSIVE


def test_one_group_has_nothing_to_be_compared_with() -> None:
    found = outcome({"a": (5, 100)}).result

    assert measures(found, "impact_ratio") == {}
    assert "fewer than two groups" in found.caveats[0]


def test_decisions_alone_have_no_scoring_rate() -> None:
    assert measures(outcome({"a": (5, 10), "b": (5, 10)}).result, "scoring_rate") == {}


def test_a_model_that_returns_a_value_has_scoring_rates_alone() -> None:
    head = nn.Linear(1, 1)
    head.weight.data, head.bias.data = torch.ones(1, 1), torch.zeros(1)
    x = torch.arange(100.0)[:, None]
    data = Data.of(x, x[:, 0], {"g": ["a"] * 60 + ["b"] * 40})
    case = zoo.Case(Model(head, (), bounds=(0.0, 100.0), output="value"), data)
    found = outcome_of(case, CHECK).result

    assert {m.name for m in found.measures} == {"scoring_rate", "scoring_impact_ratio", "unknown_count"}
    assert measures(found, "scoring_rate")["g=a"].counts == (10, 60)
    assert "a higher value is taken to be the better one" in found.caveats[0]


def test_several_classes_need_a_favourable_one() -> None:
    found = audited([0] * 20, {"g": ["a", "b"] * 10}, classes=("x", "y", "z"), positive=None).outcome(CHECK)

    assert found.status is Status.NOT_APPLICABLE
    assert "name one of the 3 with [data] positive" in found.reason


def test_without_sensitive_columns_it_does_not_apply() -> None:
    case = zoo.linear_table()

    assert "no sensitive columns" in not_applicable(
        zoo.Case(case.model, Data(case.data.read, case.data.y, case.data.row_ids)), CHECK
    )


@pytest.mark.parametrize(("profile", "crossed"), [("four-fifths", False), ("nyc-ll144", True)])
def test_attributes_are_crossed_where_the_rule_asks_for_it(profile: str, crossed: bool) -> None:
    chosen, groups = people({(s, r): (30, 60) for s in "fm" for r in "ab"}, ("sex", "race"))
    found = result(audited(chosen, groups, profile=profile))

    assert ("sex=f&race=a" in {m.slice for m in found.measures}) is crossed
