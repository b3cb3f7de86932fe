"""Files that belong to a data file and lie beside it: the training data, labels of pictures, names of classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.initialising.vocabulary import TESTED, TRAINED
from auditor.config import DataSpec
from auditor.data.files import header_of, read_all
from auditor.errors import AuditError

__all__ = ["class_names_beside", "labels_beside", "reference_beside"]

TEST_WORD = re.compile(rf"(?<![a-z])(?:{'|'.join(TESTED)})(?![a-z])", re.IGNORECASE)
TRAIN_WORD = re.compile(rf"(?:{'|'.join(TRAINED)})(?![a-z])", re.IGNORECASE)
MOST_TABLES = 50


def reference_beside(path: Path) -> Path | None:
    """What is called as the training data of `path` would be: `train.csv` of `test.csv`; None unless it is one file."""
    found = TEST_WORD.search(path.stem)
    begin, end = (path.stem[: found.start()], path.stem[found.end() :]) if found else ("", "")
    near = [p for p in _beside(path) if p.name != path.name and p.suffix == path.suffix and p.is_dir() == path.is_dir()]
    rests = {p: m for p in near if p.stem.startswith(begin) and (m := TRAIN_WORD.match(p.stem.removeprefix(begin)))}
    exact = [p for p, m in rests.items() if m.string[m.end() :] == end]
    likely = exact or (list(rests) if found else [])
    return likely[0] if len(likely) == 1 else None


def labels_beside(folder: Path) -> tuple[Path, ...]:
    """The tables in or beside a folder of pictures that have a column `file`, those called after the folder first."""
    inside, beside = sorted(_tables(folder.iterdir())), sorted(_tables(_beside(folder)))
    beside.sort(key=lambda p: not p.stem.startswith(folder.name))
    return tuple(p for p in (*inside, *beside)[:MOST_TABLES] if "file" in _header(p))


def class_names_beside(path: Path, outputs: int | None) -> Path | None:
    """The table beside `path` with a column `name` and a row for each of the model's answers; None unless it is one."""
    named = [p for p in list(_tables(_beside(path)))[:MOST_TABLES] if "name" in _header(p) and "file" not in _header(p)]
    fitting = [p for p in named if outputs and outputs > 1 and _rows(p) == outputs]
    return fitting[0] if len(fitting) == 1 else None


def _beside(path: Path) -> list[Path]:
    """Everything in the folder of `path` that is not hidden; nothing where it cannot be looked into."""
    try:
        return sorted(p for p in path.absolute().parent.iterdir() if not p.name.startswith("."))
    except OSError:
        return []


def _tables(paths: Iterable[Path]) -> Iterator[Path]:
    return (p for p in paths if p.suffix in {".csv", ".tsv"} and p.is_file())


def _header(path: Path) -> tuple[str, ...]:
    try:
        return header_of(path, DataSpec(path=str(path)))
    except AuditError:
        return ()


def _rows(path: Path) -> int:
    try:
        return len(read_all(path, DataSpec(path=str(path))))
    except AuditError:
        return 0
