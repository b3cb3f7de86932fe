"""One check's limits: two one-sided tests at each bound, and Holm's correction over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from auditor.stats import tails, tails_of
from auditor.sums import Part, Sum
from auditor.types import Bound, Limit, Measure, Shift, Status

__all__ = ["Test", "decided", "statuses"]

Shifts = Mapping[tuple[str, str], Shift]
Level = Literal["warn", "fail"]
Side = Literal["below", "above", "worse"]
BOUND_OF: dict[str, tuple[Level, Side]] = {
    "fail_below": ("fail", "below"), "fail_above": ("fail", "above"),
    "warn_below": ("warn", "below"), "warn_above": ("warn", "above"),
    "fail_worse_by": ("fail", "worse"), "warn_worse_by": ("warn", "worse"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Test:
    """One measure at one bound, with the p-values of lying on the good and on the bad side of it.

    `shift` is how far the figure has moved since the baseline, for a bound on that.
    """

    __test__ = False  # no test of ours: pytest looks for names

    measure: Measure
    limit: Limit
    bound: Bound
    good: float
    bad: float
    shift: Shift | None = None

    @property
    def p(self) -> float:
        """Two-sided, so that a lone limit is decided exactly where the printed interval leaves it out."""
        return min(1.0, 2 * min(self.good, self.bad))

    @property
    def is_inference(self) -> bool:
        """Whether chance has a part in it: not in a figure that has no interval by nature."""
        return bool(self.shift.parts) if self.bound.side == "worse" and self.shift else bool(self.measure.method)


def statuses(measures: Sequence[Measure], limits: Sequence[Limit]) -> list[Status]:
    """What becomes of each measure of one check at each of its limits that names it, limit by limit."""
    return [status for _, status in decided(measures, limits, {})]


def decided(measures: Sequence[Measure], limits: Sequence[Limit], shifts: Shifts) -> list[tuple[Test, Status]]:
    """Every measure at every bound that names it, with what becomes of it; `shifts` are by name and slice."""
    tests = [_test(m, limit, b, shifts) for limit in limits for m, b in _pairs(measures, limit, shifts)]
    return [(test, _status(test, significant)) for test, significant in zip(tests, _holm(tests), strict=True)]


def _pairs(measures: Sequence[Measure], limit: Limit, shifts: Shifts) -> Iterator[tuple[Measure, Bound]]:
    values = {(m.name, m.slice): m.value for m in measures}
    for m in measures:
        if m.name != limit.measure or (limit.slice is not None and m.slice != limit.slice):
            continue
        for key, given in limit.bounds.items():
            level, side = BOUND_OF[key]
            if isinstance(given, str):
                yield m, Bound(level, side, values.get((given, m.slice)), given)
            elif side != "worse" or (m.name, m.slice) in shifts:
                yield m, Bound(level, side, float(given))


def _test(m: Measure, limit: Limit, bound: Bound, shifts: Shifts) -> Test:
    if bound.side == "worse":
        return _moved(m, limit, bound, shifts[m.name, m.slice])
    if m.value is None or bound.value is None:
        return Test(m, limit, bound, 1.0, 1.0)
    if not m.method:  # no interval by nature: the comparison is certain
        bad = m.value < bound.value if bound.side == "below" else m.value > bound.value
        return Test(m, limit, bound, float(bad), float(not bad))
    above, below = tails(m.method, m.counts, bound.value)
    return Test(m, limit, bound, *((above, below) if bound.side == "below" else (below, above)))


def _moved(m: Measure, limit: Limit, bound: Bound, shift: Shift) -> Test:
    """The test that a figure is not worse than the baseline's by more than the bound."""
    if shift.change is None or bound.value is None or m.better == "neither" or shift.differs_otherwise:
        return Test(m, limit, bound, 1.0, 1.0, shift)
    sign = 1 if m.better == "higher" else -1
    if not shift.parts:
        if m.method:  # it has an interval, and its change none
            return Test(m, limit, bound, 1.0, 1.0, shift)
        bad = sign * shift.change < -bound.value
        return Test(m, limit, bound, float(bad), float(not bad), shift)
    moved = Sum(tuple(Part(*part) for part in shift.parts), shift.constant)
    above, below = tails_of(moved.interval, -sign * bound.value)
    return Test(m, limit, bound, *((above, below) if sign > 0 else (below, above)), shift)


def _holm(tests: Sequence[Test]) -> list[bool]:
    """Which tests are significant at their limit's confidence, over the family (Holm 1979).

    Limits of other confidences are ordered by how far each p-value lies within its own, so that one that asks for much
    holds up no other.
    """
    significant, holding = [False] * len(tests), True
    family = [i for i, t in enumerate(tests) if t.is_inference]
    alpha = [1 - t.limit.confidence for t in tests]
    for rank, i in enumerate(sorted(family, key=lambda i: tests[i].p / alpha[i])):
        holding = holding and tests[i].p * (len(family) - rank) <= alpha[i] + 1e-12
        significant[i] = holding
    for i, t in enumerate(tests):
        significant[i] = significant[i] or (not t.is_inference and t.p == 0)
    return significant


def _status(test: Test, significant: bool) -> Status:
    if not significant:
        return Status.INCONCLUSIVE
    if test.good < test.bad:
        return Status.PASS
    return Status.FAIL if test.bound.level == "fail" else Status.WARN
