"""The class that a model names most often under Gaussian noise (Cohen et al. 2019, arXiv:1902.02918, section 3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import one_hot

from auditor.attacks.slopes import with_slope_of
from auditor.subject import TINY, Model
from auditor.wrapped.behind import Behind, handle_of, need_classes

__all__ = ["SLOPES", "Draws", "Seed", "Sigma", "Smoothed", "randomised_smoothing"]

SLOPES = 16  # draws that carry gradients: each holds what a gradient pass of the model behind holds

Sigma = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Draws = Annotated[int, Field(ge=1, le=10_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def randomised_smoothing(model: Model, *, sigma: Sigma, draws: Draws, seed: Seed) -> Model:
    """The model asked under `draws` draws of noise of standard deviation `sigma`; gives the log of how often it names
    each class.

    Noise is in input units: a table's columns in their own, and none on what nobody may change. It is drawn by `seed`,
    the same for every row and at every call, so that figures repeat; an attack meets the noise that it was made on,
    which is the most that it can know. The mean softmax counts as one draw more, so that none is ever 0, and gradients
    are those of its logarithm over the first 16 draws: a pass with gradients holds at most 16 times what one of the
    model behind holds, any other as much. NotApplicable for a model that returns a value.
    """
    need_classes(model, "randomised smoothing")
    return handle_of(Smoothed(model, sigma, draws, seed))


class Smoothed(Behind):
    """The model under noise of standard deviation `sigma`, in units of what a change of 1 means for each element."""

    unit: Tensor

    def __init__(self, model: Model, sigma: float, draws: int, seed: int) -> None:
        super().__init__(model)
        self.sigma, self.draws, self.seed = sigma, draws, seed
        self.register_buffer(
            "unit", torch.as_tensor(model.unit, dtype=torch.float32).to(model.device), persistent=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logarithms (N, C) of the share of draws for inputs (N, ...) that go to each class."""
        counts, soft, slopes = torch.zeros((), dtype=torch.long), torch.zeros(()), []
        for i, noise in enumerate(self._noise(x)):
            with torch.set_grad_enabled(torch.is_grad_enabled() and i < SLOPES):
                logits = self.under(x, noise).log_softmax(1)
            if i < SLOPES:
                slopes.append(logits)
            value = logits.detach()
            votes = one_hot(value.argmax(1), value.shape[1])
            counts, soft = votes + counts, value.exp() + soft
        share = (counts + soft / self.draws) / (self.draws + 1)
        source = torch.stack(slopes).logsumexp(0) - math.log(len(slopes))
        return with_slope_of(source, share.clamp_min(TINY).log())

    def under(self, x: Tensor, noise: Tensor) -> Tensor:
        """What the model behind gives for `x` (N, ...) under `noise` (N or 1, ...) of standard deviation 1: (N, C)."""
        return self.asked(x + self.sigma * self.unit * noise.to(x.device))

    def _noise(self, x: Tensor) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.draws):
            yield torch.randn((1, *x.shape[1:]), generator=generator)
