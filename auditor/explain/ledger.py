"""What a forward pass that is linear in its input leaves behind: its constants, and what it could not split.

Nothing is split before the backward pass. A function whose result holds a constant says so (`constant`); when the
gradient of that result is known, constant x gradient is what the constant holds of each sample's logit.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

import torch
from torch import Tensor

from auditor.explain.composites import Composite
from auditor.explain.flows import Flows
from auditor.explain.places import Places, scattered

__all__ = ["Ledger"]


class Ledger:
    """The entries beside the input `x` (N, ...), among which the rest of N logits is shared out.

    `constants` (N,) is what all additive constants hold, `constants_size` (N,) the sum of its parts' absolute values;
    `located` (N, ...) what was given to elements of the input otherwise than by their own gradient. `unknown` names
    functions without a rule; `squashed` is the input of the last softmax or sigmoid: a model that ends in one is
    explained from there. `root` is a leaf on which everything hangs that depends on the input; `flows` is what passes
    each layer.
    """

    def __init__(self, composite: Composite, x: Tensor) -> None:
        self.composite = composite
        self.samples = len(x)
        self.shape = x.shape
        self.places = Places(x)
        self.flows = Flows(self.samples)
        self.root = torch.zeros((), requires_grad=True)
        self.unknown: set[str] = set()
        self.squashed: Tensor | None = None
        self.constants: Tensor = torch.zeros(self.samples)
        self.constants_size: Tensor = torch.zeros(self.samples)
        self.located: Tensor | None = None
        self.gates: list[Tensor] = []
        self.box: tuple[Tensor, Tensor] | None = None
        self._affine: dict[int, tuple[weakref.ref[Tensor], Any]] = {}

    # ---- while the model runs ----------------------------------------------------------------------------------------
    def constant(self, y: Tensor, constant: Tensor) -> Tensor:
        """`y`, which holds the additive `constant` (broadcastable to it)."""
        if not y.requires_grad:
            return y
        held = constant.detach()
        if not bool(held.isfinite().all()):
            held = held.masked_fill(~held.isfinite(), 0)  # masks: no relevance comes where they are
        y.register_hook(partial(self.take, held, self.flows.layer))
        return y

    def entered(self, values: Tensor, place: Tensor) -> Tensor:
        """`values` (*place.shape, ...) as what depends on the input, whose elements at `place` get their relevance."""
        y: Tensor = _Linked.apply(self.root, values.detach())  # type: ignore[no-untyped-call]
        known = values.detach()
        y.register_hook(lambda g: self.locate(known * g, place))
        return y

    def locate(self, shares: Tensor, place: Tensor) -> None:
        """Give `shares` (*place.shape, ...) to the elements of the input at `place`."""
        found = scattered(shares, place, self.shape)
        self.located = found if self.located is None else self.located + found

    def affine(self, y: Tensor, layer: Any) -> None:
        """Remember the affine `layer` that gave `y`, for as long as it is there."""
        self._affine[id(y)] = (weakref.ref(y), layer)

    def affine_of(self, y: Tensor) -> Any:
        """The affine layer that gave `y`, None where it was none."""
        found = self._affine.get(id(y))
        return found[1] if found is not None and found[0]() is y else None

    def ends(self) -> tuple[Tensor, Tensor]:
        """The smallest and the largest legal input of the first layer, (1, ...)."""
        assert self.box is not None  # noqa: S101 - only the composite with the box rule asks
        return self.box

    def gate(self, result: Tensor) -> Tensor:
        """`result`, remembered as a gate."""
        self.gates.append(result)
        return result

    def is_gate(self, x: object) -> bool:
        """Whether `x` came from a sigmoid, through nothing but changes of shape."""
        return any(x is gate for gate in self.gates)

    def close(self) -> None:
        """Let go of every tensor of the run: its graph holds the ledger, and would never be freed otherwise."""
        self.squashed, self.gates = None, []
        self._affine.clear()
        self.places.forget()

    # ---- while the gradient is taken ---------------------------------------------------------------------------------
    def take(self, constant: Tensor, layer: str, gradient: Tensor | None) -> None:
        """Enter constant x gradient, of that layer, by sample: rows of the batch are one sample's after another's."""
        if gradient is None:  # a first layer that located its relevance passes none on
            return
        n, rows = self.samples, gradient.shape[0] if gradient.ndim else 1
        if rows % n:
            n = 1  # the samples lie elsewhere: their ledgers do not close, and they are explained one by one
        held = constant.reshape((1,) * (gradient.ndim - constant.ndim) + constant.shape)
        if held.ndim == 0 or held.shape[0] == 1:
            split = gradient.reshape(n, rows // n, *gradient.shape[1:])
            same = [1, *(i + 1 for i in range(1, held.ndim) if held.shape[i] == 1)]
            shares = split.sum(same) * held.squeeze()
        else:
            shares = (gradient * held).reshape(n, -1)
        flat = shares.reshape(n, -1).cpu()
        total = flat.sum(1)
        self.constants = self.constants + total
        self.constants_size = self.constants_size + flat.abs().sum(1)
        self.flows.absorb(layer, total)


class _Linked(torch.autograd.Function):
    """Values that hang on the root, so that a backward pass to it reaches them."""

    @staticmethod
    def forward(ctx: Any, root: Tensor, values: Tensor) -> Tensor:
        del ctx, root
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        del ctx, gradients
        return None, None
