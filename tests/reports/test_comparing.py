"""What improved, got worse and did not move: words that hold together."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from auditor.comparing.changes import Change, changes
from auditor.intervals import newcombe
from auditor.stats import holm, mean, measured, rate
from auditor.store import Record
from auditor.types import Measure, Outcome, Status
from reports.comparing.compared import compared
from reports.comparing.machine import as_json
from reports.comparing.naming import about_words
from reports.comparing.sentence import answer
from reports.comparing.summary import PILLARS, Word, summary
from reports.words import figure_words
from tests.reports.compared import (
    CURVE,
    FIRST,
    GROUPS,
    HALVES,
    HIGH,
    LOW,
    SECOND,
    Scores,
    gap,
    outcome,
    record,
    right,
    scored,
)


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


def test_of_a_regression_the_error_is_what_performance_is_about() -> None:
    errors = [[0.1 * i for i in range(20)], [0.1 * i + 1 + 0.01 * (i % 3) for i in range(20)]]
    sides = [scored("intake.preflight", mean("mean_absolute_error", e, better="lower"), e) for e in errors]

    assert words(*sides) == {("mean_absolute_error", ""): Word.WORSE}
    assert said(*sides).startswith("Mean absolute error rose from 0.95 to 1.96; ")


# ---- the sentence ------------------------------------------------------------------------------------------------
def test_a_change_that_is_the_rounding_of_two_figures_did_not_move() -> None:
    one, other = (
        record(outcome("performance.accuracy", mean("mean_absolute_error", [v] * 9, better="lower")))
        for v in (0.3, 0.1 + 0.2)
    )

    assert words(one, other) == {("mean_absolute_error", ""): Word.UNMOVED}


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


def test_the_sentence_names_what_improved_for_groups_and_what_got_worse() -> None:
    def sides(first: tuple[int, ...], second: tuple[int, ...]) -> Record:
        counts = (("demographic_parity_difference", first), ("accuracy_difference", second), ("npv_difference", second))
        gaps = [measured(name, "sex", "largest-gap", c, n=2000, better="lower") for name, c in counts]
        labels = measured("base_rate_difference", "sex", "largest-gap", apart, n=2000)
        return record(outcome("fairness.groups", *gaps, labels))

    apart, near = (900, 1000, 300, 1000), (600, 1000, 590, 1000)

    assert said(sides(apart, near), sides(near, apart)) == (
        "Gap in favourable answers by sex fell from 0.60 to 0.01; gap in accuracy by sex rose from 0.01 to 0.60; "
        "robustness was not measured; accuracy was not measured."
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
        return as_json(compared(*sides))

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
