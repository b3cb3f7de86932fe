"""Changed rows of a table put to the model: how clearly each gets an answer that its row would accept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.integers import Integers
from auditor.subject import Model
from auditor.tables.file_units import Rows, encoded

__all__ = ["AT_ONCE", "Margins"]

CLEAR = 1e-6  # of the logits: a smaller lead may be float32's
TIE = 1e-300
AT_ONCE = 4_000_000  # values of changed rows held at once: 32 MB
Yes = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Margins:
    """The best logit among a row's `accepted` (N, classes) answers less the best of the others, above 0 where one is
    given.

    `x` (N, F) are the rows as inputs and `own` (N, columns) in units of the file; `size` inputs are run at once.
    An attack takes gradients of `sight`, None: the model, and looks for a lead of more than `least`.
    """

    model: Model
    x: Tensor
    own: Rows
    accepted: Tensor
    columns: Sequence[Column]
    size: int
    sight: Model | None = None
    least: float = 0.0

    def __call__(self, of: Integers, rows: Rows) -> Rows:
        """(S,) margins of `rows` (S, columns), changes of the rows `of` (S,); minus infinity where there is none."""
        return self.lazily(of, lambda i: rows[i])

    def lazily(self, of: Integers, rows: Callable[[Integers], Rows]) -> Rows:
        """(S,) margins; `rows` gives the changed rows (k, columns) at k of the S places, some at a time."""
        found = np.zeros(len(of))
        at_once = max(self.size, AT_ONCE // len(self.columns))
        for start in range(0, len(of), at_once):
            block = np.arange(start, min(start + at_once, len(of)))
            some = rows(block)
            for i in range(0, len(block), self.size):
                part = block[i : i + self.size]
                found[part] = self._margins(of[part], self._logits(of[part], some[i : i + self.size]))
        return found

    def inputs_and_answers(self, of: Integers, rows: Rows) -> tuple[Tensor, Integers, Yes]:
        """Inputs (S, F) of changed rows, the classes (S,) that they get, and whether those are accepted (S,)."""
        x, answers = [self.x[:0]], [np.zeros(0, np.int64)]
        for start in range(0, len(of), self.size):
            part = np.arange(start, min(start + self.size, len(of)))
            x.append(self.inputs(of[part], rows[part]))
            answers.append(self._logits(of[part], rows[part]).argmax(1).numpy())
        given = np.concatenate(answers)
        return torch.cat(x), given, self.accepted.numpy()[of, given]

    def decided(self, of: Integers, rows: Rows) -> Rows:
        """(S,) margins of `rows` less `least`, infinite where the model has no answer.

        Where any lead will do, a tie that the first of the classes decides for an accepted one counts as TIE: trees
        that vote tie often.
        """
        found = np.zeros(len(of))
        for part, logits in self._answers(of, rows):
            inside, outside = self._best(of[part], logits)
            tie = (inside == outside) & self._accepts(of[part], logits) & (self.least == 0)
            found[part] = np.where(tie.numpy(), TIE, self._margins(of[part], logits) - self.least)
            found[part[~logits.isfinite().all(1).numpy()]] = np.inf
        return found

    def turned(self, of: Integers, rows: Rows) -> Yes:
        """(S,) whether one plain forward pass gives `rows` an accepted class, or no answer: NaN or infinity."""
        found = np.zeros(len(of), np.bool_)
        for part, logits in self._answers(of, rows):
            found[part] = (self._accepts(of[part], logits) | ~logits.isfinite().all(1)).numpy()
        return found

    def _answers(self, of: Integers, rows: Rows) -> Iterator[tuple[Integers, Tensor]]:
        for start in range(0, len(of), self.size):
            part = np.arange(start, min(start + self.size, len(of)))
            yield part, self._logits(of[part], rows[part])

    def _accepts(self, of: Integers, logits: Tensor) -> Tensor:
        return self.accepted[torch.from_numpy(of)].gather(1, logits.argmax(1)[:, None])[:, 0]

    def inputs(self, of: Integers, rows: Rows) -> Tensor:
        """(S, F) input vectors of `rows` (S, columns), changes of the rows `of` (S,)."""
        return encoded(rows, self.own[of], self.x[of], self.columns)

    def _logits(self, of: Integers, rows: Rows) -> Tensor:
        with torch.no_grad():
            return self.model(self.inputs(of, rows)).cpu()

    def _margins(self, of: Integers, logits: Tensor) -> Rows:
        inside, outside = self._best(of, logits)
        largest = torch.maximum(inside.abs(), outside.abs())
        margin = inside - outside - CLEAR * torch.where(largest.isfinite(), largest, 0.0)
        return np.asarray(torch.where(margin.isnan(), -torch.inf, margin).numpy())

    def _best(self, of: Integers, logits: Tensor) -> tuple[Tensor, Tensor]:
        """(S,) the best logit among the accepted answers, and among the others."""
        accepted = self.accepted[of]
        inside, outside = (logits.masked_fill(m, -torch.inf).amax(1).double() for m in (~accepted, accepted))
        return inside, outside
