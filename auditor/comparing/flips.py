"""Limits that come out otherwise in another audit: because the figures moved, or because the policy is another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from auditor.comparing.baseline import worst_statuses
from auditor.types import Audit, Bound, Policy, Status
from auditor.worst import WORST_FIRST

__all__ = ["Flip", "flips", "same_policy"]

Key = tuple[str, str, str, int | None, str]


@dataclass(frozen=True)
class Flip:
    """A figure that comes out otherwise at a limit.

    Because of the `figures`: at the same `limit`, `before` in the first audit and `after` in the second. Because of the
    `policy`: in the first audit, `before` as it was judged and `after` by the second's policy, at the worst of the
    limits, None where none names it; `limit` is None then.
    """

    check: str
    measure: str
    slice: str
    limit: Bound | None
    before: Status | None
    after: Status | None
    cause: Literal["figures", "policy"]


def same_policy(a: Policy, b: Policy) -> bool:
    """Whether two policies demand and accept the same, whatever they are called and wherever they stand."""
    first, second = ([replace(limit, line=0) for limit in p.limits] for p in (a, b))
    return first == second and a.accept == b.accept


def flips(before: Audit, first: Audit, second: Audit) -> tuple[Flip, ...]:
    """What flipped, worst first; `first` is the audit `before` judged by the policy of `second`.

    What is judged on one side only did not flip.
    """
    then, now = _by_limit(first), _by_limit(second)
    moved = [
        Flip(*key[:3], now[key][0], then[key][1], now[key][1], "figures")
        for key in now
        if key in then and then[key][1] is not now[key][1]
    ]
    judged = [] if same_policy(before.policy, second.policy) else _by_policy(before, first)
    return tuple(sorted([*moved, *judged], key=lambda f: (f.cause != "figures", _rank(f.after), -_rank(f.before))))


def _by_policy(before: Audit, first: Audit) -> Iterator[Flip]:
    was, would = worst_statuses(before), worst_statuses(first)
    for key in dict.fromkeys([*would, *was]):
        if was.get(key) is not would.get(key):
            yield Flip(*key, None, was.get(key), would.get(key), "policy")


def _rank(status: Status | None) -> int:
    return len(WORST_FIRST) if status is None else WORST_FIRST.index(status)


def _by_limit(audit: Audit) -> dict[Key, tuple[Bound, Status]]:
    """Every judgement by the figure and the limit of the one policy that it was judged at."""
    return {
        (o.check, j.measure, j.slice, j.place, j.limit.key): (j.limit, j.status)
        for o in audit.outcomes
        for j in o.judgements
    }
