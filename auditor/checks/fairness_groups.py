"""fairness.groups: who gets the favourable answer, and who bears which errors."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Annotated

import numpy as np
from pydantic import Field

from auditor.contingency import MISSING, Cell, Contingency, rows_of
from auditor.errors import NotApplicable
from auditor.registry import Context, check
from auditor.scores import SCORED_ROWS, group_key, grouped
from auditor.stats import difference, rate
from auditor.types import Better, Measure, Result, Scalar, Table

RATES: dict[str, Better] = {
    "selection_rate": "neither",
    "tpr": "higher",
    "fpr": "lower",
    "fnr": "lower",
    "tnr": "higher",
    "ppv": "higher",
    "npv": "higher",
    "accuracy": "higher",
}
GAPS = {
    "demographic_parity_difference": "selection_rate",
    "equal_opportunity_difference": "tpr",
    "predictive_parity_difference": "ppv",
    "accuracy_difference": "accuracy",
}
SMALL = 30


@check(
    "fairness.groups",
    title="Groups",
    source="Hardt et al. 2016, arXiv:1610.02413; Agarwal et al. 2018, arXiv:1803.02453; Newcombe 1998 (intervals)",
)
def groups(ctx: Context, *, smallest_group: Annotated[int, Field(ge=1)] = 10) -> Result:
    """Who gets the favourable answer, and who bears which errors: for every group and every crossing of two attributes.

    What it measures: for each group `selection_rate` (share given the favourable class), `tpr` and `fnr` (share of the
    truly favourable found, missed), `fpr` and `tnr` (share of the others wrongly, rightly told), `ppv` and `npv` (share
    of favourable, unfavourable answers that are true) and `accuracy`; for each attribute the largest difference between
    two groups: `demographic_parity_difference` (selection_rate), `equal_opportunity_difference` (tpr),
    `equalized_odds_difference` (the larger of tpr and fpr), `predictive_parity_difference`, `accuracy_difference`.
    Differences are between named groups in which at least `smallest_group` rows are what a rate is about. Without a
    favourable class each class is taken in turn. A rate is None where its group has nobody it is about.

    How to read it: 0 is no difference, 1 the largest there can be. Where base rates differ, not all of these can be
    equal at once: which error matters is for people to say.

    When it misleads: the largest difference of many groups is larger than any one by chance alone; groups below 30
    rows say little.
    """
    ctx.need_classes()
    if not ctx.data.groups:
        msg = "the audit file names no sensitive columns"
        raise NotApplicable(msg)
    ctx.keep(SCORED_ROWS, ctx.data.row_ids)
    measures: list[Measure] = []
    tables: list[Table] = []
    attributes = tuple(ctx.data.groups)
    for positive in [ctx.data.positive] if ctx.data.positive is not None else range(len(ctx.classes)):
        about = "" if ctx.data.positive is not None else f"&class={ctx.classes[positive]}"
        for crossed in [*((a,) for a in attributes), *combinations(attributes, 2)]:
            table = ctx.contingency(crossed, positive)
            measures += _rates(crossed, table, about)
            if len(crossed) == 1:
                for gap, of in _gaps(crossed[0], table, about, smallest_group):
                    measures.append(gap)
                    _keep(ctx, gap, of, crossed[0], positive, smallest_group)
            tables.append(_shown(crossed, table, about))
    caveats = [*_refusals(ctx), *_small(ctx, attributes)]
    return Result(tuple(measures), tuple(tables), (), tuple(caveats))


def _slice(attributes: tuple[str, ...], group: tuple[str, ...], about: str) -> str:
    return "&".join(f"{a}={g}" for a, g in zip(attributes, group, strict=True)) + about


def _rates(attributes: tuple[str, ...], table: Contingency, about: str) -> Iterator[Measure]:
    for group, cell in table:
        for name, better in RATES.items():
            yield rate(name, *getattr(cell, name), slice=_slice(attributes, group, about), better=better)


def _gaps(attribute: str, table: Contingency, about: str, smallest: int) -> Iterator[tuple[Measure, str]]:
    """Every gap of an attribute, with the rate that it is a gap of."""
    where = f"{attribute}{about}"
    for name, of in GAPS.items():
        yield _gap(name, table, of, where, smallest), of
    either = [(_gap("equalized_odds_difference", table, of, where, smallest), of) for of in ("tpr", "fpr")]
    if all(m.value is not None for m, _ in either):
        yield max(either, key=lambda found: found[0].value or 0.0)
    else:
        yield Measure("equalized_odds_difference", where, None, table.n, better="lower"), ""


def _keep(ctx: Context, gap: Measure, of: str, attribute: str, positive: int, smallest: int) -> None:
    """Keep group and outcome of the rows that a gap is about, so that two audits of the same rows can be compared."""
    if gap.value is None:
        return
    labels = ctx.data.groups[attribute]
    about, outcome = rows_of(of, ctx.predictions.predicted == positive, ctx.data.y == positive)
    about = about & np.array([name != MISSING for name in labels.names])[labels.codes]
    large = np.bincount(labels.codes[about], minlength=len(labels.names)) >= smallest
    ctx.keep(group_key(gap.name, gap.slice), grouped(labels.codes, outcome, about & large[labels.codes]))


def _gap(name: str, table: Contingency, of: str, where: str, smallest: int) -> Measure:
    """The difference between the group with the highest and the one with the lowest rate, with its own interval."""
    counts: list[tuple[int, int]] = [getattr(cell, of) for group, cell in table if group[0] != MISSING]
    known = [(k, n) for k, n in counts if n >= smallest]
    if len(known) < 2:
        return Measure(name, where, None, table.n, better="lower")
    ordered = sorted(known, key=lambda c: c[0] / c[1])
    return difference(name, ordered[-1], ordered[0], slice=where)


def _shown(attributes: tuple[str, ...], table: Contingency, about: str) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for group, cell in table:
        shares = [_share(getattr(cell, name)) for name in RATES]
        rows.append((*group, cell.n, _share(cell.base_rate), *shares))
    title = f"By {' and '.join(attributes)}" + (f", favourable: {about.removeprefix('&class=')}" if about else "")
    return Table(title, (*attributes, "n", "base rate", *RATES), tuple(rows))


def _share(counts: tuple[int, int]) -> float | None:
    k, n = counts
    return k / n if n else None


def _refusals(ctx: Context) -> list[str]:
    """How the answers of a model are counted that may refuse to give one."""
    if ctx.model is None or not ctx.model.rejects:
        return []
    return ["The model may reject a row: that counts as an answer other than the favourable one, and as a wrong one."]


def _small(ctx: Context, attributes: tuple[str, ...]) -> list[str]:
    positive = ctx.data.positive if ctx.data.positive is not None else 0
    found: list[str] = []
    for a in attributes:
        table = ctx.contingency((a,), positive)
        named = sum(g[0] != MISSING for g, _ in table)
        if named < 2:
            found.append(f"{a} has one group only: there is nothing to compare.")
        if named > 2:
            pairs = named * (named - 1) // 2
            found.append(f"Each difference by {a} is the largest of up to {pairs} pairs: one is large by chance, too.")
        found += [f"Group {a}={g[0]} has {cell.n} rows only." for g, cell in table if _is_small(cell)]
    return found


def _is_small(cell: Cell) -> bool:
    return cell.n < SMALL
