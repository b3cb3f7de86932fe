"""All that the two files are written from: what was found in the model and the data, and where their files lie."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.initialising.beside import reference_beside
from app.initialising.columns import of_table
from app.initialising.data import DataFound, data_at
from app.initialising.model import ModelFound, model_at
from auditor.config import DataSpec
from auditor.data.files import ENDINGS
from auditor.errors import AuditError, LoadError
from auditor.intake.located import locate

__all__ = ["Plan", "plan_of"]

NONE = "none"  # as MODEL: the data hold the predictions
PACKAGE = "package:"


@dataclass(frozen=True, slots=True)
class Plan:
    """The model (None: predictions alone) and the data, and their files as the audit file has to name them.

    `scale` is the mean and the standard deviation of each column of numbers in the reference. `refused` is what
    `auditor run` would say of the data as the file describes them; "" where it would read them.
    """

    model: ModelFound | None
    data: DataFound
    model_path: str
    data_path: str
    labels: str = ""
    classes_file: str = ""
    reference: str = ""
    scale: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    refused: str = ""


def plan_of(model: str, data: str, folder: Path) -> Plan:
    """What the files `model` (or the word none) and `data` are, for an audit file in `folder`; else AuditError."""
    found = None if model == NONE else model_at(_existing(model, "model file"), folder)
    path = _existing(data, "data file")
    held = data_at(path, found)
    reference = None if data.startswith(PACKAGE) else reference_beside(path)
    return Plan(
        found,
        held,
        "" if found is None else _named(model, folder),
        _named(data, folder),
        "" if held.labels is None else _named(str(held.labels), folder),
        "" if held.classes_file is None else _named(str(held.classes_file), folder),
        "" if reference is None else _named(str(reference), folder),
        {} if reference is None or path.suffix not in ENDINGS else _scale(reference, held),
    )


def _existing(name: str, what: str) -> Path:
    if name.startswith(PACKAGE):
        return locate(name, Path(), what)
    path = Path(name)
    try:
        found = path.exists()
    except (OSError, ValueError):  # no name that a file could have
        found = False
    if not found:
        other = ", or the word none for predictions alone" if what == "model file" else ""
        msg = f"{what} {name!r:.100} does not exist; give the path of a file or a folder{other}"
        raise LoadError(msg)
    return path


def _named(name: str, folder: Path) -> str:
    """A path as the audit file names it: relative to where that lies."""
    if name.startswith(PACKAGE):
        return name
    return Path(os.path.relpath(Path(name).absolute(), folder.absolute())).as_posix()


def _scale(reference: Path, held: DataFound) -> dict[str, tuple[float, float]]:
    try:
        columns = of_table(reference, DataSpec(path=str(reference), header=held.has_header))
    except AuditError:
        return {}
    return {c.name: (c.mean, c.std) for c in columns if c.kind == "number" and 0 < c.std < math.inf}
