"""How far figures moved, counted by hand: paired by their rows, and in words that hold together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel

from auditor.scores import SCORED_ROWS, group_key, grouped, score_key
from auditor.stats import difference, holm, mean, newcombe, newcombe_paired, rate, share, wilson
from auditor.store import Record
from auditor.types import Audit, Measure, Outcome, Policy, Result, Setting, Status, Verdict
from reports.comparing.changes import Change, changes
from reports.comparing.machine import as_json
from reports.comparing.naming import about_words, figure_words, n_words
from reports.comparing.sentence import answer
from reports.comparing.summary import PILLARS, Word, summary

ACCURACY, CURVE, GROUPS = "performance.accuracy", "robustness.curve", "fairness.groups"
Scores = Sequence[float]


# ---- audits made by hand -----------------------------------------------------------------------------------------
def record(*outcomes: Outcome, arrays: Mapping[str, Any] | None = None, rows: str = "r") -> Record:
    subject = {"data": {"sha256": "d", "rows_sha256": rows}}
    audit = Audit("audit-v1", subject, {}, {}, 0, Policy("none"), Verdict.INCOMPLETE, outcomes)
    return Record(audit, dict(arrays or {}))


def outcome(check: str, *measures: Measure, params: dict[str, Setting] | None = None) -> Outcome:
    return Outcome(check, check, "", Status.MEASURED, "", params or {}, (), Result(measures))


def scored(check: str, m: Measure, scores: Scores, ids: Sequence[int] = (), **rest: Any) -> Record:
    """An audit of one figure and its scores."""
    kept = {
        f"{check}/{SCORED_ROWS}": np.array(ids or range(len(scores))),
        f"{check}/{score_key(m.name, m.slice)}": np.array(scores, np.float32),
    }
    return record(outcome(check, m, **rest), arrays=kept)


def right(scores: Scores, ids: Sequence[int] = (), **rest: Any) -> Record:
    known = [s for s in scores if not np.isnan(s)]
    return scored(ACCURACY, rate("accuracy", int(sum(known)), len(known)), scores, ids, **rest)


def only(before: Record, after: Record) -> Change:
    (found,) = changes(before, after)
    return found


FIRST, SECOND = [1, 1, 1, 0, 0, 0, 1, 0, 1, 1], [1, 1, 1, 1, 1, 0, 1, 1, 0, 1]  # both 5, first alone 1, second alone 3


# ---- one figure --------------------------------------------------------------------------------------------------
def test_rates_of_the_same_rows_are_paired_whatever_their_order() -> None:
    turned = [9, 3, 0, 7, 5, 1, 2, 8, 4, 6]
    found = only(right(FIRST), right([SECOND[i] for i in turned], turned))
    hand = newcombe_paired(8, 6, 5, 10)

    assert (found.before, found.after, found.value) == pytest.approx((0.6, 0.8, 0.2))
    assert found.ends == pytest.approx((hand.low, hand.high))
    assert found.paired and not found.shared
    assert n_words(found) == "n = 10, paired"


def test_parts_of_rows_are_paired_too() -> None:
    first, second = [0.5, 1, 0, 0.25, 0.75, 1], [1, 1, 0.5, 0, 1, 1]
    found = only(*(scored("robustness.corruption", share("corruption_accuracy", s), s) for s in (first, second)))
    both = sum(a * b for a, b in zip(first, second, strict=True))
    hand = newcombe_paired(sum(second), sum(first), both, 6)

    assert found.ends == pytest.approx((hand.low, hand.high))


def test_means_of_the_same_rows_are_scipys_paired_t() -> None:
    first, second = [0.2, 3.0, 1.1, 0.4, 2.5, 0.9], [0.1, 2.2, 1.2, 0.2, 1.9, 0.3]
    found = only(*(scored("explain.stability", mean("max_sensitivity", s, better="lower"), s) for s in (first, second)))
    hand = ttest_rel(second, first)
    low, high = hand.confidence_interval(0.95)

    assert found.ends == pytest.approx((low, high), rel=1e-5)
    assert found.moved.p == pytest.approx(hand.pvalue, rel=1e-4)


def test_only_rows_that_both_count_are_compared() -> None:
    nan = float("nan")
    found = only(right([nan, *FIRST]), right([*SECOND, nan]))

    assert (found.before, found.after) == pytest.approx((np.mean(FIRST[:9]), np.mean(SECOND[1:])))
    assert found.n == (9, 9) and found.shared
    assert n_words(found) == "the 9 rows that both sides count, paired"


@pytest.mark.parametrize(
    "after",
    [
        right(SECOND, range(7, 17)),  # three rows in common
        replace(right(SECOND), arrays={}),
        scored(ACCURACY, rate("accuracy", 8, 10), FIRST),  # add up to another figure
        scored(ACCURACY, rate("accuracy", 8, 10), [8.0, *[0.0] * 9]),  # no rate
        scored(ACCURACY, rate("accuracy", 8, 10), SECOND, [0, 0, *range(8)]),  # a row twice
    ],
)
def test_what_cannot_be_paired_counts_as_independent(after: Record) -> None:
    found = only(right(FIRST), after)
    hand = newcombe(8, 10, 6, 10)

    assert found.ends == pytest.approx((hand.low, hand.high))
    assert not found.paired and n_words(found) == "n = 10, unpaired"


def test_other_rows_are_never_paired() -> None:
    other = right(SECOND)
    subject = {"data": {"sha256": "d", "rows_sha256": "others"}}

    assert not only(right(FIRST), replace(other, audit=replace(other.audit, subject=subject))).paired


@pytest.mark.parametrize(
    ("method", "counts"), [("wilson", (1,)), ("wilson", (2, 10)), ("no such", (8, 10)), ("newcombe", (8, 10))]
)
def test_counts_that_do_not_give_the_figure_give_no_interval(method: str, counts: tuple[int, ...]) -> None:
    m = rate("accuracy", 8, 10)
    stored = record(outcome(ACCURACY, replace(m, method=method, counts=counts)))
    found = only(record(outcome(ACCURACY, m)), stored)

    assert (found.value, found.ends, found.doubt) == (0.0, None, "no interval")


def test_a_figure_of_one_side_or_without_a_value_has_no_change() -> None:
    empty, full = record(), right(FIRST)
    unknown = record(outcome(ACCURACY, Measure("accuracy", "", None, 0, better="higher")))

    assert only(empty, full).doubt == "not measured before"
    assert only(full, empty).doubt == "not measured after"
    assert only(full, unknown).doubt == "not known after"
    assert only(unknown, unknown).doubt == "not known before and not known after"
    assert {only(a, b).value for a, b in ((empty, full), (full, unknown))} == {None}


def test_other_settings_are_said_and_other_numbers_of_rows_are_none() -> None:
    before = right(FIRST, params={"steps": 10, "samples": 4})

    assert only(before, right(SECOND, params={"steps": 20, "samples": 4})).doubt == "other settings: steps"
    assert only(before, right(SECOND, params={"steps": 10, "samples": 8})).doubt == ""


# ---- gaps --------------------------------------------------------------------------------------------------------
def gap(groups: Sequence[int], outcomes: Sequence[int], about: Sequence[int] = ()) -> Record:
    """An audit of the gap between the groups' rates of `outcomes` among the rows that it is `about`."""
    g, o = np.array(groups), np.array(outcomes, bool)
    inside = np.array(about, bool) if len(about) else np.ones(len(g), bool)
    counts = [(int(o[inside & (g == i)].sum()), int((inside & (g == i)).sum())) for i in np.unique(g[inside])]
    ordered = sorted(counts, key=lambda c: c[0] / c[1])
    m = difference("demographic_parity_difference", ordered[-1], ordered[0], slice="sex")
    kept = {
        f"{GROUPS}/{SCORED_ROWS}": np.arange(len(g)),
        f"{GROUPS}/{group_key(m.name, m.slice)}": grouped(g, o, inside),
    }
    return record(outcome(GROUPS, m), arrays=kept)


HALVES = [0] * 6 + [1] * 6
HIGH, LOW = [1, 1, 1, 1, 1, 0], [1, 0, 0, 1, 0, 0]


def pairs(first: Sequence[int], second: Sequence[int]) -> Any:
    """Newcombe's paired difference second minus first."""
    both = sum(a * b for a, b in zip(first, second, strict=True))
    return newcombe_paired(sum(second), sum(first), both, len(first))


def squared(value: float, *reaches: tuple[float, float]) -> tuple[float, float]:
    below, above = (np.sqrt(sum(r[i] ** 2 for r in reaches)) for i in (0, 1))
    return value - below, value + above


def reach(i: Any) -> tuple[float, float]:
    return i.value - i.low, i.high - i.value


def test_a_gap_of_the_same_groups_is_two_paired_differences() -> None:
    later = [1, 1, 1, 0, 1, 0], [1, 1, 0, 1, 0, 0]
    found = only(gap(HALVES, HIGH + LOW), gap(HALVES, later[0] + later[1]))
    high, low = pairs(HIGH, later[0]), pairs(LOW, later[1])

    assert found.value == pytest.approx(1 / 6 - 3 / 6)
    assert found.ends == pytest.approx(squared(-2 / 6, reach(high), reach(low)[::-1]))
    assert found.paired


def test_a_gap_whose_groups_changed_places_adds_the_rates() -> None:
    found = only(gap(HALVES, HIGH + LOW), gap(HALVES, LOW + HIGH))
    zero = pairs([1 - v for v in HIGH], LOW), pairs([1 - v for v in LOW], HIGH)

    assert found.value == pytest.approx(0)
    assert found.ends == pytest.approx(squared(0, reach(zero[0])[::-1], reach(zero[1])))


def test_rates_of_other_rows_count_as_independent() -> None:
    """The first group's rate is about five rows afterwards, the second's about the same six."""
    later = [1, 1, 1, 1, 1, 0, *LOW]
    found = only(gap(HALVES, HIGH + LOW), gap(HALVES, later, [1] * 5 + [0] + [1] * 6))
    alone = reach(wilson(5, 5)), reach(wilson(5, 6))[::-1]

    assert found.ends == pytest.approx(squared(1 / 6, *alone, reach(pairs(LOW, LOW))[::-1]))


def test_a_gap_of_other_rates_is_not_paired() -> None:
    """As where the gap is one of true positives before, and one of false positives afterwards."""
    about = [1, 1, 1, 0, 0, 0] * 2
    found = only(gap(HALVES, HIGH + LOW, about), gap(HALVES, HIGH + LOW, [1 - a for a in about]))

    assert found.value == pytest.approx((2 / 3 - 1 / 3) - (1 - 1 / 3))
    assert found.ends is not None and not found.paired
    assert n_words(found) == "n = 6, unpaired"


def test_partly_the_same_rows_that_changed_places_have_no_interval() -> None:
    about = [1] * 5 + [0] + [1] * 5 + [0]
    found = only(gap(HALVES, HIGH + LOW), gap(HALVES, LOW + HIGH, about))

    assert found.ends is None
    assert found.doubt == "no interval: the groups with the highest and the lowest rate changed places"


def test_groups_that_do_not_make_up_the_gap_are_not_used() -> None:
    before, after = gap(HALVES, HIGH + LOW), gap(HALVES, LOW + HIGH)
    wrong = replace(after, arrays=gap(HALVES, HIGH + HIGH).arrays)

    assert not only(before, wrong).paired


SETTINGS = {  # chances per group before and after, and how often a row keeps its draw
    "two groups": ((0.8, 0.5), (0.7, 0.6), 0.7),
    "three groups": ((0.9, 0.7, 0.4), (0.8, 0.6, 0.45), 0.7),
    "no change": ((0.7, 0.4), (0.7, 0.4), 0.9),
    "changed places": ((0.8, 0.5), (0.45, 0.75), 0.5),
    "other rows": ((0.8, 0.5), (0.6, 0.5), 0.0),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_intervals_of_gaps_hold_the_truth_as_often_as_they_say(name: str) -> None:
    before, after, kept = SETTINGS[name]
    random, n, rounds, held = np.random.default_rng(1), 200, 600, 0
    groups = np.arange(n) % len(before)
    truth = (max(after) - min(after)) - (max(before) - min(before))
    for _ in range(rounds):
        first = random.random(n)
        second = np.where(random.random(n) < kept, first, random.random(n))
        sides = [gap(groups, (u < np.array(p)[groups]).tolist()) for u, p in ((first, before), (second, after))]
        ends = only(*sides).ends
        assert ends is not None
        held += ends[0] <= truth <= ends[1]

    assert 0.93 <= held / rounds <= 0.985


# ---- words -------------------------------------------------------------------------------------------------------
def curve(values: Mapping[float, Scores]) -> Outcome:
    return outcome(
        CURVE, *(rate("robust_accuracy", int(sum(s)), len(s), slice=f"linf@{e:g}") for e, s in values.items())
    )


def words(before: Record, after: Record) -> dict[tuple[str, str], Word]:
    found = summary(changes(before, after), before.audit, after.audit)
    return {(j.change.name, j.change.slice): j.word for s in found for j in s.figures}


FEW, MANY = [1] * 10 + [0] * 90, [1] * 60 + [0] * 40


def test_a_patient_that_got_better_one_that_got_worse_and_one_that_did_not_move() -> None:
    sick, well, alike = (record(curve({0.0: MANY, 0.1: s})) for s in (FEW, MANY, [*MANY[1:], 1]))
    key = ("robust_accuracy", "linf@0.1")

    assert words(sick, well) == {key: Word.IMPROVED}
    assert words(well, sick) == {key: Word.WORSE}
    assert words(well, alike) == {key: Word.UNMOVED}


def test_a_figure_that_is_better_when_lower_got_worse_when_it_rose() -> None:
    low, high = [0.1, 0.12, 0.09, 0.11, 0.1, 0.13], [0.9, 1.1, 1.0, 0.8, 1.2, 0.95]
    sides = [scored("explain.stability", mean("max_sensitivity", s, better="lower"), s) for s in (low, high)]

    assert set(words(*sides).values()) == {Word.WORSE}
    assert set(words(*sides[::-1]).values()) == {Word.IMPROVED}


def test_without_an_interval_or_with_other_settings_it_cannot_be_said() -> None:
    bare = [record(outcome("explain.agreement", Measure("consensus", "", k, 8, better="higher"))) for k in (0.1, 0.7)]
    steps = [right(s, params={"steps": k}) for k, s in enumerate((FEW, MANY))]

    assert set(words(*bare).values()) == {Word.UNSAID}
    assert set(words(*steps).values()) == {Word.UNSAID}


def test_words_hold_together_by_holms_correction() -> None:
    """A difference that its own interval leaves 0 out of, alone and among twenty that are none."""
    some = [1] * 41 + [0] * 59
    first, second = ({0.1: s} | {1.0 + i: MANY for i in range(20)} for s in (MANY, some))
    key = ("robust_accuracy", "linf@0.1")
    alone, among = ([record(curve(dict(list(s.items())[:n]))) for s in (first, second)] for n in (1, 21))
    found = changes(*among)
    p = [c.moved.p for c in found]

    assert 0.05 / 21 < p[0] < 0.05
    assert found[0].ends[1] < 0
    assert words(*alone)[key] is Word.WORSE
    judged = [j for s in summary(found, among[0].audit, among[1].audit) for j in s.figures]
    assert {j.change.slice: j.p for j in judged} == pytest.approx(
        dict(zip((c.slice for c in found), holm(p), strict=True))
    )
    assert words(*among)[key] is Word.UNMOVED


def test_every_pillar_is_there_and_says_why_it_has_nothing() -> None:
    refused = Outcome(GROUPS, "Groups", "", Status.NOT_APPLICABLE, "no sensitive columns", {})
    broken = Outcome("robustness.certified", "Bounds", "", Status.ERROR, "ZeroDivisionError", {})
    sides = record(right(FIRST).audit.outcomes[0], refused, broken)
    found = {s.pillar.key: s for s in summary(changes(sides, sides), sides.audit, sides.audit)}

    assert list(found) == [p.key for p in PILLARS]
    assert found["fairness"].why == "fairness.groups does not apply: no sensitive columns"
    assert found["bounds"].why == "robustness.certified ended with an error: ZeroDivisionError"
    assert found["corruption"].why == "no check of it was run"
    assert found["calibration"].why == "performance.accuracy has no figure of it"
    assert [j.change.name for j in found["performance"].figures] == ["accuracy"]


def test_plain_accuracy_single_groups_and_severities_are_left_out_of_the_summary() -> None:
    listed = [
        outcome(CURVE, rate("robust_accuracy", 5, 10, slice="linf@0"), rate("noise_accuracy", 5, 10, slice="linf@0.1")),
        outcome(GROUPS, rate("tpr", 5, 10, slice="sex=f")),
        outcome("robustness.corruption", rate("corruption_accuracy", 5, 10, slice="corruption=fog&severity=1")),
        outcome("robustness.missing", rate("missing_accuracy", 5, 10, slice="missing=group&sex=f&share=0.1")),
    ]

    assert words(record(*listed), record(*listed)) == {}


def test_corruptions_and_values_missing_at_random_are_in_the_summary() -> None:
    key = {"robustness.corruption": ("corruption_accuracy", "corruption=fog"),
           "robustness.missing": ("missing_accuracy", "missing=random&share=0.1")}  # fmt: skip
    sides = [
        record(*(outcome(check, rate(name, sum(s), 100, slice=about)) for check, (name, about) in key.items()))
        for s in (MANY, FEW)
    ]

    assert words(*sides) == dict.fromkeys(key.values(), Word.WORSE)


# ---- the sentence ------------------------------------------------------------------------------------------------
def said(before: Record, after: Record) -> str:
    return answer(summary(changes(before, after), before.audit, after.audit))


def test_the_sentence_names_robustness_accuracy_and_fairness() -> None:
    parity = [gap(HALVES * 10, o * 10).audit.outcomes[0] for o in (HIGH + LOW, LOW + HIGH)]
    accuracy = [right(s).audit.outcomes[0] for s in (MANY, [*MANY[1:], 0])]
    sides = [record(curve({0.0: MANY, 0.15: s}), a, g) for s, a, g in zip((FEW, MANY), accuracy, parity, strict=True)]

    assert said(*sides) == (
        "Robust accuracy, changes up to 0.15, rose from 0.10 to 0.60; accuracy did not move measurably (0.60 before, "
        "0.59 after, n = 100); gap in favourable answers by sex did not move measurably (0.50 before, 0.50 after, "
        "n = 120)."
    )


def test_the_sentence_says_what_was_not_measured() -> None:
    assert said(record(), record()) == (
        "Robustness was not measured; accuracy was not measured; fairness was not measured."
    )


# ---- names, and the machine's form -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "about", "found"),
    [
        ("accuracy_difference", "sex", "by sex"),
        ("accuracy_difference", "sex&class=cat", "by sex, class = cat"),
        ("max_sensitivity", "method=LRP", "LRP"),
        ("robust_accuracy", "linf@0.1", "changes up to 0.1"),
        ("accuracy", "", ""),
    ],
)
def test_what_a_figure_is_about(name: str, about: str, found: str) -> None:
    assert about_words(Change("c", name, about, "higher", 0.0, 0.0, (1, 1))) == found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("accuracy_difference", "gap in accuracy"),
        ("equalized_odds_difference", "gap in rates of errors"),
        ("robust_accuracy_difference", "gap in robust accuracy"),
        ("certified_accuracy_difference", "gap in accuracy proved by bounds"),
        ("corruption_accuracy_fall_difference", "gap in the fall of accuracy under corruption"),
    ],
)
def test_gaps_have_the_words_of_what_they_are_gaps_in(name: str, words: str) -> None:
    assert figure_words(name) == words


def test_the_machines_form_holds_every_change_and_is_the_same_each_time() -> None:
    def made() -> bytes:
        sides = record(*right(FIRST).audit.outcomes, curve({0.1: FEW})), record(*right(SECOND).audit.outcomes)
        found = changes(*sides)
        return as_json(found, summary(found, sides[0].audit, sides[1].audit), same_rows=True)

    told = json.loads(made())
    by_name = {c["name"]: c for c in told["changes"]}

    assert made() == made()
    assert told["schema"] == "comparison-v1" and told["same_rows"] is True
    assert told["not_measured"]["fairness"] == "no check of it was run"
    hand = newcombe(8, 10, 6, 10)
    accuracy = by_name["accuracy"]
    assert (accuracy["low"], accuracy["high"]) == pytest.approx((hand.low, hand.high))
    assert (accuracy["change"], accuracy["word"], accuracy["pillar"]) == (
        pytest.approx(0.2),
        "did not move",
        "performance",
    )
    assert by_name["robust_accuracy"]["word"] == "cannot be said"
    assert by_name["robust_accuracy"]["doubt"] == "not measured after" and by_name["robust_accuracy"]["p"] is None


@pytest.mark.parametrize(("first", "second", "word"), [(0, 2, Word.WORSE), (2, 0, Word.IMPROVED), (1, 1, Word.UNMOVED)])
def test_signs_of_failed_attacks_are_counted_and_need_no_interval(first: int, second: int, word: Word) -> None:
    before, after = (
        record(outcome("robustness.trust", Measure("rules_fired", "", float(n), 9, better="lower")))
        for n in (first, second)
    )

    (judged,) = next(s for s in summary(changes(before, after), before.audit, after.audit) if s.figures).figures

    assert judged.word is word
