"""A policy's TOML as data: `[[limit]]` tables, each with a bound or required, and `[[accept]]` tables."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from pydantic import BaseModel, ConfigDict, ValidationError

from auditor.errors import UsageError
from auditor.requirements import need_known
from auditor.settings import unstorable
from auditor.types import BOUNDS, Acceptance, Limit, Policy
from auditor.validation import as_json, first_error

__all__ = ["parse_policy"]

LEAST, MOST = 0.5, 0.999999  # of a confidence: a coin decides as well as less
FRACTION = re.compile(r"@(\d{1,9})/([1-9]\d{0,8})$")
HEADER = re.compile(r"\s*\[\[\s*limit\s*\]\]")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: tuple[Limit, ...] = ()
    accept: tuple[Acceptance, ...] = ()


def parse_policy(text: str, name: str, file: str = "") -> Policy:
    """The policy called `name` from its TOML; UsageError, in one line, for what does not fit."""
    try:
        given = tomllib.loads(text)
    except (ValueError, RecursionError) as e:
        msg = f"policy {file or name!r:.200} is not TOML: {e}"
        raise UsageError(msg) from None
    for section in ("limit", "accept"):
        if isinstance(given.get(section), dict):
            msg = f"policy {file or name!r:.200}: [{section}] is one table; write [[{section}]], once for each"
            raise UsageError(msg)
    try:
        found = _File.model_validate_json(as_json(given), strict=True)
    except ValidationError as e:
        msg = f"policy {file or name!r:.200}: {first_error(e, _known_keys, given)}"
        raise UsageError(msg) from None
    limits = tuple(replace(li, slice=_decimal(li.slice)) for li in found.limit)
    accepted = found.accept
    own = chain.from_iterable(map(_problems_of_limit, limits))
    problems = chain(own, _problems_between(limits), _problems_of_acceptances(accepted))
    if problem := next(problems, None):
        msg = f"policy {file or name!r:.200}: {problem}"
        raise UsageError(msg)
    for limit in limits:
        need_known(limit.requirement, f"policy {file or name!r:.80}: the limit on {limit.check!r:.80}")
    lines = _lines(text, len(limits))
    placed = tuple(replace(li, line=n) for li, n in zip(limits, lines, strict=True))
    return Policy(name, placed, accepted, file)


def _known_keys(parents: Sequence[int | str]) -> list[str]:
    if not parents:
        return ["limit", "accept"]
    fields = Limit.__dataclass_fields__ if parents[0] == "limit" else Acceptance.__dataclass_fields__
    return [name for name in fields if name != "line"]


def _problems_of_limit(limit: Limit) -> Iterator[str]:
    """What is wrong with a limit in itself."""
    name = f"{limit.check} {limit.measure}".strip()
    if limit.line:
        yield f"the limit on {name} has the key line, which the file itself tells"
    if not limit.measure and (limit.bounds or not limit.required or limit.slice is not None):
        yield f"the limit on {name} names no measure; without one it can only be required, with no bound and no slice"
    if not limit.bounds and not limit.required:
        yield f"the limit on {name} has none of {', '.join(BOUNDS)}, and is not required either"
    if len({bound.endswith("worse_by") for bound in limit.bounds}) > 1:
        yield f"the limit on {name} bounds the figure and its change since a baseline; write two limits"
    yield from _problems_of_bounds(limit, name)
    yield from _problems_of_values(limit, name)
    for setting, asked in limit.settings.items():
        if why := unstorable(asked):
            yield f"the limit on {name} asks for {setting} = {asked!r:.80}: {why}"
    if not LEAST <= limit.confidence <= MOST:
        yield f"confidence is {limit.confidence} on {name}; it must lie between {LEAST} and {MOST}"


def _problems_of_values(limit: Limit, name: str) -> Iterator[str]:
    """What is wrong with each of its bounds alone."""
    for bound, value in limit.bounds.items():
        if isinstance(value, str) and not value.strip():
            yield f"{bound} on {name} is {value!r:.40}; expected a number, or the name of a measure"
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{bound} on {name} is {value}; expected a finite number"
        elif isinstance(value, float) and value < 0 and bound.endswith("worse_by"):
            yield f"{bound} on {name} is {value}; expected how much worse it may be, from 0 on"


def _problems_of_bounds(limit: Limit, name: str) -> Iterator[str]:
    """What is wrong with its numbers beside each other: a warning that is never first, a range that holds nothing."""
    numbers = {bound: value for bound, value in limit.bounds.items() if isinstance(value, float)}
    for side, sign in (("below", 1), ("above", -1), ("worse_by", -1)):
        fail, warn = numbers.get(f"fail_{side}"), numbers.get(f"warn_{side}")
        if fail is not None and warn is not None and sign * (fail - warn) > 0:
            yield (
                f"warn_{side} ({warn:g}) lies beyond fail_{side} ({fail:g}), so that {name} never only warns: "
                "were they exchanged?"
            )
    least, most = numbers.get("fail_below"), numbers.get("fail_above")
    if least is not None and most is not None and least > most:
        yield f"no figure is at least {least:g} (fail_below) and at most {most:g} (fail_above), which {name} should be"


def _problems_between(limits: Sequence[Limit]) -> Iterator[str]:
    """Bounds that two limits share: a judgement answers for one of them, and names its requirements alone.

    Their slices are written in one way already.
    """
    seen = Counter(
        (li.check, li.measure, li.slice, str(sorted(li.settings.items())), bound, value)
        for li in limits
        for bound, value in li.bounds.items()
    )
    for (check, measure, _, _, bound, value), times in seen.items():
        if times > 1:
            said = value if isinstance(value, str) else f"{value:g}"
            yield f"two limits have {bound} {said} on {check} {measure}; write one, with all its requirements"


def _problems_of_acceptances(accepted: Sequence[Acceptance]) -> Iterator[str]:
    """What is wrong with the accepted findings."""
    for finding, times in Counter(a.finding for a in accepted).items():
        if times > 1:
            yield f"[[accept]] names {finding!r:.120} twice; name each finding once"
    for a in accepted:
        check, measure, *_ = (*a.finding.split("/", 2), "")
        if "." not in check or not measure:
            yield f"[[accept]] finding is {a.finding!r:.120}; expected CHECK/MEASURE/SLICE, as the report prints it"
        for key in ("owner", "reason"):
            if not getattr(a, key).strip():
                yield f"[[accept]] of {a.finding!r:.120} has an empty {key}; say who accepts it and why"


def _decimal(about: str | None) -> str | None:
    """`linf@8/255` as the slice is called: `linf@0.0314`."""
    if about is None:
        return None
    return FRACTION.sub(lambda m: f"@{int(m[1]) / int(m[2]):.3g}", about)


def _lines(text: str, n: int) -> list[int]:
    """The line, from 1 on, on which each of the `n` limits begins; 0 for all where they stand in another form."""
    found = [i for i, line in enumerate(text.splitlines(), 1) if HEADER.match(line)]
    return found if len(found) == n else [0] * n
