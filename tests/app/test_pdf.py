"""`auditor run --pdf`: beside the page, in the manifest, or refused before anything ran."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from app import places
from app.cli import invoke
from app.places import Place
from auditor.errors import UsageError
from reports.pdf import need_weasyprint
from tests.app.files import AUDIT, table_audit


def test_the_pdf_is_beside_the_page_and_in_the_manifest(tmp_path: Path) -> None:
    try:
        need_weasyprint()
    except UsageError as e:
        pytest.skip(str(e))
    audit_file = table_audit(tmp_path, AUDIT.replace('"fairness.*", "explain.lrp", "robustness.curve"', ""))
    without = invoke(["run", str(audit_file), "--out", str(tmp_path / "without")])
    code = invoke(["run", str(audit_file), "--pdf", "--out", str(tmp_path / "with")])
    pdf = (tmp_path / "with" / "report.pdf").read_bytes()
    digests = json.loads((tmp_path / "with" / "manifest.json").read_bytes())

    assert code == without == 0
    assert pdf.startswith(b"%PDF-")
    assert digests["report.pdf"] == hashlib.sha256(pdf).hexdigest()
    assert not (tmp_path / "without" / "report.pdf").exists()


def test_without_weasyprint_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object, **__: object) -> NoReturn:
        pytest.fail("the audit ran")

    monkeypatch.setitem(sys.modules, "weasyprint", None)
    monkeypatch.setattr(places, "APART", Place(never, never))
    code = invoke(["run", str(table_audit(tmp_path)), "--pdf"])
    err = capsys.readouterr().err

    assert code == 3
    assert err.startswith("auditor: report.pdf needs weasyprint") and err.count("\n") == 1
    assert not (tmp_path / "audit-out").exists()
