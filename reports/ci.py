"""For pipelines: the exit code, JUnit XML, and a Markdown summary."""

from __future__ import annotations

from auditor.store import Record
from auditor.types import Audit, Outcome, Status, Verdict
from reports.findings import findings, judged
from reports.words import STATUS, VERDICT, figure, slice_words, subject_name

__all__ = ["exit_code", "junit", "summary"]

EXIT = {Verdict.PASS: 0, Verdict.CONDITIONS: 0, Verdict.FAIL: 1, Verdict.INCOMPLETE: 2}
MOST = 20


def exit_code(audit: Audit) -> int:
    """0 pass or conditions, 1 fail, 2 incomplete."""
    return EXIT[audit.verdict]


def junit(record: Record) -> str:
    """JUnit XML, a test case a check: failed limits are failures, errors errors, what did not run is skipped."""
    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

    suite = TestSuite("auditor")
    suite.add_property("verdict", str(record.audit.verdict))
    for o in record.audit.outcomes:
        case = TestCase(o.title, o.check)
        if o.status is Status.FAIL:
            case.result = [Failure(_one_paragraph(o), "limit")]
        elif o.status is Status.ERROR:
            case.result = [Error(_xml_text(o.reason), "error")]
        elif o.result is None:
            case.result = [Skipped(_xml_text(o.reason))]
        elif o.judgements:
            case.system_out = _one_paragraph(o)
        suite.add_testcase(case)
    suite.update_statistics()
    found = JUnitXml("auditor")
    found.add_testsuite(suite)
    found.update_statistics()
    text: bytes = found.tostring()
    return text.decode()


def _one_paragraph(o: Outcome) -> str:
    return _xml_text(" ".join(f"[{j.status}] {j.sentence}" for j in o.judgements))


def _xml_text(text: str) -> str:
    """`text` without characters that XML cannot hold."""
    return "".join(c if c in "\t\n" or c.isprintable() else "�" for c in text)


def summary(record: Record) -> str:
    """Markdown for a job page or a pull-request comment."""
    audit = record.audit
    lines = [f"## {VERDICT[audit.verdict]}: audit of {_escaped(subject_name(audit))}", ""]
    lines += [
        f"- **{STATUS[f.status]}** {_escaped(f'{f.sentence} {f.value}{f.interval}, limit {f.limit}')}"
        for f in findings(audit)[:MOST]
    ]
    lines += ["", "| check | status | figures |", "| --- | --- | --- |"]
    lines += [f"| `{o.check}` | {STATUS[o.status]} | {_figures(audit, o)} |" for o in audit.outcomes]
    return "\n".join(lines) + "\n"


def _figures(audit: Audit, o: Outcome) -> str:
    """What was judged of a check, else its first measure, else why there is none."""
    if o.result is None:
        return _escaped(o.reason)
    shown = [m for owner, _, m in judged(audit) if owner is o][:3] or list(o.result.measures[:1])
    return "; ".join(_escaped(f"{m.name} {slice_words(m.slice)} {figure(m)}") for m in shown)


def _escaped(text: str) -> str:
    """Text from models and data so that Markdown shows it as it is."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+!|~&@:/" else c for c in " ".join(text.split()))
