"""Classes and targets: columns of text become class indices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from auditor.characters import unreadable
from auditor.config import DataSpec
from auditor.contingency import MISSING
from auditor.data.columns import Columns, need
from auditor.data.files import read_all
from auditor.errors import LoadError, UsageError
from auditor.intake.located import locate
from auditor.integers import Codes, narrowed
from auditor.lists import listed
from auditor.nearest import did_you_mean

__all__ = ["LONGEST_NAME", "class_names", "encode_target", "favourable"]

LONGEST_NAME = 300
MOST_NAMED, CUT = 5, 60  # classes in a refusal, and characters of each


# ---- classes and targets -----------------------------------------------------------------------------------------
def class_names(spec: DataSpec, folder: Path, *, uploaded: bool) -> tuple[str, ...] | None:
    """The class names of the audit file, in order; None when it names none. A repeated name gets its index."""
    if spec.classes is None:
        return None
    names = spec.classes if isinstance(spec.classes, tuple) else _names_from_csv(spec, folder, uploaded=uploaded)
    if len(names) < 2:
        msg = f"[data] classes has {len(names)} names; a classifier needs at least 2"
        raise UsageError(msg)
    odd = next((n for n in names if len(n) > LONGEST_NAME or unreadable(n)), None)
    if odd is not None:
        msg = f"class name {odd!r:.80} holds what cannot be read, or more than {LONGEST_NAME} characters; rename it"
        raise UsageError(msg)
    often = Counter(names)
    return tuple(f"{n} ({i})" if often[n] > 1 else n for i, n in enumerate(names))


def _names_from_csv(spec: DataSpec, folder: Path, *, uploaded: bool) -> tuple[str, ...]:
    path = locate(str(spec.classes), folder, "classes file", uploaded=uploaded)
    columns = read_all(path, spec)
    need(columns.names, "name", "class names", path.name)
    return tuple(map(str, columns.table.column("name").to_pylist()))


def encode_target(
    columns: Columns, classes: Sequence[str] | None, name: str, what: str = "target"
) -> tuple[Codes, tuple[str, ...] | None]:
    """(N,) class indices of the `what` in column `name`, and the class names where the column itself holds names.

    A column is read in one way: numbers are indices; text is class names if each of its values is one, else indices.
    LoadError for what is neither, and where it is missing: which rows are left out is for the user to say, since those
    whose outcome is not known are seldom like the others.
    """
    labels = columns.labels(name)
    if MISSING in labels.names and (gap := labels.codes == labels.names.index(MISSING)).any():
        msg = (
            f"{what} {name!r} is missing in {int(gap.sum()):,} rows (first: {int(gap.argmax())}, counted from 0) of "
            f"{len(labels):,}; they are not left out by themselves: take them out, or keep the others by [data] where"
        )
        raise LoadError(msg)
    indices = [_index(n) for n in labels.names]
    if classes is None and any(i is None for i in indices):
        return labels.codes, labels.names
    place = {n: i for i, n in enumerate(classes or ())}
    is_name = [n in place and not columns.is_numeric(name) for n in labels.names]
    if place and all(is_name):
        return narrowed(np.array([place[n] for n in labels.names], np.int64))[labels.codes], None
    found = np.array([_within(i, len(place)) for i in indices], np.int64)
    neither = np.flatnonzero((found < 0) & ~np.array(is_name, np.bool_))
    if len(neither):
        row = int(np.argmax(labels.codes == neither[0]))
        known = f"to {len(place) - 1} or one of the {len(place)} class names" if place else "on"
        odd = labels.names[neither[0]]
        msg = f"{what} {name!r} is {odd!r:.80} in row {row} (counted from 0); expected an index from 0 {known}"
        raise LoadError(msg)
    if (found < 0).any():
        names, numbers = (labels.names[int(np.argmax(side))] for side in (found < 0, ~np.array(is_name)))
        msg = f"{what} {name!r} mixes class names ({names!r:.80}) and indices ({numbers!r:.80}); keep to one of the two"
        raise LoadError(msg)
    return narrowed(found)[labels.codes], None


def _within(index: int | None, classes: int) -> int:
    """The index, -1 where it is none or no class has it; without classes any may."""
    return -1 if index is None or index < 0 or (classes and index >= classes) else index


def _index(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def favourable(positive: int | str | None, classes: Sequence[str]) -> int | None:
    """The index of the favourable class: as named, else 1 of two, else None (each class against the rest)."""
    if positive is None:
        return 1 if len(classes) == 2 else None
    if isinstance(positive, str) and positive in classes:
        return list(classes).index(positive)
    if isinstance(positive, int) and not isinstance(positive, bool) and 0 <= positive < len(classes):
        return positive
    names, meant = listed([f"{c!r:.{CUT}}" for c in classes], MOST_NAMED), did_you_mean(str(positive), classes)
    where = f"[data] positive = {positive!r:.80} is no class"
    msg = f"{where}; {meant}expected an index below {len(classes)} or the name of a class: {names}"
    raise UsageError(msg)
