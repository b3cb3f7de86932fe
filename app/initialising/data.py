"""What a data file shows of itself: its kind, what its columns are, which part of it a model would take."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from app.initialising.arrays import Chosen, chosen_of
from app.initialising.beside import class_names_beside, labels_beside
from app.initialising.columns import GAPS, TEXTS, Seen, of_arrays, of_table
from app.initialising.inputs import Inputs, inputs_of
from app.initialising.model import ModelFound
from app.initialising.pictures import Pictures, pictures_in
from app.initialising.roles import Answers, Roles, answers_of, roles_of
from auditor.config import DataSpec
from auditor.data.arrays import open_arrays
from auditor.data.files import ENDINGS, batches, header_of
from auditor.data.gathered import is_number
from auditor.data.sources import SUPPORTED
from auditor.errors import LoadError, UsageError

__all__ = ["DataFound", "data_at"]

SEPARATORS = (";", "\t", "|")


@dataclass(frozen=True, slots=True)
class DataFound:
    """A data file as an audit file has to describe it.

    `kind` is what its inputs are. Of a table `inputs` are the columns that a model takes, or `text` is the one that it
    reads, of an .npz file `array` says which array. `labels` and `classes_file` lie beside a folder of `pictures`.
    """

    file: str
    kind: Literal["image", "table", "text", "tensor"]
    rows: int
    columns: tuple[Seen, ...]
    roles: Roles
    answers: Answers = field(default_factory=Answers)
    has_header: bool = True
    inputs: Inputs | None = None
    text: str = ""
    array: Chosen | None = None
    pictures: Pictures | None = None
    labels: Path | None = None
    classes_file: Path | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """The markers that must count as missing: the usual ones, and those that stand among numbers."""
        met = (m for c in self.columns if c.kind == "number" for m in c.missing)
        return tuple(dict.fromkeys((*GAPS, *met)))

    @property
    def words_for_gaps(self) -> Mapping[str, tuple[str, ...]]:
        """Texts such as NA that stand among words, which are values until somebody says otherwise, by column."""
        found = {c.name: tuple(m for m in c.missing if m not in self.missing) for c in self.columns}
        return {name: markers for name, markers in found.items() if markers}


def data_at(path: Path, model: ModelFound | None) -> DataFound:
    """The data at `path` for `model` (None: they hold predictions); LoadError or UsageError where it is none."""
    if path.is_dir():
        return _folder(path, model)
    if path.suffix == ".npz":
        return _arrays(path, model)
    if path.suffix in ENDINGS:
        return _table(path, model)
    msg = f"data file {path.name!r} is of a kind that cannot be read; expected {SUPPORTED}"
    raise LoadError(msg)


def _roles(columns: Sequence[Seen], model: ModelFound | None) -> tuple[Roles, Answers]:
    if model is not None:
        return roles_of(columns, model.shapes.outputs, model.labels), Answers()
    answers = answers_of(columns)
    if not answers.names:
        known = ", ".join(c.name for c in columns[:20])
        msg = f"MODEL is none, and no column is called as predictions are (score, prediction, ...); there are: {known}"
        raise UsageError(msg)
    return roles_of([c for c in columns if c.name not in answers.names], None), answers


# ---- tables ------------------------------------------------------------------------------------------------------
def _table(path: Path, model: ModelFound | None) -> DataFound:
    has_header = path.suffix not in {".csv", ".tsv"} or not _is_data(_first_row(path))
    names = header_of(path, DataSpec(path=str(path), header=has_header))
    if len(names) == 1 and any(s in names[0] for s in SEPARATORS):
        expected = "tabs in a .tsv" if path.suffix == ".tsv" else "commas"
        msg = f"data file {path.name!r} has one column, called {names[0]!r:.80}; columns are parted by {expected}"
        raise LoadError(msg)
    columns = tuple(of_table(path, DataSpec(path=str(path), header=has_header)))
    roles, answers = _roles(columns, model)
    text = _text(columns, roles) if model is not None and model.shapes.kind == "text" else ""
    inputs = inputs_of(columns, roles, model.shapes.width) if model is not None and not text else None
    return DataFound(
        path.name, "text" if text else "table", columns[0].rows, columns, roles, answers, has_header, inputs, text
    )


def _first_row(path: Path) -> list[str]:
    """What stands in the first line of a file of text, whether names or values."""
    plain = DataSpec(path=str(path), header=False)
    part = next(batches(path, plain, header_of(path, plain)), None)
    return [] if part is None or not len(part) else [str(cell) for cell in part.slice(0, 1).to_pylist()[0].values()]


def _is_data(names: Sequence[str]) -> bool:
    """Whether what should be the names of columns is a row of values: some are numbers, and they do not count."""
    numbers = [n for n in names if is_number(n)]
    counted = (
        [float(n) for n in numbers] == [float(i + float(numbers[0])) for i in range(len(numbers))] if numbers else 0
    )
    return bool(numbers) and (len(numbers) < 3 or not counted)


def _text(columns: Sequence[Seen], roles: Roles) -> str:
    """The column that holds texts: by its name, else the only one, else the first."""
    target = roles.target.column.name if roles.target.column else ""
    found = [c for c in columns if c.kind == "text" and c.name != target]
    called = [c for c in found if c.name.lower() in TEXTS]
    return next((c.name for c in (*called, *found)), "")


# ---- arrays and pictures -----------------------------------------------------------------------------------------
def _arrays(path: Path, model: ModelFound | None) -> DataFound:
    arrays = open_arrays(path)
    array = chosen_of(arrays, path.name, model.shapes if model else None)
    columns = tuple(c for c in of_arrays(arrays, array.shape[0]) if c.name != array.name)
    roles, answers = _roles(columns, model)
    return DataFound(path.name, array.kind, array.shape[0], columns, roles, answers, array=array)


def _folder(path: Path, model: ModelFound | None) -> DataFound:
    inside = [p for p in sorted(path.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    parts = [p for p in inside if re.fullmatch("train|test|val|valid|validation|dev", p.name, re.IGNORECASE)]
    if parts and len(parts) == len(inside) and any(q.is_dir() for q in parts[0].iterdir()):
        msg = f"{path.name!r} holds the folders {', '.join(p.name for p in parts)}; give the one to audit, such as test"
        raise UsageError(msg)
    outputs = model.shapes.outputs if model else None
    tables = () if inside else labels_beside(path)
    if not inside and not tables:
        msg = f"{path.name!r} has no class folders, and no labels csv with a column `file` is in it or beside it"
        raise LoadError(msg)
    labels = tables[0] if tables else None
    pictures = pictures_in(path, labels)
    columns = tuple(of_table(labels, DataSpec(path=str(labels)))) if labels else ()
    kept = tuple(c for c in columns if c.name != "file")
    if labels is None:
        kept = (_classes(pictures.classes),)
    roles, answers = _roles(kept, model)
    names = class_names_beside(labels or path, outputs)
    return DataFound(
        path.name, "image", sum(pictures.classes.values()) or columns[0].rows, kept, roles, answers,
        pictures=pictures, labels=labels, classes_file=names,
    )  # fmt: skip


def _classes(counts: Counter[str]) -> Seen:
    """The folders as the column that an audit makes of them."""
    return Seen("class", "category", sum(counts.values()), tuple(sorted(counts)), len(counts))
