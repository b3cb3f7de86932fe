"""LRP in float64, so that a rule is told from rounding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from auditor.explain.composites import COMPOSITES, Composite
from auditor.explain.lrp import Relevance, lrp
from auditor.subject import Model

__all__ = ["Double", "explained"]


class Double(Model):
    """A handle that stays in float64."""

    def raw(self, x: Tensor) -> Tensor:
        y: Tensor = self.returned(x)
        return y


def explained(
    module: nn.Module, x: Tensor, target: int = 0, *, composite: Composite = COMPOSITES["epsilon"], **facts: Any
) -> Relevance:
    """LRP of one class for every sample; `facts` are the handle's."""
    model = Double(module.double().eval(), tuple("abcdef"), **facts)
    with model.frozen():
        return lrp(
            model, x.double() if x.is_floating_point() else x, torch.full((len(x),), target), composite=composite
        )
