"""fairness.proxies: how well the model's inputs tell each sensitive group, and which columns do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from auditor.fairness.groups import Groups
from auditor.fairness.other_columns import with_other_columns
from auditor.fairness.proxies import LISTED, Told, told_by_columns, told_by_vectors
from auditor.outliers.features import answers_of
from auditor.registry import Context, check, sizes
from auditor.subject import Data
from auditor.tabular import labels_of
from auditor.types import Measure, Result, Scalar, Table
from auditor.unsaid import TOO_FEW_GROUPS

TITLE = "What tells "
MOST_ELEMENTS, FEWEST_ROWS = 20_000_000, 1000  # of wide inputs fewer rows are taken


@check(
    "fairness.proxies",
    title="Proxies",
    measures=("attribute_auc", "attribute_auc_without_itself", "column_auc", "representation_auc"),
    source="Feldman et al. 2015, arXiv:1412.3756, section 4; Newcombe 2006 (intervals); Bergsma 2013 (Cramér's V)",
)
def proxies(
    ctx: Context, *, samples: int = sizes(2000, 20_000, 0), smallest_group: Annotated[int, Field(ge=2)] = 10
) -> Result:
    """How well the model's inputs tell the group of a row, and which columns do.

    What it measures: `attribute_auc`: a small model (the mean of gradient boosting and logistic regression; of more
    than 200 columns the latter alone) learns the group from all inputs of `samples` rows (0: all), four fifths of them
    at a time, and says it of the others. The figure is how often it finds a row of the group likelier to be of it than
    a row of another: the area under the ROC curve, .5 by chance, 1 always. Where a sensitive column is itself an input,
    `attribute_auc_without_itself` is what the others tell. `column_auc` is the same from one column alone: by how often
    the group stands at the row's value (of numbers: in its range of 20) in the other rows. An attribute of two groups
    has one figure, one of more has one for each group of at least `smallest_group` rows, against all others. The table
    adds each column's Cramér's V, corrected for chance. Of images and texts `representation_auc` says how well the last
    vector on the way to the model's answer tells the group, by logistic regression: what the model has kept, not what
    an image shows. Of predictions alone the other columns of their table are taken as inputs.

    How to read it: where the interval holds .5, nothing was found. The nearer to 1, the better a model can treat groups
    differently without ever seeing the attribute: leaving it out then hides little. That a model could says nothing of
    whether it does: see `fairness.groups`, and `fairness.explanations` for the columns by which.

    When it misleads: a better model, or more rows, may find more: the figure is what was found, at least. Intervals are
    those of half of the rows, as folds share what they learn; of strong proxies they are wider than need be. The best
    of many columns is high by chance, too, and a column may tell a group because both follow from a third.
    """
    ctx.need_groups()
    if ctx.model is None:
        ctx = with_other_columns(ctx)
    data, caveats = _rows(ctx, samples)
    x = torch.cat([b.x for b in data.batches(ctx.batch_size)]) if ctx.columns else _last_vectors(ctx, data)
    measures: list[Measure] = []
    tables: list[Table] = []
    for attribute, labels in data.groups.items():
        groups = Groups.of(attribute, labels, smallest_group)
        caveats += groups.caveats
        if not groups.comparable:
            name = "attribute_auc" if ctx.columns else "representation_auc"
            measures.append(Measure(name, attribute, None, len(groups.named), better="lower", why=TOO_FEW_GROUPS))
            continue
        found = [told_by_vectors(x, groups, ctx.seed)]
        if ctx.columns:
            found, itself = told_by_columns(x, ctx.columns, labels_of(ctx.columns), groups, ctx.seed)
            caveats += _said(attribute, itself, len(ctx.columns))
        measures += [m for told in found for m in told.areas]
        tables.append(_table(groups, found))
    return Result(tuple(measures), tuple(tables), (), tuple(caveats))


def _rows(ctx: Context, samples: int) -> tuple[Data, list[str]]:
    """The rows that are taken, and a caveat where inputs are too wide for all that were asked for."""
    first = ctx.data.at(np.zeros(1, np.int64))
    width = ctx.data.shape[0] if ctx.columns else _last_vectors(ctx, first).shape[1]
    asked, most = ctx.data.take(samples, ctx.seed), max(FEWEST_ROWS, MOST_ELEMENTS // width)
    bounded = [f"{most:,} of {len(asked):,} rows are taken, as inputs are wide."] if len(asked) > most else []
    return asked.take(most, ctx.seed), bounded


def _last_vectors(ctx: Context, data: Data) -> Tensor:
    return answers_of(ctx.need_model(), data, ctx.batch_size, lambda x: x).features


def _table(groups: Groups, found: Sequence[Told]) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for told in found:
        m, group = told.areas[told.best], "" if groups.two else groups.names[told.best]
        rows.append((told.inputs, m.value, m.low, m.high, group, told.association, m.n))
    columns = ("inputs", "area", "low", "high", "of the group told best", "Cramér's V", "n")
    return Table(f"{TITLE}{groups.attribute}", columns, tuple(rows))


def _said(attribute: str, itself: Sequence[str], columns: int) -> list[str]:
    said = []
    if itself:
        named = " and ".join(itself[:3]) + (f" and {len(itself) - 3} more" if itself[3:] else "")
        said.append(f"{attribute} is itself an input ({named}): read `attribute_auc_without_itself`, what others tell.")
    if columns > LISTED:
        said.append(f"Of {columns:,} columns the {LISTED} that go with {attribute} most closely are told one by one.")
    return said
