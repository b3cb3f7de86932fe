"""report.pdf: the same report with its structure, its record inside, and the same bytes each time."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest

from auditor.errors import UsageError
from auditor.schema import audit_to_json, digest_of
from auditor.store import Record
from auditor.types import Limit
from reports.pdf import as_pdf, need_weasyprint
from reports.rendering import charts_alone
from tests.reports.records import record, with_policy

pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
EPOCH = "1700000000"


def short() -> Record:
    """Two checks, of which one fails."""
    found = record()
    few = tuple(o for o in found.audit.outcomes if o.check in {"performance.accuracy", "robustness.curve"})
    limit = Limit("performance.accuracy", "accuracy", "", fail_below=0.99)
    return with_policy(replace(found, audit=replace(found.audit, outcomes=few)), limit)


@cache
def made() -> bytes:
    """The PDF of `short`, made once; tests skip, saying so, where weasyprint does not start."""
    try:
        need_weasyprint()
    except UsageError as e:
        pytest.skip(str(e))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        return as_pdf(short())


def test_it_has_structure_language_title_and_says_which_standard_it_follows() -> None:
    reader = pypdf.PdfReader(io.BytesIO(made()))
    root = reader.trailer["/Root"]
    xmp = root["/Metadata"].get_data().decode()

    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert reader.metadata.title == "Fail: audit of zoo 1.0"
    assert re.search(r"pdfuaid:part\D+1", xmp)
    assert "/StructTreeRoot" in root


def test_the_record_is_inside() -> None:
    (attached,) = pypdf.PdfReader(io.BytesIO(made())).attachments.items()

    assert attached == ("audit.json", [audit_to_json(short().audit)])


def test_every_page_says_of_which_record_it_is_and_the_first_holds_the_contents() -> None:
    texts = [" ".join(p.extract_text().split()) for p in pypdf.PdfReader(io.BytesIO(made())).pages]
    digest = digest_of(short().audit)[:12]

    assert all(f"audit.json sha256 {digest}" in text for text in texts)
    assert [f"Page {i} of {len(texts)}" in text for i, text in enumerate(texts, 1)] == [True] * len(texts)
    assert "Fail" in texts[0] and "Valid until" in texts[0] and "Glossary" in texts[0]
    assert any("Accuracy by class" in text for text in texts)  # folded in the page, open here


def test_the_same_record_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)

    assert as_pdf(short()) == first


def test_charts_bring_their_colours_with_them() -> None:
    """What draws the PDF knows no variables in charts, and nothing of the page's own style."""
    style = charts_alone()

    assert "var(" not in style and "#a62a13" in style
    assert style.count("{") == style.count("}") > 20


def test_without_weasyprint_it_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)

    with pytest.raises(UsageError, match=r"pip install 'torch-auditor\[pdf\]'") as refusal:
        need_weasyprint()
    assert "\n" not in str(refusal.value)


def test_broken_pictures_are_refused_as_before() -> None:
    code = "from reports.pdf import need_weasyprint; from PIL import ImageFile; need_weasyprint(); "
    code += "import sys; sys.exit(ImageFile.LOAD_TRUNCATED_IMAGES)"
    made()  # or skipped, where weasyprint does not start

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
