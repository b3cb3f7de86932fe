"""Every figure of two audits and how far it has moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from auditor.comparing.kept import Scores, groups_of, scores_of
from auditor.comparing.sides import FEWEST, independent, of_gaps, of_scores
from auditor.store import Record
from auditor.sums import Sum
from auditor.types import Audit, Better, Measure, Outcome, differs_otherwise

__all__ = ["Change", "changes", "same_rows"]

SIZES = frozenset({"samples", "shown"})  # settings that say of how many rows a figure is, not of what
SWAPPED = "no interval: the groups with the highest and the lowest rate changed places"
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """One figure before and after, of `n` = (before, after) rows; both None where it was not measured or not known.

    `moved` is None where nothing can be said of the change's interval, `doubt` why it says less than it seems to.
    `paired` tells whether the change is one of the same rows; where only `shared` rows were in both figures, the
    values are of those.
    """

    check: str
    name: str
    slice: str
    better: Better
    before: float | None
    after: float | None
    n: tuple[int, int]
    moved: Sum | None = None
    paired: bool = False
    shared: bool = False
    doubt: str = ""

    @property
    def differs_otherwise(self) -> bool:
        """Whether the two figures differ for another reason than the model, so that nothing is said of the change."""
        return differs_otherwise(self.doubt)

    @property
    def value(self) -> float | None:
        """After minus before."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def ends(self) -> tuple[float, float] | None:
        """The 95 % interval of the change."""
        i = self.moved.interval() if self.moved else None
        return None if i is None or i.low is None or i.high is None else (i.low, i.high)


def changes(before: Record, after: Record) -> list[Change]:
    """The change of every figure of either audit, in the order of the first; figures of single rows are left out."""
    first, second = _measures(before.audit), _measures(after.audit)
    keys = [k for k in dict.fromkeys([*first, *second]) if not k[2].startswith("row=")]
    pairable = same_rows(before.audit, after.audit)
    doubts = {check: _doubt(before.audit, after.audit, check) for check, _, _ in keys}
    return [_change(k, first.get(k), second.get(k), (before, after) if pairable else None, doubts[k[0]]) for k in keys]


def same_rows(a: Audit, b: Audit) -> bool:
    """Whether both audits are of the same rows of the same data."""
    first, second = (x.subject.get("data", {}) for x in (a, b))
    return all(first.get(k) and first.get(k) == second.get(k) for k in ("sha256", "rows_sha256"))


def _measures(audit: Audit) -> Mapping[Key, Measure]:
    return {(o.check, m.name, m.slice): m for o in audit.outcomes if o.result for m in o.result.measures}


def _doubt(a: Audit, b: Audit, check: str) -> str:
    """Why the figures of a check differ for another reason than the model; "" where they are of one kind."""
    first, second = (x.subject.get("data", {}) for x in (a, b))
    if first.get("kind") != second.get("kind"):
        return "another kind of data"
    if first.get("classes") != second.get("classes"):
        return "other classes"
    if check.startswith("fairness.") and first.get("positive") != second.get("positive"):
        return "another favourable answer"
    return _other_settings(a.outcome(check), b.outcome(check))


def _other_settings(before: Outcome | None, after: Outcome | None) -> str:
    """Which settings of a check differ."""
    if before is None or after is None:
        return ""
    names = (before.params.keys() | after.params.keys()) - SIZES
    other = sorted(k for k in names if before.params.get(k) != after.params.get(k))
    return f"other settings: {', '.join(other)}" if other else ""


def _change(
    key: Key, before: Measure | None, after: Measure | None, of: tuple[Record, Record] | None, doubt: str
) -> Change:
    either = before or after
    if before is None or after is None or before.value is None or after.value is None:
        values = [m.value if m else None for m in (before, after)]
        n = tuple(m.n if m else 0 for m in (before, after))
        better = either.better if either else "neither"
        return Change(*key, better, values[0], values[1], (n[0], n[1]), doubt=_missing(before, after))
    if before.better != after.better:
        doubt = doubt or f"another side is better: {before.better} before, {after.better} now"
    known = Change(*key, before.better, before.value, after.value, (before.n, after.n), doubt=doubt)
    paired = _paired(known, before, after, of) if of else None
    return paired or _with(known, independent(before, after))


def _missing(before: Measure | None, after: Measure | None) -> str:
    """On which side there is no figure."""
    words = {"before": before, "after": after}
    gone = [side for side, m in words.items() if m is None]
    return f"not measured {gone[0]}" if gone else " and ".join(
        f"not known {side}" for side, m in words.items() if m is None or m.value is None
    )  # fmt: skip


def _paired(known: Change, before: Measure, after: Measure, of: tuple[Record, Record]) -> Change | None:
    """The change of the same rows, None where the rows behind the figure were not kept."""
    if before.method != after.method:
        return None
    first, second = (scores_of(r, known.check, m) for r, m in zip(of, (before, after), strict=True))
    if first and second:
        return _of_shared(known, first, second, before.method)
    ends = [groups_of(r, known.check, m) for r, m in zip(of, (before, after), strict=True)]
    if ends[0] and ends[1]:
        moved = of_gaps(ends[0], ends[1])
        if moved is None:
            return replace(known, doubt=known.doubt or SWAPPED)
        return _with(known, moved, paired=any(p.method == "newcombe-paired" for p in moved.parts))
    return None


def _of_shared(known: Change, before: Scores, after: Scores, method: str) -> Change | None:
    rows = np.intersect1d(before.rows, after.rows)
    if len(rows) < FEWEST:
        return None
    if len(rows) == len(before.rows) == len(after.rows):
        return _with(known, of_scores(before, after, method), paired=True)
    before, after, n = before.at(rows), after.at(rows), len(rows)
    values = float(before.values.mean()), float(after.values.mean())
    of_rows = replace(known, before=values[0], after=values[1], n=(n, n), shared=True)
    return _with(of_rows, of_scores(before, after, method), paired=True)


def _with(known: Change, moved: Sum | None, *, paired: bool = False) -> Change:
    return replace(known, moved=moved, paired=paired, doubt=known.doubt or ("" if moved else "no interval"))
