"""Everything an audit leaves in its folder, and the manifest of it. Read first: record -> files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from auditor.folders import MANIFEST
from auditor.schema import canonical
from auditor.store import Record, load, save
from reports.ci import junit, summary
from reports.compare import write as write_comparison
from reports.html import render
from reports.pdf import as_pdf

__all__ = ["manifest", "write"]


def write(record: Record, folder: Path, baseline: Record | None = None, *, pdf: bool = False) -> None:
    """Write the audit, its report and its manifest into `folder`, which exists and is empty.

    With a `baseline` the comparison with it, too; with `pdf` the report as report.pdf, which needs the extra `pdf`.
    """
    save(record, folder)
    stored = load(folder)  # reports are made from what is stored, so that they can be made again
    (folder / "report.html").write_text(render(stored), "utf-8")
    (folder / "junit.xml").write_text(junit(stored), "utf-8")
    (folder / "summary.md").write_text(summary(stored), "utf-8")
    if baseline is not None:
        write_comparison(baseline, stored, folder, ("Baseline", "This audit"))
    if pdf:
        (folder / "report.pdf").write_bytes(as_pdf(stored))
    (folder / MANIFEST).write_bytes(canonical(manifest(folder)))


def manifest(folder: Path) -> dict[str, str]:
    """The sha256 of every file in `folder` by its path there, the manifest itself left out."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
