"""fairness.slices: for which rows, by any of their columns, the model is wrong more often than for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from auditor.columns import Labels
from auditor.errors import NotApplicable
from auditor.explained.samples import is_image
from auditor.fairness.slice_columns import columns_of, slice_text
from auditor.fairness.slice_halves import FEWEST, Halves, Tested, searched_and_tested, smallest_slice
from auditor.percents import percent
from auditor.registry import Context, check
from auditor.stats import difference, rate
from auditor.types import Measure, Result, Scalar, Table

FAR = 0.8  # the share of rows that a wrong answer is further off than, where a model gives a value
SHOWN = 8
FOUND = (
    "slice", "rows searched", "wrong there", "rows tested", "error rate", "low", "high", "elsewhere", "adjusted p",
    "confirmed",
)  # fmt: skip


@check(
    "fairness.slices",
    title="Slices",
    measures=("confirmed_slices", "error_gap", "error_rate"),
    source="Sagadeeva & Boehm 2021, SIGMOD (SliceLine); Fisher 1935 (tests); Holm 1979; Newcombe 1998 (intervals)",
)
def slices(
    ctx: Context,
    *,
    top: Annotated[int, Field(ge=1, le=100)] = 10,
    depth: Annotated[int, Field(ge=1, le=3)] = 3,
    alpha: Annotated[float, Field(gt=0, le=1)] = 0.95,
) -> Result:
    """For which rows the model is wrong more often than for all others, by any of their columns and not groups alone.

    What it measures: one half of the rows is searched for slices, rows that have the same values in up to `depth`
    columns: sensitive ones, inputs, of a table of predictions all others. Numbers of more than 20 values are cut into
    four ranges. The search finds the `top` slices with the highest score of SliceLine, which weighs (`alpha`) how much
    more often a slice is wrong against how few its rows are. The other half tests them: `error_rate` of each slice (of
    all rows where no slice is named), and `error_gap`, that rate minus the rate of all other rows. A slice is confirmed
    where it is wrong more often than all other rows, and each of its values has a part in that: it is wrong more often,
    too, than the other rows of every slice that lacks one of them. Chance confirms one in one of twenty audits at most,
    however many are tested. `confirmed_slices` is their number. Of a model that gives a value, the fifth of the rows
    that is furthest off counts as wrong.

    How to read it: a confirmed slice names people whom the model serves worse; whether a sensitive column is part of
    its name or not, look at who they are. Only figures of the second half are given as measures: what was sought for
    its errors looks worse on the half it was found on.

    When it misleads: none confirmed is no evidence that there is none. By its score a slice of a tenth of the rows is
    found only when it is wrong 1.5 times as often as all, one of a hundredth 6.2 times; a higher `alpha` finds smaller
    ones. Slices overlap: of one that is wrong often, many others hold a part. The test takes rows for independent,
    which several rows of one person are not. Who gets the favourable answer is not searched for: over all columns that
    finds what the model decides by.
    """
    n = len(ctx.data)
    if n < FEWEST:
        msg = f"the data has {n} rows; at least {FEWEST} are needed to search one half of them and test the other"
        raise NotApplicable(msg)
    columns, more = columns_of(ctx)
    if not columns:
        msg = f"{_no_inputs(ctx)}, and the audit file names no sensitive columns: there is nothing to slice rows by"
        raise NotApplicable(msg)
    fewest = 2 * smallest_slice(n // 2)
    known = {name: _frequent(labels, fewest) for name, labels in columns.items()}
    if not any(known.values()):
        msg = f"no column has a value that {fewest} rows or more have and others have not: there are no slices"
        raise NotApplicable(msg)
    wrong, how = _wrong(ctx)
    codes = [labels.codes for labels in columns.values()]
    found = searched_and_tested(codes, wrong, seed=ctx.seed, top=top, depth=depth, alpha=alpha)
    confirmed = sum(t.confirmed for t in found.slices)
    measures = [
        Measure("confirmed_slices", "", confirmed, found.tested[1], better="lower"),
        rate("error_rate", *found.tested, better="lower"),
    ]
    rows: list[tuple[Scalar, ...]] = []
    for t in found.slices:
        name = slice_text(columns, t.slice.where)
        inside = rate("error_rate", *t.inside, slice=name, better="lower")
        measures += [inside, difference("error_gap", t.inside, t.rest, slice=name)]
        rows.append(_row(name, t, inside))
    tables = (Table("Slices found", FOUND, tuple(rows)), _searched(columns, known))
    left_out = [f"{more} columns are left out: at most {len(columns)} are searched."] if more else []
    return Result(tuple(measures), tables, (), (*how, *_about(ctx, found), *left_out))


def _frequent(labels: Labels, fewest: int) -> list[str]:
    """The values that so many rows have, and not all."""
    sizes = np.bincount(labels.codes[labels.codes >= 0], minlength=len(labels.names)).tolist()
    return [name for name, n in zip(labels.names, sizes, strict=True) if fewest <= n < len(labels)]


def _no_inputs(ctx: Context) -> str:
    """Why the columns of the inputs are not among those searched; "" where they are."""
    if ctx.model is None:
        return "" if ctx.data.others is not None else "the audit has predictions only, without further columns"
    if ctx.columns:
        return ""
    return f"the inputs are {'texts' if ctx.is_text else 'images' if is_image(ctx) else 'no rows of columns'}"


def _wrong(ctx: Context) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], list[str]]:
    """(N,) whether each answer is wrong, and what must be said of that."""
    values, said = ctx.predictions.values, []
    if values is None:
        wrong = ~ctx.right
    else:
        off = np.abs(values.astype(np.float64) - ctx.data.y)
        limit = float(np.quantile(off, FAR, method="lower"))
        wrong = off > limit
        said.append(
            f"An answer counts as wrong where it is more than {limit:.4g} off: {percent(wrong.mean())} of them are."
        )
    if ctx.model is not None and ctx.model.rejects:
        said.append("The model may reject a row: that counts as a wrong answer.")
    if wrong.all() or not wrong.any():
        said.append(f"The model is {'wrong' if wrong.any() else 'right'} in every row: no slice differs from the rest.")
    return wrong, said


def _row(name: str, t: Tested, inside: Measure) -> tuple[Scalar, ...]:
    there = (t.slice.rows, t.slice.wrong / t.slice.rows)
    elsewhere = rate("error_rate", *t.rest).value
    return (name, *there, inside.n, inside.value, inside.low, inside.high, elsewhere, t.p, t.confirmed)


def _searched(columns: Mapping[str, Labels], known: Mapping[str, Sequence[str]]) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for name, labels in columns.items():
        some = ", ".join(known[name][:SHOWN]) + (", ..." if known[name][SHOWN:] else "")
        rows.append((name, len(np.unique(labels.codes[labels.codes >= 0])), len(known[name]), some))
    return Table("Columns searched", ("column", "values", "frequent enough", "such as"), tuple(rows))


def _about(ctx: Context, found: Halves) -> list[str]:
    """What was searched and what was not."""
    searched, tested = found.searched[1], found.tested[1]
    said = f"{found.scored:,} slices of at least {smallest_slice(searched)} rows were scored on {searched:,} rows"
    said += f", {len(found.slices)} tested on the {tested:,} others. What the first half shows is too high, as it was "
    said += "sought for that: it is not to be quoted."
    return [said, *([f"Only sensitive columns are searched: {_no_inputs(ctx)}."] if _no_inputs(ctx) else [])]
