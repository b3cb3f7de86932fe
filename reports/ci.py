"""For pipelines: the exit code, JUnit XML, and a Markdown summary."""

from __future__ import annotations

from auditor.policy import unanswered
from auditor.store import Record
from auditor.types import Audit, Outcome, Status, Verdict
from reports.findings import findings, in_a_line, judged
from reports.headline import doubts, most_telling_size
from reports.legible import legible
from reports.verdict import why
from reports.words import STATUS, VERDICT, figure, slice_words, subject_name

__all__ = ["exit_code", "junit", "summary"]

EXIT = {Verdict.PASS: 0, Verdict.CONDITIONS: 0, Verdict.FAIL: 1, Verdict.INCOMPLETE: 2}
MOST = 20


def exit_code(audit: Audit) -> int:
    """0 pass or conditions, 1 fail, 2 incomplete."""
    return EXIT[audit.verdict]


def junit(record: Record) -> str:
    """JUnit XML, a test case a check: failed limits are failures, errors errors, what did not run is skipped.

    What makes an audit incomplete is an error too, so that who reads this file alone does not see success.
    """
    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

    audit = legible(record.audit)
    suite = TestSuite("auditor")
    suite.add_property("verdict", str(audit.verdict))
    for o in audit.outcomes:
        case = TestCase(o.title, o.check)
        if o.status is Status.FAIL:
            case.result = [Failure(_one_paragraph(o), "limit")]
        elif any(j.required and j.status is Status.INCONCLUSIVE for j in o.judgements):
            case.result = [Error(_one_paragraph(o), "undecided")]
        elif o.status is Status.ERROR:
            case.result = [Error(o.reason, "error")]
        elif o.result is None:
            case.result = [Skipped(o.reason)]
        elif o.judgements:
            case.system_out = _one_paragraph(o)
        suite.add_testcase(case)
    for limit, reason in unanswered(audit):
        if limit.required:
            case = TestCase(f"required limit on {limit.measure}", limit.check)
            case.result = [Error(reason, "not judged")]
            suite.add_testcase(case)
    suite.update_statistics()
    if audit.verdict is Verdict.INCOMPLETE and not suite.errors:
        case = TestCase("audit", "auditor")
        case.result = [Error(why(audit), "incomplete")]
        suite.add_testcase(case)
        suite.update_statistics()
    found = JUnitXml("auditor")
    found.add_testsuite(suite)
    found.update_statistics()
    text: bytes = found.tostring()
    return text.decode()


def _one_paragraph(o: Outcome) -> str:
    return " ".join(f"[{j.status}] {j.sentence}" for j in o.judgements)


def summary(record: Record) -> str:
    """Markdown for a job page or a pull-request comment."""
    audit = legible(record.audit)
    lines = [f"## {VERDICT[audit.verdict]}: audit of {_escaped(subject_name(audit))}", "", _escaped(why(audit)), ""]
    found = findings(audit)
    lines += [f"- **{STATUS[f.status]}**{_escaped(in_a_line(f).removeprefix(STATUS[f.status]))}" for f in found[:MOST]]
    lines += [f"- and {len(found) - MOST} more findings, in report.html"] if len(found) > MOST else []
    lines += [f"- **Caveat** {_escaped(c)}" for c in doubts(audit)]
    lines += ["", "| check | status | figures |", "| --- | --- | --- |"]
    lines += [f"| `{o.check}` | {STATUS[o.status]} | {_figures(audit, o)} |" for o in audit.outcomes]
    return "\n".join(lines) + "\n"


def _figures(audit: Audit, o: Outcome) -> str:
    """What was judged of a check, else its first measure, else why there is none."""
    if o.result is None:
        return _escaped(o.reason)
    shown = [m for owner, _, m in judged(audit) if owner is o][:3]
    if not shown:
        telling = most_telling_size([m for m in o.result.measures if m.name == "robust_accuracy"])
        shown = [telling] if telling else list(o.result.measures[:1])
    return "; ".join(_escaped(f"{m.name} {slice_words(m.slice)} {figure(m)}") for m in shown)


def _escaped(text: str) -> str:
    """Text from models and data so that Markdown shows it as it is."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+!|~&@:/" else c for c in " ".join(text.split()))
