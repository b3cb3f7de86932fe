"""An audit as tests, for the pytest plugin: which checks an audit file selects, and what became of each.

`python -m app.as_tests ANSWER REQUEST` writes the answer to a request, both JSON. The plugin starts it in a process of
its own, since the one that runs a project's tests may hold another package named `app`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from app.running import overridden, policy_for
from auditor.config import AuditFile, load_audit_file
from auditor.errors import AuditError, one_line
from auditor.types import Audit, Judgement, Outcome, Status, Verdict

__all__ = ["VERDICT_TEST", "answered", "outcomes", "selected"]

VERDICT_TEST = "verdict"
LONGEST = 2000  # characters of one sentence


def answered(request: dict[str, Any]) -> dict[str, Any]:
    """What was asked: the tests of an audit file, or with `out` how they ended; `refused` says in a line why neither.

    `file` is the path of the audit file; `policy` stands for its own, None for that. `out` is where the audit goes, and
    `only` the checks to run, [] for all that the audit file selects.
    """
    path = Path(request["file"])
    try:
        policy = policy_for(path.parent, request["policy"]) if request["policy"] else None
        file = overridden(load_audit_file(path), policy=policy, only=request.get("only", ()))
        if "out" in request:
            return _run(file, path.parent, Path(request["out"]))
        return {"tests": selected(file, path.parent)}
    except AuditError as e:
        return {"refused": str(e)}
    except Exception as e:  # noqa: BLE001 - the last resort, in one line
        return {"refused": f"internal error, please report it: {type(e).__name__}: {one_line(str(e))}"}


def selected(file: AuditFile, folder: Path) -> list[tuple[str, str]]:
    """Each check that `file` selects with its title, as they run; nothing of the model or data is read.

    UsageError or LoadError for what can be refused so early: checks, settings, policies and files that do not exist.
    """
    from auditor.intake.located import locate
    from auditor.performing import planned
    from auditor.policy import to_run

    audit = planned(file, folder)
    for key, name in file.files():
        locate(name, folder, key)
    chosen = set(to_run(audit))
    return [(o.check, o.title) for o in audit.outcomes if o.check in chosen]


def _run(file: AuditFile, folder: Path, out: Path) -> dict[str, Any]:
    """The audit, run and written to `out`."""
    from app.places import APART
    from app.running import run_to
    from reports.legible import legible
    from reports.verdict import why
    from reports.words import VERDICT

    audit, written = run_to(out, file, folder, APART)
    audit = legible(audit)
    said = one_line(f"{VERDICT[audit.verdict]}. {why(audit)}", LONGEST)
    return {"outcomes": outcomes(audit), "said": said, "report": str(written / "report.html")}


def outcomes(audit: Audit) -> dict[str, tuple[str, str]]:
    """How the test of each check and of the verdict ended, with the sentences that say why.

    `passed`; `warned`: passed, with something a person must look at; `skipped`: nothing was decided, and nothing had to
    be; `failed`; `error`: the check itself failed.
    """
    from reports.verdict import why

    ends = {Verdict.PASS: "passed", Verdict.CONDITIONS: "warned"}
    found = {o.check: _outcome(audit, o) for o in audit.outcomes}
    return {**found, VERDICT_TEST: (ends.get(audit.verdict, "failed"), one_line(why(audit), LONGEST))}


def _outcome(audit: Audit, o: Outcome) -> tuple[str, str]:
    """As in the audit's verdict: what was accepted warns, what was required and not decided fails."""
    if o.status is Status.ERROR:
        return "error", one_line(o.reason, LONGEST)
    by_end: dict[str, list[str]] = {"failed": _missing(audit, o), "warned": [], "skipped": []}
    for j in o.judgements:
        if end := _end(j):
            by_end[end].append(_line(audit, o, j))
    for end, lines in by_end.items():
        if lines:
            return end, "\n".join(lines)
    return ("skipped", one_line(o.reason, LONGEST)) if o.result is None else ("passed", "")


def _end(j: Judgement) -> str:
    """How one judgement would end the test of its check; "" where it is met."""
    if j.required and j.counts_as is Status.INCONCLUSIVE:
        return "failed"
    return {Status.FAIL: "failed", Status.WARN: "warned", Status.INCONCLUSIVE: "skipped"}.get(j.counts_as, "")


def _line(audit: Audit, o: Outcome, j: Judgement) -> str:
    """A judgement in words, with who answers for it."""
    from auditor.policy import acceptance_of
    from reports.saying import accepted_words

    acceptance = acceptance_of(audit.policy, o.check, j)
    answer = f" {accepted_words(acceptance, expired=j.expired)}" if acceptance else ""
    return one_line(f"[{j.status}] {j.sentence}{answer}", LONGEST)


def _missing(audit: Audit, o: Outcome) -> list[str]:
    """Why nothing was judged by the limits on this check that should have been answered."""
    from auditor.unanswered import is_missing, unanswered

    limits = [
        (li, reason) for li, reason in unanswered(audit) if li.check == o.check and is_missing(li, audit.outcomes)
    ]
    return [one_line(f"The policy asks for {li.measure or 'a result'}: {reason}.", LONGEST) for li, reason in limits]


def main(answer: Path, request: str) -> None:
    """Write the answer in one piece, so that nobody finds half of it."""
    fresh = answer.with_name(f"{answer.name}.{os.getpid()}")
    fresh.write_text(json.dumps(answered(json.loads(request))), "utf-8")
    fresh.replace(answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
