"""The line that says what a method is worth here, from the figures alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.stats import mean, rate
from auditor.types import Audit, Measure, Outcome, Result, Status
from reports.pillars.worth import MEANING, worth_grid, worths
from tests.reports.records import record

METHOD = "method=LRP"


def audit(
    speaks: int, against: int, rows: int = 20, random: list[float] | None = None, steady: tuple[int, int] | None = None
) -> Audit:
    """An audit in which five measures of one method came out so."""
    counts = {"evidence_for": speaks, "evidence_against": against, "evidence_measures": 5}
    found = {"faithfulness": [Measure(name, METHOD, n, rows) for name, n in counts.items()]}
    found["faithfulness"].append(rate("wins_chance", 3, rows, slice=f"{METHOD}&measure=deletion"))
    if random is not None:
        found["sanity"] = [mean("random_correlation", random, slice=METHOD)]
    if steady is not None:
        found["stability"] = [rate("steady", *steady, slice=METHOD)]
    outcomes = tuple(
        Outcome(f"explain.{check}", check, "", Status.MEASURED, "", {}, (), Result(tuple(measures)))
        for check, measures in found.items()
    )
    return replace(record().audit, outcomes=outcomes)


GONE, KEPT, HALF = [0.1, -0.1, 0.0, 0.05, 0.1], [0.9, 0.95, 0.92, 0.9, 0.91], [0.45, 0.5, 0.4, 0.42, 0.48]


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (audit(4, 0), "usable"),
        (audit(4, 0, random=GONE, steady=(20, 20)), "usable"),
        (audit(2, 0), "weak"),
        (audit(4, 1), "weak"),
        (audit(4, 0, random=HALF), "weak"),
        (audit(5, 0, steady=(5, 20)), "weak"),
        (audit(0, 3), "misleading here"),
        (audit(5, 0, random=KEPT), "misleading here"),
        (audit(0, 0, rows=4), "cannot be told"),
        (audit(0, 0, rows=4, random=KEPT), "misleading here"),
    ],
)
def test_the_word_follows_from_the_figures(found: Audit, word: str) -> None:
    assert worths(found)["LRP"].word == word


def test_the_figures_stand_behind_the_word() -> None:
    found = worths(audit(4, 1, random=GONE, steady=(19, 20)))

    assert found["LRP"].figures == (
        "beats chance and model-free orders in 4 of 5 measures (20 rows); chance beats it in 1; "
        "correlation with random weights 0.03; steady in 95 % of 20 rows"
    )
    assert worth_grid(found).rows == [["LRP", "weak", "4 of 5", "1 of 5", "0.03", "95 %", "20"]]
    assert worth_grid(worths(audit(4, 0))).rows[0][4:6] == ["not known", "not known"]


def test_of_too_few_rows_the_line_does_not_use_the_word_of_a_judgement() -> None:
    found = worths(audit(0, 0, rows=4))["LRP"]

    assert found.line.startswith("Cannot be told here: beats chance and model-free orders in 0 of 5 measures (4 rows)")
    assert "ndecided" not in found.line + MEANING


def test_without_faithfulness_nothing_is_said() -> None:
    assert worths(replace(record().audit, outcomes=())) == {}
