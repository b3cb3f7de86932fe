"""What an attack wants of a model's outputs, as something to climb and a margin that is above 0 when it is reached."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.subject import Model

__all__ = ["AnotherClass", "AnotherValue", "Goal", "another_class", "rival_classes", "wrong_rows"]

STEEP = 15.0  # a margin of logits from which on cross-entropy has next to no slope in float32


class Goal:
    """`y` (N,) is what the attack leads away from; outputs are (N, C) or (N,); `rivals` (N, k) are where it may lead.

    Outputs that are NaN or infinite reach it: the model fails there.
    """

    @property
    def unit(self) -> float:
        """How large an output has to be, to mean something: a logit of 1."""
        return 1.0

    def count(self, outputs: Tensor) -> int:
        """How many rivals a sample has."""
        raise NotImplementedError

    def rivals(self, outputs: Tensor, y: Tensor, most: int) -> Tensor:
        """(N, k) at most `most` rivals, the nearest by their outputs first."""
        raise NotImplementedError

    def towards(self, outputs: Tensor, y: Tensor, rival: Tensor) -> Tensor:
        """(N,) how far one rival (N,) is ahead; negative while it is behind."""
        raise NotImplementedError

    def loss(self, outputs: Tensor, y: Tensor, heat: Tensor) -> Tensor:
        """(N,) what leads to whichever rival comes first."""
        raise NotImplementedError

    def margin(self, outputs: Tensor, y: Tensor) -> Tensor:
        """(N,) above 0 where the goal is reached."""
        raise NotImplementedError

    def reached(self, outputs: Tensor, y: Tensor) -> Tensor:
        """(N,) whether the goal is reached."""
        return self.margin(outputs, y) > 0

    def wrong(self, outputs: Tensor, y: Tensor) -> Tensor:
        """(N,) whether outputs for the samples as they are need no attack: they are wrong already."""
        return self.reached(outputs, y)

    def heat(self, outputs: Tensor, y: Tensor) -> Tensor:  # noqa: ARG002
        """(N,) what outputs are divided by before they are compared, so that the loss has a slope."""
        return torch.ones(len(y))


def wrong_rows(outputs: Tensor, y: Tensor) -> Tensor:
    """(N,) where another class than `y` (N,) has the highest output (N, C), or an output is NaN or infinite."""
    return (outputs.argmax(1) != y) | ~outputs.isfinite().all(1)


@dataclass(frozen=True)
class AnotherClass(Goal):
    """A class other than `y` (N,) has the highest logit, while searching by more than `least`.

    Where the model `rejects`, its last class must not have it either: what is rejected deceives nobody (Tramer et al.
    2020, arXiv:2002.08347). A sample that is rejected as it is counts as wrong.
    """

    least: float = 0.0
    rejects: bool = False

    def count(self, outputs: Tensor) -> int:
        return outputs.shape[1] - 1 - self.rejects

    def rivals(self, outputs: Tensor, y: Tensor, most: int) -> Tensor:
        return self._others(outputs.detach(), y).topk(min(most, self.count(outputs))).indices

    def towards(self, outputs: Tensor, y: Tensor, rival: Tensor) -> Tensor:
        return outputs.gather(1, rival[:, None])[:, 0] - self._own(outputs, y)

    def loss(self, outputs: Tensor, y: Tensor, heat: Tensor) -> Tensor:
        """Cross-entropy of outputs divided by `heat`."""
        cooled = outputs / heat[:, None]
        own = cooled.gather(1, y[:, None])[:, 0]
        return cooled.logsumexp(1) - (torch.logaddexp(own, cooled[:, -1]) if self.rejects else own)

    def margin(self, outputs: Tensor, y: Tensor) -> Tensor:
        ahead = self._others(outputs, y).amax(1) - self._own(outputs, y) - self.least
        return torch.where(outputs.isfinite().all(1), ahead, torch.inf)

    def reached(self, outputs: Tensor, y: Tensor) -> Tensor:
        wrong = wrong_rows(outputs, y)
        if not self.rejects:
            return wrong
        return wrong & ((outputs.argmax(1) != outputs.shape[1] - 1) | ~outputs.isfinite().all(1))

    def wrong(self, outputs: Tensor, y: Tensor) -> Tensor:
        return wrong_rows(outputs, y)

    def heat(self, outputs: Tensor, y: Tensor) -> Tensor:
        return (-self.margin(outputs, y) / STEEP).clamp_min(1)

    def _own(self, outputs: Tensor, y: Tensor) -> Tensor:
        """(N,) what a rival has to pass."""
        own = outputs.gather(1, y[:, None])[:, 0]
        return torch.maximum(own, outputs[:, -1]) if self.rejects else own

    def _others(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The outputs (N, C), minus infinity where no rival is."""
        others = outputs.scatter(1, y[:, None], -torch.inf)
        return torch.cat([others[:, :-1], torch.full_like(others[:, -1:], -torch.inf)], 1) if self.rejects else others


def rival_classes(model: Model, y: Tensor) -> Tensor:
    """(N, C) the classes that deceive about rows of the classes `y` (N,): all others but that of rejection."""
    others = torch.arange(len(model.classes)) != y[:, None]
    if model.rejects:
        others[:, -1] = False
    return others


def another_class(model: Model, least: float = 0.0) -> AnotherClass:
    """The goal against `model`, which may reject."""
    return AnotherClass(least, model.rejects)


@dataclass(frozen=True)
class AnotherValue(Goal):
    """A value further than `amount` from `y` (N,), what the model gives for the sample as it is."""

    amount: float

    @property
    def unit(self) -> float:
        return self.amount

    def count(self, outputs: Tensor) -> int:  # noqa: ARG002
        return 2

    def rivals(self, outputs: Tensor, y: Tensor, most: int) -> Tensor:  # noqa: ARG002
        """Higher (1) and lower (0)."""
        higher = (outputs >= y).long()
        return torch.stack([higher, 1 - higher], 1)

    def towards(self, outputs: Tensor, y: Tensor, rival: Tensor) -> Tensor:
        return (outputs - y) * (2 * rival - 1) - self.amount

    def loss(self, outputs: Tensor, y: Tensor, heat: Tensor) -> Tensor:  # noqa: ARG002
        return self._away(outputs, y)

    def margin(self, outputs: Tensor, y: Tensor) -> Tensor:
        return self._away(outputs, y).nan_to_num(nan=torch.inf)

    def _away(self, outputs: Tensor, y: Tensor) -> Tensor:
        away = outputs - y
        # not abs(), whose slope at the sample itself is 0
        return torch.where(away >= 0, away, -away) - self.amount
