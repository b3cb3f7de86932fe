"""How to misread the report: what its words do not say."""

from __future__ import annotations

from reports.parts import Points, Section

__all__ = ["misreading"]

SENTENCES = (
    "To take “Pass” for more than it says: the limits that the policy sets are met on these rows, and of what no limit "
    "names nothing is said.",
    "To take “Undecided” for a weak pass: these rows cannot tell on which side of the limit the truth lies.",
    "To take an interval for all that is not known: it holds what chance in drawing such rows does, not what another "
    "place, another year or other people would do.",
    "To take a picture of what moved an answer for the reason of it: it holds as far as its method passed the tests "
    "that stand beside it.",
    "To take what was not found for what is not there: an attack that failed is one attack, and a gap that was not "
    "shown may be as large as the far end of its interval.",
)


def misreading() -> Section:
    """The section: five sentences."""
    return Section("misreading", "How to misread this report", "Five ways, each of them common.", [Points(SENTENCES)])
