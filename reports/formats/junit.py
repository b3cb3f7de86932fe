"""junit.xml: a test case a limit, so that a pipeline's own page of tests shows what an audit came to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from auditor.policy import acceptance_of
from auditor.schema import digest_of
from auditor.store import Record
from auditor.types import Audit, Judgement, Outcome, Status, Verdict
from auditor.unanswered import is_missing, unanswered
from reports.legible import legible
from reports.saying import accepted_words
from reports.verdict import why

__all__ = ["junit"]

Ending = Literal["failure", "error", "skipped"]
DIGESTS = (("model", "sha256"), ("model", "weights_sha256"), ("data", "sha256"))
SUITE = "auditor"


def junit(record: Record) -> str:
    """JUnit XML: a test case a limit at a figure, and one for each check without.

    What counts as failed is a failure, an acceptance that has expired among it. What makes an audit incomplete is an
    error, so that who reads this file alone does not see success. What did not run, or is undecided and not required,
    is skipped; warnings and what is accepted pass, and say so. It holds no times.
    """
    audit = legible(record.audit)
    cases = list(_cases(audit))
    if audit.verdict is Verdict.INCOMPLETE and not any(case.find("error") is not None for case in cases):
        cases.append(_case("audit", SUITE, "error", why(audit), "incomplete"))
    counts = {"tests": str(len(cases))}
    for ending, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        counts[name] = str(sum(case.find(ending) is not None for case in cases))
    root = Element("testsuites", {"name": SUITE, **counts})
    suite = SubElement(root, "testsuite", {"name": SUITE, **counts})
    properties = SubElement(suite, "properties")
    for name, value in _properties(audit, digest_of(record.audit)):
        SubElement(properties, "property", name=name, value=value)
    suite.extend(cases)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _properties(audit: Audit, digest: str) -> Iterator[tuple[str, str]]:
    yield "verdict", str(audit.verdict)
    yield "why", why(audit)
    yield "policy", audit.policy.name
    yield "audit.json sha256", digest
    for part, key in DIGESTS:
        if value := audit.subject.get(part, {}).get(key):
            yield f"{part} {key}", str(value)


def _cases(audit: Audit) -> Iterator[Element]:
    """In the order of the checks; last the limits that nothing was judged by."""
    unjudged = unanswered(audit)
    without = {limit.check for limit, _ in unjudged}
    for o in audit.outcomes:
        yield from (_of_judgement(audit, o.check, j) for j in o.judgements)
        if o.status is Status.ERROR or not (o.judgements or o.check in without):
            yield _of_check(o)
    for limit, reason in unjudged:
        name = f"limit on {_named(limit.measure or 'a result', limit.slice or '')}"
        yield _case(
            name, limit.check, "error" if is_missing(limit, audit.outcomes) else "skipped", reason, "not judged"
        )


def _of_judgement(audit: Audit, check: str, j: Judgement) -> Element:
    name = f"{_named(j.measure, j.slice)}: {j.limit.key}"
    acceptance = acceptance_of(audit.policy, check, j)
    accepted = f" {accepted_words(acceptance, expired=j.expired)}" if acceptance else ""
    said = f"[{j.status}] {j.sentence}{accepted}"
    if j.counts_as is Status.FAIL:
        return _case(name, check, "failure", said, "expired" if j.expired else "limit")
    if j.counts_as is Status.INCONCLUSIVE:
        return _case(name, check, "error" if j.required else "skipped", said, "undecided")
    return _case(name, check, None, said)


def _of_check(o: Outcome) -> Element:
    if o.status is Status.ERROR:
        return _case(o.title, o.check, "error", o.reason, "error")
    return _case(o.title, o.check, None if o.result else "skipped", o.reason, str(o.status))


def _named(measure: str, about: str) -> str:
    return f"{measure} of {about}" if about else measure


def _case(name: str, check: str, ending: Ending | None, said: str, kind: str = "") -> Element:
    """A test case that ended so, or passed with what there is to say."""
    case = Element("testcase", classname=check, name=name)
    if ending:
        SubElement(case, ending, type=kind, message=said)
    else:
        SubElement(case, "system-out").text = said
    return case
