"""Everything an audit leaves in its folder. Read first: record -> files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from auditor.clock import fixed
from auditor.folders import MANIFEST
from auditor.installed import SOURCE, distributions, machine, source_sha256
from auditor.schema import canonical
from auditor.store import Record, load, save
from reports.compare import write as write_comparison
from reports.formats.findings_table import findings_csv, findings_parquet
from reports.formats.junit import junit
from reports.formats.markdown import summary
from reports.formats.sarif import sarif
from reports.html import render
from reports.manifest import manifest
from reports.pdf import as_pdf

__all__ = ["DRAWN", "EPOCH", "FORMATS", "draw", "drawn_by", "write"]

FORMATS: tuple[tuple[str, Callable[[Record], str | bytes]], ...] = (
    ("report.html", render),
    ("summary.md", summary),
    ("junit.xml", junit),
    ("audit.sarif", sarif),
    ("findings.csv", findings_csv),
    ("findings.parquet", findings_parquet),
)
DRAWN, EPOCH = "drawn", "SOURCE_DATE_EPOCH"  # keys in run.json; the second is the name of the variable
DRAWING = ("jinja2", "markupsafe", "numpy", "pandas", "pillow", "pyarrow", "scipy")  # may move a byte


def write(record: Record, folder: Path, baseline: Record | None = None, *, pdf: bool = False) -> None:
    """Write the audit, its reports and its manifest into `folder`, which exists and is empty.

    With a `baseline` the comparison with it, too; with `pdf` the report as report.pdf, which needs the extra `pdf`.
    """
    date = fixed()
    by = {**drawn_by(), EPOCH: int(date.timestamp()) if date else None}
    save(replace(record, run={**record.run, DRAWN: by}), folder)
    stored = load(folder)  # reports are made from what is stored, so that they can be made again
    draw(stored, folder)
    if baseline is not None:
        write_comparison(baseline, stored, folder, ("Baseline", "This audit"))
    if pdf:
        (folder / "report.pdf").write_bytes(as_pdf(stored))
    (folder / MANIFEST).write_bytes(canonical(manifest(folder)))


def drawn_by() -> dict[str, Any]:
    """Whatever else can move a byte of a report: this auditor, Python, the kind of machine, and libraries."""
    libraries = distributions()
    return {SOURCE: source_sha256(), **machine(), **{name: libraries.get(name) for name in DRAWING}}


def draw(stored: Record, folder: Path) -> None:
    """Write into `folder` whatever is made of a stored audit: the same bytes for the same audit and the same date."""
    for name, made in FORMATS:
        content = made(stored)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
