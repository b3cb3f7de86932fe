"""Reweighing: rows weigh so much that group and label are independent (Kamiran & Calders 2012, KAIS 33:1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from auditor.errors import UsageError
from auditor.integers import Integers
from auditor.subject import Data, Model
from auditor.training.groups import NOWHERE, Attribute, Groups, grouped
from auditor.training.likelihood import by_likelihood
from auditor.training.loop import need_trainable, trained
from auditor.training.settings import Batch, Minutes, Positive, Whole
from auditor.training.watch import Hardened, Schedule, Watch

__all__ = ["reweighing", "weights_of"]

Weights = np.ndarray[Any, np.dtype[np.float64]]


def reweighing(
    model: Model,
    data: Data,
    seed: int,
    watch: Watch = Watch(),  # noqa: B008 - frozen
    *,
    attribute: Attribute = None,
    epochs: Whole = 30,
    batch: Batch = 256,
    rate: Positive = 2e-3,
    minutes: Minutes = 0.0,
) -> Hardened:
    """A copy of the model trained further on rows that weigh P(group) P(label) / P(group, label) in the cross-entropy.

    So weighted, group and label are independent in `data`, and rows weigh 1 on average. That binds the rows, not the
    model: what it answers may still differ by group. `attribute` names a sensitive column, or several whose crossing
    makes the groups; None is the first. Rows without a group, and groups that lack rows of a class, weigh 1 and are
    counted in a note. `epochs` passes in batches of `batch` rows with Adam at up to `rate`, in no more than `minutes`
    (0: any). A tenth of the rows is held out; kept is the last epoch whose weighted likelihood there is within one
    standard error of the best: `by_likelihood`. What is raised: `trained`.
    """
    need_trainable(model, data)
    groups = grouped(data, attribute)
    codes, said = _complete(groups, data.y)
    weight = torch.from_numpy(weights_of(codes, data.y)).float()
    y = torch.from_numpy(data.y)

    def loss_of(logits: Tensor, rows: Tensor) -> Tensor:
        return (weight[rows] * functional.cross_entropy(logits, y[rows], reduction="none")).mean()

    recipe = by_likelihood(loss_of, "the weighted likelihood of rows held out")
    made = trained(model, data, seed, watch, Schedule(epochs, batch, rate, minutes), recipe)
    return Hardened(made.module, (*groups.described("weigh 1"), *said, *made.notes))


def weights_of(groups: Integers, y: Integers) -> Weights:
    """The weights (N,) of rows by their groups (N,) and labels (N,): n_group n_label / (n n_both), 1 without a group.

    Where every group has rows of every label they sum to N, and make group and label independent.
    """
    table = _counted(groups, y)
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    ratio = np.divide(expected, table, out=np.ones_like(table), where=table > 0)
    return np.where(groups == NOWHERE, 1.0, ratio[groups, y])


def _complete(groups: Groups, y: Integers) -> tuple[Integers, tuple[str, ...]]:
    """The codes (N,) of groups with rows of every label, NOWHERE for the others, and a sentence that counts these.

    UsageError where fewer than two groups have them.
    """
    table = _counted(groups.codes, y)
    lacking = np.flatnonzero((table[:, table.sum(0) > 0] == 0).any(1))
    if not len(lacking):
        return groups.codes, ()
    names = ", ".join(groups.names[i] for i in lacking[:3].tolist()) + (" ..." if len(lacking) > 3 else "")
    if len(table) - len(lacking) < 2:
        msg = f"fewer than two groups of [data] reference have rows of every class; reweighing needs two (not: {names})"
        raise UsageError(msg)
    out = np.isin(groups.codes, lacking)
    said = f"Groups that lack rows of a class cannot be weighted to independence: {out.sum():,} rows weigh 1 ({names})."
    return np.where(out, NOWHERE, groups.codes), (said,)


def _counted(groups: Integers, y: Integers) -> Weights:
    """Rows with a group, by group and label."""
    table, known = np.zeros((groups.max() + 1, y.max() + 1)), groups != NOWHERE
    np.add.at(table, (groups[known], y[known]), 1)
    return table
