"""Ed25519 keys in PEM files: made, read for signing, read for verifying."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from securesystemslib.signer import CryptoSigner, SSlibKey

__all__ = ["PASSPHRASE", "new_key", "private_key", "public_key"]

PASSPHRASE = "AUDITOR_PASSPHRASE"  # noqa: S105 - the variable's name
LARGEST = 1 << 16  # of a key file; one of ours has about 200 bytes


def new_key(path: Path) -> str:
    """Write a new private key to `path` (PKCS8, mode 0600) and its public key to PATH.pub; the key's id.

    The passphrase in AUDITOR_PASSPHRASE encrypts it, where there is one. UsageError when either file is there already.
    """
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public_path, key = Path(f"{path}.pub"), Ed25519PrivateKey.generate()
    if os.environ.get(PASSPHRASE) == "":
        msg = f"{PASSPHRASE} is empty; give it a passphrase, or unset it for a key that anybody can use who reads it"
        raise UsageError(msg)
    phrase = _passphrase()
    how: s.KeySerializationEncryption = s.BestAvailableEncryption(phrase) if phrase else s.NoEncryption()
    private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, how)
    public = key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    for existing in (path, public_path):
        if os.path.lexists(existing):
            msg = f"{str(existing)!r:.200} is there already; a key is never overwritten, give another FILE"
            raise UsageError(msg)
    _written(path, private, 0o600)
    try:
        _written(public_path, public, 0o644)
    except UsageError:
        path.unlink()
        raise
    return _id(key.public_key())


def private_key(path: Path) -> CryptoSigner:
    """What signs with the private key in `path`. UsageError for anything but an Ed25519 key that can be opened."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    text, wanted = _read(path), "give the private key that `auditor keygen` wrote"
    if b"PRIVATE KEY" not in text:
        raise _refused(path, f"holds no private key; {wanted}")
    try:
        key = load_pem_private_key(text, _passphrase())
    except TypeError:  # a passphrase that is not needed, or one that is missing
        why = "is not encrypted; unset" if _passphrase() else "is encrypted; put its passphrase into"
        raise _refused(path, f"{why} {PASSPHRASE}") from None
    except (ValueError, UnsupportedAlgorithm):
        why = f", or {PASSPHRASE} is not its passphrase" if _passphrase() else ""
        raise _refused(path, f"is no private key in PEM{why}; {wanted}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _refused(path, f"is a key of another kind ({type(key).__name__}); {wanted}, which is Ed25519")
    return CryptoSigner(key, _named(key.public_key()))


def public_key(path: Path) -> SSlibKey:
    """The public key in `path`. UsageError for anything but an Ed25519 public key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    text, wanted = _read(path), "give the public key (.pub) that `auditor keygen` wrote"
    if b"PRIVATE KEY" in text:
        raise _refused(path, f"is a private key, which nobody but its owner should have; {wanted}")
    try:
        key = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise _refused(path, f"is no public key in PEM; {wanted}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _refused(path, f"is a key of another kind ({type(key).__name__}); {wanted}, which is Ed25519")
    return _named(key)


def _named(key: Ed25519PublicKey) -> SSlibKey:
    from securesystemslib.signer import SSlibKey

    return SSlibKey.from_crypto(key, _id(key), "ed25519")


def _id(key: Ed25519PublicKey) -> str:
    """The sha256 of its DER, as `openssl pkey -pubin -in FILE.pub -outform DER | sha256sum` says it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _passphrase() -> bytes | None:
    return os.fsencode(os.environ.get(PASSPHRASE, "")) or None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as f:
            text = f.read(LARGEST)
    except (OSError, ValueError) as e:
        raise _refused(path, f"cannot be read ({getattr(e, 'strerror', None) or e}); give a key file") from None
    if not text.strip():
        raise _refused(path, "is empty; give a key file")
    return text


def _written(path: Path, text: bytes, mode: int) -> None:
    """Write `text` to `path`, which must be new."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as f:
            f.write(text)
    except (OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or e
        raise _refused(path, f"cannot be written ({why}); give a new file in a folder that exists") from None


def _refused(path: Path, why: str) -> UsageError:
    return UsageError(f"key {str(path)!r:.200} {why}")
