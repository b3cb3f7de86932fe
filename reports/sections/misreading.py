"""How to misread the report: what its words do not say."""

from __future__ import annotations

from reports.parts import Points, Section

__all__ = ["misreading"]

PASSED = (
    "“Pass” says that the limits of the policy are met on these rows, and nothing about what no limit names; it is no "
    "approval of a use."
)
UNDECIDED = "“Undecided” is no weak pass: these rows cannot tell on which side of the limit the truth lies."
INTERVAL = (
    "An interval holds what chance in drawing such rows does; not what another place, another year or other people "
    "would do."
)
PICTURE = (
    "A picture of what moved an answer is not the reason for it, and holds as far as its method passed the tests that "
    "stand beside it."
)
ABSENCE = (
    "What was not found may still be there: an attack that failed is one attack, and a gap that was not shown may be "
    "as large as the far end of its interval."
)
FIVE = (PASSED, UNDECIDED, INTERVAL, PICTURE, ABSENCE)


def misreading() -> Section:
    """The section: five sentences."""
    answer = "Five sentences, each against a common misreading."
    return Section("misreading", "How to misread this report", answer, [Points(FIVE)])
