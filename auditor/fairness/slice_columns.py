"""The columns of an audit by which its rows can be sliced, as names: sensitive ones, inputs, others of its table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from torch import Tensor

from auditor.columns import Column, Labels
from auditor.contingency import MISSING
from auditor.data.columns import Numbers
from auditor.data.groups import BINS_ABOVE, quartiles
from auditor.registry import Context
from auditor.tables.file_units import decoded, said

__all__ = ["columns_of", "slice_text"]

MOST_COLUMNS = 60
NO_TEXT = "(empty)"
PLAIN = str.maketrans("=&", ":+")
TORN = re.compile(r"&[^&=]+[=@]")  # what would read as the next part of a slice
Make = Callable[[], Labels]


def columns_of(ctx: Context) -> tuple[dict[str, Labels], int]:
    """The first MOST_COLUMNS columns by name, sensitive ones first, and how many more there are.

    Numbers with many values are ranges named by their edges. A missing value is a value like others, but in a sensitive
    column, where its code is -1. Names and values are such that a slice can be read back from `slice_text`.
    """
    found = {_name(name): _known(_plain(labels)) for name, labels in ctx.data.groups.items()}
    rest = [(name, make) for name, make in (_inputs(ctx) | _others(ctx)).items() if name not in ctx.data.groups]
    every = len(found) + len(rest)
    for name, make in rest:
        if len(found) < MOST_COLUMNS and _name(name) not in found:
            found[_name(name)] = make()
    return found, every - len(found)


def slice_text(columns: Mapping[str, Labels], where: Sequence[tuple[int, int]]) -> str:
    """The slice of these places of columns with their codes, such as `age=over 37 to 48&education=HS-grad`."""
    every = list(columns.items())
    return "&".join(f"{every[column][0]}={every[column][1].names[code]}" for column, code in where)


def _inputs(ctx: Context) -> dict[str, Make]:
    """The columns of the model's inputs, none where these are no rows of columns."""
    columns = ctx.columns if ctx.model is not None else ()
    if not columns:
        return {}
    x = ctx.data.read(np.arange(len(ctx.data)))
    return {c.name: partial(_of_input, x, c) for c in columns}


def _of_input(x: Tensor, column: Column) -> Labels:
    return _named(decoded(x, [column])[:, 0], column)


def _others(ctx: Context) -> dict[str, Make]:
    """The further columns of a table of predictions."""
    given = ctx.data.others() if ctx.data.others is not None else {}
    return {name: partial(_of_other, name, column) for name, column in given.items()}


def _of_other(name: str, column: Labels | Numbers) -> Labels:
    return _plain(column) if isinstance(column, Labels) else _named(column, Column(name, 0, 1))


# ---- values as names ---------------------------------------------------------------------------------------------
def _named(values: Numbers, column: Column) -> Labels:
    """`values` (N,) in units of the file by name; ranges of them where they are numbers of many values."""
    missing = np.isnan(values)
    present = np.unique(values[~missing])
    if column.kind == "number" and len(present) > BINS_ABOVE:
        return quartiles(values).labels(values)
    names = [*(said(v, column) for v in present.tolist()), MISSING]
    codes = np.where(missing, len(present), np.searchsorted(present, values))
    return _plain(Labels(tuple(names), codes.astype(np.int64)))


def _plain(labels: Labels) -> Labels:
    """The same with names that can stand in a slice; those that become the same are one value."""
    names = [(n.translate(PLAIN) if TORN.search(n) else n) or NO_TEXT for n in labels.names]
    place = {n: i for i, n in enumerate(dict.fromkeys(names))}
    return Labels(tuple(place), np.array([place[n] for n in names], np.int64)[labels.codes])


def _name(column: str) -> str:
    """A column's name as it can stand in a slice."""
    return column.translate(PLAIN) or NO_TEXT


def _known(labels: Labels) -> Labels:
    """The same with the code -1 for what is missing."""
    if MISSING not in labels.names:
        return labels
    codes = labels.codes.astype(np.int64)
    return Labels(labels.names, np.where(codes == labels.names.index(MISSING), -1, codes))
