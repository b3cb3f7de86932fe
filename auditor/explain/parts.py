"""The parts of an input that tokens stand for (patches, words, columns), and the input without each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.errors import NotApplicable
from auditor.explain.players import mixed
from auditor.explain.segments import masked
from auditor.integers import Integers
from auditor.subject import Model

__all__ = ["Parts", "column_parts", "drops", "image_parts", "text_parts"]

MOST = 64
EXTRA = (0, 1, 2, 5)  # tokens that stand for no patch: none, a class token, one more to distil into, four registers


@dataclass(frozen=True)
class Parts:
    """Up to 64 parts of one input: larger inputs in blocks of neighbours.

    `of_token` (T,) is the part that each token belongs to, -1 for none; `without` (parts, R, ...) are R inputs without
    each part; `places` (T, 2) are the tokens' row and column, NaN for none; `grid` is (h, w) of an image, else None;
    `block` is how many neighbours one part joins along each side.
    """

    of_token: Tensor
    without: Tensor
    places: Tensor
    grid: tuple[int, int] | None = None
    block: int = 1

    def sums(self, scores: Tensor) -> Tensor:
        """(parts,) sums of the `scores` (T,) of their tokens."""
        inside = self.of_token >= 0
        return torch.zeros(len(self.without)).index_add(0, self.of_token[inside], scores[inside].float())


def drops(model: Model, x: Tensor, target: int, parts: Parts, size: int) -> Tensor:
    """(parts,) by how much the logit of class `target` drops without each part of `x`, `size` inputs run at once."""
    if not len(parts.without):
        return torch.zeros(0)
    with torch.no_grad():
        whole = model(x[None])[0, target].cpu()
        logits = torch.cat([model(rows)[:, target].cpu() for rows in parts.without.flatten(0, 1).split(size)])
    return whole - logits.view(parts.without.shape[:2]).mean(1)


def image_parts(image: Tensor, read: Tensor) -> Parts:
    """The patches of an image (C, H, W) as a model with T tokens has them; `read` (T,) is `attention.readers`.

    What is removed is shown in the image's mean colour. Tokens that stand for no patch come first, unless there is one
    and it alone is read. NotApplicable where T tokens are no grid of the image's shape.
    """
    _, height, width = image.shape
    t = len(read)
    extra, (h, w) = _grid(t, height, width)
    block = math.ceil(math.sqrt(h * w / MOST))
    rows, columns = (torch.arange(h) // block, torch.arange(w) // block)
    cells = rows[:, None] * (int(columns[-1]) + 1) + columns
    up, across = torch.arange(height) * h // height, torch.arange(width) * w // width
    segments = cells[up][:, across].numpy()
    present = ~np.eye(int(cells.max()) + 1, dtype=np.bool_)
    patches = _patches(read, extra)
    places = torch.full((t, 2), torch.nan)
    places[patches] = torch.cartesian_prod(torch.arange(h), torch.arange(w)).float()
    of_token = torch.full((t,), -1).index_put((patches,), cells.flatten())
    return Parts(of_token, masked(image, segments, present)[:, None], places, (h, w), block)


def text_parts(ids: Tensor, of_token: Integers, tokens: int) -> Parts:
    """The words of a text of token `ids` (T,), -1 behind its end; `of_token` (T,) is the word of each, -1 for none.

    What is removed is taken out of the text. NotApplicable where the model has another number of `tokens`.
    """
    n = int((ids >= 0).sum())
    if tokens not in {n, len(ids)}:
        msg = f"the model's attention is between {tokens:,} tokens; the text has {n:,}"
        raise NotApplicable(msg)
    words = torch.from_numpy(np.array(of_token[:n]))
    block = max(1, math.ceil((int(words.max()) + 1) / MOST)) if n else 1
    parts = torch.where(words >= 0, words // block, -1)
    kept = [ids[:n][parts != part] for part in range(int(parts.max()) + 1 if n else 0)]
    without = torch.full((len(kept), 1, len(ids)), -1)
    for row, some in zip(without, kept, strict=True):
        row[0, : len(some)] = some
    places = torch.full((tokens, 2), torch.nan)
    places[:n] = torch.stack([torch.arange(n), torch.zeros(n)], 1)
    return Parts(torch.cat([parts, torch.full((tokens - n,), -1)]), without, places, block=block)


def column_parts(x: Tensor, rows: Tensor, columns: Sequence[Column], read: Tensor) -> Parts:
    """The columns of a row `x` (D,), a token each; `read` (T,) is `attention.readers`.

    What is removed is taken from each of the `rows` (R, D) in turn. NotApplicable where the tokens are not the columns.
    """
    t, n = len(read), len(columns)
    if t - n not in {0, 1}:
        msg = f"the model's attention is between {t:,} tokens; a row has {n:,} columns"
        raise NotApplicable(msg)
    block = math.ceil(n / MOST)
    of_column = torch.arange(n) // block
    present = (of_column[None] != torch.arange(int(of_column[-1]) + 1)[:, None]).numpy()
    of_token = torch.full((t,), -1).index_put((_patches(read, t - n),), of_column)
    return Parts(of_token, mixed(x, rows, present, columns), torch.full((t, 2), torch.nan), block=block)


def _grid(tokens: int, height: int, width: int) -> tuple[int, tuple[int, int]]:
    """How many tokens are no patch, and the rows and columns of those that are, in the proportions of the image."""
    a, b = (side // math.gcd(height, width) for side in (height, width))
    for extra in EXTRA:
        k = math.isqrt(max(0, tokens - extra) // (a * b))
        if k and a * b * k * k == tokens - extra > 1 and a * k <= height:
            return extra, (a * k, b * k)
    msg = f"the model's attention is between {tokens:,} tokens, which are no grid on images of {height} x {width}"
    raise NotApplicable(msg)


def _patches(read: Tensor, extra: int) -> Tensor:
    """The positions of the tokens that stand for a part of the input."""
    places = torch.arange(len(read))
    alone = int(read.argmax()) if extra == 1 and int((read > 0).sum()) == 1 else -1
    return places[places != alone] if alone >= 0 else places[extra:]
