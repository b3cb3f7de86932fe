"""What is known of each of torch's functions, for regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from auditor.certify.abstract import Known, Region, unbounded

__all__ = ["FUNCTIONS"]

# where each is lowest, and a value below all of its own: .001 lower, for the ways it is approximated
DIPS = {"gelu": (-0.7518, -0.171), "silu": (-1.2785, -0.2795), "mish": (-1.1924, -0.3099), "hardswish": (-1.5, -0.376)}


# ---- kinds of functions ------------------------------------------------------------------------------------------
def _same(x: Region, name: str, func: Any, rest: Any, keywords: Any) -> Region:  # noqa: ARG001 - as all handlers
    return x


def _moved(x: Region, name: str, func: Callable[..., Any], rest: Sequence[Any], keywords: dict[str, Any]) -> Region:
    if name == "pad" and (keywords.get("value") or (rest[2:] and rest[2])):
        raise unbounded("padding with a constant")
    return x.moved(lambda t: _typed(func, t, rest, keywords))


def _monotone(x: Region, name: str, func: Callable[..., Any], rest: Sequence[Any], keywords: dict[str, Any]) -> Region:
    plain = {k: v for k, v in keywords.items() if k != "inplace"}  # a region's ends are used again
    given = () if name in {"relu", "relu6"} else rest
    return x.monotone(lambda t: _typed(func, t.clone(), given, plain), name)  # a copy, for functions in place


def _dipping(x: Region, name: str, func: Callable[..., Any], rest: Sequence[Any], keywords: dict[str, Any]) -> Region:
    """Functions that fall to their only bend and rise from there."""
    plain = {k: v for k, v in keywords.items() if k != "inplace"}
    bend, least = DIPS[name]
    return x.dipping(lambda t: _typed(func, t.clone(), rest, plain), bend, least)


def _pooled(x: Region, name: str, func: Callable[..., Any], rest: Sequence[Any], keywords: dict[str, Any]) -> Region:  # noqa: ARG001
    return x.pooled(lambda t: _typed(func, t, rest, keywords))


def _ordered(x: Region, name: str, func: Any, rest: Sequence[Any], keywords: dict[str, Any]) -> Region:  # noqa: ARG001
    """The same region: a softmax keeps the order of its inputs, which is all that the sign of a margin needs."""
    if x.ndim != 2 or keywords.get("dim", rest[0] if rest else None) not in (1, -1):
        raise unbounded(name, "of parts")
    return replace(x, ordered=True)  # type: ignore[type-var]


def _typed(func: Callable[..., Any], t: Tensor, rest: Sequence[Any], keywords: Mapping[str, Any]) -> Tensor:
    found: Tensor = func(t, *rest, **keywords)
    return found


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _weighted(x: Region, name: str, func: Callable[..., Any], rest: Sequence[Any], keywords: dict[str, Any]) -> Region:
    """A layer of weights, the first of `rest`, with a bias behind them or by name."""
    if any(isinstance(v, Region) for v in (*rest, *keywords.values())):
        raise unbounded(name, "of two parts")
    weight, behind = _double(rest[0]), [_double(v) for v in rest[1:]]
    named = {k: _double(v) for k, v in keywords.items()}
    bare, bare_named = list(behind), {**named}
    if bare and isinstance(bare[0], Tensor):
        bare[0] = None
    if isinstance(bare_named.get("bias"), Tensor):
        bare_named["bias"] = None
    return x.weighted(
        lambda t: func(t, weight, *behind, **named),
        lambda t: func(t, weight, *bare, **bare_named),
        lambda t: func(t, weight.abs(), *bare, **bare_named),
    )


def _normed(x: Region, name: str, func: Any, rest: Sequence[Any], keywords: dict[str, Any]) -> Region:  # noqa: ARG001
    names = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    said = {"eps": 1e-5, "weight": None, "bias": None, **dict(zip(names, rest, strict=False)), **keywords}
    if said.get("training") or said["running_mean"] is None:
        raise unbounded("batch normalisation by the batch itself")
    scale = (said["running_var"].double() + said["eps"]).rsqrt()
    scale = scale if said["weight"] is None else scale * said["weight"].double()
    shift = -said["running_mean"].double() * scale
    shift = shift if said["bias"] is None else shift + said["bias"].double()
    wide = (1, -1, *[1] * (x.ndim - 2))
    return _scaled(x, scale.view(wide), shift.view(wide))


def _scaled(x: Region, scale: Tensor, shift: Tensor | float = 0.0) -> Region:
    return x.weighted(lambda t: t * scale + shift, lambda t: t * scale, lambda t: t * scale.abs())


def _arithmetic(x: Region, name: str, func: Any, rest: Sequence[Any], keywords: dict[str, Any]) -> Region:  # noqa: ARG001
    other, sign = rest[0], float(keywords.get("alpha", 1)) * (-1 if name == "sub" else 1)
    if isinstance(other, Region):
        if name not in {"add", "sub"} or abs(sign) != 1:
            raise unbounded(name, "of two parts")
        return x.plus(other, sign)
    constant = torch.as_tensor(other, dtype=torch.float64)
    if name in {"add", "sub"}:
        return x.weighted(lambda t: t + sign * constant, lambda t: t + 0 * constant, lambda t: t + 0 * constant)
    return _scaled(x, constant if name == "mul" else 1 / constant)


FUNCTIONS: dict[str, Known] = {
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout", "contiguous",
                     "clone", "detach", "float", "double", "to", "alias", "identity"), _same),
    # what moves, repeats or averages elements: linear, and monotone in each of them
    **dict.fromkeys(("flatten", "view", "reshape", "permute", "transpose", "squeeze", "unsqueeze", "expand", "movedim",
                     "mean", "sum", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "t",
                     "__getitem__", "select", "narrow", "unflatten", "repeat", "pad"), _moved),
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "convolution", "_convolution",
                     "conv_transpose1d", "conv_transpose2d", "matmul", "mm", "__matmul__"), _weighted),
    **dict.fromkeys(("relu", "sigmoid", "tanh", "leaky_relu", "elu", "selu", "celu", "softplus", "hardtanh", "relu6",
                     "hardsigmoid", "clamp", "exp", "softsign"), _monotone),
    **dict.fromkeys(DIPS, _dipping),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d"), _pooled),
    **dict.fromkeys(("add", "sub", "mul", "div", "true_divide"), _arithmetic),
    **dict.fromkeys(("softmax", "log_softmax"), _ordered),
    "batch_norm": _normed,
}  # fmt: skip
