"""[[relations]] of an audit file as relations between the columns of its data."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.columns import Column, Relation
from auditor.config import RelationSpec
from auditor.errors import UsageError

__all__ = ["relations_of"]


def relations_of(specs: Sequence[RelationSpec], columns: Sequence[Column], file: str) -> tuple[Relation, ...]:
    """The relations between `columns` of the data file `file`, flags counting as their 0 or 1.

    UsageError for a name that is no input column, and for a category.
    """
    places = {column.name: i for i, column in enumerate(columns)}
    for spec in specs:
        for name in spec.weights:
            if name not in places:
                msg = f"[[relations]] names {name!r}, which is no input column of {file!r}; it has: {', '.join(places)}"
                raise UsageError(msg)
            if columns[places[name]].kind == "category":
                msg = f"[[relations]] names {name!r}, which is a category; expected numbers and flags"
                raise UsageError(msg)
    return tuple(
        Relation(tuple((places[name], weight) for name, weight in spec.weights.items()), spec.equals, spec.at_most)
        for spec in specs
    )
