"""What the model answers to rows as they are, and to the same rows with missing values filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from auditor.columns import Column, Labels
from auditor.integers import Integers
from auditor.missing.asked import asked
from auditor.missing.fill import filled
from auditor.missing.patterns import SHARES, Draws, draws_of
from auditor.subject import Data, Model

__all__ = ["ALL", "KINDS", "Answers", "answers_of", "at_group"]

Values = np.ndarray[Any, np.dtype[np.float64]]
Key = tuple[str, float]
KINDS: dict[str, Callable[[Draws, float], Any]] = {
    "random": Draws.scattered,
    "column-block": Draws.run,
    "row-block": Draws.outage,
}
ALL = 1.0  # the share at which a column is missing in every row


@dataclass(frozen=True)
class Answers:
    """Answers to N rows `row_ids` (N,) with targets `y` (N,): class indices or values, NaN where there is none.

    `clean` (N,) of the rows as they are, `kinds` (N,) by kind of missingness and share of the values, `columns` (N,) by
    the position of the one column that is missing and the share of rows that lack it, 1 for all of them. `values` says
    that the model gives values.
    """

    row_ids: Integers
    y: Values
    clean: Values
    kinds: Mapping[Key, Values]
    columns: Mapping[tuple[int, float], Values]
    values: bool

    def scores(self, answers: Values) -> Values:
        """(N,) 1 where the class is right, else 0; of values the absolute error, infinite without an answer."""
        if not self.values:
            return np.asarray(answers == self.y, np.float64)
        return np.nan_to_num(np.abs(answers - self.y), nan=np.inf, posinf=np.inf)


def answers_of(
    model: Model, data: Data, columns: Sequence[Column], one_by_one: Sequence[int], fill: Tensor, size: int, seed: int
) -> Answers:
    """The answers to all rows of `data`, at most `size` at once; `one_by_one` are the columns that go missing alone."""
    clean: list[Values] = []
    kinds: dict[Key, list[Values]] = {(kind, s): [] for kind in KINDS for s in SHARES}
    alone: dict[tuple[int, float], list[Values]] = {(c, s): [] for c in one_by_one for s in (*SHARES, ALL)}
    draws = draws_of(seed, len(data), len(columns), size)
    for batch, draw in zip(data.batches(size), draws, strict=True):
        own = asked(model, batch.x)[0]
        clean.append(own)
        for (kind, share), answers in kinds.items():
            missing = KINDS[kind](draw, share)
            answers.append(asked(model, filled(batch.x, missing, columns, fill))[0])
        for c in one_by_one:
            gone = asked(model, filled(batch.x, np.arange(len(columns)) == c, columns, fill))[0]
            for share in (*SHARES, ALL):  # rows that have the column answer as they do without any gap
                alone[c, share].append(np.where(draw.cells[:, c] < share, gone, own))
    joined = {k: np.concatenate(v) for k, v in kinds.items()}, {k: np.concatenate(v) for k, v in alone.items()}
    return Answers(data.row_ids, data.y.astype(np.float64), np.concatenate(clean), *joined, model.output == "value")


def at_group(found: Answers, labels: Labels, group: int, share: float) -> Values:
    """(N,) the answers where values are missing at random in the rows of one group alone."""
    return np.where(labels.codes == group, found.kinds["random", share], found.clean)
