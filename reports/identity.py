"""Whose report this is: model, data, policy, dates and digests, as they stand beside the verdict."""

from __future__ import annotations

from auditor.schema import digest_of
from auditor.store import Record
from auditor.types import Audit
from reports.dates import measured_on, valid_until
from reports.grades import grade_words
from reports.words import counted

__all__ = ["identity", "record_digest"]

SHORT = 12  # hexadecimal digits
UNSIGNED = "Unsigned when this page was written; verify with auditor verify"


def record_digest(audit: Audit) -> str:
    """The sha256 of its audit.json, by which the page can be held to it; "" of what no audit.json can be made of."""
    try:
        return digest_of(audit)
    except ValueError:  # NaN in a table
        return ""


def identity(record: Record, digest: str) -> list[tuple[str, str]]:
    """Terms and what is so about them; `digest` is that of audit.json."""
    audit = record.audit
    model, data = audit.subject.get("model", {}), audit.subject.get("data", {})
    parts = [model.get("file", ""), model.get("architecture", model.get("format", ""))]
    until = valid_until(record)
    rows = (
        ("Model", ", ".join(str(p) for p in parts if p) or "predictions only"),
        ("Weights", _short(model.get("weights_sha256", ""))),
        ("Data", f"{data.get('file', '')}, {data.get('rows', 0):,} rows"),
        ("Digest of the data", _short(data.get("sha256", ""))),
        ("Policy", f"{audit.policy.name}, {counted(len(audit.policy.limits), 'limit')}"),
        ("Issued, when measured", measured_on(record)),
        ("Valid until", f"{until}, or the next version" if until else ""),
        ("Evidence grade", grade_words(str(model.get("evidence_grade", "")), model="file" in model)),
        ("Record", f"audit.json, {_short(digest)}" if digest else ""),
        ("Signature", UNSIGNED),
    )
    return [(term, what) for term, what in rows if what]


def _short(digest: object) -> str:
    return f"sha256 {str(digest)[:SHORT]}" if digest else ""
