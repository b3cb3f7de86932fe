"""What a model says of rows as they are, and as another group would have them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.attacks.handles import tolerant
from auditor.integers import Integers
from auditor.registry import Context

__all__ = ["Answers", "Changed", "Classes", "Flags", "Floats", "answers_to", "caveats_of", "changed"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Classes = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
TWICE = 64  # rows that are asked a second time


@dataclass(frozen=True)
class Answers:
    """Answers to some rows: classes `said`, -1 where there is no finite answer, and `score`, NaN there.

    The score is the probability of the favourable class, or the value of a model that gives values. `said` is None for
    such a model, `score` where no class is favourable.
    """

    said: Classes | None
    score: Floats | None

    @property
    def finite(self) -> Flags:
        """Which rows have an answer."""
        return np.asarray(self.said >= 0) if self.said is not None else np.isfinite(self._scores)

    @property
    def _scores(self) -> Floats:
        assert self.score is not None  # noqa: S101 - one of the two is there
        return self.score


def answers_to(ctx: Context, inputs: Iterable[Tensor]) -> Answers:
    """The answers to all rows of `inputs`, tensors (k, ...) each; rows that the model raises for have none."""
    model = tolerant(ctx.need_model())
    outputs = [torch.zeros(0) if ctx.is_regression else torch.zeros(0, len(ctx.classes))]  # of no rows
    with torch.no_grad():
        for x in inputs:
            outputs += [model(part.clone()).cpu() for part in x.split(ctx.batch_size)]  # some write into it
    y = torch.cat(outputs).double()
    if ctx.is_regression:
        return Answers(None, torch.where(y.isfinite(), y, torch.nan).numpy())
    fine = y.isfinite().all(1)
    said = torch.where(fine, y.argmax(1), -1).numpy()
    if ctx.data.positive is None:
        return Answers(said, None)
    return Answers(said, torch.where(fine, y.softmax(1)[:, ctx.data.positive], torch.nan).numpy())


@dataclass(frozen=True)
class Changed:
    """N rows of an attribute's groups as they are, and as each of the `groups` (K) would have them.

    `codes` (N,) are the groups of the rows; `own` answers are (N,), `made` ones (K, N), of which those count that
    `asked` (K, N) says: of rows made another group's, with a finite answer before and after. `lost` are those without
    one after. `positive` is the favourable class.
    """

    attribute: str
    groups: tuple[str, ...]
    codes: Integers
    own: Answers
    made: Answers
    asked: Flags
    lost: int
    positive: int | None

    @property
    def flips(self) -> Flags:
        """(K, N) whether the class is another one."""
        assert self.made.said is not None  # noqa: S101 - not of values
        return np.asarray(self.asked & (self.made.said != self.own.said))

    @property
    def flipped(self) -> Floats:
        """(N,) 1 where any other group would have another answer, 0 where none, NaN of rows that were not changed."""
        return np.where(self.asked.any(0), self.flips.any(0), np.nan)

    @property
    def favourable(self) -> tuple[Floats, Floats] | None:
        """(N,) whether a row has the favourable answer, and in what share of the other groups it would."""
        if self.positive is None or self.own.said is None or self.made.said is None:
            return None
        return (self.own.said == self.positive).astype(np.float64), self.mean_of(self.made.said == self.positive)

    @property
    def shift(self) -> Floats | None:
        """(N,) the mean change of the score over the other groups; None where there is no score."""
        if self.own.score is None or self.made.score is None:
            return None
        return self.mean_of(self.made.score - self.own.score)

    def mean_of(self, made: Any) -> Floats:
        """(N,) the mean of `made` (K, N) over the groups that a row was asked for; NaN for none."""
        times = self.asked.sum(0)
        total = np.where(self.asked, made, 0.0).sum(0)
        return np.where(times > 0, total / np.maximum(times, 1), np.nan)


def changed(
    ctx: Context, attribute: str, groups: tuple[str, ...], codes: Integers, own: Answers,
    inputs: Iterable[tuple[Integers, Iterable[Tensor]]],
) -> Changed:  # fmt: skip
    """The answers to rows of which `inputs` gives, for each of the `groups`, positions and what was made of them."""
    shape = (len(groups), len(codes))
    said = None if own.said is None else np.full(shape, -1, np.int64)
    score = None if own.score is None else np.full(shape, np.nan)
    tried = np.zeros(shape, np.bool_)
    for target, (at, made) in enumerate(inputs):
        if not len(at):
            continue
        found, tried[target, at] = answers_to(ctx, made), True
        if said is not None and found.said is not None:
            said[target, at] = found.said
        if score is not None and found.score is not None:
            score[target, at] = found.score
    answers = Answers(said, score)
    known = tried & own.finite
    lost = int((known & ~answers.finite).sum())
    return Changed(attribute, groups, codes, own, answers, known & answers.finite, lost, ctx.data.positive)


# ---- caveats -----------------------------------------------------------------------------------------------------
def caveats_of(ctx: Context, own: Answers, x: Tensor) -> list[str]:
    """Why changes of answers may mean little, as far as the `own` answers to inputs `x` (N, ...) say so."""
    said = []
    if ctx.is_regression:
        said.append("The model gives a value, not classes: its mean change is measured, and no share of answers.")
    elif ctx.data.positive is None:
        said.append("No class is favourable ([data] positive): answers that change are counted, not in whose favour.")
    if ctx.model is not None and ctx.model.rejects:
        said.append("The model may reject a row: that counts as an answer other than the favourable one.")
    if (lost := int((~own.finite).sum())) > 0:
        said.append(f"{lost:,} of {len(x):,} rows have no finite answer as they are and are left out.")
    if own.said is None:
        return said
    if len(x) > 1 and len(np.unique(own.said[own.finite])) == 1:
        said.append("The model gives one answer to all of these rows: what never changes says little about groups.")
    again = answers_to(ctx, [x[:TWICE]]).said
    if again is not None and (again != own.said[:TWICE]).any():
        n = int((again != own.said[:TWICE]).sum())
        said.append(f"{n} of {len(again)} answers differ from one pass to the next with nothing changed at all.")
    return said
