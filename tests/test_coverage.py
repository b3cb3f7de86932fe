"""Every interval and verdict of the fairness checks on populations whose truth is known: a short benchmark."""

from __future__ import annotations

import pytest

from auditor.fairness.figures import GAPS
from auditor.stats import METHODS
from auditor.types import Limit
from benchmarks._counted_populations import COUNTED
from benchmarks._judged import FOUR_FIFTHS, gap_of, judged, naive, ratios_of
from benchmarks._scored_populations import SCORED
from benchmarks._simulated import Population, cell_of

POPULATIONS = (*COUNTED, *SCORED)


def test_every_method_is_tried() -> None:
    tried = {p.method for p in POPULATIONS}

    again = {"delong", "delong-difference"}  # rates and their differences under another name
    cut = {"student-of-sizes", "student-of-shares", "student-of-correlations"}  # Student's, where no truth can lie
    assert tried == set(METHODS) - again - cut
    assert {gap.method for gap in GAPS.values()} <= tried


@pytest.mark.parametrize("population", POPULATIONS, ids=lambda p: f"{p.figure}, {p.case}")
def test_intervals_of_50_rows_a_group_hold_the_truth(population: Population) -> None:
    cell = cell_of(population, 50, 0.1, 100)

    assert cell.covered >= 0.9
    assert cell.given > 0.2
    assert cell == cell_of(population, 50, 0.1, 100)  # the same numbers at every call


@pytest.mark.parametrize("method", ["largest-gap", "smallest-ratio", "mean-of-two-gaps", "between-entropy", "ece"])
def test_an_interval_that_is_too_short_would_be_seen(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    true = METHODS[method]
    monkeypatch.setitem(METHODS, method, lambda *counts, confidence: true(*counts, confidence=0.7 * confidence))
    found = [
        cell_of(p, 1000, 0.3, 300)
        for p in POPULATIONS
        if p.method == method and p.case.endswith(("equal", "calibrated"))
    ]

    assert min(cell.covered for cell in found) < 0.9


def test_equal_groups_are_not_convicted_though_the_rule_without_an_interval_does() -> None:
    assert naive([0.2] * 6, 100, 1000) > 0.9
    assert judged([0.2] * 6, 100, FOUR_FIFTHS, 100).failed == 0


@pytest.mark.parametrize("rates", [[0.5] + [0.4] * 5, [0.4] + [0.5] * 5])
def test_groups_at_the_limit_are_seldom_convicted(rates: list[float]) -> None:
    assert judged(rates, 1000, FOUR_FIFTHS, 200).failed <= 0.05


def test_what_is_there_is_found_and_what_is_not_passes() -> None:
    assert judged([0.3, 0.5, 0.5], 1000, FOUR_FIFTHS, 100).failed > 0.95
    assert judged([0.5, 0.5, 0.5], 2000, FOUR_FIFTHS, 100).passed > 0.95


def test_the_power_of_a_difference_is_the_textbooks() -> None:
    no_gap = Limit("fairness.groups", "demographic_parity_difference", fail_above=0)

    assert judged([0.2, 0.16], 1447, no_gap, 1500, gap_of).failed == pytest.approx(0.8, abs=0.03)


def test_the_best_group_is_what_the_others_are_compared_with() -> None:
    found = ratios_of([30, 80, 78], 100)

    assert [m.slice for m in found] == ["group=0", "group=2"]
    assert [m.value for m in found] == pytest.approx([30 / 80, 78 / 80])
    assert judged([0.3, 0.8], 100, FOUR_FIFTHS, 50).failed == 1
