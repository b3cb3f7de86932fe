"""What a forward pass that is linear in its input leaves behind: its constants, and what it could not split.

Nothing is split before the backward pass. A function whose result holds a constant says so (`constant`); when the
gradient of that result is known, constant x gradient is what the constant holds of each sample's logit.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from auditor.explain.composites import Composite
from auditor.explain.places import Places, scattered

__all__ = ["Flow", "Ledger"]


@dataclass(frozen=True)
class Flow:
    """What passes one layer, for N samples: `relevance` (N,) reaches its output, `absorbed` (N,) its constants take.

    `peak` (N,) is the largest |relevance| of a channel, or of a token. `relevance` and `peak` are None where the
    samples do not lie along the first axis.
    """

    relevance: Tensor | None
    peak: Tensor | None
    absorbed: Tensor

    def first(self, n: int) -> Flow:
        """What passes for the first `n` samples."""
        relevance, peak = (None if t is None else t[:n] for t in (self.relevance, self.peak))
        return Flow(relevance, peak, self.absorbed[:n])

    @classmethod
    def joined(cls, parts: Sequence[Flow]) -> Flow:
        """What passes for the samples of all parts."""
        relevance, peak = (
            torch.cat(found)
            if len(found := [t for p in parts if (t := getattr(p, name)) is not None]) == len(parts)
            else None
            for name in ("relevance", "peak")
        )
        return cls(relevance, peak, torch.cat([p.absorbed for p in parts]))


class Ledger:
    """The entries beside the input `x` (N, ...), among which the rest of N logits is shared out.

    `constants` (N,) is what all additive constants hold, `constants_size` (N,) the sum of its parts' absolute values;
    `located` (N, ...) what was given to elements of the input otherwise than by their own gradient. `unknown` names
    functions without a rule; `squashed` is the input of the last softmax or sigmoid: a model that ends in one is
    explained from there. `root` is a leaf on which everything hangs that depends on the input.
    """

    def __init__(self, composite: Composite, x: Tensor) -> None:
        self.composite = composite
        self.samples = len(x)
        self.shape = x.shape
        self.places = Places(x)
        self.root = torch.zeros((), requires_grad=True)
        self.unknown: set[str] = set()
        self.squashed: Tensor | None = None
        self.constants: Tensor = torch.zeros(self.samples)
        self.constants_size: Tensor = torch.zeros(self.samples)
        self.located: Tensor | None = None
        self.gates: list[Tensor] = []
        self.box: tuple[Tensor, Tensor] | None = None
        self._layer: list[str] = []
        self._affine: dict[int, tuple[weakref.ref[Tensor], Any]] = {}
        self._reached: dict[str, tuple[Tensor, Tensor]] = {}
        self._absorbed: dict[str, Tensor] = {}

    # ---- while the model runs ----------------------------------------------------------------------------------------
    def constant(self, y: Tensor, constant: Tensor) -> Tensor:
        """`y`, which holds the additive `constant` (broadcastable to it)."""
        if not y.requires_grad:
            return y
        held = constant.detach()
        if not bool(held.isfinite().all()):
            held = held.masked_fill(~held.isfinite(), 0)  # masks: no relevance comes where they are
        y.register_hook(partial(self.take, held, self.layer))
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

    @property
    def layer(self) -> str:
        """The layer with weights that runs now, "" outside of all."""
        return self._layer[-1] if self._layer else ""

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

    @contextmanager
    def watching(self, module: nn.Module) -> Iterator[None]:
        """Note what passes the layers of `module` that have weights of their own; no hook is left behind."""
        handles = []
        for name, part in module.named_modules():
            if name and not isinstance(part, torch.jit.ScriptModule) and _has_weights(part):
                handles.append(part.register_forward_pre_hook(partial(self._enter, name)))
                handles.append(part.register_forward_hook(partial(self._leave, name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str, module: nn.Module, inputs: object) -> None:
        del module, inputs
        self._layer.append(name)

    def _leave(self, name: str, module: nn.Module, inputs: object, output: Any) -> None:
        del module, inputs
        self._layer.pop()
        first = output[0] if isinstance(output, tuple) and output else output
        if isinstance(first, Tensor) and first.requires_grad and first.ndim and len(first) % self.samples == 0:
            first.register_hook(partial(self._pass, name, first.detach()))

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
        if layer:
            self._absorbed[layer] = self._absorbed.get(layer, torch.zeros(())) + total

    def _pass(self, name: str, output: Tensor, gradient: Tensor) -> None:
        rows = output.shape[1] if output.ndim > 2 else 1  # channels, or tokens
        parts = (output * gradient).reshape(self.samples, -1, output[0].numel() // rows).sum(2)
        total, peak = parts.sum(1).cpu(), parts.abs().amax(1).cpu()
        if name in self._reached:  # a layer that runs several times: all its runs together
            before, highest = self._reached[name]
            total, peak = before + total, torch.maximum(highest, peak)
        self._reached[name] = (total, peak)

    def flows(self) -> dict[str, Flow]:
        """What passed each watched layer, by name, from the output to the input."""
        names = dict.fromkeys((*self._reached, *self._absorbed))
        nothing = torch.zeros(self.samples)
        found = {}
        for name in names:
            relevance, peak = self._reached.get(name, (None, None))
            found[name] = Flow(relevance, peak, self._absorbed.get(name, nothing).expand(self.samples))
        return found


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


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False))
