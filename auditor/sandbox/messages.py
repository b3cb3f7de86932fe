"""What the child tells the parent: a line of JSON each, of a kind that is known here or refused."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from auditor.errors import LoadError

__all__ = [
    "Begun", "Done", "Ended", "Failed", "Message", "Noted", "Planned", "Refused", "Started", "Tested", "Trained",
    "line", "parsed",
]  # fmt: skip

Name = Annotated[str, Field(max_length=100)]
CheckId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z0-9_.]+$", max_length=100)]
Text = Annotated[str, Field(max_length=1_000_000)]
Line = Annotated[str, Field(max_length=2000)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Tested:
    """The lock holds but for what `escapes` names."""

    escapes: tuple[Name, ...]
    kind: Literal["tested"] = "tested"


@dataclass(frozen=True)
class Planned:
    """Nothing of the model or data was touched yet; `audit` is the audit in which no check has run, as JSON."""

    audit: Text
    kind: Literal["planned"] = "planned"


@dataclass(frozen=True)
class Begun:
    """The model and data are open; subject.json says what they are."""

    kind: Literal["begun"] = "begun"


@dataclass(frozen=True)
class Started:
    """A check starts."""

    check: CheckId
    kind: Literal["started"] = "started"


@dataclass(frozen=True)
class Ended:
    """A check has finished; CHECK.json is its outcome, CHECK.npz its evidence."""

    check: CheckId
    seconds: Amount
    peak_mb: Amount
    seconds_per_sample: Amount | None = None
    kind: Literal["ended"] = "ended"


@dataclass(frozen=True)
class Trained:
    """A defence has done so many of its steps."""

    done: int
    of: int
    kind: Literal["trained"] = "trained"


@dataclass(frozen=True)
class Noted:
    """Something that must be known of a defence."""

    line: Line
    kind: Literal["noted"] = "noted"


@dataclass(frozen=True)
class Refused:
    """The model or data cannot be audited (`usage`: the audit file asks for what does not exist)."""

    line: Line
    usage: bool
    kind: Literal["refused"] = "refused"


@dataclass(frozen=True)
class Failed:
    """The auditor itself failed."""

    line: Line
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True)
class Done:
    """Everything was done."""

    kind: Literal["done"] = "done"


Message = Tested | Planned | Begun | Started | Ended | Trained | Noted | Refused | Failed | Done


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def line(message: Message) -> bytes:
    """`message` as a line of JSON."""
    return bytes(_adapter().dump_json(message)) + b"\n"


def parsed(text: bytes) -> Message:
    """The message that `line` wrote; LoadError for anything else."""
    try:
        found: Message = _adapter().validate_json(text)
    except ValidationError:
        msg = f"the audit's own process says {text[:60]!r}, which is no message of ours; its audit is not used"
        raise LoadError(msg) from None
    return found
