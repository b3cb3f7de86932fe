"""The results of a SARIF log: one for each limit at each figure, and one for each limit that nothing was judged by."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from auditor.policy import acceptance_of
from auditor.schema import canonical
from auditor.types import Acceptance, Audit, Judgement, Limit, Measure, Policy, Shift, Status, finding_id
from auditor.unanswered import is_awaited, unanswered
from reports.findings import Finding, findings, passed
from reports.saying import accepted_words, say
from reports.since import State, fixed
from reports.words import number

__all__ = ["BASES", "plain", "results"]

Log = dict[str, Any]
OWN, BUILT_IN = "POLICYROOT", "AUDITORROOT"
BASES = {OWN: "The folder of the policy.", BUILT_IN: "The folder that the auditor is installed in."}
FINGERPRINT = "primaryLocationLineHash"  # GitHub tells alerts apart by this one, else by the line, which slices share
MOST_CHARACTERS = 2_000  # of a message: names can be of any length
KIND = {
    Status.PASS: ("pass", "none"),
    Status.FAIL: ("fail", "error"),
    Status.WARN: ("fail", "warning"),
    Status.INCONCLUSIVE: ("open", "none"),
}
STATE = {State.NEW: "new", State.UNCHANGED: "unchanged", State.WORSE: "updated", State.BETTER: "updated"}


def results(audit: Audit) -> list[Log]:
    """What did not pass, worst first; then what is fixed since the baseline, what passed, and what was not judged."""
    found = [result for f in findings(audit) if (result := _of_finding(audit, f))]
    found += [_of_fixed(audit, shift) for shift in fixed(audit)]
    found += [result for f in passed(audit) if (result := _of_finding(audit, f))]
    found += [_of_limit(audit, limit, *_otherwise(audit, limit, reason)) for limit, reason in _the_rest(audit)]
    seen: Counter[str] = Counter()
    for prints in (result["partialFingerprints"] for result in sorted(found, key=_is_absent)):
        seen[prints[FINGERPRINT]] += 1  # two limits may say the same of one figure
        prints[FINGERPRINT] += f":{seen[prints[FINGERPRINT]]}"
    return found


def _is_absent(result: Log) -> bool:
    """What is no alert any more is numbered last, so that those there are keep their fingerprints."""
    return result.get("baselineState") == "absent"


def plain(text: str) -> str:
    """`text` as a message that shows it as it is: brackets would make links of it, braces places to fill in."""
    one_line = " ".join(text.split())
    if len(one_line) > MOST_CHARACTERS:
        one_line = f"{one_line[: MOST_CHARACTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
    for c in "\\[]":
        one_line = one_line.replace(c, f"\\{c}")
    return one_line.replace("{", "{{").replace("}", "}}")


def _the_rest(audit: Audit) -> Iterator[tuple[Limit, str]]:
    """The limits that need no judgement, each with the reason: "" where they ask for a figure alone, and have it."""
    in_vain = unanswered(audit)
    yield from ((limit, reason) for limit, reason in in_vain if not is_awaited(limit, audit.outcomes))
    yield from ((x, "") for x in audit.policy.limits if not x.bounds and x not in [limit for limit, _ in in_vain])


def _otherwise(audit: Audit, limit: Limit, reason: str) -> tuple[str, str]:
    """The kind and the message of a limit that needs no judgement."""
    about = f"{limit.measure or 'A result'} ({limit.check})"
    if not reason:
        return "review", f"{about} was measured, as the policy requires; people must look at it."
    outcome = audit.outcome(limit.check)
    applies = not (outcome and outcome.status is Status.NOT_APPLICABLE)
    return "informational" if applies else "notApplicable", f"Nothing was judged by the limit on {about}: {reason}."


def _of_finding(audit: Audit, f: Finding) -> Log | None:
    """None of a check that ended in error: that is a notification of the run."""
    if f.judgement and f.measure:
        return _of_judgement(audit, f, f.judgement, f.measure)
    if f.limit_of is None:
        return None
    result = _of_limit(audit, f.limit_of, "open", f"{f.sentence} {f.value}")
    result["properties"]["finding"] = f.key
    return result


def _of_judgement(audit: Audit, f: Finding, j: Judgement, m: Measure) -> Log:
    by = acceptance_of(audit.policy, f.check, j)
    said = f"{f.sentence} {j.sentence}"
    kind, level = KIND[j.status if j.accepted else j.counts_as]
    result = _result(audit, f.limit_of, (f.check, j.measure, j.slice, j.limit.key), said, kind, level)
    result["properties"] |= {
        "finding": f.key, "id": f.id, "status": str(j.status), "countsAs": str(j.counts_as), "required": j.required,
        "value": m.value, "low": m.low, "high": m.high, "n": m.n, "limit": j.limit.value,
    }  # fmt: skip
    if by and j.accepted:
        result["suppressions"] = [_suppression(by)]
    elif by:
        result["message"]["text"] += f" {plain(accepted_words(by, expired=True))}."
    if state := _state(audit, f, j):
        result["baselineState"] = state
    return result


def _state(audit: Audit, f: Finding, j: Judgement) -> str:
    """What became of a judgement since the baseline; "" without one, and where its figures are of another kind."""
    shift = audit.baseline.shift(f.check, j.measure, j.slice) if audit.baseline else None
    if audit.baseline is None or (shift and shift.differs_otherwise):
        return ""
    if j.status is Status.PASS:
        return "unchanged" if shift and shift.status is Status.PASS else "new"
    return STATE[State(f.state)]


def _of_limit(audit: Audit, limit: Limit, kind: str, said: str) -> Log:
    key = next(iter(limit.bounds), "")
    result = _result(audit, limit, (limit.check, limit.measure, limit.slice or "", key), said, kind, "none")
    result["properties"] |= {"required": limit.required}
    return result


def _of_fixed(audit: Audit, shift: Shift) -> Log:
    """What was a finding in the baseline and is none any more."""
    limit, key = _worst_then(audit.policy, shift)
    measure = next(m for m in audit.measures(shift.check) if (m.name, m.slice) == (shift.measure, shift.slice))
    said = f"{say(audit, shift.check, measure)} It was {number(shift.before)} in the baseline, where it was a finding."
    kind, level = KIND[shift.status or Status.INCONCLUSIVE]
    result = _result(audit, limit, (shift.check, shift.measure, shift.slice, key), said, kind, level)
    return {**result, "baselineState": "absent"}


def _worst_then(policy: Policy, shift: Shift) -> tuple[Limit | None, str]:
    """The limit and bound that the baseline's figure came out worst at, by which its alert was known."""
    own = [(limit, key) for limit in policy.limits if _is_on(limit, shift) for key in limit.bounds]
    level = {Status.FAIL: "fail", Status.WARN: "warn"}.get(shift.status or Status.PASS, "")
    return next(((limit, key) for limit, key in own if key.startswith(level)), (None, ""))


def _is_on(limit: Limit, shift: Shift) -> bool:
    """Whether a limit is on the figure itself, of which a change since the baseline says nothing."""
    about = (limit.check, limit.measure) == (shift.check, shift.measure) and limit.slice in (None, shift.slice)
    return about and not limit.is_of_change


def _result(
    audit: Audit, limit: Limit | None, about: tuple[str, str, str, str], said: str, kind: str, level: str
) -> Log:
    """A result about (check, measure, slice, bound), at the line of the policy that its limit begins on."""
    check, measure, where, _ = about
    result = {
        "ruleId": check,
        "kind": kind,
        "level": level,
        "message": {"text": plain(said)},
        "locations": [_location(audit.policy, limit, finding_id(check, measure, where), where)],
        "partialFingerprints": {FINGERPRINT: hashlib.sha256(canonical(about)).hexdigest()},
        "properties": {},
    }
    if limit and limit.requirement:
        result["taxa"] = [{"id": r, "toolComponent": {"name": r.partition(":")[0]}} for r in limit.requirement]
    return result


def _location(policy: Policy, limit: Limit | None, identity: str, where: str) -> Log:
    base = OWN if policy.file else BUILT_IN
    line = limit.line if limit and limit.line else 1  # code scanning takes no result without one
    logical = {"name": where or "all rows", "fullyQualifiedName": identity, "kind": "slice"}
    return {
        "physicalLocation": {
            "artifactLocation": {
                "uri": quote(policy.file or f"auditor/policies/{policy.name}.toml"),
                "uriBaseId": base,
            },
            "region": {"startLine": line},
        },
        "logicalLocations": [logical],
    }


def _suppression(by: Acceptance) -> Log:
    said = f"{by.owner} accepts it until {by.expires.isoformat()}: {by.reason}"
    return {"kind": "external", "status": "accepted", "justification": " ".join(said.split())}
