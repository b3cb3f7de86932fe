"""Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391), with HiResCAM from the same pass as its witness."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from auditor.errors import NotApplicable
from auditor.explain.followed import followed
from auditor.explain.layers import layer_gradient, layer_outputs
from auditor.subject import Model

__all__ = ["Cam", "gradcam"]


@dataclass(frozen=True)
class Cam:
    """Maps of N samples on the grid of one layer.

    `maps` (N, h, w) are at least 0; `agreement` (N,) is each map's correlation with HiResCAM, which is exact where the
    rest of the network is linear (Draelos & Carin 2020, arXiv:2011.08891), NaN where either map is flat.
    """

    maps: Tensor
    agreement: Tensor
    layer: str


def gradcam(model: Model, x: Tensor, target: Tensor) -> Cam:
    """Grad-CAM of class `target` (N,) for images (N, C, H, W); the model is frozen and in evaluation mode.

    The layer is the last with spatial extent whose gradient is not zero. Tokens (N, T, D) of a square grid are folded
    back into it, a class token left out. NotApplicable when there is no such layer, or for a program that cannot be
    followed.
    """
    model = followed(model, x)
    for name in reversed([n for n, output in layer_outputs(model, x[:1]).items() if _grid(output) is not None]):
        activations, gradients = map(_folded, layer_gradient(model, name, x, target))
        if bool(gradients.any()):
            break
    else:
        msg = "no layer of the model has spatial extent and a gradient"
        raise NotApplicable(msg)
    weights = gradients.mean((2, 3), keepdim=True)
    maps = (weights * activations).sum(1).clamp_min(0)
    exact = (gradients * activations).sum(1).clamp_min(0)
    return Cam(maps.cpu(), _correlation(maps, exact).cpu(), name)


def _grid(output: Tensor) -> tuple[int, int] | None:
    """Height and width of an output (N, C, h, w), or of tokens (N, T, D); None where it has no grid larger than 1."""
    if output.ndim == 4:
        h, w = output.shape[2:]
        return (h, w) if min(h, w) > 1 else None
    if output.ndim == 3:
        side = math.isqrt(output.shape[1])
        return (side, side) if side > 1 and output.shape[1] - side * side in (0, 1) else None
    return None


def _folded(tokens: Tensor) -> Tensor:
    """Tokens (N, T, D) as a grid (N, D, h, w), a leading class token left out; grids as they are."""
    if tokens.ndim == 4:
        return tokens
    n, t, d = tokens.shape
    side = math.isqrt(t)
    return tokens[:, t - side * side :].transpose(1, 2).reshape(n, d, side, side)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    a, b = (m.flatten(1) - m.flatten(1).mean(1, keepdim=True) for m in (a, b))
    return (a * b).sum(1) / ((a * a).sum(1) * (b * b).sum(1)).sqrt()
