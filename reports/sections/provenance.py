"""Provenance: the digests of all that went in, what it ran on, and how to verify this page."""

from __future__ import annotations

from typing import Any

from auditor.schema import policy_digest_of
from auditor.store import Record
from auditor.types import Audit, Scalar
from reports.parts import Code, Facts, Folded, Heading, Prose, Section
from reports.verifier import verifier
from reports.words import NOT_KNOWN

__all__ = ["provenance"]

VERSION = " version"
RECORD = (
    "manifest.json beside this page holds the digest of every file of the audit; audit.json is the record, this page a "
    "view of it."
)
VERIFYING = (
    "A page cannot vouch for itself, since whoever changes it can change what it says of itself. DIR is the folder of "
    "the audit, KEY.pub the public key of whoever signed it, from a source that you trust. Nothing is fetched."
)


def provenance(record: Record, digest: str) -> Section:
    """The section; `digest` is the sha256 of audit.json."""
    audit = record.audit
    blocks: list[Any] = [
        Facts([*([("audit.json, the record", f"sha256 {digest}")] if digest else []), *_digests(audit)]),
        Prose(RECORD),
        Heading("How to verify it"),
        Prose(VERIFYING),
        Code("With this tool", "auditor verify DIR --key KEY.pub"),
        Code("Without it, as verifier.py DIR KEY.pub, in Python with nothing but cryptography", verifier()),
        Folded("What it ran on", [Facts(_ran_on(audit))]),
    ]
    answer = "Every figure can be traced to a file, and every file to a digest."
    return Section("provenance", "Provenance", answer, blocks)


def _ran_on(audit: Audit) -> list[tuple[str, str]]:
    """What it ran on, the versions of libraries in one line."""
    found = [(k, _said(v)) for k, v in audit.environment.items() if not k.endswith(VERSION)]
    versions = [f"{k.removesuffix(VERSION)} {v}" for k, v in audit.environment.items() if k.endswith(VERSION)]
    return [*found, *([("versions", ", ".join(versions))] if versions else [])]


def _said(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NOT_KNOWN if value is None else str(value)


def _digests(audit: Audit) -> list[tuple[str, str]]:
    """What went in by its names, each with its sha256."""
    model, data = audit.subject.get("model", {}), audit.subject.get("data", {})
    behind = model.get("wrapped_file", "")
    found = (
        (model.get("file", ""), "wrapper file" if model.get("wrapper") else "model file", model.get("sha256", "")),
        (behind, "model file behind the wrapper", model.get("wrapped_sha256", "")),
        (behind or model.get("file", ""), "its weights, however they are stored", model.get("weights_sha256", "")),
        (model.get("architecture", ""), "source file of the architecture", model.get("architecture_sha256", "")),
        (data.get("file", ""), "data", data.get("sha256", "")),
        (data.get("reference", ""), "reference data", data.get("reference_sha256", "")),
        ("audit file", "its settings, defaults filled in", audit.subject.get("audit_file_sha256", "")),
        (audit.policy.name, "policy, its limits and accepted findings", policy_digest_of(audit.policy)),
    )
    return [(f"{file}, {what}", f"sha256 {digest}") for file, what, digest in found if digest]
