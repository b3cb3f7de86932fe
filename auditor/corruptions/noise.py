"""Noise of sensors (Hendrycks & Dietterich 2019, arXiv:1903.12261): Gaussian, shot and impulse noise.

Images are (N, C, H, W) from 0 to 1; severities go from 1 to 5. What comes back may leave the range by what noise adds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from auditor.corruptions.draws import Draws
from auditor.corruptions.published import strength

__all__ = ["gaussian_noise", "impulse_noise", "shot_noise"]


def gaussian_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """`x` in low light: normal noise added to every channel of every pixel."""
    (deviation,) = strength(
        x,
        severity,
        ((0.04,), (0.06,), (0.08,), (0.09,), (0.10,)),
        ((0.08,), (0.12,), (0.18,), (0.26,), (0.38,)),
    )
    return x + draws.normal(*x.shape[1:]) * deviation


def shot_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """`x` counted photon by photon: Poisson counts whose mean is the brightness."""
    (photons,) = strength(x, severity, ((500,), (250,), (100,), (75,), (50,)), ((60,), (25,), (12,), (5,), (3,)))
    return draws.poisson(x * photons) / photons


def impulse_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """`x` with values lost: a share of them becomes black or white, as often the one as the other."""
    (share,) = strength(
        x,
        severity,
        ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
        ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)),
    )
    lot = draws.uniform(*x.shape[1:])
    return torch.where(lot < share / 2, 0.0, torch.where(lot < share, 1.0, x))
