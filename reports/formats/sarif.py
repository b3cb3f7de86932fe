"""audit.sarif (SARIF 2.1.0): every limit at every figure as a result, for code scanning and viewers of such logs."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Sequence
from typing import Any

from auditor.policy import was_interrupted
from auditor.requirements import Framework, catalogue
from auditor.schema import canonical, digest_of
from auditor.store import Record
from auditor.types import Audit, Outcome, Status, Verdict
from reports.ci import exit_code
from reports.formats.sarif_results import BASES, plain, results
from reports.legible import legible
from reports.since import fixed
from reports.verdict import why
from reports.words import counted

__all__ = ["sarif"]

Log = dict[str, Any]
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 25_000  # of a run, and the bytes of a compressed file: what GitHub's code scanning takes
MOST_BYTES = 10_000_000


def sarif(record: Record) -> bytes:
    """The log as its canonical bytes, small enough for code scanning: what did not pass comes first.

    Where results are left out for that, a notification says how many.
    """
    audit = legible(record.audit)
    digest = digest_of(record.audit)
    every = results(audit)
    keep = min(len(every), MOST_RESULTS)
    text = canonical(_log(audit, digest, every, keep))
    while keep and len(text) > MOST_BYTES and len(gzip.compress(text, mtime=0)) > MOST_BYTES:
        keep //= 2
        text = canonical(_log(audit, digest, every, keep))
    return text


def _log(audit: Audit, digest: str, every: Sequence[Log], keep: int) -> Log:
    """The log with the first `keep` of its results."""
    rules = list(_rules(audit))
    index = {rule["id"]: i for i, rule in enumerate(rules)}
    kept = [{**result, "ruleIndex": index[result["ruleId"]]} for result in every[:keep]]
    driver = {"name": "auditor", "rules": rules}
    if version := audit.environment.get("torch-auditor version"):
        driver["version"] = str(version)
    run = {
        "tool": {"driver": driver},
        "invocations": [
            {
                "executionSuccessful": not (was_interrupted(audit) or any(map(_is_broken, audit.outcomes))),
                "exitCode": exit_code(audit),
                "toolExecutionNotifications": list(_notifications(audit, index, len(every) - keep)),
            }
        ],
        "results": kept,
        "taxonomies": list(_taxonomies(kept)),
        "originalUriBaseIds": {base: {"description": {"text": said}} for base, said in BASES.items()},
        "columnKind": "unicodeCodePoints",
        "properties": {
            "verdict": str(audit.verdict),
            "why": why(audit),
            "policy": audit.policy.name,
            "audit.json sha256": digest,
            "resultsLeftOut": len(every) - keep,
        },
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rules(audit: Audit) -> Iterator[Log]:
    """Every check that judged, should have, or ended in error."""
    asked = dict.fromkeys(limit.check for limit in audit.policy.limits)
    judged = [o for o in audit.outcomes if o.judgements or o.check in asked or _is_broken(o)]
    known = {o.check: o for o in audit.outcomes}
    for check in dict.fromkeys((*(o.check for o in judged), *asked, *(s.check for s in fixed(audit)))):
        yield _rule(check, known.get(check))


def _rule(check: str, o: Outcome | None) -> Log:
    title = o.title if o else check
    source = f" Source: {o.source}." if o and o.source else ""
    about = f"What {check} measures, how to read it and when it misleads: the page Checks of the auditor's documents."
    return {
        "id": check,
        "name": "".join(part.capitalize() for part in re.split("[^A-Za-z0-9]+", check)) or "Check",
        "shortDescription": {"text": plain(f"{title}.")},
        "fullDescription": {"text": plain(f"{title}: a check of a model, whose limits the policy sets.{source}")},
        "help": {"text": plain(f"{about}{source}")},
    }


def _notifications(audit: Audit, index: dict[str, int], left_out: int) -> Iterator[Log]:
    """Checks that ended in error; why an audit is incomplete without one; how many results are left out."""
    broken = [o for o in audit.outcomes if _is_broken(o)]
    for o in broken:
        rule = {"id": o.check, "index": index[o.check]}
        yield _notification("error", f"{o.check} ended with an error: {o.reason}", associatedRule=rule)
    if was_interrupted(audit) or (audit.verdict is Verdict.INCOMPLETE and not broken):
        yield _notification("error", why(audit))
    if left_out:
        said = f"{counted(left_out, 'result')} left out: a run takes no more. audit.json holds all."
        yield _notification("warning", said)


def _notification(level: str, said: str, **more: Log) -> Log:
    return {"level": level, "message": {"text": plain(said)}, **more}


def _is_broken(o: Outcome) -> bool:
    return o.status is Status.ERROR


def _taxonomies(kept: Sequence[Log]) -> Iterator[Log]:
    """The requirements that the limits of these results name, by their frameworks; what the catalogue knows of both."""
    named = dict.fromkeys(
        (taxon["toolComponent"]["name"], taxon["id"]) for result in kept for taxon in result.get("taxa", ())
    )
    known = {f.id: f for f in catalogue().framework}
    for framework in dict.fromkeys(name for name, _ in named):
        taxa = [_taxon(requirement) for name, requirement in named if name == framework]
        yield {"name": framework, "taxa": taxa, "isComprehensive": False, **_described(known.get(framework))}


def _described(framework: Framework | None) -> Log:
    if framework is None:
        return {}
    dated = f"{framework.edition}; the auditor's catalogue {catalogue().version} of {catalogue().as_of}"
    return {"fullName": framework.title, "shortDescription": {"text": plain(f"{framework.title}, {dated}.")}}


def _taxon(requirement: str) -> Log:
    known = catalogue().by_id.get(requirement)
    return {"id": requirement, **({"shortDescription": {"text": plain(known.title)}} if known else {})}
