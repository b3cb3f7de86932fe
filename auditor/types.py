"""What a check returns and what an audit is made of: plain frozen data, no torch, no HTML.

The field names are the keys of audit.json.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, TypeVar, dataclass_transform

SCHEMA = "audit-v1"

Scalar = str | int | float | bool | None
Setting = Scalar | tuple[Scalar, ...]
T = TypeVar("T")
Better = Literal["higher", "lower", "neither"]


@dataclass_transform(frozen_default=True)
def _record(cls: type[T]) -> type[T]:
    """A frozen dataclass that takes no unknown key when it is read back from a file."""
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclass(frozen=True, slots=True)(cls)


class Status(StrEnum):
    """How one check, or one of its judgements, ended. `MEASURED`: it ran and no limit names it."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    MEASURED = "measured"
    NOT_APPLICABLE = "not_applicable"
    SKIPPED = "skipped"
    ERROR = "error"


class Verdict(StrEnum):
    """How a whole audit ended. `CONDITIONS`: passed, with something a person must look at."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    CONDITIONS = "conditions"
    FAIL = "fail"
    INCOMPLETE = "incomplete"


@_record
class Measure:
    """One figure, with what is needed to read it and to judge it again.

    `slice` says about what: "" the whole, `sex=Female`, `sex=Female&race=B`, `class=cat`, `linf@0.0314`.
    `value` is None when it cannot be said (a denominator is 0), never 0.0 instead, and `why` then says why. `n` counts
    the samples behind it.
    `low` and `high` are its 95 % interval, None where a figure has none by nature. `method` and `counts` recompute
    the interval at any confidence (`auditor.stats.METHODS`).
    """

    name: str
    slice: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    method: str = ""
    counts: tuple[int | float, ...] = ()
    better: Better = "neither"
    unit: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        """Plain floats only, and neither NaN nor infinity: a figure that cannot be said is None."""
        for number in (self.value, self.low, self.high, *self.counts):
            if number is not None and not math.isfinite(number):
                msg = f"measure {self.name!r} ({self.slice!r}) is {number}; a figure that cannot be said is None"
                raise ValueError(msg)
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            object.__setattr__(self, name, None if number is None else float(number))
        why = self.why or ("these rows do not give it" if self.n else "no row counts in it")
        object.__setattr__(self, "why", why if self.value is None else "")


@_record
class Table:
    """Rows for the reader: per class, per group, per feature."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Scalar, ...], ...]


@_record
class Image:
    """A picture: `array` names a uint8 array (H, W, 3) or a float map (H, W) among the evidence.

    Pictures of one sample share their `title`. `role` is what the picture shows of it: `original`, `map` (drawn over
    the original), `features` (how strongly a layer answers, whatever the class), `adversarial`, `change` or
    `corrupted`. `alt` is what a screen reader says.
    """

    title: str
    array: str
    role: str
    alt: str


@_record
class Result:
    """What one check found: no verdict. `caveats` are reasons to doubt the figures."""

    measures: tuple[Measure, ...]
    tables: tuple[Table, ...] = ()
    images: tuple[Image, ...] = ()
    caveats: tuple[str, ...] = ()


@_record
class Limit:
    """What a policy demands of a measure: a number, or the name of a measure of the same check and slice.

    `slice` None means every slice of the measure. `fail_worse_by` and `warn_worse_by` bound how much worse than the
    baseline's a figure may be. A required limit that cannot be judged makes the audit incomplete; without a bound it
    asks for the figure alone, and without a `measure` for a result of the check. A figure counts only where its check
    ran with these `settings`. `line` is where the limit begins in the policy's file, 0 where that is not known.
    """

    check: str
    measure: str = ""
    slice: str | None = None
    fail_below: float | str | None = None
    fail_above: float | str | None = None
    warn_below: float | str | None = None
    warn_above: float | str | None = None
    fail_worse_by: float | None = None
    warn_worse_by: float | None = None
    confidence: float = 0.95
    required: bool = False
    rationale: str = ""
    requirement: tuple[str, ...] = ()
    settings: dict[str, Setting] = field(default_factory=dict)
    line: int = 0

    @property
    def bounds(self) -> dict[str, float | str]:
        """The bounds that it has, by their keys."""
        return {name: value for name in BOUNDS if (value := getattr(self, name)) is not None}

    @property
    def is_of_change(self) -> bool:
        """Whether it bounds the change since a baseline."""
        return any(name.endswith("worse_by") for name in self.bounds)


BOUNDS = ("fail_below", "fail_above", "warn_below", "warn_above", "fail_worse_by", "warn_worse_by")


@_record
class Acceptance:
    """A finding that somebody answers for up to and with the day `expires`: until then it does not fail the audit.

    `finding` is CHECK/MEASURE/SLICE, as the report prints it.
    """

    finding: str
    owner: str
    reason: str
    expires: date


@_record
class Policy:
    """The limits an audit is judged by, and the findings that are accepted; `file` is empty of one that is built in."""

    name: str
    limits: tuple[Limit, ...] = ()
    accept: tuple[Acceptance, ...] = ()
    file: str = ""


@_record
class Bound:
    """One side of one limit as it was applied: `level` (warn or fail) when a figure is `side` `value`.

    With `worse` the figure must not be worse than the baseline's by more than `value`. `value` is None when the limit
    names a measure that has no value; `measure` is that measure's name, else "".
    """

    level: Literal["warn", "fail"]
    side: Literal["below", "above", "worse"]
    value: float | None
    measure: str = ""

    @property
    def key(self) -> str:
        """The key that the limit has it under, such as `fail_below`."""
        return f"{self.level}_{'worse_by' if self.side == 'worse' else self.side}"


@_record
class Judgement:
    """One measure against one bound, and the sentence that says how it came out.

    Of one that did not pass, `accepted` says that somebody answers for it, and `expired` that somebody did, until a day
    that has passed. `place` is that of its limit in the policy, from 0; None in audits of before it was kept. It is
    `required` where its limit is, and where its bound is a measure that is not there.
    """

    measure: str
    slice: str
    limit: Bound
    status: Status
    required: bool
    accepted: bool
    sentence: str
    expired: bool = False
    place: int | None = None

    @property
    def counts_as(self) -> Status:
        """How it counts in the verdict: a warning while it is accepted, a failure when that has expired."""
        if self.expired:
            return Status.FAIL
        return Status.WARN if self.accepted else self.status


def finding_id(check: str, measure: str, about: str) -> str:
    """What names a figure of an audit wherever it is spoken of: CHECK/MEASURE/SLICE, without the last for the whole."""
    return f"{check}/{measure}/{about}" if about else f"{check}/{measure}"


def differs_otherwise(doubt: str) -> bool:
    """Whether a doubt of two figures says that they differ for another reason than the model, so begins with that."""
    return doubt.startswith(("other ", "another "))


@_record
class Shift:
    """How far one figure has moved since the baseline, in which it was `before`, of `n` rows, by `method` and `counts`.

    `change` is now minus then, `low` and `high` its 95 % interval, None where it has none; `parts` (sign, method,
    counts) and `constant` recompute it at any confidence (`auditor.sums.Sum`). It is `paired` where it is of the same
    rows. `status` is how it came out then at the worst of the policy's own limits, None where none names it.
    `doubt` says why the two figures may differ for another reason than the model.
    """

    check: str
    measure: str
    slice: str
    before: float | None
    n: int
    change: float | None = None
    low: float | None = None
    high: float | None = None
    parts: tuple[tuple[int, str, tuple[float, ...]], ...] = ()
    constant: float = 0.0
    paired: bool = False
    status: Status | None = None
    doubt: str = ""
    method: str = ""
    counts: tuple[float, ...] = ()

    @property
    def differs_otherwise(self) -> bool:
        """Whether the two figures differ for another reason than the model, so that nothing is said of the change."""
        return differs_otherwise(self.doubt)


@dataclass(frozen=True)  # without slots: it keeps its figures by name
class Baseline:
    """An earlier audit that this one is compared with: what it was of, the digest of its audit.json, what has moved.

    `errors` are the checks that ended in error then.
    """

    name: str
    sha256: str
    verdict: Verdict
    policy: str
    shifts: tuple[Shift, ...]
    errors: tuple[str, ...] = ()

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - as every record has it

    def shift(self, check: str, measure: str, about: str) -> Shift | None:
        """How far that figure has moved, None where the baseline does not have it."""
        return self._by_figure.get((check, measure, about))

    @cached_property
    def _by_figure(self) -> dict[tuple[str, str, str], Shift]:
        return {(s.check, s.measure, s.slice): s for s in self.shifts}


@_record
class Outcome:
    """One check's line in the audit: what ran, with which settings, and how it ended."""

    check: str
    title: str
    source: str
    status: Status
    reason: str
    params: dict[str, Setting] = field(default_factory=dict)
    judgements: tuple[Judgement, ...] = ()
    result: Result | None = None

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What was measured; () without a result."""
        return self.result.measures if self.result else ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables of its result; () without one."""
        return self.result.tables if self.result else ()


@_record
class Audit:
    """A whole audit: enough to render every report from, and to judge again without the model."""

    schema: str
    subject: dict[str, Any]
    statements: dict[str, str]
    environment: dict[str, Scalar]
    seed: int
    policy: Policy
    verdict: Verdict
    outcomes: tuple[Outcome, ...]
    baseline: Baseline | None = None

    def outcome(self, check: str) -> Outcome | None:
        """The outcome of `check`, None when the audit does not list it."""
        return next((o for o in self.outcomes if o.check == check), None)

    def measures(self, check: str) -> tuple[Measure, ...]:
        """What `check` measured; () where it has no result."""
        outcome = self.outcome(check)
        return outcome.measures if outcome else ()

    def tables(self, check: str) -> tuple[Table, ...]:
        """The tables of `check`; () where it has no result."""
        outcome = self.outcome(check)
        return outcome.tables if outcome else ()

    def with_outcome(self, outcome: Outcome) -> Audit:
        """The same audit with `outcome` in the place of the one of its check."""
        return replace(self, outcomes=tuple(outcome if o.check == outcome.check else o for o in self.outcomes))
