"""What is said beside the figures of an attacked table: what was not attacked, and where they may mislead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from auditor.lists import listed
from auditor.registry import Context
from auditor.tables.ball import Ball
from auditor.tables.constraints import Which
from auditor.tables.file_units import Rows, decoded

__all__ = ["caveats_of", "held_still", "named"]

NAMED = 8  # columns in a caveat


def caveats_of(ctx: Context, ball: Ball, x: Tensor, free: Which, blind: int, ladder: Sequence[float]) -> list[str]:
    """Caveats about rows `x` (N, F): `free` (E, N) says which can be changed at each epsilon of the `ladder`, `blind`
    how many have no gradient."""
    caveats = []
    held = held_still(ctx, ball)
    if held:
        caveats.append(f"These columns are not attacked: {named(held)}.")
    discrete = [c.name for c, d, m in zip(ctx.data.columns, ball.discrete, ball.constraints.movable, strict=True)
                if d and m]  # fmt: skip
    if discrete:
        caveats.append(
            f"A category or flag that takes another value counts as 1 deviation, and stays as it is below epsilon 1: "
            f"{listed(discrete, NAMED)}."
        )
    still = [f"{e:.3g}" for e, some in zip(ladder, free, strict=True) if not some.any()]
    if still:
        caveats.append(
            f"At epsilon {', '.join(still)} no row can be changed at all: the figure there is the clean one."
        )
    caveats += _odd_rows(ball, decoded(x, ctx.data.columns))
    if ctx.reference is None:
        caveats.append("Ranges and spreads are those of the audited data, as no reference was given.")
    if blind:
        caveats.append(
            f"At {blind:,} of {len(x):,} rows the gradient is exactly zero, so that only search and random changes "
            "attack there: the true robust accuracy may lie below the figure."
        )
    return caveats


def _odd_rows(ball: Ball, own: Rows) -> list[str]:
    """How many rows are not what the audit file says rows are, without any change."""
    constraints, n = ball.constraints, len(own)
    nowhere = np.full_like(own, np.nan)  # as if every column had changed, so that each relation is judged
    off = np.zeros(n, np.bool_)
    for relation in constraints.relations:
        off |= constraints.excess(relation, nowhere, own) != 0
    beyond = constraints.movable & ~ball.discrete & ((own < constraints.low) | (own > constraints.high))
    found = []
    if off.any():
        found.append(
            f"{int(off.sum()):,} of {n:,} rows break a relation as they are: its columns stay, or are brought onto it."
        )
    if beyond.any():
        names = [c.name for i, c in enumerate(constraints.columns) if beyond[:, i].any()]
        found.append(
            f"{int(beyond.any(1).sum()):,} of {n:,} rows lie outside a column's range as they are "
            f"({listed(names, NAMED)}): such a value stays, or moves back into the range."
        )
    return found


def held_still(ctx: Context, ball: Ball) -> dict[str, list[str]]:
    """Why columns cannot change, and which."""
    what, found = "reference" if ctx.reference is not None else "data", dict[str, list[str]]()
    for i, c in enumerate(ctx.data.columns):
        if ball.constraints.movable[i]:
            continue
        if not c.mutable:
            reason = "not mutable"
        elif ball.constraints.low[i] > ball.constraints.high[i]:
            reason = "no value of its range occurs"
        else:
            reason = f"the same in every row of the {what}, or its unit is 0"
        found.setdefault(reason, []).append(c.name)
    return found


def named(reasons: dict[str, list[str]]) -> str:
    return "; ".join(f"{listed(names, NAMED)} ({reason})" for reason, names in reasons.items())
