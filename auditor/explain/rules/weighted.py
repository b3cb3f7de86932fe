"""Linear layers and convolutions: how an output's relevance goes to its inputs is the composite's choice.

Every rule gives the layer's own output, with another gradient: that of alpha * y * (for / stop(for)) and the like,
where `for` are the contributions of the output's own sign. After a ReLU only positive outputs carry relevance, and the
rules are those published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from auditor.explain.composites import AlphaBeta, Epsilon, Gamma, Rule
from auditor.explain.functions import Function, live
from auditor.explain.ledger import Ledger

__all__ = ["addmm", "convolution", "linear", "spread"]

TINY = 1e-9


@dataclass(frozen=True)
class _Layer:
    """An affine layer: `apply(x, weight, bias)` is its function, `bias` broadcasts to its output as `shaped`."""

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    apply: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    shaped: Callable[[Tensor], Tensor]

    def output(self, ledger: Ledger) -> Tensor:
        """What the layer gives, its bias entered as a constant."""
        y = self.apply(self.x, self.weight, self.bias)
        return y if self.bias is None else ledger.constant(y, self.shaped(self.bias))

    def part(self, ledger: Ledger, sign: int) -> Tensor:
        """The sum of the contributions a w and of the bias that have that sign."""
        keep = Tensor.clamp_min if sign > 0 else Tensor.clamp_max
        same, other = keep(self.weight, 0), (Tensor.clamp_max if sign > 0 else Tensor.clamp_min)(self.weight, 0)
        bias = None if self.bias is None else keep(self.bias, 0)
        below = self.x.detach() < 0
        if not bool(below.any()):
            y = self.apply(self.x, same, bias)
        else:
            y = self.apply(self.x * ~below, same, bias) + self.apply(self.x * below, other, None)
        return y if bias is None else ledger.constant(y, self.shaped(bias))


def linear(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Linear layers."""
    x, w, bias, rest = _given(args, kwargs)
    return _ruled(
        ledger, _Layer(x, w, bias, lambda a, v, b: func(a, v, b, *rest, **kwargs), lambda b: b), ledger.composite.dense
    )


def convolution(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Convolutions and transposed convolutions."""
    x, w, bias, rest = _given(args, kwargs)

    def shaped(b: Tensor) -> Tensor:
        return b.view(-1, *[1] * (w.ndim - 2))

    layer = _Layer(x, w, bias, lambda a, v, b: func(a, v, b, *rest, **kwargs), shaped)
    place = None if ledger.composite.first == "as the others" else ledger.places.of(x)
    return _ruled(ledger, layer, ledger.composite.convolution) if place is None else _first(ledger, layer, place)


def addmm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """bias + a @ b: a linear layer where b is a weight."""
    bias, a, b = args[:3]
    if kwargs.get("beta", 1) != 1 or kwargs.get("alpha", 1) != 1 or live(b) or live(bias):
        if live(a) and live(b):
            ledger.unknown.add("addmm of two inputs")
        y: Tensor = func(*args, **kwargs)
        return y if live(bias) else ledger.constant(y, bias * kwargs.get("beta", 1))
    layer = _Layer(a, b, bias, lambda x, w, c: torch.matmul(x, w) if c is None else torch.matmul(x, w) + c, lambda c: c)
    return _ruled(ledger, layer, ledger.composite.dense)


def _given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor | None, list[Any]]:
    """Input, weight, bias, and the other positional arguments of a layer."""
    given = dict(zip(("input", "weight", "bias"), args, strict=False))
    for name in ("input", "weight", "bias"):
        given.setdefault(name, kwargs.pop(name, None))
    bias = given["bias"]
    return given["input"], given["weight"].detach(), None if bias is None else bias.detach(), list(args[3:])


# ---- rules -------------------------------------------------------------------------------------------------------
def _ruled(ledger: Ledger, layer: _Layer, rule: Rule) -> Tensor:
    if isinstance(rule, Epsilon):
        return _stabilised(ledger, layer.output(ledger), rule.epsilon)
    if isinstance(rule, Gamma):
        y, positive = layer.output(ledger), layer.part(ledger, 1)
        return spread(ledger, y.detach(), y, positive, rule)
    if rule.beta == 0:
        y = layer.output(ledger)
        return spread(ledger, y.detach(), y, layer.part(ledger, 1), rule)
    value = layer.apply(layer.x.detach(), layer.weight, layer.bias)
    return _two(ledger, value, layer.part(ledger, 1), layer.part(ledger, -1), rule)


def _stabilised(ledger: Ledger, y: Tensor, epsilon: float) -> Tensor:
    if epsilon == 0:
        return y
    value = y.detach()
    size = value.flatten(1).square().mean(1).sqrt().view(-1, *[1] * (y.ndim - 1))
    held = epsilon * size * torch.where(value < 0, -1.0, 1.0)
    factor = torch.where(value + held == 0, 0, value / torch.where(value + held == 0, 1, value + held))
    return ledger.constant(weighed(value, (y, factor)), value * (1 - factor))


def spread(ledger: Ledger, value: Tensor, y: Tensor, positive: Tensor, rule: Gamma | AlphaBeta) -> Tensor:
    """`value`, whose relevance goes by gamma or z-plus: `y` are all contributions, `positive` those above 0.

    What speaks for an output is `positive` where it is above 0, and y - positive, which is larger than either, below.
    """
    above, p = value > 0, positive.detach()
    own = torch.where(above, p, value - p)  # what has the sign of the output
    if isinstance(rule, Gamma):
        share = value / _nonzero(value + rule.gamma * own)
        with_y = torch.where(above, 1.0, 1.0 + rule.gamma) * share
        with_p = torch.where(above, rule.gamma, -rule.gamma) * share
        return weighed(value, (y, with_y), (positive, with_p))
    share = value / _nonzero(own)
    found = weighed(value, (y, share * ~above), (positive, torch.where(above, share, -share)))
    return _rest(ledger, found, value, own == 0)


def _two(ledger: Ledger, value: Tensor, positive: Tensor, negative: Tensor, rule: AlphaBeta) -> Tensor:
    above, p, n = value > 0, positive.detach(), negative.detach()
    up, down = torch.where(above, rule.alpha, -rule.beta), torch.where(above, -rule.beta, rule.alpha)
    found = weighed(value, (positive, up * value / _nonzero(p)), (negative, down * value / _nonzero(n)))
    nothing = up * (p == 0) + down * (n == 0)  # no contribution of that sign: its part stays with the layer
    return ledger.constant(found, value * nothing) if bool(nothing.any()) else found


def _rest(ledger: Ledger, found: Tensor, value: Tensor, missing: Tensor) -> Tensor:
    rest = value * missing
    return ledger.constant(found, rest) if bool(rest.any()) else found


def _nonzero(t: Tensor) -> Tensor:
    return torch.where(t == 0, torch.inf, t)  # over infinity is 0: nothing goes where there is nothing


class _Weighed(torch.autograd.Function):
    """A given value; its gradient goes to each part times that part's factor."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, *parts: Tensor) -> Tensor:
        half = len(parts) // 2
        ctx.save_for_backward(*parts[half:])
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (g,) = gradients
        factors = ctx.saved_tensors
        return None, *(g * f for f in factors), *(None for _ in factors)


def weighed(value: Tensor, *parts: tuple[Tensor, Tensor]) -> Tensor:
    """`value` whose gradient goes to each part (y, factor) of the same shape, times the factor."""
    found: Tensor = _Weighed.apply(  # type: ignore[no-untyped-call]
        value, *(y for y, _ in parts), *(f for _, f in parts)
    )
    return found


# ---- the first layer ---------------------------------------------------------------------------------------------
def _first(ledger: Ledger, layer: _Layer, place: Tensor) -> Tensor:
    """A layer on the input itself: its outputs' relevance is given to the input's elements, whatever their value.

    Its bias counts for nothing, as it does where these rules were published.
    """
    x = layer.x.detach()
    parts: list[tuple[Tensor, Tensor]]  # what stands for the input, and the weights that see it
    match ledger.composite.first:
        case "flat":
            parts = [(torch.ones_like(x), torch.ones_like(layer.weight))]
        case "w_square":
            parts = [(torch.ones_like(x), layer.weight.square())]
        case _:
            low, high = (end.expand_as(x).clone() for end in ledger.ends())
            parts = [(x, layer.weight), (-low, layer.weight.clamp_min(0)), (-high, layer.weight.clamp_max(0))]
    with torch.enable_grad():
        leaves = [part.requires_grad_() for part, _ in parts]
        total = torch.stack([layer.apply(leaf, w, None) for leaf, (_, w) in zip(leaves, parts, strict=True)]).sum(0)
    y = layer.apply(layer.x, layer.weight, layer.bias)
    value = y.detach()

    def located(g: Tensor) -> Tensor:
        relevance = g * value
        gradients = torch.autograd.grad(total, leaves, relevance / _nonzero(total.detach()))
        shares = torch.stack([leaf.detach() * w for leaf, w in zip(leaves, gradients, strict=True)]).sum(0)
        ledger.locate(shares, place)
        return torch.zeros_like(g)

    y = _rest(ledger, y, value, total.detach() == 0)  # before its gradient ends here
    y.register_hook(located)
    return y
