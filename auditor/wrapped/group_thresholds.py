"""A threshold of its own for each group (Hardt et al. 2016, arXiv:1610.02413, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import linear

from auditor.columns import Column, Labels
from auditor.errors import NotApplicable, UsageError
from auditor.subject import Data, Model
from auditor.wrapped.behind import Behind, handle_of, need_classes

__all__ = ["Thresholded", "group_thresholds", "need_table", "of_no_group", "reads_group", "with_groups"]

MOST = 100  # groups of a column
NO_TABLE = "the inputs are no rows of a table; the group of a row has a place in such a row alone"

Attribute = Annotated[str, Field(min_length=1, max_length=300)]
Groups = Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(min_length=2, max_length=MOST)]
Thresholds = Annotated[
    tuple[Annotated[float, Field(ge=-1e30, le=1e30, allow_inf_nan=False)], ...], Field(min_length=2, max_length=MOST)
]
Class = Annotated[int, Field(ge=0)]


def group_thresholds(
    model: Model, *, attribute: Attribute, groups: Groups, thresholds: Thresholds, positive: Class
) -> Model:
    """The model whose favourable class `positive` needs a lead of its own in each of the `groups` of `attribute`.

    `thresholds` are leads over every other class, in logits: 0 is the plain threshold of one half, 1 that of
    1 / (1 + e**-1) = .73 of two classes. Inputs (N, F + G) end with one element a group, 1 where the row is of it (see
    `with_groups`); a row of none of them has the plain threshold. The logit of `positive` is lowered by its group's
    lead, so that within a group the order of the rows stays, while probabilities are no longer those that the model was
    fitted to give. UsageError for groups and thresholds that do not fit, NotApplicable for a model that returns a value
    or does not read rows of a table.
    """
    need_classes(model, "a threshold of each group")
    low, high = (torch.as_tensor(b, dtype=torch.float32) for b in model.bounds)
    if low.ndim != 1:
        raise NotApplicable(NO_TABLE)
    if len(groups) != len(thresholds) or len(set(groups)) != len(groups) or positive >= len(model.classes):
        msg = (
            f"a wrapper has {len(thresholds)} thresholds for {len(groups)} groups, {len(set(groups))} of them "
            f"different, of class {positive:,}; expected one for each of different groups, and one of "
            f"{len(model.classes)} classes"
        )
        raise UsageError(msg)
    shifts = torch.zeros(len(model.classes), len(groups))
    shifts[positive] = -torch.tensor(thresholds)
    none = torch.zeros(len(groups))
    unit = torch.as_tensor(model.unit, dtype=torch.float32).expand_as(low)
    bounds = torch.cat([low, none]), torch.cat([high, none + 1])
    module = Thresholded(model, attribute, groups, shifts)
    return handle_of(module, bounds=bounds, unit=torch.cat([unit, none]))


class Thresholded(Behind):
    """The model with its logits moved by what the group of a row asks for: `shifts` (C, G)."""

    shifts: Tensor

    def __init__(self, model: Model, attribute: str, groups: Sequence[str], shifts: Tensor) -> None:
        super().__init__(model)
        self.attribute, self.groups = attribute, tuple(groups)
        self.register_buffer("shifts", shifts.to(model.device), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, C) for inputs (N, F + G)."""
        own = x.shape[1] - len(self.groups)
        return self.asked(x[:, :own]) + linear(x[:, own:].float(), self.shifts)


# ---- the data that such a model reads ----------------------------------------------------------------------------
def need_table(data: Data) -> None:
    """NotApplicable where the inputs are no rows of a table, in which alone the group of a row has a place."""
    if not data.columns:
        raise NotApplicable(NO_TABLE)


def with_groups(data: Data, attribute: str, groups: Sequence[str]) -> Data:
    """`data` whose inputs end with one element a group of its column `attribute`: 1 where a row is of it, else 0.

    They are a category of that name among its columns, which nobody may change. NotApplicable where the inputs are no
    rows of a table; UsageError where `data` has no such groups.
    """
    need_table(data)
    if attribute not in data.groups:
        msg = f"the wrapper reads the column {attribute!r:.80} of each row, which [data] sensitive must name"
        raise UsageError(msg)
    labels, end, read = data.groups[attribute], data.columns[-1].stop, data.read
    member = torch.from_numpy((_places(labels, groups)[:, None] == np.arange(len(groups))).astype(np.float32))
    column = Column(attribute, end, end + len(groups), "category", tuple(groups), mutable=False)
    return replace(
        data,
        read=lambda rows: torch.cat([read(rows), member[torch.from_numpy(rows)]], 1),
        columns=(*data.columns, column),
    )


def reads_group(attribute: str) -> str:
    """What whoever signs for such a model must know of it."""
    return (
        f"The wrapper reads the column {attribute!r:.80} of each row to decide; without it a row is answered by the "
        "plain threshold. In some places using it so is unlawful: that is for people to decide."
    )


def of_no_group(labels: Labels, groups: Sequence[str]) -> int:
    """How many rows of `labels` are of none of the `groups`."""
    return int((_places(labels, groups) < 0).sum())


def _places(labels: Labels, groups: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(N,) where the group of each row stands among `groups`, -1 where it does not."""
    known = {name: i for i, name in enumerate(groups)}
    return np.array([known.get(name, -1) for name in labels.names], np.int64)[labels.codes]
