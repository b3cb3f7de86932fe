"""What single heads of attention do: how evenly, and how far, they take from other tokens."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["distance", "entropy"]


def entropy(weights: Tensor) -> Tensor:
    """(N, H, Tq): how evenly each token of (N, H, Tq, Tk) spreads its attention: 0 on one token, 1 on all alike.

    Of those that it takes anything from; 0 where it takes from one alone or from none.
    """
    seen = (weights > 0).sum(-1)
    bits = -torch.xlogy(weights, weights).sum(-1)
    return torch.where(seen > 1, bits / seen.clamp_min(2).log(), 0).clamp(0, 1)


def distance(weights: Tensor, places: Tensor) -> Tensor:
    """(N, H): how far, on average, the tokens at `places` (T, 2) take from, in the unit of `places`.

    Of attention (N, H, T, T) between tokens that have a place. Those that have none are NaN in `places`, and left out;
    NaN where no token has one.
    """
    placed = ~places.isnan().any(1)
    among = weights[..., placed, :][..., placed]
    if not bool(placed.any()):
        return torch.full(weights.shape[:2], torch.nan)
    apart = torch.cdist(places[placed], places[placed])
    return ((among * apart).sum(-1) / among.sum(-1).clamp_min(1e-12)).mean(-1)
