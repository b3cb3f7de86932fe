"""The comparison for programs: compare.json, the same bytes for the same two audits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.comparing.changes import Change
from auditor.schema import canonical
from reports.comparing.summary import Judged, Summed

__all__ = ["SCHEMA", "as_json"]

SCHEMA = "comparison-v1"


def as_json(found: Sequence[Change], summed: Sequence[Summed], *, same_rows: bool) -> bytes:
    """Every change: `low` and `high` are the 95 % interval of `change`, None where it has none.

    `word` and `p` (adjusted by Holm over the figures that have one) are None of figures outside the summary;
    `same_rows` tells whether both audits are of the same rows of the same data.
    """
    judged = {(j.change.check, j.change.name, j.change.slice): (s, j) for s in summed for j in s.figures}
    rows = [_row(c, *judged.get((c.check, c.name, c.slice), (None, None))) for c in found]
    pillars = {s.pillar.key: s.why for s in summed if not s.figures}
    return canonical({"schema": SCHEMA, "same_rows": same_rows, "not_measured": pillars, "changes": rows})


def _row(c: Change, s: Summed | None, j: Judged | None) -> dict[str, Any]:
    low, high = c.ends or (None, None)
    return {
        "check": c.check, "name": c.name, "slice": c.slice, "better": c.better, "before": c.before, "after": c.after,
        "change": c.value, "low": low, "high": high, "n_before": c.n[0], "n_after": c.n[1], "paired": c.paired,
        "shared_rows_only": c.shared, "doubt": c.doubt, "pillar": s.pillar.key if s else None,
        "word": str(j.word) if j else None, "p": j.p if j and c.moved and not c.doubt else None,
    }  # fmt: skip
