"""Mistakes in rows of a table, made in the units of its file: noise, rounding, units, columns swapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.corruptions.draws import seed_of
from auditor.corruptions.images import Bounds
from auditor.corruptions.kinds import Corrupt, Kind, Part
from auditor.errors import NotApplicable
from auditor.lists import listed
from auditor.registry import Context
from auditor.subject import Model
from auditor.tables.file_units import Rows, decoded, encoded, said

__all__ = ["FACTORS", "NOISE", "STEPS", "table_kind"]

NOISE = (0.05, 0.1, 0.2, 0.35, 0.5)  # of a column's standard deviation
STEPS = ((3, 1), (3, 5), (2, 1), (2, 5), (1, 1))  # significant digits, and the step of the last one
FACTORS = (10.0, 0.1, 1000.0, 0.001, 1e6)
MOST, NAMED = 4096, 8  # rows that a deviation is taken from, and columns named in a caveat
Mistake = Callable[[Rows, np.random.Generator, int], Rows]


def table_kind(ctx: Context, model: Model) -> Kind:
    """The mistakes that the columns allow; NotApplicable where they allow none.

    Noise is normal, of the deviations in NOISE; rounding is to 3, 2 or 1 significant digits (severities 1, 3 and 5) and
    to steps of 5 in the last; a unit mistake multiplies one number of the row by 10, 1000 or a million (1, 3 and 5) or
    divides it by 10 or 1000; as many pairs of columns are swapped as the severity says, numbers with numbers, flags
    with flags, categories with those of the same values. Numbers that never vary stay, and values keep what the audit
    file says of their column: see `legal`. Noise and rounding stay inside the model's bounds, which are the range that
    was seen; a unit or a column that is mistaken does not.
    """
    columns, spread = ctx.data.columns, _spread(ctx)
    free = [i for i, c in enumerate(columns) if c.mutable and (c.kind != "number" or spread[i] > 0)]
    numbers = [i for i in free if columns[i].kind == "number"]
    pairs = [p for p in combinations(free, 2) if _alike(columns[p[0]], columns[p[1]])]
    mistakes: dict[str, tuple[Mistake, bool]] = {}
    if numbers:
        mistakes["noise"] = partial(_noise, numbers, spread), True
        mistakes["rounding"] = partial(_rounding, numbers), True
        mistakes["unit_mistake"] = partial(_unit_mistake, numbers), False
    if pairs:
        mistakes["swapped_columns"] = partial(_swapped, pairs), False
    if not mistakes:
        msg = "no column that may change is a number that varies, and no two of them are alike: nothing to mistake"
        raise NotApplicable(msg)
    families: dict[str, Corrupt] = {
        name: partial(_near, model.bounds, corrupt) if near else corrupt
        for name, (mistake, near) in mistakes.items()
        for corrupt in [partial(_corrupt, columns, mistake, near, name, ctx.seed)]
    }
    return Kind(families, partial(_shown, columns, families), tuple(_caveats(ctx, spread, pairs)))


def _spread(ctx: Context) -> Rows:
    """(columns,) the standard deviation of each column's finite values among the reference, else the data; 0 of one
    that never varies."""
    rows = (ctx.reference or ctx.data).take(MOST, ctx.seed)
    found = np.concatenate([decoded(b.x, ctx.data.columns) for b in rows.batches(1024)])
    known = [column[np.isfinite(column)] for column in found.T]
    return np.array([k.std() if len(k) and np.ptp(k) > 0 else 0.0 for k in known])


def _alike(a: Column, b: Column) -> bool:
    return a.kind == b.kind and a.values == b.values


# ---- one row ------------------------------------------------------------------------------------------------------
def _noise(numbers: Sequence[int], spread: Rows, row: Rows, random: np.random.Generator, severity: int) -> Rows:
    row = row.copy()
    row[numbers] += random.standard_normal(len(numbers)) * spread[numbers] * NOISE[severity - 1]
    return row


def _rounding(numbers: Sequence[int], row: Rows, _: np.random.Generator, severity: int) -> Rows:
    digits, last = STEPS[severity - 1]
    row = row.copy()
    sizes = np.abs(row[numbers])
    exponent = np.floor(np.log10(np.where(sizes > 0, sizes, 1.0))) - digits + 1
    step = last * 10.0**exponent
    row[numbers] = np.round(row[numbers] / step) * step
    return row


def _unit_mistake(numbers: Sequence[int], row: Rows, random: np.random.Generator, severity: int) -> Rows:
    row = row.copy()
    row[numbers[int(random.integers(len(numbers)))]] *= FACTORS[severity - 1]
    return row


def _swapped(pairs: Sequence[tuple[int, int]], row: Rows, random: np.random.Generator, severity: int) -> Rows:
    row = row.copy()
    for k in random.permutation(len(pairs))[:severity]:
        a, b = pairs[k]
        row[[a, b]] = row[[b, a]]
    return row


# ---- rows of the model ---------------------------------------------------------------------------------------------
def _corrupt(
    columns: Sequence[Column], mistake: Mistake, near: bool, name: str, seed: int, part: Part, severity: int
) -> Tensor:
    own = decoded(part.x, columns)
    draws = [np.random.default_rng(seed_of(seed, name, severity, int(row))) for row in part.rows]
    wanted = np.stack([mistake(row, random, severity) for row, random in zip(own, draws, strict=True)])
    return encoded(legal(own, wanted, columns, near=near), own, part.x, columns)


def _near(bounds: Bounds, corrupt: Corrupt, part: Part, severity: int) -> Tensor:
    """What a mistake makes of a part, inside `bounds`; values that are outside them already may stay."""
    low, high = (torch.as_tensor(b, dtype=part.x.dtype) for b in bounds)
    return corrupt(part, severity).clamp(torch.minimum(part.x, low), torch.maximum(part.x, high))


def legal(own: Rows, wanted: Rows, columns: Sequence[Column], *, near: bool) -> Rows:
    """(N, columns) `wanted` as far as the audit file's `integer`, `min`, `max` and `increasing_only` of a column allow.

    Values of a mistake that stays `near` are rounded and moved into the range; others that are not legal, which whoever
    reads the file would refuse, are not made: the value stays as in `own`.
    """
    low, high = (np.array([getattr(c, name) for c in columns]) for name in ("low", "high"))
    whole = np.array([c.integer for c in columns])
    low = np.where([c.increasing_only for c in columns], np.fmax(own, low), low)
    if near:
        moved = np.clip(np.where(whole, np.round(wanted), wanted), np.minimum(low, own), np.maximum(high, own))
        return np.where(wanted == own, own, moved)
    allowed = (wanted >= low) & (wanted <= high) & (~whole | (wanted == np.round(wanted)))
    return np.where(allowed, wanted, own)


def _shown(columns: Sequence[Column], families: dict[str, Corrupt], part: Part, name: str, severity: int) -> str:
    before, after = (decoded(x, columns)[0] for x in (part.x, families[name](part, severity)))
    changed = [i for i in range(len(columns)) if before[i] != after[i]]
    words = [f"{columns[i].name}: {said(before[i], columns[i])} became {said(after[i], columns[i])}" for i in changed]
    return listed(words, NAMED) or "nothing changed"


def _caveats(ctx: Context, spread: Rows, pairs: Sequence[tuple[int, int]]) -> list[str]:
    found, columns = [], ctx.data.columns
    fixed = [c.name for c, s in zip(columns, spread, strict=True) if not c.mutable or (c.kind == "number" and s == 0)]
    if fixed:
        found.append(
            f"Columns that may not change by the audit file, or never do, stay as they are: {listed(fixed, NAMED)}."
        )
    still = [c.name for c in columns if c.kind != "number" and c.mutable]
    if still:
        found.append(f"Categories and flags change by swaps alone: {listed(still, NAMED)}.")
    if not pairs:
        found.append("No two columns are of like kind, so that none were swapped.")
    held = [c.name for c in columns if c.integer or c.increasing_only or c.low > -np.inf or c.high < np.inf]
    if held:
        found.append(
            "Columns with whole numbers, a range or one direction in the audit file keep to it; a unit mistake or a "
            f"swap that would not is not made: {listed(held, NAMED)}."
        )
    if ctx.data.relations:
        found.append("Mistakes do not keep the relations of the audit file: a look at those would find such rows.")
    return found
