"""Signed statements as files: DSSE envelopes around in-toto statements, written and read strictly.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, https://in-toto.io/Statement/v1
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from auditor.errors import LoadError
from auditor.schema import canonical
from reports.manifest import canonical_or_none, parsed_once

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner, Key

__all__ = ["AUDITED", "PREDICATE", "STATEMENT", "Signed", "Statement", "read", "signed"]

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
AUDITED = "audited "  # begins the name of a subject that is no file of the folder: the model, the data
MOST = 64 << 20


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # what in-toto asks of a consumer


class Subject(_Part):
    """What a statement is about: a name and its digests by algorithm."""

    name: str
    digest: dict[str, str]


class Decided(_Part):
    """What a person decided, and said of it."""

    reviewer: str
    decision: Literal["approve", "approve-with-conditions", "reject"]
    statement: str = ""


class Added(_Part):
    """What we say beyond a test result; instants are RFC 3339 in UTC."""

    verdict: str
    issued: AwareDatetime
    expires: AwareDatetime
    signoff: Decided | None = None


class Predicate(_Part):
    """A test result as in-toto defines it."""

    result: Literal["PASSED", "WARNED", "FAILED"]
    torch_auditor: Added


class Statement(_Part):
    """An in-toto statement, as far as we read it."""

    type: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    subject: tuple[Subject, ...]
    predicate_type: Annotated[Literal["https://in-toto.io/attestation/test-result/v0.1"], Field(alias="predicateType")]
    predicate: Predicate

    @property
    def digests(self) -> dict[str, str]:
        """The sha256 of every subject by its name; "" where it has none."""
        return {s.name: s.digest.get("sha256", "") for s in self.subject}


@dataclass(frozen=True)
class Signed:
    """A statement with the signatures around it, which nobody has verified yet."""

    statement: Statement
    envelope: Envelope

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The keys that the signatures say they are of."""
        return tuple(self.envelope.signatures)

    def signer(self, keys: list[Key]) -> str:
        """The id of the key among `keys` that signed it; "" when none did."""
        from securesystemslib.exceptions import VerificationError

        try:
            return next(iter(self.envelope.verify(keys, 1)))
        except (VerificationError, ValueError):
            return ""


def signed(statement: dict[str, Any], signer: CryptoSigner) -> bytes:
    """The bytes of the file that holds `statement`, signed."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(canonical(statement), PAYLOAD, {})
    envelope.sign(signer)
    return canonical(envelope.to_dict())


def read(path: Path) -> Signed:
    """What `signed` wrote to `path`. LoadError, in a sentence, for anything else, to the byte."""
    from securesystemslib.dsse import Envelope

    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST:
            raise _refused(path, "is no ordinary file of a signature's size")
        text = path.read_bytes()
        found = parsed_once(text)
    except OSError as e:
        raise _refused(path, f"cannot be read ({e.strerror})") from None
    except (ValueError, RecursionError):
        raise _refused(path, "is no JSON") from None
    if not isinstance(found, dict) or found.get("payloadType") != PAYLOAD:
        raise _refused(path, f"is no envelope of the type {PAYLOAD}")
    match found.get("signatures"):  # of several, nobody could tell who added which
        case [{"keyid": str(), "sig": str()} as only] if len(only) == 2:
            pass
        case _:
            raise _refused(path, "does not bear exactly one signature, a keyid and a sig")
    try:
        envelope = Envelope.from_dict(found)
    except Exception:  # noqa: BLE001 - whatever the library makes of garbage
        raise _refused(path, "is no envelope: its payload or a signature cannot be decoded") from None
    if canonical_or_none(envelope.to_dict()) != text:
        raise _refused(path, "is not as the auditor writes it")
    try:
        return Signed(Statement.model_validate(parsed_once(envelope.payload)), envelope)
    except (ValidationError, ValueError, RecursionError):
        raise _refused(path, "holds no statement about an audit") from None


def _refused(path: Path, why: str) -> LoadError:
    return LoadError(f"{path.name} {why}")
