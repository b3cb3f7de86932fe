"""manifest.json: no file of an audit can hide from it, whatever it is called."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.errors import LoadError
from auditor.schema import canonical
from reports.manifest import changes, digests, manifest, need_as_written, read_manifest
from tests.reports.bundles import bundle, signed_bundle


def test_every_file_is_listed_but_for_the_manifest_and_the_signatures(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    for name in ("attestation.dsse.json", "signoff.dsse.json"):
        (folder / name).write_text("{}")
    for name in ("evidence/manifest.json", "evidence/attestation.dsse.json", "Manifest.json", ".hidden"):
        (folder / name).write_text("x")

    by_hand = {
        str(Path(place, name).relative_to(folder)): hashlib.sha256(Path(place, name).read_bytes()).hexdigest()
        for place, _, names in os.walk(folder)
        for name in names
    }
    for name in ("manifest.json", "attestation.dsse.json", "signoff.dsse.json"):
        del by_hand[name]

    assert manifest(folder) == by_hand
    assert "evidence/robustness.curve.npz" in by_hand


def linked(folder: Path) -> None:
    (folder / "audit.json").rename(folder.parent / "elsewhere")
    (folder / "audit.json").symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda f: (f / "junit.xml").write_text("x"), "changed: junit.xml"),
        (lambda f: (f / "junit.xml").unlink(), "missing: junit.xml"),
        (lambda f: (f / "evidence" / "x.npz").write_text("x"), "added: evidence/x.npz"),
        (lambda f: (f / "evidence" / "manifest.json").write_text("{}"), "added: evidence/manifest.json"),
        (lambda f: (f / "new").mkdir() or (f / "new" / ".x").write_text("x"), "added: new/.x"),
        (lambda f: (f / "Audit.json").write_text("{}"), "one name written in two ways: Audit.json"),
        (linked, "no ordinary file: audit.json"),
        (lambda f: (f / "more").symlink_to(f.parent, target_is_directory=True), "no ordinary file: more"),
        (lambda f: os.mkfifo(f / "pipe"), "no ordinary file: pipe"),
    ],
)
def test_what_changed_is_named(tmp_path: Path, change: Callable[[Path], object], line: str) -> None:
    folder = bundle(tmp_path)
    listed = read_manifest(folder)
    assert changes(digests(folder), listed) == []

    change(folder)

    assert line in changes(digests(folder), listed)


def test_two_files_that_change_places_are_both_named(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    listed = read_manifest(folder)
    one, two = folder / "junit.xml", folder / "summary.md"
    texts = one.read_bytes(), two.read_bytes()
    one.write_bytes(texts[1])
    two.write_bytes(texts[0])

    assert changes(digests(folder), listed) == ["changed: junit.xml", "changed: summary.md"]


def test_composed_and_decomposed_names_are_one(tmp_path: Path) -> None:
    names = {"caf\u00e9.txt": "a" * 64, "cafe\u0301.txt": "a" * 64}

    assert [line for line in changes(dict(names), names) if line.startswith("one name")] == [
        f"one name written in two ways: {name}" for name in sorted(names)
    ]


def test_a_manifest_of_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    linked(folder)

    with pytest.raises(LoadError, match="'audit.json' is no ordinary file"):
        manifest(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"a": "%b", "a": "%b"}' % (b"0" * 64, b"1" * 64), "cannot be read"),
        (b"[]", "no list of digests"),
        (b'{"a": 1}', "no list of digests"),
        (b'{"a": "short"}', "no list of digests"),
        (canonical({"a": "0" * 64}) + b" ", "not as the auditor writes it"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "manifest.json").write_bytes(text)

    with pytest.raises(LoadError, match=message):
        read_manifest(tmp_path)


def test_the_manifest_is_json_that_others_read(tmp_path: Path) -> None:
    folder = bundle(tmp_path)

    assert json.loads((folder / "manifest.json").read_text()) == manifest(folder)


def test_an_audit_is_taken_as_it_was_written_with_what_was_added_or_as_an_older_one(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    need_as_written(folder)
    (folder / "notes.txt").write_text("read by Ann")
    os.mkfifo(folder / "pipe")
    need_as_written(folder)
    (folder / "manifest.json").unlink()
    (folder / "junit.xml").unlink()
    need_as_written(folder)
    need_as_written(signed_bundle(tmp_path / "signed"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: (f / "audit.json").write_text("{}"), "(changed: audit.json)"),
        (lambda f: [(f / name).write_text("x") for name in ("audit.sarif", "junit.xml")], "audit.sarif and 1 more)"),
        (lambda f: (f / "evidence" / "robustness.curve.npz").unlink(), "(missing: evidence/robustness.curve.npz)"),
        (linked, "(no ordinary file: audit.json)"),
        (lambda f: (f / "audit.json").unlink(), "holds no audit"),
        (lambda f: (f / "manifest.json").write_text("{"), "(manifest.json cannot be read"),
        (lambda f: (f / "manifest.json").rename(f.parent / "m") and (f / "manifest.json").symlink_to(f.parent / "m"),
         "(manifest.json is a link"),
        (lambda f: (f / "attestation.dsse.json").write_text("{}") and (f / "manifest.json").unlink(),
         "(manifest.json cannot be read (No such file"),
    ],
)  # fmt: skip
def test_an_audit_that_is_not_as_it_was_written_is_refused(
    tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    folder = bundle(tmp_path)
    change(folder)

    with pytest.raises(LoadError) as e:
        need_as_written(folder)
    assert said in str(e.value) and "; give a folder " in str(e.value)
