"""What is signed: checked with `cryptography` alone, and by hand against the in-toto and DSSE specifications."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from auditor.errors import UsageError
from auditor.folders import replacing
from auditor.policy import judge
from auditor.store import Record, load
from auditor.types import Acceptance, Limit, Policy, Verdict
from reports.signing import SignOff, sign
from tests.reports.bundles import bundle, key, public, signed_bundle, written
from tests.reports.records import hostile, record, with_policy

ADA = SignOff("Ada Lovelace, Head of risk", "approve-with-conditions", "Only with a person in the loop.")


def opened(path: Path, by: str) -> dict[str, Any]:
    """The statement in an envelope that the key `by` signed, by the DSSE specification and `cryptography` alone."""
    envelope = json.loads(path.read_bytes())
    payload, (signature,) = base64.b64decode(envelope["payload"]), envelope["signatures"]
    kind = envelope["payloadType"].encode()
    encoded = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])
    public_key = load_pem_public_key(public(by).read_bytes())
    assert isinstance(public_key, Ed25519PublicKey)
    public_key.verify(base64.b64decode(signature["sig"]), encoded)
    assert kind == b"application/vnd.in-toto+json"
    return json.loads(payload)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_statement_is_a_test_result_of_in_toto_about_every_file(tmp_path: Path) -> None:
    """https://github.com/in-toto/attestation: spec/v1/statement.md and spec/predicates/test-result.md."""
    folder = bundle(tmp_path)
    before = datetime.now(UTC).replace(microsecond=0)
    made = sign(folder, key("ci"), days=30)
    path, key_id = made.path, made.key_id
    found = opened(path, "ci")
    predicate = found["predicate"]
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {path.name}
    model, data = (load(folder).audit.subject[part] for part in ("model", "data"))

    assert path == folder / "attestation.dsse.json"
    assert json.loads(path.read_bytes())["signatures"][0]["keyid"] == key_id
    assert set(found) == {"_type", "subject", "predicateType", "predicate"}
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert all(set(s) == {"name", "digest"} for s in found["subject"])
    assert len({s["name"] for s in found["subject"]}) == len(found["subject"])
    assert {s["name"]: s["digest"] for s in found["subject"]} == {
        **{name: {"sha256": sha256(folder / name)} for name in files},
        "audited model": {"sha256": model["sha256"], "stateDictSha256": model["weights_sha256"]},
        "audited data": {"sha256": data["sha256"]},
    }
    assert set(predicate) == {
        "result", "configuration", "passedTests", "warnedTests", "failedTests", "torch_auditor",
    }  # fmt: skip
    assert (predicate["result"], predicate["torch_auditor"]["verdict"]) == ("FAILED", "fail")
    assert predicate["failedTests"] == ["performance.accuracy/accuracy"]
    assert predicate["passedTests"] == ["intake.preflight/repeat_difference"]
    assert predicate["warnedTests"] == []
    issued, expires = (datetime.fromisoformat(predicate["torch_auditor"][k]) for k in ("issued", "expires"))
    assert before <= issued <= datetime.now(UTC)
    assert (expires - issued).days == 30
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", predicate["torch_auditor"][k]) for k in ("issued",))
    assert "signoff" not in predicate["torch_auditor"]


def test_the_policy_is_known_by_its_digest_alone(tmp_path: Path) -> None:
    """Two audits of one policy have one digest, whatever else they found; another limit makes another."""
    digests = {}
    for name, limit in (("a", 0.99), ("b", 0.99), ("c", 0.98)):
        limits = Limit("performance.accuracy", "accuracy", slice="", fail_below=limit)
        source = record() if name != "b" else record("planted_patch")
        path = sign(written(with_policy(source, limits), tmp_path / name), key("ci"), days=1).path
        (configuration,) = opened(path, "ci")["predicate"]["configuration"]
        digests[name] = configuration["digest"]["sha256"]

    assert digests["a"] == digests["b"] != digests["c"]


def test_a_limit_that_waits_for_a_baseline_has_not_failed(tmp_path: Path) -> None:
    figure = Limit("performance.accuracy", "accuracy", slice="", fail_below=0.1)
    waiting = Limit("performance.accuracy", "recall", slice="class=a", fail_worse_by=0.1)
    path = sign(written(with_policy(record(), figure, waiting), tmp_path / "audit"), key("ci"), days=1).path
    predicate = opened(path, "ci")["predicate"]

    assert (predicate["result"], predicate["failedTests"]) == ("WARNED", [])
    assert predicate["passedTests"] == ["performance.accuracy/accuracy"]
    assert predicate["warnedTests"] == ["performance.accuracy/recall/class=a"]


@pytest.mark.parametrize(
    ("verdict", "decision", "result"),
    [
        ("pass", None, "PASSED"), ("conditions", None, "WARNED"), ("fail", None, "FAILED"),
        ("incomplete", None, "FAILED"), ("pass", "approve", "PASSED"), ("pass", "approve-with-conditions", "WARNED"),
        ("pass", "reject", "FAILED"), ("conditions", "approve", "WARNED"), ("fail", "approve", "FAILED"),
        ("incomplete", "approve-with-conditions", "FAILED"),
    ],
)  # fmt: skip
def test_a_decision_never_makes_a_result_better(
    tmp_path: Path, verdict: str, decision: str | None, result: str
) -> None:
    found = replace(record(), audit=replace(record().audit, verdict=Verdict(verdict)))
    signoff = SignOff("Ada", decision) if decision else None

    path = sign(written(found, tmp_path / "audit"), key("ci"), days=1, signoff=signoff).path

    assert opened(path, "ci")["predicate"]["result"] == result


def test_every_limit_stands_in_one_list_by_its_worst_bound(tmp_path: Path) -> None:
    limits = (
        Limit("performance.accuracy", "accuracy", slice="", warn_below=0.99, fail_below=0.01),  # warns, and passes
        Limit("performance.accuracy", "majority_share", slice="", fail_above=0.99),  # passes
        Limit("intake.preflight", "clean_accuracy", fail_below=0.9, required=True),  # cannot be decided
        Limit("fairness.groups", "accuracy", slice="sex=f", fail_below=0.5, required=True),  # was never judged
    )
    found = with_policy(record(), *limits)
    path = sign(written(found, tmp_path / "audit"), key("ci"), days=1).path
    predicate = opened(path, "ci")["predicate"]
    statuses: dict[str, list[str]] = {}
    for o in found.audit.outcomes:
        for j in o.judgements:
            statuses.setdefault(f"{o.check}/{j.measure}", []).append(str(j.status))

    assert statuses == {
        "performance.accuracy/accuracy": ["pass", "warn"],
        "performance.accuracy/majority_share": ["pass"],
        "intake.preflight/clean_accuracy": ["inconclusive"],
    }
    assert predicate["passedTests"] == ["performance.accuracy/majority_share"]
    assert predicate["warnedTests"] == ["performance.accuracy/accuracy"]
    assert predicate["failedTests"] == ["fairness.groups/accuracy/sex=f", "intake.preflight/clean_accuracy"]


def test_a_sign_off_is_about_the_attestation(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    attestation = sign(folder, key("ci"), days=30).path
    signoff = sign(folder, key("reviewer"), days=10, signoff=ADA).path
    found = opened(signoff, "reviewer")

    assert signoff == folder / "signoff.dsse.json"
    assert found["subject"] == [{"name": "attestation.dsse.json", "digest": {"sha256": sha256(attestation)}}]
    assert found["predicate"]["torch_auditor"]["signoff"] == {
        "reviewer": ADA.reviewer, "decision": ADA.decision, "statement": ADA.statement,
    }  # fmt: skip
    with pytest.raises(InvalidSignature):
        opened(signoff, "ci")


def test_a_person_can_sign_first(tmp_path: Path) -> None:
    path = sign(bundle(tmp_path), key("reviewer"), days=10, signoff=ADA).path

    assert path.name == "attestation.dsse.json"
    assert opened(path, "reviewer")["predicate"]["torch_auditor"]["signoff"]["reviewer"] == ADA.reviewer


def test_the_same_date_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for name, epoch in (("a", "1700000000"), ("b", "1700000000"), ("c", "1700000001")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        path = sign(bundle(tmp_path / name), key("ci"), days=1).path
        texts.append(path.read_bytes())
        issued = opened(path, "ci")["predicate"]["torch_auditor"]["issued"]
        assert issued == f"2023-11-14T22:13:2{epoch[-1]}Z"

    assert texts[0] == texts[1] != texts[2]


def test_names_that_try_to_break_out_are_signed_as_they_are(tmp_path: Path) -> None:
    limits = tuple(Limit("fairness.groups", m, warn_below=0.9) for m in ("accuracy", "selection_rate"))
    found = with_policy(hostile(), *limits)
    path = sign(written(found, tmp_path / "audit"), key("ci"), days=1).path
    predicate = opened(path, "ci")["predicate"]
    judged = {f"{o.check}/{j.measure}/{j.slice}".rstrip("/") for o in found.audit.outcomes for j in o.judgements}

    assert judged == {t for k in ("passedTests", "warnedTests", "failedTests") for t in predicate[k]}
    assert any("onerror" in name for name in judged)


# ---- what is not signed ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        lambda f: (f / "junit.xml").write_text("x"),
        lambda f: (f / "junit.xml").unlink(),
        lambda f: (f / "new.txt").write_text("x"),
        lambda f: (f / "manifest.json").unlink(),
        lambda f: (f / "attestation.dsse.json").write_text("{}"),
        lambda f: (f / "signoff.dsse.json").write_text("{}"),
    ],
)
def test_a_folder_that_is_not_as_it_was_written_is_not_signed(tmp_path: Path, change: Callable[[Path], object]) -> None:
    folder = bundle(tmp_path)
    change(folder)
    present = sorted(p.name for p in folder.iterdir())

    with pytest.raises(UsageError, match="nothing was signed"):
        sign(folder, key("ci"), days=1)
    assert sorted(p.name for p in folder.iterdir()) == present


@pytest.mark.parametrize("name", ["", "audit/evidence", "nowhere"])
def test_what_holds_no_audit_is_not_signed(tmp_path: Path, name: str) -> None:
    bundle(tmp_path)

    with pytest.raises(UsageError, match="holds no audit; give a folder that `auditor run` wrote"):
        sign(tmp_path / name, key("ci"), days=1)


def test_a_second_signature_is_a_persons_by_another_key_and_there_is_no_third(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    sign(folder, key("ci"), days=1)

    with pytest.raises(UsageError, match="a second signature needs --reviewer and --decision"):
        sign(folder, key("reviewer"), days=1)
    with pytest.raises(UsageError, match="is signed by this key already; a sign-off needs the reviewer's own"):
        sign(folder, key("ci"), days=1, signoff=ADA)
    sign(folder, key("reviewer"), days=1, signoff=ADA)
    with pytest.raises(UsageError, match="is signed and signed off already; neither is ever replaced"):
        sign(folder, key("stranger"), days=1, signoff=ADA)


@pytest.mark.parametrize(
    ("reviewer", "decision", "statement", "message"),
    [
        (" ", "approve", "", "a sign-off needs a person"),
        ("Ada", "maybe", "", "--decision 'maybe' does not exist; known: approve, approve-with-conditions, reject"),
        ("Ada\u202e", "approve", "", "--reviewer must be at most 200 characters, each of which can be read"),
        ("\u200b", "approve", "", "a sign-off needs a person"),
        ("\u3164\u2800", "approve", "", "a sign-off needs a person"),
        ("Ada\u200b", "approve", "", "each of which can be read"),
        ("Ada", "approve", "\U000e0041", "--statement must be at most 10,000 characters, each of which can be read"),
        ("A" * 201, "approve", "", "--reviewer must be at most 200 characters"),
        ("Ada", "approve", "\x1b[2J", "--statement must be at most 10,000 characters, each of which can be read"),
    ],
)
def test_a_sign_off_that_cannot_be_read_is_refused(reviewer: str, decision: str, statement: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        SignOff(reviewer, decision, statement)


@pytest.mark.parametrize("epoch", ["yesterday", "1e9", "9" * 30, "253402300000", "-1", "1_000", " 5 ", "\u0663"])
def test_a_date_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: str) -> None:
    folder = bundle(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)

    with pytest.raises(UsageError, match="expected the seconds since 1970 as a whole number"):
        sign(folder, key("ci"), days=1)


@pytest.mark.parametrize("name", ["attestation.dsse.json", "signoff.dsse.json"])
def test_a_signed_audit_is_never_replaced(tmp_path: Path, name: str) -> None:
    folder = signed_bundle(tmp_path)
    for other in {"attestation.dsse.json", "signoff.dsse.json"} - {name}:
        (folder / other).unlink()

    with pytest.raises(UsageError, match="holds a signed audit, which is never replaced"), replacing(folder):
        pass
    assert (folder / name).exists()


def accepting(expires: date) -> Record:
    """An audit whose one failed limit is accepted, judged while that held."""
    finding = Acceptance("performance.accuracy/accuracy", "Ann", "known", expires)
    policy = Policy("p", (Limit("performance.accuracy", "accuracy", slice="", fail_below=0.99),), (finding,))
    found = record()
    return replace(found, audit=judge(found.audit, policy, on=date(2020, 1, 1)))


def test_a_signature_does_not_outlast_what_is_accepted(tmp_path: Path) -> None:
    folder = written(accepting(datetime.now(UTC).date()), tmp_path / "a")

    made = sign(folder, key("ci"), days=30)

    expires = opened(made.path, "ci")["predicate"]["torch_auditor"]["expires"]
    assert expires == f"{datetime.now(UTC):%Y-%m-%d}T23:59:59Z" == f"{made.expires:%Y-%m-%dT%H:%M:%SZ}"
    assert made.why == "when an acceptance ends that the verdict rests on"


def test_an_acceptance_that_ends_later_shortens_nothing(tmp_path: Path) -> None:
    made = sign(written(accepting(date(2099, 1, 1)), tmp_path / "a"), key("ci"), days=365)

    assert (made.why, (made.expires - datetime.now(UTC)).days) == ("", 364)


def test_a_signature_that_would_end_before_it_is_issued_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(accepting(datetime.now(UTC).date()), tmp_path / "a")
    before = sorted(folder.rglob("*"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(datetime(2100, 1, 2, tzinfo=UTC).timestamp())))

    with pytest.raises(UsageError, match="issued on 2100-01-02 by SOURCE_DATE_EPOCH would have ended already"):
        sign(folder, key("ci"), days=30)
    assert sorted(folder.rglob("*")) == before


def test_what_was_accepted_until_a_day_that_has_passed_is_not_signed(tmp_path: Path) -> None:
    folder = written(accepting(date(2020, 6, 1)), tmp_path / "a")

    with pytest.raises(UsageError, match="accepted until 2020-06-01, which has passed; judge the audit anew"):
        sign(folder, key("ci"), days=30)


@pytest.mark.parametrize("step", ["chmod", "rename"])
def test_a_signature_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    folder = bundle(tmp_path)
    before = sorted(folder.rglob("*"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, step, full)
    with pytest.raises(UsageError, match=r"cannot be written \(No space left on device\); nothing was signed"):
        sign(folder, key("ci"), days=1)
    assert sorted(folder.rglob("*")) == before
