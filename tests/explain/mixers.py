"""A network of one mixer of tokens, whose attention can be written by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from auditor.explain.attention import Attended, attention
from auditor.subject import Model
from tests.explain.nets import CLASSES, TARGET

__all__ = ["Head", "tokens", "watched"]


def tokens(t: int = 5, d: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(3, t, d, generator=torch.Generator().manual_seed(seed))


class Head(nn.Module):
    """A mixer of tokens, then the logits of the first token or of the mean."""

    def __init__(self, mix: Callable[[Tensor], Tensor], first: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.mix, self.head, self.first = nn.Linear(8, 8), mix, nn.Linear(8, 3), first

    def forward(self, x: Tensor) -> Tensor:
        y = self.mix(self.inner(x))
        return self.head(y[:, 0] if self.first else y.mean(1))


def watched(mix: Callable[[Tensor], Tensor], *, first: bool = False, x: Tensor | None = None) -> Attended:
    return attention(Model(Head(mix, first).eval(), CLASSES), tokens() if x is None else x, TARGET)
