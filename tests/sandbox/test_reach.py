"""Every name that an audit file gives leads inside the sandbox where it leads outside; no other leads anywhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from auditor.config import parse_audit_file
from auditor.errors import UsageError
from auditor.sandbox.bubblewrap import SYSTEM, can_wrap, wrapped
from auditor.sandbox.reach import files_of_audit

needs_bwrap = pytest.mark.skipif(not can_wrap(), reason="bubblewrap is not installed, or may not make namespaces")


def seen(readable: list[Path], *paths: Path) -> list[str]:
    """What `cat` prints of each path in a sandbox of those files; "" where it is not there."""
    command = wrapped(["/bin/cat", "--", *map(str, paths)], [*SYSTEM, *readable], [])
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def files(folder: Path, audit: Path, name: str) -> list[Path]:
    return files_of_audit(parse_audit_file({"data": {"path": name, "score": "p"}}), audit)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("real", "audits", "secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "d.csv").write_text(f"{name}\n")
    (tmp_path / "data").symlink_to(tmp_path / "real")
    (tmp_path / "near").symlink_to("real")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "linked").symlink_to(tmp_path / "audits")
    (tmp_path / "audits" / "loop").symlink_to("loop")
    return tmp_path


@needs_bwrap
@pytest.mark.parametrize(
    ("audit", "name", "holds"),
    [
        ("audits", "d.csv", ["audits"]),
        ("audits", "../real/d.csv", ["real"]),
        ("audits", "../data/d.csv", ["real"]),
        ("audits", "../near/d.csv", ["real"]),
        ("audits", "../near/../audits/d.csv", ["audits"]),
        ("elsewhere/linked", "d.csv", ["audits"]),
        ("elsewhere/linked", "../data/d.csv", ["real"]),
        ("audits", "nothing.csv", []),
        ("audits", "loop", []),
    ],
)
def test_names_lead_where_they_lead_outside(folder: Path, audit: str, name: str, holds: list[str]) -> None:
    readable = files(folder, folder / audit, name)

    assert seen(readable, folder / audit / name) == holds
    assert seen(readable, folder / "secret" / "d.csv", folder / audit / "../secret/d.csv") == []
    other = "audits" if holds == ["real"] else "real"
    assert seen(readable, folder / other / "d.csv") == []


@needs_bwrap
def test_the_links_in_a_folder_lead_out_of_it(folder: Path) -> None:
    cache = folder / "cache"
    (cache / "snapshots" / "a").mkdir(parents=True)
    (cache / "blobs").mkdir()
    (cache / "blobs" / "b1").write_text("blob\n")
    (cache / "blobs" / "b2").write_text("other\n")
    (cache / "snapshots" / "a" / "w.csv").symlink_to("../../blobs/b1")
    (folder / "audits" / "model").symlink_to(cache / "snapshots" / "a")

    readable = files(folder, folder / "audits", "model")

    assert seen(readable, folder / "audits" / "model" / "w.csv") == ["blob"]
    assert seen(readable, cache / "blobs" / "b2") == []


def test_an_audit_that_brings_code_reads_its_folder_and_the_package_that_it_names(folder: Path) -> None:
    given = {
        "model": {"path": "w.pt", "architecture": "hypothesis.core:given"},
        "data": {"path": "d.csv", "reference": "package:torch/version.py"},
    }
    audits = folder / "audits"

    readable = files_of_audit(parse_audit_file(given), audits)

    assert {audits, audits / "w.pt", audits / "d.csv"} <= set(readable)
    assert {p.name for p in readable if p.is_dir()} == {"audits", "hypothesis", "torch"} and len(readable) == 5
    given["model"]["architecture"] = "mlp:1-2"
    assert files_of_audit(parse_audit_file(given), audits)[:-1] == [audits / "w.pt", audits / "d.csv"]


def test_the_shards_of_an_index_are_read_with_it(folder: Path) -> None:
    audits = folder / "audits"
    for name in ("m.safetensors.index.json", "a-1.safetensors", "a-2.safetensors", "w.pt"):
        (audits / name).write_bytes(b"")
    given = {"model": {"path": "m.safetensors.index.json", "architecture": "mlp:1-2"}, "data": {"path": "d.csv"}}

    found = {p.name for p in files_of_audit(parse_audit_file(given), audits)}

    assert found == {"m.safetensors.index.json", "d.csv", "a-1.safetensors", "a-2.safetensors"}


def test_code_is_not_led_out_of_a_folder_by_its_links(folder: Path) -> None:
    data = folder / "audits" / "pictures"
    (data / "cat").mkdir(parents=True)
    (data / "cat" / "near.png").symlink_to(data / "cat")
    given = {"model": {"path": "w.pt", "architecture": "archs:net"}, "data": {"path": "pictures"}}
    assert data in files_of_audit(parse_audit_file(given), folder / "audits")

    (data / "cat" / "x").symlink_to(folder / "secret")

    with pytest.raises(UsageError, match="'cat/x' in 'pictures' is a link that leads out of it"):
        files_of_audit(parse_audit_file(given), folder / "audits")
    given["model"]["architecture"] = "mlp:1-2"  # nothing runs that could read it
    assert data / "cat" / "x" in files_of_audit(parse_audit_file(given), folder / "audits")
