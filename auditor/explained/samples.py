"""The rows that explanations show: the same for every method, with the pictures, bars and words the report draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.errors import NotApplicable
from auditor.integers import Integers
from auditor.registry import Context
from auditor.subject import Model
from auditor.types import Image, Scalar, Table
from auditor.words import Words

__all__ = [
    "SHOWN",
    "SPECIAL",
    "Sample",
    "bars",
    "explained_samples",
    "heatmap",
    "is_image",
    "need_explainable",
    "need_pictures_or_columns",
    "original",
    "pixels",
    "word_table",
    "words_of",
]

SHOWN = 12
MOST_COLUMNS = 4096
SPECIAL = "(special tokens)"
Map = np.ndarray[tuple[int, int], np.dtype[np.float32]]


@dataclass(frozen=True)
class Sample:
    """One row to explain: its number in the file, input, predicted class and that class's probability.

    `title` names it in the report, the same for every method; `answer` is what is explained: the class by its name, or
    the value of a model without classes, whose `predicted` is 0 and whose `probability` is None.
    """

    row: int
    x: Tensor
    predicted: int
    probability: float | None
    title: str
    answer: str


def explained_samples(ctx: Context, n: int) -> list[Sample]:
    """`n` rows (0: all), errors first, made once for all checks; see `Context.explained`."""
    key = f"explained {n}"
    if key not in ctx.shared:
        ctx.shared[key] = _explained(ctx, ctx.explained(n))
    return list(ctx.shared[key])


def _explained(ctx: Context, rows: Integers) -> list[Sample]:
    model = ctx.need_model()
    samples = []
    with torch.no_grad():
        for batch in ctx.data.at(rows).batches(ctx.batch_size):
            outputs = model(batch.x.clone()).cpu()  # a copy, since some models write into their input
            if ctx.is_regression:
                samples += [
                    Sample(int(row), x, 0, None, f"row {row}: {y:.4g}, called {value:.4g}", f"the value {value:.4g}")
                    for row, x, y, value in zip(batch.row_ids, batch.x, batch.y, outputs, strict=True)
                ]
                continue
            p = outputs.softmax(1)
            for i in range(len(batch.y)):
                predicted, actual = int(p[i].argmax()), int(batch.y[i])
                called = f", called {model.classes[predicted]}" if predicted != actual else ""
                row, probability = int(batch.row_ids[i]), float(p[i, predicted])
                title = f"row {row}: {model.classes[actual]}{called} ({probability:.2f})"
                samples.append(Sample(row, batch.x[i], predicted, probability, title, model.classes[predicted]))
    return samples


def is_image(ctx: Context) -> bool:
    """Whether inputs are images (C, H, W)."""
    return len(ctx.data.shape) == 3


def need_explainable(ctx: Context) -> None:
    """NotApplicable where inputs are neither images nor texts nor rows of columns, or of too many columns."""
    if ctx.is_text:
        _need_words(ctx)
    else:
        need_pictures_or_columns(ctx)


def need_pictures_or_columns(ctx: Context) -> None:
    """NotApplicable where inputs are neither images nor rows of columns, or of too many to be told one by one."""
    if ctx.is_text:
        msg = "the inputs are texts; this explains images and rows of columns"
        raise NotApplicable(msg)
    ctx.need_model()
    if not is_image(ctx) and len(ctx.columns) > MOST_COLUMNS:
        msg = f"inputs of {len(ctx.columns):,} columns; at most {MOST_COLUMNS:,} are explained one by one"
        raise NotApplicable(msg)
    if not is_image(ctx) and not ctx.columns:
        msg = f"inputs of shape {' x '.join(map(str, ctx.data.shape))} are neither images nor rows of columns"
        raise NotApplicable(msg)


# ---- images ------------------------------------------------------------------------------------------------------
def original(ctx: Context, sample: Sample) -> Image:
    """The sample itself as a picture."""
    name = ctx.keep(f"row-{sample.row}", pixels(ctx.need_model(), sample.x), folder="samples")
    return Image(sample.title, name, "original", f"The image of {sample.title}")


def heatmap(ctx: Context, sample: Sample, shares: Tensor, words: str) -> Image:
    """A map (h, w) to be drawn over the sample; `words` say what it is and what it is worth."""
    values: Map = shares.detach().float().numpy()
    name = ctx.keep(f"row-{sample.row}", values)
    return Image(sample.title, name, "map", f"{words}; {_where(values)}")


def pixels(model: Model, x: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(H, W, 3) bytes of an image (C, H, W), its bounds as black and white; other than 3 channels as their mean."""
    low, high = (torch.as_tensor(b, dtype=x.dtype) for b in model.bounds)
    shown = ((x - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    if len(shown) != 3:
        shown = shown.mean(0, keepdim=True).expand(3, -1, -1)
    return (shown * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


def _where(shares: Map) -> str:
    """Where on the picture the evidence for the class lies, in words."""
    positive = np.maximum(shares, 0)
    total = float(positive.sum())
    if total <= 0:
        return "nothing speaks for the class"
    h, w = shares.shape
    top, left = float(positive[: h // 2].sum()) / total, float(positive[:, : w // 2].sum()) / total
    row = "upper" if top > 0.56 else "lower" if top < 0.44 else "middle"
    side = "left" if left > 0.56 else "right" if left < 0.44 else "centre"
    return f"strongest in the {'centre' if (row, side) == ('middle', 'centre') else f'{row} {side}'}"


# ---- rows of columns ---------------------------------------------------------------------------------------------
def bars(sample: Sample, columns: Sequence[Column], effects: Sequence[float], name: str) -> Table:
    """A column's value and its effect, strongest first; what is beyond the first SHOWN is added up in the last row."""
    order = sorted(range(len(columns)), key=lambda i: -abs(effects[i]))
    x = sample.x.tolist()
    rows: list[tuple[Scalar, ...]] = [(columns[i].name, columns[i].shown(x), float(effects[i])) for i in order[:SHOWN]]
    if len(order) > SHOWN:
        rest = float(sum(effects[i] for i in order[SHOWN:]))
        rows.append((f"{len(order) - SHOWN} further columns", "", rest))
    return Table(sample.title, ("column", "value", name), tuple(rows))


# ---- texts -------------------------------------------------------------------------------------------------------
def word_table(ctx: Context, sample: Sample, shares: Tensor, name: str) -> Table:
    """The words of a text in reading order, each with the sum of the `shares` (T,) of its tokens.

    A last row holds the sum of what is no word ([CLS], [SEP], padding), where there is any: the rows add up to the sum
    of the shares. The column of the sums is called `name`.
    """
    text = words_of(ctx, sample)
    values = shares.detach().double().cpu().numpy()
    places = text.of_token[: len(values)]
    sums = np.bincount(places + 1, weights=values, minlength=len(text.words) + 1)
    rows: list[tuple[Scalar, ...]] = list(zip(text.words, sums[1:].tolist(), strict=True))
    if (places < 0).any():
        rows.append((SPECIAL, float(sums[0])))
    return Table(sample.title, ("word", name), tuple(rows))


def words_of(ctx: Context, sample: Sample) -> Words:
    """The words of the sample's text; NotApplicable where they are not known."""
    (text,) = _need_words(ctx)(np.flatnonzero(ctx.data.row_ids == sample.row)[:1])
    return text


def _need_words(ctx: Context) -> Callable[[Integers], list[Words]]:
    if ctx.data.words is None:
        msg = "it is not known which words the inputs are pieces of"
        raise NotApplicable(msg)
    return ctx.data.words
