"""No answer where coarser inputs are answered otherwise (Xu et al. 2018, arXiv:1704.01155, section V)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from auditor.outliers.foreign import Range
from auditor.outliers.squeezing import BITS, reduced, squeezed_apart
from auditor.outliers.squeezing import median as median_of
from auditor.subject import Model
from auditor.wrapped.behind import Behind, handle_of, need_classes
from auditor.wrapped.feature_squeezing import Ends, within

__all__ = ["REJECTED", "Rejecting", "Threshold", "rejection"]

REJECTED = "rejected"
STEEP = 10.0  # logits by which rejection leads, for an L1 distance of 1 beyond the threshold

Threshold = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]


def rejection(model: Model, *, threshold: Threshold, median: bool, low: Ends, high: Ends) -> Model:
    """The model with one class more, the last: "rejected" where the softmax moves by more than `threshold`.

    What is asked is how far, in L1 from 0 to 2, it moves when the input is rounded to 4 or 5 bits between `low` and
    `high` or, with `median`, each pixel becomes the median of 2 x 2; the largest counts. Gradients pass the rounding,
    and the logit of rejection rises with that distance, so that attacks see the detector. NotApplicable for a model
    that returns a value.
    """
    need_classes(model, "rejection")
    name = REJECTED if REJECTED not in model.classes else f"{REJECTED} by the wrapper"
    module = Rejecting(model, within(low, high), median=median, threshold=threshold)
    return handle_of(module, classes=(*model.classes, name), rejects=True)


class Rejecting(Behind):
    """The model, and whether it would stand by its answer."""

    low: Tensor
    high: Tensor
    free: Tensor

    def __init__(self, model: Model, ends: Range, *, median: bool, threshold: float = 2.0) -> None:
        super().__init__(model)
        self.median, self.threshold = median, threshold
        for name in ("low", "high", "free"):
            self.register_buffer(name, getattr(ends, name).to(model.device), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, C + 1) for inputs (N, ...): the last one is the highest exactly where the input is rejected."""
        logits = self.asked(x)
        apart, top = self.apart(x, logits), logits.amax(1)
        lead = top + STEEP * (apart - self.threshold)
        above = torch.nextafter(top.detach(), torch.full_like(top, torch.inf))
        refused = torch.where(apart > self.threshold, torch.maximum(lead, above), torch.minimum(lead, top))
        return torch.cat([logits, refused[:, None]], 1)

    def apart(self, x: Tensor, logits: Tensor) -> Tensor:
        """(N,) how far the softmax of `logits` (N, C) moves when the inputs `x` (N, ...) are made coarser, 0 to 2."""
        ends = Range(self.low, self.high, self.free)
        coarse = [self.asked(reduced(x, ends, bits)) for bits in BITS]
        if self.median:
            coarse.append(self.asked(median_of(x)))
        return (-squeezed_apart(logits, coarse)).clamp_max(2)  # rounding may go beyond
