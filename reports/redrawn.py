"""Whether the reports in a folder are those of its audit: they are made again and compared.

So that whoever edits a page and makes its hash anew is found out by the figures.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from auditor.errors import AuditError, one_line
from auditor.store import Record, load
from reports.bundle import DRAWN, EPOCH, draw, drawn_by
from reports.words import VERDICT

__all__ = ["redrawn"]

PAGE = "report.html"


def redrawn(folder: Path) -> tuple[list[str], str]:
    """What of the reports in `folder` is not of its audit.json, a line each; and how far that was looked at.

    The same auditor, with the same libraries, makes them again to the byte. Another one looks at what the page says of
    itself: which audit.json it was made from, and the verdict.
    """
    try:
        record = load(folder)
        drawn = dict(record.run.get(DRAWN, {}))
        epoch = drawn.pop(EPOCH, None)
        if drawn != drawn_by():
            return _declared(folder, record), (
                f"{PAGE}: made by another auditor, or with other libraries, than are installed here; its digest of "
                "audit.json and its verdict were compared, its figures were not"
            )
        differing, made = _made_again(record, folder, epoch)
    except AuditError as e:
        return [f"audit.json: {e}"], ""
    except Exception as e:  # noqa: BLE001 - an audit.json by a stranger may be none that can be drawn
        return [f"no report can be made of audit.json ({type(e).__name__}: {one_line(str(e), 80)})"], ""
    same = ", ".join(name for name in made if name not in differing)
    return [f"not of this audit.json: {name}" for name in differing], f"{same}: made again, the same" if same else ""


def _made_again(record: Record, folder: Path, epoch: Any) -> tuple[list[str], list[str]]:
    """The reports whose bytes are others than those in `folder`, and all that were made again."""
    with tempfile.TemporaryDirectory() as place, _dated(epoch):
        draw(record, Path(place))
        made = sorted(p.name for p in Path(place).iterdir())
        there = [name for name in made if (folder / name).exists()]
        return [n for n in there if (folder / n).read_bytes() != (Path(place) / n).read_bytes()], there


@contextmanager
def _dated(epoch: Any) -> Iterator[None]:
    """The date that reports bear is the one that they were made with, `epoch` (None: their own)."""
    before = os.environ.pop(EPOCH, None)
    if epoch is not None:
        os.environ[EPOCH] = str(epoch)
    try:
        yield
    finally:
        os.environ.pop(EPOCH, None)
        if before is not None:
            os.environ[EPOCH] = before


def _declared(folder: Path, record: Record) -> list[str]:
    """Where the page contradicts audit.json about itself."""
    if not (folder / PAGE).exists():
        return []
    page = _Page()
    page.feed((folder / PAGE).read_text("utf-8", "replace"))
    page.close()
    digest = hashlib.sha256((folder / "audit.json").read_bytes()).hexdigest()
    verdict = (str(record.audit.verdict), VERDICT[record.audit.verdict])
    lines = [] if page.digests == [digest] else [f"not of this audit.json: {PAGE}, by the digest that it bears"]
    if not page.verdicts or any(found != verdict for found in page.verdicts):
        lines.append(f"not of this audit.json: {PAGE}, by its verdict")
    return lines


class _Page(HTMLParser):
    """What a page says of itself: the digests in `<meta name="audit-sha256">`, and verdicts with their words."""

    def __init__(self) -> None:
        super().__init__()
        self.digests: list[str] = []
        self.verdicts: list[tuple[str, str]] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        kinds = (given.get("class") or "").split()
        if tag == "meta" and given.get("name") == "audit-sha256":
            self.digests.append(given.get("content") or "")
        if "verdict" in kinds:
            self._open = tag
            self.verdicts.append((" ".join(k for k in kinds if k != "verdict"), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            word, said = self.verdicts[-1]
            self.verdicts[-1] = (word, f"{said} {data}".strip())
