"""Audits of a figure or two, made by hand, that are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from auditor.comparing.changes import Change, changes
from auditor.policy import judge
from auditor.scores import ANSWERS, LABELS, SCORED_ROWS, group_key, grouped, score_key
from auditor.stats import measured, rate
from auditor.store import Record
from auditor.types import Audit, Limit, Measure, Outcome, Policy, Result, Setting, Status, Verdict

ACCURACY, CURVE, GROUPS = "performance.accuracy", "robustness.curve", "fairness.groups"
Scores = Sequence[float]


def record(*outcomes: Outcome, arrays: Mapping[str, Any] | None = None, rows: str = "r") -> Record:
    subject = {"data": {"sha256": "d", "rows_sha256": rows}}
    audit = Audit("audit-v1", subject, {}, {}, 0, Policy("none"), Verdict.INCOMPLETE, outcomes)
    return Record(audit, dict(arrays or {}))


def outcome(check: str, *measures: Measure, params: dict[str, Setting] | None = None) -> Outcome:
    return Outcome(check, check, "", Status.MEASURED, "", params or {}, (), Result(measures))


def scored(check: str, m: Measure, scores: Scores, ids: Sequence[int] = (), **rest: Any) -> Record:
    """An audit of one figure and its scores."""
    kept = {
        f"{check}/{SCORED_ROWS}": np.array(ids or range(len(scores))),
        f"{check}/{score_key(m.name, m.slice)}": np.array(scores, np.float32),
    }
    return record(outcome(check, m, **rest), arrays=kept)


def right(scores: Scores, ids: Sequence[int] = (), **rest: Any) -> Record:
    known = [s for s in scores if not np.isnan(s)]
    return scored(ACCURACY, rate("accuracy", int(sum(known)), len(known)), scores, ids, **rest)


def only(before: Record, after: Record) -> Change:
    (found,) = changes(before, after)
    return found


FIRST, SECOND = [1, 1, 1, 0, 0, 0, 1, 0, 1, 1], [1, 1, 1, 1, 1, 0, 1, 1, 0, 1]  # both 5, first alone 1, second alone 3


def gap(of: Sequence[int], outcomes: Sequence[int], about: Sequence[int] = ()) -> Record:
    """An audit of the gap between the groups' rates of `outcomes` among the rows that it is `about`."""
    g, o = np.array(of), np.array(outcomes, bool)
    inside = np.array(about, bool) if len(about) else np.ones(len(g), bool)
    counts = [
        n for i in np.unique(g[inside]) for n in (int(o[inside & (g == i)].sum()), int((inside & (g == i)).sum()))
    ]
    m = measured("demographic_parity_difference", "sex", "largest-gap", counts, n=int(inside.sum()), better="lower")
    kept = {
        f"{GROUPS}/{SCORED_ROWS}": np.arange(len(g)),
        f"{GROUPS}/{group_key(m.name, m.slice)}": grouped(g, o, inside),
    }
    return record(outcome(GROUPS, m), arrays=kept)


HALVES = [0] * 6 + [1] * 6
HIGH, LOW = [1, 1, 1, 1, 1, 0], [1, 0, 0, 1, 0, 0]


# ---- answers of two models ---------------------------------------------------------------------------------------
FLOOR = Policy("floor", (Limit(ACCURACY, "accuracy", fail_below=0.92),))


def answered(said: list[int], true: list[int], policy: Policy = FLOOR) -> Record:
    """An audit of two classes that kept its answers."""
    found = right([float(a == b) for a, b in zip(said, true, strict=True)])
    kept = {f"{ACCURACY}/{ANSWERS}": np.array(said, np.int32), f"{ACCURACY}/{LABELS}": np.array(true, np.int32)}
    subject = {"data": {**found.audit.subject["data"], "classes": ["no", "yes"]}}
    audit = judge(replace(found.audit, subject=subject), policy)
    return Record(audit, {**found.arrays, **kept})


TRUE = [0, 1] * 50
GOOD = answered(TRUE, TRUE)
BAD = answered([*TRUE[:70], *([0] * 30)], TRUE)  # of the last 30 the 15 that are `yes` are lost
