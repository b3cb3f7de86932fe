"""Keys: what openssl makes of them, who may read them, and what is refused."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auditor.errors import UsageError
from reports.keys import PASSPHRASE, new_key, private_key, public_key


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSPHRASE, raising=False)


def test_a_pair_is_written_that_only_its_owner_reads(tmp_path: Path) -> None:
    key_id = new_key(tmp_path / "k")
    private = s.load_pem_private_key((tmp_path / "k").read_bytes(), None)
    public = s.load_pem_public_key((tmp_path / "k.pub").read_bytes())

    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert isinstance(private, Ed25519PrivateKey) and private.public_key() == public
    assert private_key(tmp_path / "k").public_key.keyid == public_key(tmp_path / "k.pub").keyid == key_id


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_reads_them_and_gives_the_same_id(tmp_path: Path) -> None:
    key_id = new_key(tmp_path / "k")

    def openssl(*arguments: str) -> bytes:
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=tmp_path).stdout

    openssl("pkey", "-pubin", "-in", "k.pub", "-outform", "DER", "-out", "k.der")
    assert openssl("pkey", "-in", "k", "-pubout") == (tmp_path / "k.pub").read_bytes()
    assert openssl("dgst", "-sha256", "-r", "k.der").split()[0].decode() == key_id


@pytest.mark.parametrize("existing", ["k", "k.pub"])
@pytest.mark.parametrize("link", [True, False])
def test_a_key_is_never_overwritten(tmp_path: Path, existing: str, link: bool) -> None:
    if link:
        (tmp_path / existing).symlink_to(tmp_path / "nowhere")
    else:
        (tmp_path / existing).write_text("precious")

    with pytest.raises(UsageError, match="is there already; a key is never overwritten"):
        new_key(tmp_path / "k")
    assert [p.name for p in tmp_path.iterdir()] == [existing]
    assert link or (tmp_path / existing).read_text() == "precious"


@pytest.mark.parametrize("name", ["none/k", "x" * 300, "a\0b"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        new_key(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_private_key_goes_again_when_the_public_one_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        new_key(tmp_path / ("x" * 253))  # with .pub it is longer than a name may be
    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_encrypts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE, "correct horse")
    key_id = new_key(tmp_path / "k")

    assert b"ENCRYPTED PRIVATE KEY" in (tmp_path / "k").read_bytes()
    assert private_key(tmp_path / "k").public_key.keyid == key_id
    assert s.load_pem_private_key((tmp_path / "k").read_bytes(), b"correct horse")
    monkeypatch.setenv(PASSPHRASE, "wrong")
    with pytest.raises(UsageError, match="AUDITOR_PASSPHRASE is not its passphrase") as refused:
        private_key(tmp_path / "k")
    assert "wrong" not in str(refused.value)
    monkeypatch.delenv(PASSPHRASE)
    with pytest.raises(UsageError, match="is encrypted; put its passphrase into AUDITOR_PASSPHRASE"):
        private_key(tmp_path / "k")


def test_an_empty_passphrase_makes_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE, "")
    with pytest.raises(UsageError, match="AUDITOR_PASSPHRASE is empty"):
        new_key(tmp_path / "k")


def test_a_passphrase_that_nothing_needs_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_key(tmp_path / "k")
    monkeypatch.setenv(PASSPHRASE, "x")
    with pytest.raises(UsageError, match="is not encrypted; unset AUDITOR_PASSPHRASE"):
        private_key(tmp_path / "k")


def pem(kind: str) -> bytes:
    """A key of another kind, private or public."""
    key = rsa.generate_private_key(65537, 2048) if "rsa" in kind else ec.generate_private_key(ec.SECP256R1())
    if kind.startswith("public"):
        return key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())


@pytest.mark.parametrize(
    ("content", "private", "public"),
    [
        (b"", "is empty", "is empty"),
        (b" \n", "is empty", "is empty"),
        (b"garbage", "holds no private key", "is no public key in PEM"),
        (b"\xff\x00" * 9, "holds no private key", "is no public key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is no private key in PEM", "is a private"),
        (
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "holds no private",
            "is no public key in PEM",
        ),
        (pem("private rsa"), "of another kind \\(RSAPrivateKey\\)", "is a private key"),
        (pem("public rsa"), "holds no private key", "of another kind \\(RSAPublicKey\\)"),
        (pem("private ec"), "of another kind", "is a private key"),
        (pem("public ec"), "holds no private key", "of another kind"),
        (None, "cannot be read", "cannot be read"),
    ],
)
def test_what_is_no_key_of_ours_is_one_line(tmp_path: Path, content: bytes | None, private: str, public: str) -> None:
    path = tmp_path / "k"
    if content is not None:
        path.write_bytes(content)
    for reader, message in ((private_key, private), (public_key, public)):
        with pytest.raises(UsageError, match=message) as refused:
            reader(path)
        assert "\n" not in str(refused.value)
        assert re.search("; give|; unset", str(refused.value))


def test_a_private_key_is_no_public_key(tmp_path: Path) -> None:
    new_key(tmp_path / "k")
    with pytest.raises(UsageError, match="is a private key, which nobody but its owner should have"):
        public_key(tmp_path / "k")
    with pytest.raises(UsageError, match="holds no private key"):
        private_key(tmp_path / "k.pub")
