"""What keeps two audits from being compared figure by figure, and what that means for the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.comparing.changes import SIZES, Change
from auditor.lists import listed
from auditor.types import Audit, Outcome, Status
from reports.words import STATUS

__all__ = ["Difference", "differences", "nothing_in_common"]

MOST_TOLD = 60  # characters of a value
MOST_NAMED = 6  # differences
OF_DATA = "All figures may differ for that reason alone; none is paired."
OF_SIZES = "Its figures are of more rows on one side."
OF_WORDS = "Figures by class or group are compared where the names agree."


@dataclass(frozen=True)
class Difference:
    """Something that differs between two audits besides what they measured, and its effect on the comparison."""

    what: str
    before: str
    after: str
    effect: str


def differences(a: Audit, b: Audit) -> tuple[Difference, ...]:
    """In what the audits differ: data, rows, seed, versions, settings, and checks that only one of them has."""
    return (*_of_data(a, b), *_of_run(a, b), *_of_settings(a, b), *_of_checks(a, b))


def nothing_in_common(found: Sequence[Change], apart: Sequence[Difference]) -> str:
    """That no figure of one audit can be compared with one of the other, and why; "" where any can."""
    if any(x.before is not None and x.after is not None and not x.differs_otherwise for x in found):
        return ""
    names = listed([d.what for d in apart], MOST_NAMED)
    why = f"; they differ in {names}" if names else ""
    return f"These two cannot be compared: they have no figure of one kind in common{why}."


def _of_data(a: Audit, b: Audit) -> Iterator[Difference]:
    first, second = (x.subject.get("data", {}) for x in (a, b))
    if first.get("kind") != second.get("kind"):
        yield _told("kind of data", first.get("kind"), second.get("kind"), OF_DATA)
    digests = [d.get("sha256") for d in (first, second)]
    if not all(digests) or digests[0] != digests[1]:
        yield Difference("data", _file(first), _file(second), OF_DATA)
    elif first.get("rows_sha256") != second.get("rows_sha256"):
        effect = "Changes are paired only where a check kept enough rows that both have."
        yield Difference("rows", _rows(first), _rows(second), effect)
    for key, words in (("classes", "classes"), ("sensitive", "sensitive columns")):
        if first.get(key) != second.get(key):
            yield _told(words, first.get(key), second.get(key), OF_WORDS)
    if first.get("positive") != second.get("positive"):
        effect = "Gaps and ratios are about another answer."
        yield _told("favourable answer", first.get("positive"), second.get("positive"), effect)


def _of_run(a: Audit, b: Audit) -> Iterator[Difference]:
    if a.seed != b.seed:
        yield _told("seed", a.seed, b.seed, "Rows, attacks and noise that are drawn are others.")
    known = dict.fromkeys([*a.environment, *b.environment])
    for key in known:
        told = key.endswith(" version") or key in ("python", "device")
        if told and (before := a.environment.get(key)) != (after := b.environment.get(key)):
            name = key.replace("torch-auditor", "auditor")
            yield _told(name, before, after, "Figures may differ for that reason.")


def _of_settings(a: Audit, b: Audit) -> Iterator[Difference]:
    """Where both audits have a result of a check: of how many rows it is changes a figure's interval, not its sense."""
    for o in a.outcomes:
        other = b.outcome(o.check)
        if o.result is None or other is None or other.result is None:
            continue
        names = [n for n in dict.fromkeys([*o.params, *other.params]) if o.params.get(n) != other.params.get(n)]
        if names:
            effect = OF_SIZES if set(names) <= SIZES else "Of its changes nothing is said."
            before, after = (", ".join(f"{n} {_value(x.params.get(n))}" for n in names) for x in (o, other))
            yield Difference(f"settings of {o.check}", before, after, effect)


def _of_checks(a: Audit, b: Audit) -> Iterator[Difference]:
    for check in dict.fromkeys(o.check for o in (*a.outcomes, *b.outcomes)):
        first, second = a.outcome(check), b.outcome(check)
        if _has_result(first) is not _has_result(second):
            yield Difference(check, _ended(first), _ended(second), "Its figures are on one side only.")


def _has_result(o: Outcome | None) -> bool:
    return o is not None and o.result is not None


def _ended(o: Outcome | None) -> str:
    if o is None:
        return STATUS[Status.SKIPPED]
    return STATUS[Status.MEASURED] if o.result is not None else f"{STATUS[o.status]}: {o.reason}"


def _told(what: str, before: Any, after: Any, effect: str) -> Difference:
    return Difference(what, _value(before), _value(after), effect)


def _value(value: Any) -> str:
    if value is None or value == "":
        return "none"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= MOST_TOLD else f"{text[: MOST_TOLD - 1]}…"


def _file(data: dict[str, Any]) -> str:
    return f"{data.get('file') or 'not named'}, {data.get('rows') or 0:,} rows, sha256 {_digest(data.get('sha256'))}"


def _rows(data: dict[str, Any]) -> str:
    return f"{data.get('rows') or 0:,} rows, sha256 {_digest(data.get('rows_sha256'))}"


def _digest(value: Any) -> str:
    return str(value)[:12] if value else "not known"
