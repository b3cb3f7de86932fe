"""The groups of an attribute that are compared, and the rows by which it is known how columns lie in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditor.by_group import MOST_GROUPS
from auditor.columns import Column
from auditor.contingency import MISSING
from auditor.integers import Integers
from auditor.registry import Context
from auditor.subject import Data
from auditor.tables.file_units import Rows, decoded

__all__ = ["Fitted", "by_lot", "fitted_to", "source_of"]

MOST_ROWS = 2000  # of a group


@dataclass(frozen=True)
class Fitted:
    """The named groups that are compared, and for each its rows (n, columns) in units of the file.

    `codes` (N,) are the groups of the audited rows, -1 for one in none of them; `caveats` say what is left out.
    """

    names: tuple[str, ...]
    codes: Integers
    rows: tuple[Rows, ...]
    caveats: tuple[str, ...] = ()


def source_of(ctx: Context, attribute: str) -> Data:
    """The data that say how columns lie in each group: the reference, where it names all of them, else the audited."""
    if ctx.reference is not None and attribute in ctx.reference.groups:
        here = set(ctx.data.groups[attribute].names) - {MISSING}
        if here <= set(ctx.reference.groups[attribute].names):
            return ctx.reference
    return ctx.data


def fitted_to(data: Data, source: Data, attribute: str, columns: Sequence[Column], smallest: int, seed: int) -> Fitted:
    """The named groups of `data` with `smallest` rows of `source` or more, the MOST_GROUPS largest of them."""
    labels, known = data.groups[attribute], source.groups[attribute]
    places = {name: np.flatnonzero(known.codes == k) for k, name in enumerate(known.names) if name != MISSING}
    large = [n for n in labels.names if n in places and len(places[n]) >= smallest]
    kept = sorted(large, key=lambda n: -len(places[n]))[:MOST_GROUPS]
    names = tuple(n for n in large if n in kept)
    code = {n: k for k, n in enumerate(names)}
    codes = np.array([code.get(n, -1) for n in labels.names], np.int64)[labels.codes]
    random = np.random.default_rng(seed)
    drawn = [np.sort(random.permutation(places[n])[:MOST_ROWS]) for n in names]
    rows = tuple(decoded(source.read(at), columns) for at in drawn)
    said = []
    if len(names) < 2:
        said.append(f"{attribute} has fewer than two groups of at least {smallest} rows: there is nothing to compare.")
    elif (left := int((codes < 0).sum())) > 0:
        why = f"is missing, has fewer than {smallest} rows or is not among the {MOST_GROUPS} largest"
        said.append(f"{attribute}: {left:,} rows are left as they are and out of the figures, as their group {why}.")
    return Fitted(names, codes, rows, tuple(said))


def by_lot(groups: Fitted, seed: int) -> Fitted:
    """Groups as large, of rows drawn by lot: between them there is no difference but chance."""
    random = np.random.default_rng(seed)
    codes, inside = groups.codes.copy(), groups.codes >= 0
    codes[inside] = random.permutation(codes[inside])
    whole = random.permutation(np.concatenate(groups.rows))
    ends = np.cumsum([len(rows) for rows in groups.rows])[:-1]
    return replace(groups, codes=codes, rows=tuple(np.split(whole, ends)))
