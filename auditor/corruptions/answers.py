"""What the model answers to corrupted rows: each row as it is, under every family and severity, and moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.attacks.handles import tolerant
from auditor.corruptions.kinds import Kind, Part
from auditor.corruptions.spatial import Place, moved
from auditor.subject import Data, Model

__all__ = ["Answers", "answers_of", "parts_of"]

Numbers = np.ndarray[Any, np.dtype[np.float64]]
NONE = -1.0


@dataclass(frozen=True)
class Answers:
    """The answers for N rows with targets `y` (N,): class indices, -1 where there is no finite answer; or values.

    `clean` (N,), `corrupted` (families, severities, N), `places` (places, N) of rows that were moved, no places where
    nothing is. `unchanged` (families, severities) counts the inputs that a corruption left as they are. `values` says
    that the model returns values.
    """

    y: Numbers
    clean: Numbers
    corrupted: Numbers
    places: Numbers
    unchanged: Numbers
    values: bool

    def scores(self, answers: Numbers) -> Numbers:
        """(..., N) 1 where the class is right and 0 where not; of values the absolute error, infinite without one."""
        if not self.values:
            return np.asarray(answers == self.y, np.float64)
        return np.nan_to_num(np.abs(answers - self.y), nan=np.inf, posinf=np.inf)

    @property
    def failing(self) -> int:
        """How many corrupted inputs the model had no finite answer for, of rows that it has one for as they are."""
        known = self._finite(self.clean)
        return int((~self._finite(self.corrupted) & known).sum() + (~self._finite(self.places) & known).sum())

    def _finite(self, answers: Numbers) -> Any:
        return np.isfinite(answers) if self.values else answers != NONE


def answers_of(
    model: Model, data: Data, kind: Kind, severities: Sequence[int], places: Sequence[Place], size: int
) -> Answers:
    """The answers for all rows of `data`, at most `size` rows of one corruption at a time through the model."""
    asked = tolerant(model)
    clean, corrupted, moved_ones = [], [], []
    unchanged = np.zeros((len(kind.families), len(severities)))
    for part in parts_of(data, size):
        clean.append(_answers(asked, part.x))
        found = np.zeros((*unchanged.shape, len(part.rows)))
        for f, corrupt in enumerate(kind.families.values()):
            for s, severity in enumerate(severities):
                x = corrupt(part, severity)
                found[f, s], unchanged[f, s] = _answers(asked, x), unchanged[f, s] + _same(x, part.x)
        corrupted.append(found)
        moved_ones.append(_moved(asked, part, places))
    return Answers(
        data.y.astype(np.float64), np.concatenate(clean), np.concatenate(corrupted, 2), np.concatenate(moved_ones, 1),
        unchanged, model.output == "value",
    )  # fmt: skip


def parts_of(data: Data, size: int) -> Iterator[Part]:
    """The rows of `data` in parts of at most `size`, each read when its turn comes."""
    for start in range(0, len(data), size):
        rows = np.arange(start, min(start + size, len(data)))
        texts = data.texts(rows) if data.texts is not None else ()
        yield Part(data.read(rows), data.row_ids[rows], texts)


def _moved(model: Model, part: Part, places: Sequence[Place]) -> Numbers:
    found = [_answers(model, moved(part.x, place, model.bounds)) for place in places]
    return np.stack(found) if found else np.zeros((0, len(part.rows)))


def _answers(model: Model, x: Tensor) -> Numbers:
    with torch.no_grad():
        outputs = model(x.clone()).cpu()  # a copy, since some models write into their input
    if model.output == "value":
        return outputs.double().numpy()
    known = outputs.isfinite().all(1)
    return torch.where(known, outputs.argmax(1).double(), NONE).numpy()


def _same(x: Tensor, own: Tensor) -> int:
    """How many rows of `x` (N, ...) are those of `own`; ids may be padded to another length."""
    if x.shape != own.shape:
        width = max(x.shape[1], own.shape[1])
        x, own = (torch.nn.functional.pad(t, (0, width - t.shape[1]), value=-1) for t in (x, own))
    return int((x == own).flatten(1).all(1).sum())
