"""What is compared of both samples: their columns or statistics, the model's last vectors, and its answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.errors import NotApplicable
from auditor.integers import Integers
from auditor.outliers.features import answered
from auditor.registry import Context
from auditor.shifted.answers import Answers
from auditor.shifted.statistics import TEXT_STATISTICS, image_statistics, names_of_image_statistics, text_statistics
from auditor.subject import Data, Model
from auditor.tables.file_units import decoded

__all__ = ["COLUMNS", "MODEL", "STATISTICS", "Sides", "View", "sides_of"]

Values = np.ndarray[Any, np.dtype[np.float64]]
COLUMNS, MODEL, STATISTICS = "columns", "model", "statistics"


@dataclass(frozen=True)
class View:
    """One way to look at rows: matrices of the reference (N, F) and of the audited rows (M, F).

    `columns` say what each of the F is, none where nobody can name them.
    """

    name: str
    reference: Values
    audited: Values
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Sides:
    """Both samples as they are compared. `shared` of the audited rows that were looked at stand in the reference, too.

    `reference` and `audited` are the answers of a classifier, None of others; `values` a pair for each side of what a
    regression says and of its targets. For `odd` of the reference and of the audited rows there is no finite answer;
    they are in none of these.
    """

    views: tuple[View, ...]
    shared: int
    reference: Answers | None
    audited: Answers | None
    values: tuple[tuple[Values, Values], tuple[Values, Values]] | None
    odd: tuple[int, int]


def sides_of(ctx: Context, samples: int, rows: int) -> Sides:
    """The reference and the audited data; NotApplicable without a reference, or where it is the audited data itself.

    `samples` rows of each side (0: all) are looked at, `rows` of them by the model; where inputs are columns, which are
    small, the model sees all of those. Of the audited rows all answers count, which are known already.
    """
    if ctx.reference is None:
        msg = "the audit file names no reference data ([data] reference) that the audited data could be compared with"
        raise NotApplicable(msg)
    pair = [d.take(samples, ctx.seed) for d in (ctx.reference, ctx.data)]
    name, columns = _named(ctx)
    (first, digests), (second, others) = (_plain(ctx, d, columns) for d in pair)
    if len(ctx.reference) == len(ctx.data) and sorted(digests) == sorted(others) and ctx.data.shape != (0,):
        msg = "the reference is the audited data itself: there is no other data to compare them with"
        raise NotApplicable(msg)
    views = [View(name, first, second, columns)] if columns else []
    present = set(digests)
    shared = sum(d in present for d in others) if ctx.data.shape != (0,) else 0
    if ctx.model is None and ctx.is_regression:
        return Sides(tuple(views), shared, None, None, (_given_values(pair[0]), _given_values(ctx.data)), (0, 0))
    if ctx.model is None:
        return Sides(tuple(views), shared, _given(pair[0]), _given(ctx.data), None, (0, 0))
    asked = pair if name == COLUMNS else [d.take(rows, ctx.seed) for d in (ctx.reference, ctx.data)]
    vectors, outputs = _passed(ctx, ctx.model, asked[0])
    if name != COLUMNS or not columns:
        views.insert(0, View(MODEL, vectors, _passed(ctx, ctx.model, asked[1])[0]))
    fine, found = np.isfinite(outputs).all(1), ctx.predictions
    said = _floats(found.values if ctx.is_regression else found.probabilities).reshape(len(ctx.data), -1)
    known = np.isfinite(said).all(1)
    odd, y, q = (int((~fine).sum()), int((~known).sum())), asked[0].y[fine], said[known]
    if not (len(y) and len(q)):
        return Sides(tuple(views), shared, None, None, None, odd)
    if ctx.is_regression:
        values = (outputs[fine, 0], _floats(y)), (q[:, 0], _floats(ctx.data.y[known]))
        return Sides(tuple(views), shared, None, None, values, odd)
    p = torch.from_numpy(outputs[fine]).softmax(1).numpy()
    audited = Answers(found.predicted[known], q, ctx.data.y[known])
    return Sides(tuple(views), shared, Answers(p.argmax(1), p, y), audited, None, odd)


def _named(ctx: Context) -> tuple[str, tuple[Column, ...]]:
    """What is tested column by column."""
    shape = ctx.data.shape
    if ctx.is_text:
        return STATISTICS, _numbers(TEXT_STATISTICS)
    if len(shape) == 3:
        return STATISTICS, _numbers(names_of_image_statistics(shape[0]))
    return COLUMNS, ctx.columns


def _numbers(names: Sequence[str]) -> tuple[Column, ...]:
    return tuple(Column(name, i, i + 1) for i, name in enumerate(names))


def _plain(ctx: Context, data: Data, columns: tuple[Column, ...]) -> tuple[Values, list[bytes]]:
    """(N, columns) what the rows hold, and a digest of each input; one batch is in memory at a time."""
    found, digests = [], []
    for start in range(0, len(data), ctx.batch_size):
        places = np.arange(start, min(start + ctx.batch_size, len(data)))
        x = data.read(places)
        digests += [hashlib.sha256(row.numpy().tobytes()).digest() for row in x.contiguous()]
        found.append(_described(data, places, x, columns))
    return np.concatenate(found), digests


def _described(data: Data, places: Integers, x: Tensor, columns: tuple[Column, ...]) -> Values:
    if data.texts is not None:
        return text_statistics(data.texts(places))
    if x.ndim == 4:
        return image_statistics(x)
    return decoded(x, columns) if columns else np.zeros((len(x), 0))


def _passed(ctx: Context, model: Model, data: Data) -> tuple[Values, Values]:
    """(N, D) last vectors and (N, C) outputs, from one pass."""
    vectors, outputs = [], []
    with torch.no_grad():
        for batch in data.batches(ctx.batch_size):
            found = answered(model, batch.x.clone())  # a copy, since some models write into their input
            vectors.append(_floats(found.features).reshape(len(batch.y), -1))
            outputs.append(_floats(found.logits).reshape(len(batch.y), -1))
    # where a layer looks otherwise in a batch of another size, the outputs are what all rows have
    same = len({v.shape[1] for v in vectors}) == 1
    return np.concatenate(vectors if same else outputs), np.concatenate(outputs)


def _given(data: Data) -> Answers | None:
    if data.given is None:
        return None
    p = data.given.probabilities
    return Answers(data.given.predicted, None if p is None else _floats(p), data.y)


def _given_values(data: Data) -> tuple[Values, Values]:
    """What was predicted of each row, and its target."""
    return _floats(data.given.values if data.given is not None else ()), _floats(data.y)


def _floats(found: Any) -> Values:
    return np.asarray(found, np.float64)
