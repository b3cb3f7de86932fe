"""Pieces of model input of any length, through the model in batches of one size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Floats", "Run", "in_batches"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Run = Callable[[Tensor], Floats]


def in_batches(run: Run, pieces: Iterable[Tensor], size: int) -> Iterator[Floats]:
    """For each piece (k, ...), in order, what `run` gives for its rows (k, ...).

    Pieces share batches: `run` gets `size` rows each time but the last. Pieces are taken as they are needed, so that
    memory is set by `size` and the longest piece.
    """
    lengths: deque[int] = deque()
    held: list[Tensor] = []
    found: list[Floats] = []
    for piece in chain(pieces, (None,)):
        if piece is not None:
            held.append(piece)
            lengths.append(len(piece))
        while (waiting := sum(map(len, held))) >= size or (piece is None and waiting):
            x = torch.cat(held)
            found.append(run(x[:size]))
            held = [x[size:]]
        while lengths and sum(map(len, found)) >= lengths[0]:
            outputs, n = np.concatenate(found), lengths.popleft()
            yield outputs[:n]
            found = [outputs[n:]]
