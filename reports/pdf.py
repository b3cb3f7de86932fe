"""The report as a PDF that screen readers can follow (PDF/UA-1), with audit.json inside it."""

from __future__ import annotations

import re
from typing import Any

from auditor.errors import UsageError, one_line
from auditor.schema import audit_to_json, digest_of
from auditor.store import Record
from reports.dates import measured_at
from reports.html import render
from reports.rendering import charts_alone

__all__ = ["as_pdf", "need_weasyprint"]

# where weasyprint lays grids out otherwise than browsers do
LAYOUT = (
    ".plot, .multiples { display: block; } .plot .note { max-width: none; margin-top: .5rem; } "
    ".verdict.conditions { font-size: 2.25rem; }"
)
SVG = re.compile(r"<svg\b[^>]*>")  # of our own: text from elsewhere is escaped


def need_weasyprint() -> None:
    """UsageError where weasyprint, or what it needs of the system, is not installed."""
    _weasyprint()


def as_pdf(record: Record) -> bytes:
    """report.pdf; the same bytes for the same record (and SOURCE_DATE_EPOCH, where that is set)."""
    weasyprint = _weasyprint()
    at = measured_at(record)
    attached = weasyprint.Attachment(
        string=audit_to_json(record.audit), name="audit.json", description="The record that this report is a view of",
        created=at, modified=at, relationship="Source",
    )  # fmt: skip
    style = f"<style>{charts_alone()}</style>"
    page = SVG.sub(lambda tag: tag[0] + style, render(record)).replace("</head>", f"<style>{LAYOUT}</style></head>", 1)
    fetch = weasyprint.urls.URLFetcher(allowed_protocols={"data"}, fail_on_errors=True)
    found: bytes = weasyprint.HTML(string=page, url_fetcher=fetch).write_pdf(
        pdf_variant="pdf/ua-1", pdf_tags=True, pdf_identifier=digest_of(record.audit).encode(), attachments=[attached]
    )
    return found


def _weasyprint() -> Any:
    """The library; it tells Pillow to pass over broken pictures, which all of this process would then accept."""
    from PIL import ImageFile

    strict = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        import weasyprint
    except (ImportError, OSError) as e:  # OSError: Pango is no Python package
        remedy = "pip install 'torch-auditor[pdf]'"
        if not isinstance(e, ImportError):
            remedy = "apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
        msg = f"report.pdf needs weasyprint, which does not start here ({one_line(str(e), 80)}); {remedy}, or no --pdf"
        raise UsageError(msg) from None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = strict
    return weasyprint
