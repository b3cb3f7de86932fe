"""What a policy names, against what there is: checks, their measures and their settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase

from auditor.errors import UsageError
from auditor.nearest import did_you_mean
from auditor.types import Limit, Policy

__all__ = ["need_known"]


def need_known(
    policy: Policy, measures: Mapping[str, Collection[str]], settings: Mapping[str, Collection[str]]
) -> None:
    """UsageError where a policy names a check, a measure or a setting that does not exist, with those near it.

    `measures` and `settings` are those of every check. `*` in a measure stands for any part of a name.
    """
    for limit in policy.limits:
        if problem := next(_unknown(limit, measures, settings), ""):
            msg = f"policy {policy.name!r:.80}: the limit on {limit.check!r:.80} {problem}"
            raise UsageError(msg)
    for a in policy.accept:
        check, measure, *_ = (*a.finding.split("/", 2), "")
        if problem := _no_check(check, measures) or _no_measure(check, measure, measures):
            msg = f"policy {policy.name!r:.80}: [[accept]] finding {a.finding!r:.120} {problem}"
            raise UsageError(msg)


def _unknown(
    limit: Limit, measures: Mapping[str, Collection[str]], settings: Mapping[str, Collection[str]]
) -> Iterator[str]:
    """What a limit names and is not there, a line each."""
    if problem := _no_check(limit.check, measures):
        yield problem
        return
    named = [limit.measure, *(value for value in limit.bounds.values() if isinstance(value, str))]
    yield from filter(None, (_no_measure(limit.check, name, measures) for name in named if name))
    known = settings.get(limit.check, ())
    for name in limit.settings:
        if name not in known:
            yield f"asks for the setting {name!r:.80}; {did_you_mean(name, known)}it has {', '.join(known) or 'none'}"


def _no_check(check: str, measures: Mapping[str, Collection[str]]) -> str:
    if check in measures:
        return ""
    return f"is on no check; {did_you_mean(check, measures)}known: {', '.join(sorted(measures))}"


def _no_measure(check: str, measure: str, measures: Mapping[str, Collection[str]]) -> str:
    known = measures[check]
    if any(fnmatchcase(measure, k) for k in known):
        return ""
    return f"names the measure {measure!r:.80}; {did_you_mean(measure, known)}it has {', '.join(known) or 'none'}"
