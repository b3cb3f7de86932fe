"""Linear layers, convolutions and batch norms: how an output's relevance goes to its inputs is the composite's choice.

A rule runs in the backward pass, where it turns the gradient of the layer's output, relevance / output, into that of
its input. What speaks for an output are the contributions of its own sign: after a ReLU only positive outputs carry
relevance, and the rules are those published. A batch norm behind a convolution counts as part of it, by the weights
that both have together; no module is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from auditor.explain.composites import AlphaBeta, Epsilon, Gamma, Rule
from auditor.explain.functions import Function, live, plain_name
from auditor.explain.ledger import Ledger
from auditor.explain.rules.products import product

__all__ = ["addmm", "batch_norm", "convolution", "linear"]


@dataclass(frozen=True)
class _Layer:
    """An affine layer: `apply(x, weight)` is its function without a bias.

    `bias` broadcasts to its output, or is None. `channels` views a number a channel so that it scales `weight`, None
    where that cannot be done. `place` says which elements of the model's input `x` is, None where it is none.
    """

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    apply: Callable[[Tensor, Tensor], Tensor]
    channels: Callable[[Tensor], Tensor] | None = None
    place: Tensor | None = None

    def part(self, x: Tensor, sign: int) -> Tensor:
        """The sum of the contributions a w that have that sign."""
        positive, negative = self.weight.clamp_min(0), self.weight.clamp_max(0)
        same, other = (positive, negative) if sign > 0 else (negative, positive)
        below = x.detach() < 0
        if not bool(below.any()):
            return self.apply(x, same)
        return self.apply(x * ~below, same) + self.apply(x * below, other)

    def bias_part(self, sign: int) -> Tensor | float:
        """The bias where it has that sign."""
        if self.bias is None:
            return 0.0
        return self.bias.clamp_min(0) if sign > 0 else self.bias.clamp_max(0)


# ---- layers ------------------------------------------------------------------------------------------------------
def linear(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Linear layers."""
    x, w, bias, _ = _given(args, kwargs)
    return _ruled(ledger, _Layer(x, w, bias, lambda a, v: func(a, v, None)), ledger.composite.dense, func(x, w, bias))


def convolution(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Convolutions and transposed convolutions."""
    x, w, bias, rest = _given(args, kwargs)
    across = (-1, *[1] * (w.ndim - 1))
    transposed = "transpose" in plain_name(func) or (plain_name(func) in {"convolution", "_convolution"} and rest[3])
    layer = _Layer(
        x,
        w,
        None if bias is None else bias.view(-1, *across[2:]),
        lambda a, v: func(a, v, None, *rest, **kwargs),
        None if transposed else (lambda t: t.view(across)),
        ledger.places.of(x) if ledger.composite.first != "as the others" else None,
    )
    y = _ruled(ledger, layer, ledger.composite.convolution, func(x, w, bias, *rest, **kwargs))
    ledger.affine(y, layer)
    return y


def batch_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Batch norm in evaluation: a scale and a constant a channel, together with those of a convolution before it."""
    x: Tensor = args[0]
    weight, bias, mean, var, training, _, eps = args[1:8]
    if training or mean is None:
        ledger.unknown.add("batch_norm in training")
        return func(*args, **kwargs)  # type: ignore[no-any-return]
    across = (1, -1, *[1] * (x.ndim - 2))
    scale = torch.rsqrt(var.detach() + eps) * (1 if weight is None else weight.detach())
    shift = (0 if bias is None else bias.detach()) - mean.detach() * scale
    rule, y = ledger.composite.dense if x.ndim == 2 else ledger.composite.convolution, func(*args, **kwargs)
    before = ledger.affine_of(x)
    if isinstance(rule, Epsilon) and rule.epsilon == 0 and (before is None or before.place is None):
        return ledger.constant(y, shift.view(across))
    if before is None or before.channels is None:
        return _ruled(ledger, _Layer(x, scale.view(across), shift.view(across), torch.mul), rule, y)
    scaled = shift.view(across[1:]) + (0 if before.bias is None else before.bias * scale.view(across[1:]))
    return _ruled(ledger, replace(before, weight=before.weight * before.channels(scale), bias=scaled), rule, y)


def addmm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """bias + a @ b: a linear layer where b is a weight."""
    bias, a, b = args[:3]
    scale, factor = kwargs.get("beta", 1), kwargs.get("alpha", 1)
    if live(b) or live(bias):
        found = product(ledger, torch.matmul, (a, b), {}) * factor
        held = bias * scale if scale else torch.zeros_like(bias)
        return found + held if live(bias) else ledger.constant(found + held, held)
    layer = _Layer(a, b.detach() * factor, bias.detach() * scale if scale else None, torch.matmul)
    return _ruled(ledger, layer, ledger.composite.dense, func(*args, **kwargs))


def _given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor | None, list[Any]]:
    """Input, weight, bias, and the other positional arguments of a layer."""
    given = dict(zip(("input", "weight", "bias"), args, strict=False))
    for name in ("input", "weight", "bias"):
        given.setdefault(name, kwargs.pop(name, None))
    bias = given["bias"]
    return given["input"], given["weight"].detach(), None if bias is None else bias.detach(), list(args[3:])


# ---- rules -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Back:
    """The backward pass of one layer: `relevance` / output comes in as `g`, what constants keep goes to the ledger."""

    ledger: Ledger
    layer: _Layer
    value: Tensor
    name: str

    def keep(self, constant: Tensor | float, g: Tensor) -> None:
        """What `constant` (broadcastable to the output) keeps at this gradient."""
        if isinstance(constant, Tensor):
            self.ledger.take(constant, self.name, g)

    def gradient(self, rule: Rule, g: Tensor) -> Tensor:
        """The gradient of the layer's input by `rule`."""
        with torch.enable_grad():
            leaf = self.layer.x.detach().requires_grad_()
            match rule:
                case Epsilon():
                    return self._epsilon(leaf, g, rule.epsilon)
                case Gamma():
                    return self._gamma(leaf, g, rule.gamma)
                case AlphaBeta(beta=0):
                    return self._z_plus(leaf, g)
            return self._alpha_beta(leaf, g, rule)

    def _epsilon(self, leaf: Tensor, g: Tensor, epsilon: float) -> Tensor:
        value = self.value
        size = value.flatten(1).square().mean(1).sqrt().view(-1, *[1] * (value.ndim - 1))
        held = epsilon * size * torch.where(value < 0, -1.0, 1.0)
        part = _over(value, value + held)
        self.keep(self.layer.bias if self.layer.bias is not None else 0.0, g * part)
        self.keep(value * (1 - part), g)
        return _vjp(leaf, (self.layer.apply(leaf, self.layer.weight), g * part))

    def _gamma(self, leaf: Tensor, g: Tensor, gamma: float) -> Tensor:
        positive, y = self.layer.part(leaf, 1), self.layer.apply(leaf, self.layer.weight)
        above, own = self._own(positive)
        share = _over(self.value, self.value + gamma * own).mul_(g)
        more = share * gamma
        to_p = torch.where(above, more, -more)
        to_y = torch.where(above, share, share + more)
        self.keep(self.layer.bias_part(1), to_p)
        self.keep(self.layer.bias if self.layer.bias is not None else 0.0, to_y)
        return _vjp(leaf, (positive, to_p), (y, to_y))

    def _z_plus(self, leaf: Tensor, g: Tensor) -> Tensor:
        positive = self.layer.part(leaf, 1)
        above, own = self._own(positive)
        share = _over(self.value, own).mul_(g)
        self._unclaimed(own == 0, g)
        up, down = share * above, share * ~above
        self.keep(self.layer.bias_part(1), up)
        if not bool(down.any()):
            return _vjp(leaf, (positive, up))
        self.keep(self.layer.bias_part(-1), down)
        return _vjp(leaf, (positive, up - down), (self.layer.apply(leaf, self.layer.weight), down))

    def _alpha_beta(self, leaf: Tensor, g: Tensor, rule: AlphaBeta) -> Tensor:
        above, found, kept = self.value > 0, [], []
        for sign in (1, -1):
            part, bias = self.layer.part(leaf, sign), self.layer.bias_part(sign)
            total = part.detach() + bias
            own = above if sign > 0 else ~above
            share = _over(self.value, total).mul_(g)
            share = torch.where(own, share * rule.alpha, share * -rule.beta)
            self.keep(bias, share)
            times = torch.where(own, rule.alpha, -rule.beta).to(share.dtype)
            kept.append((total == 0) * times)
            found.append((part, share))
        self._unclaimed(kept[0] + kept[1], g)
        return _vjp(leaf, *found)

    def _own(self, positive: Tensor) -> tuple[Tensor, Tensor]:
        """Where outputs are above 0, and the sum of the contributions that have their sign.

        Below 0 that is the output less the positive contributions, which is larger than either: nothing cancels.
        """
        above, p = self.value > 0, positive.detach() + self.layer.bias_part(1)
        return above, torch.where(above, p, self.value - p)

    def _unclaimed(self, times: Tensor, g: Tensor) -> None:
        """Outputs without a contribution of the wanted sign keep their relevance, so many times."""
        rest = self.value * times
        if bool(rest.any()):
            self.keep(rest, g)

    def located(self, g: Tensor) -> None:
        """Give the relevance of a layer on the input itself to the input's elements, by the composite's first rule.

        Its bias counts for nothing, as it does where these rules were published.
        """
        x, w = self.layer.x.detach(), self.layer.weight
        ones = torch.ones_like(x)
        match self.ledger.composite.first:
            case "flat":
                sides = [(ones, torch.ones_like(w))]
            case "w_square":
                sides = [(ones, w.square())]
            case _:
                low, high = (end.expand_as(x) for end in self.ledger.ends())
                sides = [(x, w), (-low, w.clamp_min(0)), (-high, w.clamp_max(0))]
        total = torch.stack([self.layer.apply(side, weight) for side, weight in sides]).sum(0)
        share = _over(self.value, total).mul_(g)
        found = torch.zeros_like(x)
        for side, weight in sides:
            with torch.enable_grad():
                leaf = x.clone().requires_grad_()
                found += side * _vjp(leaf, (self.layer.apply(leaf, weight), share))
        assert self.layer.place is not None  # noqa: S101 - the caller looked
        self.ledger.locate(found, self.layer.place)
        self._unclaimed(total == 0, g)


def _ruled(ledger: Ledger, layer: _Layer, rule: Rule, value: Tensor) -> Tensor:
    """`value`, what the layer gives, with the backward pass of `rule`, or of the first rule on the input itself."""
    back = _Back(ledger, layer, value.detach(), ledger.flows.layer)
    if layer.place is not None:
        return _Ruled.apply(layer.x, back.value, back.located)  # type: ignore[no-any-return, no-untyped-call]
    if isinstance(rule, Epsilon) and rule.epsilon == 0:
        return value if layer.bias is None else ledger.constant(value, layer.bias)
    return _Ruled.apply(layer.x, back.value, lambda g: back.gradient(rule, g))  # type: ignore[no-any-return, no-untyped-call]


class _Ruled(torch.autograd.Function):
    """A value that hangs on `x`, whose gradient is what `back` makes of the value's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, back: Callable[[Tensor], Tensor | None]) -> Tensor:
        del x
        ctx.back = back
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return ctx.back(gradients[0]), None, None


def _vjp(leaf: Tensor, *parts: tuple[Tensor, Tensor]) -> Tensor:
    """The sum of gradient x Jacobian to `leaf` over (output, gradient) pairs."""
    (found,) = torch.autograd.grad([y for y, _ in parts], leaf, [g for _, g in parts])
    return found


def _over(a: Tensor, b: Tensor) -> Tensor:
    """a / b, 0 where b is: nothing goes where there is nothing."""
    return (a / b).masked_fill_(b == 0, 0)
