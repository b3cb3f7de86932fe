"""How the figures of a baseline come out at the limits that an audit is judged by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from auditor.deciding import decided
from auditor.intervals import UNKNOWN
from auditor.stats import interval
from auditor.types import Baseline, Limit, Measure, Shift, Status

__all__ = ["WORST_FIRST", "judged_then"]

WORST_FIRST = (Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.PASS)
Key = tuple[str, str, str]


def judged_then(baseline: Baseline, limits: Mapping[str, Sequence[Limit]]) -> Baseline:
    """The baseline with the status of each of its figures at the worst of the `limits`, which are by check.

    Limits on a change judge none of them: the baseline was compared with nothing.
    """
    worst: dict[Key, Status] = {}
    for check, own in limits.items():
        measures = [_measure(s) for s in baseline.shifts if s.check == check] if own else []
        for test, status in decided(measures, own, {}):
            key = (check, test.measure.name, test.measure.slice)
            worst[key] = min((worst.get(key, status), status), key=WORST_FIRST.index)
    shifts = tuple(replace(s, status=worst.get((s.check, s.measure, s.slice))) for s in baseline.shifts)
    return replace(baseline, shifts=shifts)


def _measure(s: Shift) -> Measure:
    """The baseline's figure."""
    i = interval(s.method, s.counts) if s.method else UNKNOWN
    return Measure(s.measure, s.slice, s.before, s.n, i.low, i.high, s.method, s.counts)
