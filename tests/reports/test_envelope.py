"""Signatures that are none, or not one, or of a day to come: each is a sentence, and none counts."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from auditor.schema import canonical
from reports.manifest import manifest
from reports.signing import sign
from tests.reports.bundles import bundle, key, signed_bundle, verified

SIGNED = ("attestation.dsse.json", "signoff.dsse.json")


def envelope(statement: object, **changed: object) -> bytes:
    found = {
        "payload": base64.b64encode(canonical(statement)).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": "k", "sig": base64.b64encode(b"s" * 64).decode()}],
    }
    return canonical({**found, **changed})


STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [],
    "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
    "predicate": {
        "result": "PASSED",
        "torch_auditor": {"verdict": "pass", "issued": "2026-01-01T00:00:00Z", "expires": "2036-01-01T00:00:00Z"},
    },
}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b'{"payloadType": "a", "payloadType": "b"}', "is no JSON"),
        (b"[]", "is no envelope of the type"),
        (envelope({}, payloadType="text/plain"), "is no envelope of the type application/vnd.in-toto+json"),
        (envelope({}, payload="###"), "cannot be decoded"),
        (envelope({}, payload=3), "cannot be decoded"),
        (envelope({}, signatures=[{"keyid": "k", "sig": "?"}]), "cannot be decoded"),
        (envelope({}, signatures=[{"sig": "AAAA"}]), "does not bear exactly one signature"),
        (envelope({}, signatures="none"), "does not bear exactly one signature"),
        (envelope({}, signatures=[]), "does not bear exactly one signature"),
        (envelope({}, signatures=[{"keyid": "k", "sig": "c3M="}] * 2), "does not bear exactly one signature"),
        (envelope({}, signatures=[{"keyid": "k", "sig": "c3M=", "x": 1}]), "does not bear exactly one signature"),
        (envelope({}, comment="x"), "is not as the auditor writes it"),
        (envelope(STATEMENT) + b"\n", "is not as the auditor writes it"),
        (envelope([]), "holds no statement about an audit"),
        (envelope({**STATEMENT, "_type": "https://in-toto.io/Statement/v9"}), "holds no statement about an audit"),
        (envelope({**STATEMENT, "predicateType": "https://slsa.dev/provenance/v1"}), "holds no statement about"),
        (envelope({**STATEMENT, "subject": [{"name": "x"}]}), "holds no statement about an audit"),
        (envelope({**STATEMENT, "predicate": {"result": "FINE"}}), "holds no statement about an audit"),
    ],
)
@pytest.mark.parametrize("name", SIGNED)
def test_a_broken_envelope_is_a_sentence(tmp_path: Path, name: str, text: bytes, message: str) -> None:
    folder = bundle(tmp_path)
    (folder / name).write_bytes(text)

    for keys in ((), ("ci",)):
        found = verified(folder, *keys).problems
        assert any(line.startswith(name) and message in line for line in found)
        assert all("\n" not in line for line in found)


def test_a_statement_that_somebody_made_up_is_signed_by_nobody(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    subject = [{"name": n, "digest": {"sha256": d}} for n, d in manifest(folder).items()]
    whole = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    subject.append({"name": "manifest.json", "digest": {"sha256": whole}})
    (folder / SIGNED[0]).write_bytes(envelope({**STATEMENT, "subject": subject}))

    assert verified(folder).problems == ()
    assert verified(folder, "ci").problems[0].startswith("attestation.dsse.json: signed by none of the given keys")


def test_a_signature_that_is_a_link_is_none(tmp_path: Path) -> None:
    folder = signed_bundle(tmp_path)
    (folder / SIGNED[1]).rename(tmp_path / "elsewhere")
    (folder / SIGNED[1]).symlink_to(tmp_path / "elsewhere")

    assert "signoff.dsse.json is no ordinary file of a signature's size" in verified(folder).problems


@pytest.mark.parametrize("name", SIGNED)
def test_a_signature_that_somebody_adds_is_named(tmp_path: Path, name: str) -> None:
    folder = signed_bundle(tmp_path)
    found = json.loads((folder / name).read_bytes())
    found["signatures"].insert(0, {"keyid": "x", "sig": base64.b64encode(b"s" * 64).decode()})
    (folder / name).write_bytes(canonical(found))

    assert (
        f"{name} does not bear exactly one signature, a keyid and a sig" in verified(folder, "ci", "reviewer").problems
    )


def test_a_signature_of_a_day_to_come_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bundle(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "4000000000")
    sign(folder, key("ci"), days=30)

    assert verified(folder, "ci").problems == ("attestation.dsse.json: issued on 2096-10-02, which is still to come",)
