"""The sandwich of bounds and attacks says what is proved, and draws both lines."""

from __future__ import annotations

from auditor.stats import rate
from auditor.types import Outcome, Result, Status, Table
from reports.parts import Chart
from reports.pillars.sandwich import of_other_rows, sandwich


def outcome(proved: list[int], left: list[int], norm: str = "linf") -> Outcome:
    """Of 20 rows, at no change and at epsilons .1, .2, ..."""
    sizes = [f"{norm}@{k / 10:.3g}" for k in range(len(proved))]
    measures = [rate("certified_accuracy", k, 20, slice=at) for k, at in zip(proved, sizes, strict=True)]
    measures += [rate("attacked_accuracy", k, 20, slice=at) for k, at in zip(left, sizes[1:], strict=False)]
    table = Table("t", ("epsilon", "proved at least"), tuple((k / 10, p / 20) for k, p in enumerate(proved)))
    return Outcome(
        "robustness.certified", "Proved accuracy", "", "measured", "", result=Result(tuple(measures), (table,))
    )


def said(proved: list[int], left: list[int]) -> str:
    _, chart = sandwich(outcome(proved, left))
    assert isinstance(chart, Chart)
    return chart.answer


def test_the_largest_size_that_keeps_half_is_told() -> None:
    assert said([18, 16, 9, 1], [17, 12, 6]) == (
        "Whatever change of at most 0.2 is made, 0.45 stay right at least; attacks leave 0.60."
    )
    assert said([18, 2, 0], [17, 12]) == (
        "Whatever change of at most 0.1 is made, 0.10 stay right at least; attacks leave 0.85."
    )


def test_nothing_proved_is_told() -> None:
    assert said([18, 0, 0], []) == "Bounds prove nothing at the audited sizes."


def test_lengths_are_called_so() -> None:
    _, chart = sandwich(outcome([18, 16], [17], "l2"))
    assert isinstance(chart, Chart)

    assert chart.answer.startswith("Whatever change of length at most 0.1 is made, 0.80 stay right")
    assert "length of the change (L2), one step an audited size" in str(chart.svg)
    assert chart.figures is not None and chart.figures.columns[0] == "length of the change (L2)"


def test_a_curve_of_other_rows_is_said_to_be_of_others() -> None:
    certified = outcome([18, 16], [17])
    same, fewer = (
        Outcome("robustness.curve", "", "", Status.MEASURED, "", result=Result((rate("robust_accuracy", 3, n),)))
        for n in (20, 16)
    )

    (said,) = of_other_rows(certified, fewer)
    assert said.text.startswith("Proved here is of 20 rows, robustness.curve of 16 rows: ")
    assert of_other_rows(certified, same) == of_other_rows(certified, None) == []
