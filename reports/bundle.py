"""Everything an audit leaves in its folder, and the manifest of it. Read first: record -> files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from auditor.folders import MANIFEST
from auditor.schema import canonical
from auditor.store import Record, load, save
from reports.compare import write as write_comparison
from reports.formats.findings_table import findings_csv, findings_parquet
from reports.formats.junit import junit
from reports.formats.markdown import summary
from reports.formats.sarif import sarif
from reports.html import render

__all__ = ["FORMATS", "manifest", "write"]

FORMATS: tuple[tuple[str, Callable[[Record], str | bytes]], ...] = (
    ("report.html", render),
    ("summary.md", summary),
    ("junit.xml", junit),
    ("audit.sarif", sarif),
    ("findings.csv", findings_csv),
    ("findings.parquet", findings_parquet),
)


def write(record: Record, folder: Path, baseline: Record | None = None) -> None:
    """Write the audit, its report and its manifest into `folder`, which exists and is empty.

    With a `baseline` the comparison with it, too.
    """
    save(record, folder)
    stored = load(folder)  # reports are made from what is stored, so that they can be made again
    for name, made in FORMATS:
        content = made(stored)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    if baseline is not None:
        write_comparison(baseline, stored, folder, ("Baseline", "This audit"))
    (folder / MANIFEST).write_bytes(canonical(manifest(folder)))


def manifest(folder: Path) -> dict[str, str]:
    """The sha256 of every file in `folder` by its path there, the manifest itself left out."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
