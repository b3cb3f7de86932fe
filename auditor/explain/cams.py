"""The Grad-CAM family: maps (N, h, w) of activations A and gradients g = dy/dA (N, C, h, w) of one layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["METHODS", "correlation", "grad_cam", "grad_cam_pp", "hires_cam", "layer_cam"]

FLAT = 1e-6


def grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each channel weighted by its mean gradient, what speaks against left out (Selvaraju et al. 2017, eq. 1 and 2)."""
    return (gradients.mean((2, 3), keepdim=True) * activations).sum(1).clamp_min(0)


def grad_cam_pp(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each channel weighted by its positive gradients, each of these by alpha = g^2 / (2 g^2 + g^3 sum A).

    Chattopadhay et al. 2018, arXiv:1710.11063, for the score exp(y), whose derivatives are powers of g. The formula is
    made for activations of at least 0; with others its denominator can come near 0.
    """
    below = 2 + activations.sum((2, 3), keepdim=True) * gradients  # without the factor g^2, which small gradients lose
    alpha = torch.where(below != 0, 1 / below, 0.0)
    weights = (alpha * gradients.clamp_min(0)).sum((2, 3), keepdim=True)
    return (weights * activations).sum(1).clamp_min(0)


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each cell weighted by its own positive gradient (Jiang et al. 2021, doi:10.1109/TIP.2021.3089943)."""
    return (gradients.clamp_min(0) * activations).sum(1).clamp_min(0)


def hires_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each cell times its own gradient, what speaks against kept (Draelos & Carin 2020, arXiv:2011.08891).

    Exact where the rest of the network is linear: the sum of the map and the last bias is then the logit.
    """
    return (gradients * activations).sum(1)


METHODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Grad-CAM": grad_cam,
    "Grad-CAM++": grad_cam_pp,
    "LayerCAM": layer_cam,
    "HiResCAM": hires_cam,
}


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """(N,) Pearson's correlation of maps (N, h, w), -1 to 1; NaN where either is flat, to 1e-6 of its largest value."""
    (a, flat), (b, other) = _centred(a), _centred(b)
    found = (a * b).sum(1) / ((a * a).sum(1) * (b * b).sum(1)).sqrt()
    return found.masked_fill(flat | other, torch.nan).float()


def _centred(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Maps (N, h * w) less their mean, in units of their largest value, and (N,) which of them are flat."""
    m = maps.flatten(1).double()
    m = m / m.abs().amax(1, keepdim=True)  # squares of small numbers would vanish
    return m - m.mean(1, keepdim=True), ~(m.amax(1) - m.amin(1) > FLAT)
