"""How the figures of a baseline come out at the limits that an audit is judged by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from auditor.deciding import decided
from auditor.types import Baseline, Limit, Measure, Shift
from auditor.worst import worst_of

__all__ = ["judged_then"]


def judged_then(baseline: Baseline, limits: Mapping[str, Sequence[Limit]]) -> Baseline:
    """The baseline with the status of each of its figures at the worst of the `limits`, which are by check.

    Limits on a change judge none of them: the baseline was compared with nothing.
    """
    figures: dict[str, list[Measure]] = {}
    for s in baseline.shifts:
        figures.setdefault(s.check, []).append(_measure(s))
    worst = worst_of(
        ((check, test.measure.name, test.measure.slice), status)
        for check, measures in figures.items()
        for test, status in decided(measures, limits.get(check, ()), {})
    )
    shifts = tuple(replace(s, status=worst.get((s.check, s.measure, s.slice))) for s in baseline.shifts)
    return replace(baseline, shifts=shifts)


def _measure(s: Shift) -> Measure:
    """The baseline's figure, with what decides it; its ends do not."""
    return Measure(s.measure, s.slice, s.before, s.n, method=s.method, counts=s.counts)
