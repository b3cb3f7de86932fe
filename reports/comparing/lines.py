"""A comparison in a few lines of plain text, for the terminal."""

from __future__ import annotations

from auditor.errors import one_line
from reports.comparing.apart import nothing_in_common
from reports.comparing.became import Became
from reports.comparing.churned import churn_words
from reports.comparing.compared import Compared
from reports.comparing.opening import findings_words, flips_words
from reports.words import VERDICT, counted

__all__ = ["in_lines"]

TOLD = (Became.NEW, Became.WORSE, Became.FIXED)
MOST = 10  # findings and differences that are named


def in_lines(c: Compared) -> list[str]:
    """The verdicts as they were, what became of the findings, flips, churn, and what differs besides the figures.

    Before all of it, where nothing can be compared, that this is so: what follows are then no changes of a model.
    """
    nothing = nothing_in_common(c.changes, c.differences)
    lines = [
        *([one_line(nothing)] if nothing else []),
        f"verdicts: {' to '.join(VERDICT[r.audit.verdict] for r in (c.before, c.after))}",
        f"findings: {findings_words(c.findings)}",
    ]
    told = [f for f in c.findings if f.became in TOLD]
    lines += [f"  {one_line(f'{f.became.capitalize()}: {f.sentence} {f.moved}')}" for f in told[:MOST]]
    lines += [f"  and {counted(len(told) - MOST, 'further one')}"] if len(told) > MOST else []
    lines += [f"judgements: {one_line(flips_words(c))}", f"answers: {churn_words(c)}"]
    if c.differences:
        names = [one_line(d.what) for d in c.differences]
        more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
        lines.append(f"not comparable: {', '.join(names[:MOST])}{more}")
    return lines
