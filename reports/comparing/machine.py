"""The comparison for programs: compare.json, and its JSON Schema.

It has the same bytes for the same two audits on the same day: acceptances end.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from auditor.comparing.changes import Change, same_rows
from auditor.comparing.churn import Churn
from auditor.comparing.flips import Flip, same_policy
from auditor.schema import canonical
from auditor.types import Audit, Better, Verdict
from reports.comparing.apart import Difference
from reports.comparing.became import FindingChange
from reports.comparing.compared import Compared
from reports.comparing.summary import Judged, Summed, Word
from reports.words import subject_name

__all__ = ["SCHEMA", "Comparison", "as_json", "json_schema"]

SCHEMA = "comparison-v1"


@dataclass(frozen=True)
class ComparedAudit:
    """One of the two audits: the digest of its audit.json, that of its own baseline's ("" without one), its verdict.

    `verdict` is as it was by its own `policy`, `verdict_here` by the second's, beside the first as the baseline.
    """

    name: str
    sha256: str
    baseline_sha256: str
    policy: str
    verdict: Verdict
    verdict_here: Verdict


@dataclass(frozen=True)
class FigureChange:
    """A figure before and after: `low` and `high` are the 95 % interval of `change`, None where it has none.

    `word` and `p` (adjusted by Holm over the figures that have one) are None of figures outside the summary.
    `shared_rows_only` tells that the values are of the rows that both figures count, `doubt` why less is said than it
    seems.
    """

    check: str
    name: str
    slice: str
    better: Better
    before: float | None
    after: float | None
    change: float | None
    low: float | None
    high: float | None
    n_before: int
    n_after: int
    paired: bool
    shared_rows_only: bool
    doubt: str
    pillar: str | None
    word: Word | None
    p: float | None


@dataclass(frozen=True)
class Comparison:
    """Two audits compared. `same_rows`: both are of the same rows of the same data.

    `same_policy`: both have the same limits; where not, findings and flips are by the second's. `not_measured` says of
    each pillar without a figure why. `churn` is None where it cannot be said.
    """

    schema: str
    before: ComparedAudit
    after: ComparedAudit
    same_rows: bool
    same_policy: bool
    findings: tuple[FindingChange, ...]
    flipped: tuple[Flip, ...]
    churn: Churn | None
    not_comparable: tuple[Difference, ...]
    not_measured: dict[str, str]
    changes: tuple[FigureChange, ...]


@cache
def _adapter() -> TypeAdapter[Comparison]:
    return TypeAdapter(Comparison)


def as_json(c: Compared) -> bytes:
    """The canonical bytes of compare.json."""
    return canonical(_adapter().dump_python(_comparison(c), mode="json"))


def json_schema() -> dict[str, Any]:
    """JSON Schema of compare.json, as published in reports/schema/."""
    found = _adapter().json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA, **found}


def _comparison(c: Compared) -> Comparison:
    a, b = c.before.audit, c.after.audit
    judged = {(j.change.check, j.change.name, j.change.slice): (s, j) for s in c.summed for j in s.figures}
    rows = tuple(_row(x, *judged.get((x.check, x.name, x.slice), (None, None))) for x in c.changes)
    return Comparison(
        SCHEMA, _side(a, c.first, c.digests[0]), _side(b, c.second, c.digests[1]), same_rows(a, b),
        same_policy(a.policy, b.policy), tuple(c.findings), tuple(c.flips), c.churn, tuple(c.differences),
        {s.pillar.key: s.why for s in c.summed if not s.figures}, rows,
    )  # fmt: skip


def _side(audit: Audit, here: Audit, digest: str) -> ComparedAudit:
    own = audit.baseline.sha256 if audit.baseline else ""
    return ComparedAudit(subject_name(audit), digest, own, audit.policy.name, audit.verdict, here.verdict)


def _row(c: Change, s: Summed | None, j: Judged | None) -> FigureChange:
    low, high = c.ends or (None, None)
    return FigureChange(
        c.check, c.name, c.slice, c.better, c.before, c.after, c.value, low, high, *c.n, c.paired, c.shared, c.doubt,
        s.pillar.key if s else None, j.word if j else None, j.p if j and c.moved and not c.doubt else None,
    )  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=1) + "\n")
