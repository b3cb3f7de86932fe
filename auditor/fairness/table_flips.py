"""Rows of a table as another group would have them: the attribute changed, and with it the columns that go with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from auditor.fairness.associated import Association, associations
from auditor.fairness.changed import Answers, Changed, answers_to, caveats_of, changed
from auditor.fairness.fitted import Fitted, by_lot, fitted_to, source_of
from auditor.fairness.flip_figures import Flips, against_chance
from auditor.fairness.moves import Values, as_group
from auditor.fairness.moving import moves_of, table_of
from auditor.integers import Integers
from auditor.registry import Context, derive_seed
from auditor.subject import Data
from auditor.tables.file_units import Rows, decoded, encoded
from auditor.types import Measure

__all__ = ["table_flips"]

PROXIES = "_with_proxies"


@dataclass(frozen=True)
class Held:
    """The audited rows: inputs (N, F), the same in units of the file (N, columns), answers, and draws (N, columns)."""

    x: torch.Tensor
    rows: Rows
    own: Answers
    draws: Values


def table_flips(ctx: Context, samples: int, smallest: int) -> Flips:
    """Every sensitive attribute of `samples` rows changed, among groups of `smallest` rows or more."""
    data = ctx.data.take(samples, ctx.seed)
    x, random = data.read(np.arange(len(data))), np.random.default_rng(derive_seed(ctx.seed, "draws"))
    rows = decoded(x, ctx.columns)
    held = Held(x, rows, answers_to(ctx, [x]), np.asarray(random.random(rows.shape)))
    flips = Flips(data.row_ids)
    flips.caveats += [*caveats_of(ctx, held.own, x), *_about(ctx)]
    for attribute in data.groups:
        _add(ctx, flips, held, data, attribute, smallest)
    return flips


def _add(ctx: Context, flips: Flips, held: Held, data: Data, attribute: str, smallest: int) -> None:
    """Take up the figures of one attribute."""
    groups = fitted_to(data, source_of(ctx, attribute), attribute, ctx.columns, smallest, ctx.seed)
    flips.caveats += groups.caveats
    own = [i for i, c in enumerate(ctx.columns) if c.name == attribute]
    if len(groups.names) < 2:
        names = [*(["flip_rate"] if own else []), f"flip_rate{PROXIES}"]
        n, why = len(data), "the rows have no two groups of it"
        flips.measures += [Measure(name, attribute, None, n, better="lower", why=why) for name in names]
        return
    others = [i for i in range(len(ctx.columns)) if i not in own]
    tested = associations(ctx.columns, others, list(groups.rows))
    proxies = [a for a in tested if a.found]
    if own:
        flips.add(_changed(ctx, held, attribute, groups, own), "", f"{attribute} changed, everything else the same")
    found = _changed(ctx, held, attribute, groups, [*own, *(a.column for a in proxies)])
    flips.add(found, PROXIES, f"{attribute} changed with its proxies")
    if proxies:
        _add_moves(ctx, flips, held, groups, proxies, found)
    else:
        flips.caveats.append(
            f"None of {len(tested)} input columns that vary goes with {attribute} beyond chance: none is moved."
        )


def _add_moves(
    ctx: Context, flips: Flips, held: Held, groups: Fitted, proxies: Sequence[Association], found: Changed
) -> None:
    """Take up the columns that were moved and how far, and what moves between groups drawn by lot change."""
    attribute, which = found.attribute, [a.column for a in proxies]
    lots = _changed(ctx, held, attribute, by_lot(groups, derive_seed(ctx.seed, attribute)), which)
    flips.measures += against_chance(found, lots)
    moves = moves_of(which, ctx.data.relations, held.rows, groups.codes, _made(ctx, held, groups, which))
    title = f"Columns that go with {attribute}"
    flips.tables.append(table_of(title, ctx.columns, proxies, moves, held.rows))
    if moves.broken:
        flips.caveats.append(
            f"Moved to another group of {attribute}, {moves.broken:,} rows no longer keep the relations of the audit "
            "file, as columns move one by one."
        )


def _made(ctx: Context, held: Held, groups: Fitted, which: Sequence[int]) -> Iterator[Rows]:
    """The rows as each group in turn would have them; one at a time, as they may be large."""
    for target in range(len(groups.names)):
        yield as_group(held.rows, groups.codes, target, groups.rows, ctx.columns, which, held.draws)


def _changed(ctx: Context, held: Held, attribute: str, groups: Fitted, which: Sequence[int]) -> Changed:
    def inputs() -> Iterator[tuple[Integers, list[torch.Tensor]]]:
        for target, made in enumerate(_made(ctx, held, groups, which)):
            at = np.flatnonzero((groups.codes >= 0) & (groups.codes != target))
            yield at, [encoded(made[at], held.rows[at], held.x[torch.from_numpy(at)], ctx.columns)]

    return changed(ctx, attribute, groups.names, groups.codes, held.own, inputs())


def _about(ctx: Context) -> list[str]:
    """Which attributes are no inputs, and where it is known from how columns lie in each of their groups."""
    said, names = [], {c.name for c in ctx.columns}
    absent = [a for a in ctx.data.groups if a not in names]
    if absent:
        said.append(f"No input of the model, and changed by the columns alone that go with it: {', '.join(absent)}.")
    by_reference = [a for a in ctx.data.groups if source_of(ctx, a) is ctx.reference]
    if by_reference:
        said.append(f"How columns lie in each group is taken from the reference data: {', '.join(by_reference)}.")
    others = [a for a in ctx.data.groups if a not in by_reference]
    if others:
        where = "the audited data themselves, as no reference data name these groups"
        said.append(f"How columns lie in each group is taken from {where}: {', '.join(others)}.")
    return said
