"""Signing an audit: what of it is attested, and by whom. Read first: folder -> attestation and sign-off.

Two files, since all signatures of one envelope are over one payload, and whoever signs later says something new. The
attestation is about every file; the sign-off, a person's by another key, about the attestation, and through it about
the same files.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

from auditor.characters import is_unreadable
from auditor.clock import fixed
from auditor.errors import LoadError, UsageError
from auditor.folders import ATTESTATION, MANIFEST, SIGNOFF
from auditor.policy import accepted_until
from auditor.schema import policy_digest_of
from auditor.store import load
from auditor.types import Audit, Judgement, Status, finding_id
from auditor.unanswered import is_awaited, is_missing, unanswered
from reports.envelope import AUDITED, PREDICATE, STATEMENT, read, signed
from reports.findings import limit_id
from reports.keys import private_key
from reports.manifest import not_as_written, read_manifest
from reports.verifying import look

__all__ = ["DECISIONS", "SignOff", "Signature", "sign"]

ENDS_SOONER = "when an acceptance ends that the verdict rests on"
RESULTS = ("PASSED", "WARNED", "FAILED")  # best first
OF_VERDICT = {"pass": "PASSED", "conditions": "WARNED", "fail": "FAILED", "incomplete": "FAILED"}
BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs without ink
JOINERS = "\u200c\u200d"
DECISIONS = {"approve": "PASSED", "approve-with-conditions": "WARNED", "reject": "FAILED"}
LONGEST = {"reviewer": 200, "statement": 10_000}  # characters


@dataclass(frozen=True)
class SignOff:
    """A person's decision on an audit: `decision` is one of DECISIONS. UsageError for what cannot be printed."""

    reviewer: str
    decision: str
    statement: str = ""

    def __post_init__(self) -> None:
        """Whatever is signed must be there to be read."""
        if self.decision not in DECISIONS:
            msg = f"--decision {self.decision!r:.60} does not exist; known: {', '.join(DECISIONS)}"
            raise UsageError(msg)
        if not any(c.isalnum() and c not in BLANK for c in self.reviewer):
            msg = "a sign-off needs a person; give --reviewer 'Name, role'"
            raise UsageError(msg)
        for name, longest in LONGEST.items():
            text = getattr(self, name)
            if len(text) > longest or any(_is_unseen(c) for c in text if c not in "\n\t"):
                msg = f"--{name} must be at most {longest:,} characters, each of which can be read"
                raise UsageError(msg)


@dataclass(frozen=True)
class Signature:
    """What was written: the file, the id of the key, and until when it holds; `why` where that is sooner than asked."""

    path: Path
    key_id: str
    expires: datetime
    why: str


def sign(folder: Path, key: Path, *, days: int, signoff: SignOff | None = None) -> Signature:
    """Sign the audit in `folder` with the private key in `key`, valid for `days`; what was written.

    It ends sooner where an acceptance does that the verdict rests on. The first signature is the attestation; a second,
    by another key, a sign-off. UsageError when the folder is not as its manifest says, for a signature that has no
    place, and for one that would end before it is issued.
    """
    signer = private_key(key)
    key_id = signer.public_key.keyid
    try:
        if found := look(folder).problems:
            msg = f"{not_as_written(folder, found)}; nothing was signed"
            raise UsageError(msg)
        target = _place(folder, key_id, signoff)
        audit, listed = load(folder).audit, read_manifest(folder)
    except LoadError as e:
        msg = f"{e}; nothing was signed"
        raise UsageError(msg) from None
    issued, until = fixed() or datetime.now(UTC), _accepted_until(audit)
    whole = issued + timedelta(days=days)
    expires = min(whole, _end_of(until)) if until else whole
    if expires <= issued:
        by = " by SOURCE_DATE_EPOCH" if fixed() else ""
        told = f"a signature issued on {issued:%Y-%m-%d}{by} would have ended already"
        msg = f"{told}: a finding was accepted until {until}; judge the audit anew, then sign it"
        raise UsageError(msg)
    about = _subjects(folder, listed, audit) if target.name == ATTESTATION else [_file(folder, ATTESTATION)]
    _write(target, signed(_statement(about, audit, (issued, expires), signoff), signer))
    return Signature(target, key_id, expires, ENDS_SOONER if expires < whole else "")


def _place(folder: Path, key_id: str, signoff: SignOff | None) -> Path:
    """The file that a signature by this key goes to. UsageError when there is none."""
    first, second = folder / ATTESTATION, folder / SIGNOFF
    if not first.exists():
        return first
    if second.exists():
        msg = f"{str(folder)!r:.200} is signed and signed off already; neither is ever replaced"
        raise UsageError(msg)
    if signoff is None:
        msg = f"{str(folder)!r:.200} is signed already; a second signature needs --reviewer and --decision"
        raise UsageError(msg)
    if key_id in read(first).key_ids:
        msg = f"{str(folder)!r:.200} is signed by this key already; a sign-off needs the reviewer's own"
        raise UsageError(msg)
    return second


def _accepted_until(audit: Audit) -> date | None:
    """The last day on which all that the verdict rests on is accepted; None where it rests on nothing accepted.

    UsageError when that day has passed: by the clock, since a date that is set could be any.
    """
    last = accepted_until(audit)
    if last and last < datetime.now(UTC).date():
        msg = f"a finding was accepted until {last}, which has passed; judge the audit anew before it is signed"
        raise UsageError(msg)
    return last


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time.max, UTC).replace(microsecond=0)


def _is_unseen(c: str) -> bool:
    """Whether `c` cannot be read, or takes no ink where it ought to: joiners of letters may stand."""
    return is_unreadable(c) or c in BLANK or (unicodedata.category(c) == "Cf" and c not in JOINERS)


# ---- the statement -----------------------------------------------------------------------------------------------
def _statement(
    about: Sequence[Mapping[str, Any]], audit: Audit, holds: tuple[datetime, datetime], signoff: SignOff | None
) -> dict[str, Any]:
    """A test result of in-toto; `torch_auditor` is what it has no field for. It `holds` from one instant to another."""
    issued, expires = holds
    decided = OF_VERDICT[audit.verdict] if signoff is None else DECISIONS[signoff.decision]
    tests = _tests(audit)
    return {
        "_type": STATEMENT,
        "subject": list(about),
        "predicateType": PREDICATE,
        "predicate": {
            # a decision may make it worse and never better, so that whoever reads no sign-off is told no less
            "result": max(OF_VERDICT[audit.verdict], decided, key=RESULTS.index),
            "configuration": [{"name": "policy", "digest": {"sha256": policy_digest_of(audit.policy)}}],
            "passedTests": tests["PASSED"],
            "warnedTests": tests["WARNED"],
            "failedTests": tests["FAILED"],
            "torch_auditor": {
                "version": metadata.version("torch-auditor"),
                "policy": audit.policy.name,
                "verdict": str(audit.verdict),
                "issued": _rfc3339(issued),
                "expires": _rfc3339(expires),
                **({"signoff": asdict(signoff)} if signoff else {}),
            },
        },
    }


def _subjects(folder: Path, listed: Mapping[str, str], audit: Audit) -> list[dict[str, Any]]:
    """Every file of the audit, its manifest, and what was audited by the digests that the audit recorded."""
    files = [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(listed.items())]
    model, data = audit.subject.get("model", {}), audit.subject.get("data", {})
    audited = {
        "model": {"sha256": model.get("sha256"), "stateDictSha256": model.get("weights_sha256")},
        "model behind the wrapper": {"sha256": model.get("wrapped_sha256")},
        "data": {"sha256": data.get("sha256")},
        "reference data": {"sha256": data.get("reference_sha256")},
    }
    known = {name: {k: str(v) for k, v in digests.items() if v} for name, digests in audited.items()}
    return [
        *files,
        _file(folder, MANIFEST),
        *({"name": f"{AUDITED}{name}", "digest": digests} for name, digests in known.items() if digests),
    ]


def _file(folder: Path, name: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}}


def _tests(audit: Audit) -> dict[str, list[str]]:
    """The limits by how they ended, as findings are named; one with several bounds by its worst."""
    worst: dict[str, str] = {}
    ended = [(finding_id(o.check, j.measure, j.slice), _ended(j)) for o in audit.outcomes for j in o.judgements]
    ended += [
        (limit_id(limit), "FAILED" if is_missing(limit, audit.outcomes) else "WARNED")
        for limit, _ in unanswered(audit)
        if is_awaited(limit, audit.outcomes)
    ]
    for name, result in ended:
        worst[name] = max(worst.get(name, "PASSED"), result, key=RESULTS.index)
    return {result: sorted(name for name, found in worst.items() if found == result) for result in RESULTS}


def _ended(judgement: Judgement) -> str:
    """PASSED, WARNED or FAILED, as the verdict counts it: what is required and undecided has failed."""
    status = judgement.counts_as
    if status is Status.PASS:
        return "PASSED"
    return "FAILED" if status is Status.FAIL or (status is Status.INCONCLUSIVE and judgement.required) else "WARNED"


def _rfc3339(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _write(target: Path, text: bytes) -> None:
    """Write `text` to `target`, whole or not at all."""
    try:
        opened, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        fresh = Path(name)
        try:
            with os.fdopen(opened, "wb") as f:
                f.write(text)
            fresh.chmod(0o644)
            fresh.rename(target)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as e:
        msg = f"{str(target)!r:.200} cannot be written ({e.strerror}); nothing was signed"
        raise UsageError(msg) from None
