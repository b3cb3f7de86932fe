"""Which columns of a table make the vector that a model takes: by counting, since weights know widths and no names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from app.initialising.columns import Seen
from app.initialising.roles import Roles
from auditor.contingency import MISSING

__all__ = ["Inputs", "inputs_of"]

LARGE = 10.0  # numbers of this size are seldom given to a network as they are
FEWEST_OF_CATEGORY = 2


@dataclass(frozen=True, slots=True)
class Inputs:
    """The columns in order, each with the categories it is told apart by (() for a number or a flag).

    `width` is what they make. `fits` is None where the model says no width; `others` says in words which other columns
    would make the same.
    """

    columns: tuple[tuple[Seen, tuple[str, ...]], ...]
    width: int
    fits: bool | None
    others: tuple[str, ...] = ()

    @property
    def has_categories(self) -> bool:
        """Whether some columns become several elements."""
        return any(values for _, values in self.columns)

    @property
    def is_large(self) -> bool:
        """Whether some numbers are so large or small that a network was probably trained on standardised ones."""
        return any(c.kind == "number" and (c.std > LARGE or abs(c.mean) > LARGE) for c, _ in self.columns)

    @property
    def needs_blocks(self) -> bool:
        """Whether a plain list of columns read as numbers would not do."""
        flags = (c for c, _ in self.columns if c.kind == "flag")
        return self.has_categories or any(not v.isdigit() for c in flags for v in c.names)


def inputs_of(columns: Sequence[Seen], roles: Roles, width: int | None) -> Inputs:
    """The columns that make `width` elements, the plainest choice first; the plainest one where none does."""
    target = roles.target.column.name if roles.target.column else ""
    left = [c for c in columns if c.name != target and c.name not in roles.where and c.kind in KINDS]
    choices = list(_choices(left, roles))
    if width is None:
        return Inputs(choices[0][1], _width(choices[0][1]), None)
    fitting = [(what, chosen) for what, chosen in choices if _width(chosen) == width]
    if not fitting:
        return Inputs(choices[0][1], _width(choices[0][1]), fits=False, others=tuple(_counts(choices)))
    different = {tuple(c.name for c, _ in chosen): what for what, chosen in reversed(fitting)}
    first = tuple(c.name for c, _ in fitting[0][1])
    others = tuple(what for names, what in different.items() if names != first)
    return Inputs(fitting[0][1], width, fits=True, others=others)


KINDS = ("number", "flag", "category")
Choice = tuple[tuple[Seen, tuple[str, ...]], ...]


def _choices(left: Sequence[Seen], roles: Roles) -> Iterator[tuple[str, Choice]]:
    """Numbers alone, then with categories; each without sensitive columns, then with them; row numbers last."""
    persons = {c.name for c in roles.sensitive} | set(roles.offered)
    for keep_ids, by_category, with_gaps, keep_persons in product((False, True), repeat=4):
        if with_gaps and not by_category:
            continue
        kept = [c for c in left if keep_persons or c.name not in persons]
        kept = [c for c in kept if keep_ids or c.name not in roles.identifiers]
        numbers = [(c, ()) for c in kept if c.is_numeric]
        sorted_out = [(c, _values(c, with_gaps=with_gaps)) for c in kept if c.kind == "category"] if by_category else []
        words = "numbers and categories" if by_category else "numbers"
        words += " (a gap is a category)" if with_gaps else ""
        words += f", {'with' if keep_persons else 'without'} sensitive columns"
        yield words + (", with row numbers" if keep_ids and roles.identifiers else ""), (*numbers, *sorted_out)


def _values(column: Seen, *, with_gaps: bool) -> tuple[str, ...]:
    return (*column.names, MISSING) if with_gaps and column.gaps else column.names


def _width(chosen: Choice) -> int:
    return sum(len(values) or 1 for _, values in chosen)


def _counts(choices: Sequence[tuple[str, Choice]]) -> Iterator[str]:
    """What each choice would make, each width once."""
    seen = set[int]()
    for what, chosen in choices:
        if (width := _width(chosen)) not in seen:
            seen.add(width)
            yield f"{what}: {width:,}"
