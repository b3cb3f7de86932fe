"""What pipelines go by: exit codes and the manifest; the formats have tests of their own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.types import Verdict
from reports.bundle import FORMATS, write
from reports.ci import exit_code
from tests.reports.records import record


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.PASS, 0), (Verdict.CONDITIONS, 0), (Verdict.FAIL, 1), (Verdict.INCOMPLETE, 2)]
)
def test_exit_codes(verdict: Verdict, code: int) -> None:
    assert exit_code(replace(record().audit, verdict=verdict)) == code


def test_the_manifest_holds_the_digest_of_every_file(tmp_path: Path) -> None:
    write(record(), tmp_path)
    listed = json.loads((tmp_path / "manifest.json").read_text())
    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}

    assert set(listed) == files - {"manifest.json"}
    assert {"audit.json", "run.json", *(name for name, _ in FORMATS)} <= files
    assert any(f.startswith("evidence/") for f in files)
    for name, digest in listed.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
