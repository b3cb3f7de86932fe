"""The audit as JSON: validation, canonical bytes, and the published schema, which `python -m auditor.schema` prints."""

from __future__ import annotations

import hashlib
import json
import sys
from functools import cache
from typing import Any, TypeVar, cast

import rfc8785
from pydantic import TypeAdapter, ValidationError

from auditor.errors import LoadError
from auditor.types import SCHEMA, Audit, Outcome, Policy

__all__ = [
    "audit_from_json",
    "audit_to_json",
    "canonical",
    "digest_of",
    "json_schema",
    "outcome_from_json",
    "outcome_to_json",
    "policy_digest_of",
]

T = TypeVar("T")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = f"audit.json of the auditor ({SCHEMA})"


@cache
def _adapter() -> TypeAdapter[Audit]:
    return TypeAdapter(Audit)


@cache
def _outcome_adapter() -> TypeAdapter[Outcome]:
    return TypeAdapter(Outcome)


@cache
def _policy_adapter() -> TypeAdapter[Policy]:
    return TypeAdapter(Policy)


def canonical(value: object) -> bytes:
    """`value` as JSON bytes that depend on nothing but its content (RFC 8785).

    ValueError for NaN, infinity and whole numbers beyond 2^53, which JSON cannot hold exactly.
    """
    return rfc8785.dumps(cast("Any", value))


def audit_to_json(audit: Audit) -> bytes:
    """The canonical bytes of audit.json."""
    return canonical(_adapter().dump_python(audit, mode="json"))


def digest_of(audit: Audit) -> str:
    """The digest of its audit.json, in hexadecimal."""
    return hashlib.sha256(audit_to_json(audit)).hexdigest()


def policy_digest_of(policy: Policy) -> str:
    """The digest of its limits and accepted findings as audit.json holds them, in hexadecimal."""
    return hashlib.sha256(canonical(_policy_adapter().dump_python(policy, mode="json"))).hexdigest()


def audit_from_json(text: bytes) -> Audit:
    """The audit that `audit_to_json` wrote; LoadError when it is none."""
    audit = _validated(_adapter(), text)
    if audit.schema != SCHEMA:
        msg = f"an audit of schema {audit.schema!r}; this version reads {SCHEMA!r}"
        raise LoadError(msg)
    return audit


def outcome_to_json(outcome: Outcome) -> bytes:
    """One check's line of an audit, as its canonical bytes."""
    return canonical(_outcome_adapter().dump_python(outcome, mode="json"))


def outcome_from_json(text: bytes) -> Outcome:
    """The outcome that `outcome_to_json` wrote; LoadError when it is none."""
    return _validated(_outcome_adapter(), text)


def _validated(adapter: TypeAdapter[T], text: bytes) -> T:
    try:
        return adapter.validate_json(text)
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        msg = f"not an audit: {where or 'the file'}: {first['msg'].lower()}"
        raise LoadError(msg) from None


def json_schema() -> dict[str, Any]:
    """JSON Schema of audit.json, as published in reports/schema/."""
    found = _adapter().json_schema(mode="serialization")
    found["$defs"]["Measure"] |= {  # what a type cannot say: a figure without a value has a reason
        "if": {"properties": {"value": {"type": "null"}}},
        "then": {"properties": {"why": {"minLength": 1}}},
        "else": {"properties": {"why": {"maxLength": 0}}},
    }
    return {"$schema": DIALECT, "$id": f"urn:torch-auditor:schema:{SCHEMA}", **found, "title": TITLE}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=1, sort_keys=True) + "\n")
