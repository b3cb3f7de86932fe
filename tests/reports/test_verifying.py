"""Whatever is changed in a folder, by somebody who can make hashes anew or not, is named."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.installed import SOURCE
from auditor.schema import audit_from_json, audit_to_json, canonical
from auditor.store import load
from auditor.types import Verdict
from reports.bundle import FORMATS, draw, write
from reports.envelope import read
from reports.manifest import manifest
from reports.redrawn import redrawn
from reports.signing import sign
from tests.reports.bundles import bundle, key, public, signed_bundle, verified, written
from tests.reports.records import record

SIGNED = ("attestation.dsse.json", "signoff.dsse.json")


def made_anew(folder: Path) -> None:
    """What somebody without a key can do after a change: write the manifest again."""
    (folder / "manifest.json").write_bytes(canonical(manifest(folder)))


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


# ---- intact ------------------------------------------------------------------------------------------------------
def test_an_unsigned_folder_is_intact_by_hashes_alone_and_says_so(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    found, files = verified(folder), sum(p.is_file() for p in folder.rglob("*"))

    assert found.problems == ()
    assert found.notes[0] == f"manifest.json: {files - 1} files, each as listed"
    made = ", ".join(sorted(name for name, _ in FORMATS))
    assert found.notes[1] == f"{made}: made again, the same"
    assert found.notes[2].startswith("hashes alone: whoever changes a file can make them anew")


def test_a_signed_folder_is_intact_for_its_keys(tmp_path: Path) -> None:
    folder = signed_bundle(tmp_path)
    found = verified(folder, "ci", "reviewer")

    assert found.problems == ()
    assert re.match(r"attestation.dsse.json: signed by key \w{64}; FAILED \(verdict fail\), issued ", found.notes[2])
    assert re.match(r"signoff.dsse.json: signed by key \w{64}; FAILED .*; approve by Ada: Seen.$", found.notes[3])
    assert "no --key was given, so no signature was checked" in verified(folder).notes[-1]
    assert "attestation.dsse.json (unchecked): FAILED" in verified(folder).notes[2]


# ---- every byte --------------------------------------------------------------------------------------------------
FILES = (
    "audit.json", "run.json", "environment.json", "report.html", "junit.xml", "summary.md", "manifest.json",
    "evidence/robustness.curve.npz", "evidence/explain.gradcam.npz", *SIGNED,
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("where", "bit"), [(0.0, 1), (0.31, 128), (0.77, 2), (1.0, 64)])
def test_a_changed_byte_is_named(tmp_path: Path, name: str, where: float, bit: int) -> None:
    folder = signed_bundle(tmp_path)
    text = bytearray((folder / name).read_bytes())
    text[round(where * (len(text) - 1))] ^= bit
    (folder / name).write_bytes(text)

    found = verified(folder, "ci", "reviewer").problems

    assert any(name in line for line in found)
    if name not in SIGNED:
        assert verified(folder).problems  # without a key too


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", [b"\n", b"\0"])
def test_an_added_byte_is_named(tmp_path: Path, name: str, text: bytes) -> None:
    folder = signed_bundle(tmp_path)
    (folder / name).write_bytes((folder / name).read_bytes() + text)

    assert any(name in line for line in verified(folder, "ci", "reviewer").problems)


@pytest.mark.parametrize("name", [f for f in FILES if f not in ("manifest.json", *SIGNED)])
def test_a_changed_file_with_its_manifest_made_anew_is_named_by_the_signature(tmp_path: Path, name: str) -> None:
    folder = signed_bundle(tmp_path)
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    made_anew(folder)

    for keys in ((), ("ci", "reviewer")):
        found = verified(folder, *keys).problems
        assert f"not what attestation.dsse.json is about: {name}" in found
        assert "not what attestation.dsse.json is about: manifest.json" in found


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda f: (f / "junit.xml").unlink(), "junit.xml"),
        (lambda f: (f / "evidence" / "new.npz").write_text("x"), "evidence/new.npz"),
        (lambda f: (f / "junit.xml").rename(f / "Junit.xml"), "Junit.xml"),
    ],
)
def test_files_that_go_or_come_with_a_manifest_made_anew_are_named(
    tmp_path: Path, change: Callable[[Path], object], name: str
) -> None:
    folder = signed_bundle(tmp_path)
    change(folder)
    made_anew(folder)

    assert f"not what attestation.dsse.json is about: {name}" in verified(folder, "ci", "reviewer").problems


# ---- reports that are not of their audit -------------------------------------------------------------------------
def test_a_figure_edited_in_the_page_is_named_without_a_signature(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    edited(folder / "report.html", "0.9", "0.8")
    made_anew(folder)

    assert verified(folder).problems == ("not of this audit.json: report.html",)


def test_a_test_that_fails_no_more_is_named_without_a_signature(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    edited(folder / "junit.xml", "<failure", "<skipped")
    made_anew(folder)

    assert verified(folder).problems == ("not of this audit.json: junit.xml",)


def drawn_with(folder: Path, **other: str) -> None:
    """The same reports as if they had been made with something else."""
    run = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_bytes(canonical({**run, "drawn": {**run["drawn"], **other}}))
    made_anew(folder)


def test_a_page_by_another_auditor_is_held_to_its_digest_and_verdict(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    drawn_with(folder, **{SOURCE: "0" * 64})

    found = verified(folder)
    assert found.problems == ()
    assert "made by another auditor, or with other libraries" in found.notes[1]
    assert "its figures were not" in found.notes[1]

    page = (folder / "report.html").read_text("utf-8")
    for old, new, message in (
        ('name="audit-sha256" content="', 'name="audit-sha256" content="0', "by the digest that it bears"),
        ('name="audit-sha256"', 'name="other"', "by the digest that it bears"),
        ('class="verdict fail"', 'class="verdict pass"', "by its verdict"),
        ("</svg> Fail</span>", "</svg> Pass</span>", "by its verdict"),
        ('class="verdict fail"', 'class="word"', "by its verdict"),
    ):
        (folder / "report.html").write_text(page, "utf-8")
        edited(folder / "report.html", old, new)
        made_anew(folder)
        assert verified(folder).problems == (f"not of this audit.json: report.html, {message}",)


def test_reports_of_another_library_are_not_called_changed(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    drawn_with(folder, pillow="1.0")

    problems, note = redrawn(folder)
    assert problems == []
    assert "other libraries" in note


@pytest.mark.parametrize("made", ["1700000000", ""])
@pytest.mark.parametrize("looked", ["1", ""])
def test_the_date_of_the_reports_is_the_one_they_were_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, looked: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", made)
    folder = written(record(), tmp_path / "dated")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", looked)

    assert ("14 Nov 2023" if made else "22 Nov 2026") in (folder / "report.html").read_text("utf-8")
    assert verified(folder).problems == ()
    assert os.environ["SOURCE_DATE_EPOCH"] == looked


def test_an_audit_that_is_written_again_bears_the_date_of_that_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = written(record(), tmp_path / "first")
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    again = tmp_path / "again"
    again.mkdir()
    write(load(first), again)

    assert "22 Nov 2026" in (again / "report.html").read_text("utf-8")
    assert verified(again).problems == ()


@pytest.mark.parametrize("text", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"schema": "audit-v9"}'])
def test_an_audit_that_is_none_is_named(tmp_path: Path, text: bytes) -> None:
    folder = bundle(tmp_path)
    (folder / "audit.json").write_bytes(text)
    made_anew(folder)

    (line,) = verified(folder).problems
    assert line.startswith(("audit.json: ", "no report can be made of audit.json"))
    assert "\n" not in line


def test_an_audit_edited_and_drawn_again_is_found_by_the_signature_alone(tmp_path: Path) -> None:
    folder = signed_bundle(tmp_path)
    audit = audit_from_json((folder / "audit.json").read_bytes())
    (folder / "audit.json").write_bytes(audit_to_json(replace(audit, verdict=Verdict.PASS)))
    draw(load(folder), folder)
    made_anew(folder)

    assert "not what attestation.dsse.json is about: audit.json" in verified(folder, "ci", "reviewer").problems
    for name in SIGNED:
        (folder / name).unlink()
    assert verified(folder).problems == ()  # a hash says nothing of who made it
    assert verified(folder, "ci").problems[0] == "unsigned: there is no attestation.dsse.json that can be read"


# ---- whose signature ---------------------------------------------------------------------------------------------
def test_keys_must_be_those_that_signed_all_of_them_and_no_others(tmp_path: Path) -> None:
    folder = signed_bundle(tmp_path)
    ci, reviewer, stranger = (read_id(name) for name in ("ci", "reviewer", "stranger"))

    assert verified(folder, "ci", "ci", "reviewer").problems == ()
    assert verified(folder, "ci").problems == (
        f"signoff.dsse.json: signed by none of the given keys; it says {reviewer}",
    )
    assert verified(folder, "reviewer").problems == (
        f"attestation.dsse.json: signed by none of the given keys; it says {ci}",
    )
    assert verified(folder, "ci", "reviewer", "stranger").problems == (f"key {stranger}: signed nothing here",)


def read_id(name: str) -> str:
    from reports.keys import public_key

    return public_key(public(name)).keyid


def test_a_signature_under_anothers_name_is_none(tmp_path: Path) -> None:
    """The key's id in an envelope is not signed: anybody can write it."""
    folder = bundle(tmp_path)
    sign(folder, key("stranger"), days=30)
    path = folder / "attestation.dsse.json"
    edited(path, read_id("stranger"), read_id("ci"))

    assert verified(folder, "ci").problems[0].startswith("attestation.dsse.json: signed by none of the given keys")
    assert verified(folder, "stranger").problems[0].startswith("attestation.dsse.json: signed by none of the given")


def test_a_signature_ends(tmp_path: Path) -> None:
    folder = signed_bundle(tmp_path)

    assert verified(folder, "ci", "reviewer", days=9).problems == ()
    assert [line[:25] for line in verified(folder, "ci", "reviewer", days=11).problems] == ["signoff.dsse.json: expire"]
    assert len(verified(folder, "ci", "reviewer", days=31).problems) == 2
    assert verified(folder, days=31).problems == ()  # nobody asked whose it is


def test_a_sign_off_without_its_attestation_is_named(tmp_path: Path) -> None:
    folder = signed_bundle(tmp_path)
    (folder / "attestation.dsse.json").unlink()

    assert "not what signoff.dsse.json is about: attestation.dsse.json" in verified(folder).problems


def test_a_sign_off_of_another_audit_is_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = bundle(tmp_path / "one"), signed_bundle(tmp_path / "two")
    sign(one, key("stranger"), days=30)
    (two / "signoff.dsse.json").rename(one / "signoff.dsse.json")

    assert verified(one, "stranger", "reviewer").problems == (
        "not what signoff.dsse.json is about: attestation.dsse.json",
    )


def test_an_attestation_of_another_audit_is_named(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    (folder / "summary.md").write_text("Another audit.", "utf-8")
    made_anew(folder)
    (tmp_path / "other").mkdir()
    other = bundle(tmp_path / "other")
    sign(other, key("ci"), days=30)
    (other / "attestation.dsse.json").rename(folder / "attestation.dsse.json")

    assert verified(folder, "ci").problems == (
        "not what attestation.dsse.json is about: manifest.json", "not what attestation.dsse.json is about: summary.md",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["", "nowhere", "audit/evidence"])
def test_what_holds_no_audit_is_refused(tmp_path: Path, name: str) -> None:
    bundle(tmp_path)

    with pytest.raises(UsageError, match="holds no audit"):
        verified(tmp_path / name)


def test_what_is_signed_says_who_it_is_of(tmp_path: Path) -> None:
    folder = signed_bundle(tmp_path)

    assert read(folder / SIGNED[0]).key_ids == (read_id("ci"),)
    assert read(folder / SIGNED[1]).key_ids == (read_id("reviewer"),)


def test_a_manifest_that_is_a_link_is_named(tmp_path: Path) -> None:
    folder = signed_bundle(tmp_path)
    (folder / "manifest.json").rename(tmp_path / "elsewhere")
    (folder / "manifest.json").symlink_to(tmp_path / "elsewhere")

    assert "manifest.json is a link" in verified(folder, "ci", "reviewer").problems[0]
