"""One rule a function: the same value, linear in the input, with every additive constant entered in the ledger.

    linear, convolution     W x + b                                   b is a constant
    convolution, gamma > 0  z * stop(y / z) where y > 0               z = y + gamma * (what speaks for y)
    batch norm              s x + t                                   t is a constant
    layer, group norm       (x - mean(x)) / stop(deviation) * w + b   b is a constant
    activation f            x * stop((f(x) - f(0)) / x) + f(0)        the identity rule; f(0) is a constant
    a * b, a @ b            half to each factor; a gate (sigmoid) passes everything to what it gates
    softmax, attention      the weights are constant factors: relevance follows the values
    deviation, norm         constant factors too

Layer-wise relevance propagation in its modified-gradient form: Bach et al. 2015, PLoS ONE 10:e0130140; Achtibat et al.
2024, arXiv:2402.05602.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from auditor.explain.ledger import Ledger

__all__ = ["LINEAR", "RULES", "Function", "live", "plain_name"]

Function = Callable[..., Tensor]  # or what it gives instead: indices, tuples; rules are for tensors
Rule = Callable[[Ledger, Function, tuple[Any, ...], dict[str, Any]], Any]
TINY = 1e-9

# Selecting, moving or adding up elements: already linear, and 0 for 0.
LINEAR = frozenset(
    """
    __get__ __getitem__ __setitem__ view view_as reshape flatten unflatten ravel squeeze unsqueeze transpose permute t
    swapaxes movedim moveaxis contiguous clone to float double type type_as detach expand expand_as repeat tile flip
    roll chunk split tensor_split unbind narrow select index_select gather take_along_dim unfold fold im2col col2im
    pixel_shuffle pixel_unshuffle channel_shuffle sum mean cumsum neg negative __neg__ positive dropout dropout1d
    dropout2d dropout3d feature_dropout alpha_dropout feature_alpha_dropout max_pool1d max_pool2d max_pool3d
    max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    adaptive_max_pool1d adaptive_max_pool2d amax amin max min upsample_nearest2d upsample_bilinear2d upsample_bicubic2d
    _upsample_nearest2d _upsample_bilinear2d interpolate copy_ copy diagonal triu tril mT mH slice
    alias split_with_sizes lift_fresh_copy to _to_copy _unsafe_view _reshape_alias reshape_as unsafe_chunk unsafe_split
    unsafe_split_with_sizes _adaptive_avg_pool2d _adaptive_avg_pool3d numpy_T matrix_H adjoint
    """.split()  # noqa: SIM905 - a list of names
)
ELEMENTWISE = frozenset(
    """
    relu relu6 gelu silu mish hardswish elu selu celu leaky_relu rrelu prelu tanh hardtanh clamp clamp_min clamp_max
    clip softplus softsign logsigmoid log_sigmoid tanhshrink hardshrink softshrink threshold abs square sqrt pow exp
    expm1 log log1p sin cos erf reciprocal tan atan asinh sign
    """.split()  # noqa: SIM905 - a list of names
)
GATES = frozenset({"sigmoid", "hardsigmoid"})
FACTORS = frozenset({"rsqrt", "var", "std", "norm", "linalg_vector_norm", "logsumexp", "softmin"})
OPERATORS = {
    "__add__": "add", "__radd__": "add", "__iadd__": "add", "__sub__": "sub", "__isub__": "sub", "__mul__": "mul",
    "__rmul__": "mul", "__imul__": "mul", "__truediv__": "div", "__itruediv__": "div", "__div__": "div",
    "__idiv__": "div", "__matmul__": "matmul", "__pow__": "pow", "__ipow__": "pow",
}  # fmt: skip


def plain_name(func: Function) -> str:
    """A function's name without overload and in-place marks: `relu_` and `relu.default` are `relu`, `+` is `add`."""
    name = getattr(func, "__name__", "").partition(".")[0]
    return OPERATORS.get(name, name) if name.startswith("__") else name.rstrip("_") or name


def live(x: object) -> bool:
    """Whether `x` is, or holds, a tensor that depends on the input."""
    if isinstance(x, Tensor):
        return x.requires_grad
    return isinstance(x, (list, tuple)) and any(live(part) for part in x)


# ---- rules ---------------------------------------------------------------------------------------------------------
def _linear(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Linear layers: the bias is a constant."""
    x, w, bias, rest = _layer(args, kwargs)
    y: Tensor = func(x, w, None, *rest, **kwargs)
    return y if bias is None else y + ledger.leaf(bias)


def _convolution(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Convolutions: the bias is a constant; with the gamma rule (Montavon et al. 2019) where the output is positive."""
    x, w, bias, rest = _layer(args, kwargs)

    def apply(part: Tensor, weight: Tensor) -> Tensor:
        return func(part, weight, None, *rest, **kwargs)

    shape = (-1, *[1] * (w.ndim - 2))
    b = None if bias is None else ledger.leaf(bias).view(shape)
    y = apply(x, w) if b is None else apply(x, w) + b
    if ledger.gamma == 0:
        return y
    # contributions of either sign of the input, so that z >= y > 0 also where the input is not the output of a ReLU
    for_it = apply(x * (x > 0), w.clamp_min(0)) + apply(x * (x < 0), w.clamp_max(0))
    if b is not None:
        for_it = for_it + b * (b > 0)
    z = y + ledger.gamma * for_it
    value = y.detach()
    return torch.where(value > 0, z * (value / z.detach().clamp_min(TINY)), y)


def _layer(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor | None, list[Any]]:
    """Input, weight, bias, and the other positional arguments of a layer."""
    given = dict(zip(("input", "weight", "bias"), args, strict=False))
    for name in ("input", "weight", "bias"):
        given.setdefault(name, kwargs.pop(name, None))
    return given["input"], given["weight"].detach(), given["bias"], list(args[3:])


def _batch_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Batch norm in evaluation: a scale and a constant a channel."""
    x: Tensor = args[0]
    weight, bias, mean, var, training, _, eps = args[1:8]
    if training or mean is None:
        ledger.unknown.add("batch_norm in training")
        return func(*args, **kwargs)
    scale = torch.rsqrt(var.detach() + eps) * (1 if weight is None else weight.detach())
    shift = (0 if bias is None else bias.detach()) - mean.detach() * scale
    shape = (1, -1, *[1] * (x.ndim - 2))
    return x * scale.view(shape) + ledger.leaf(shift).view(shape)


def _layer_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    del func
    given = _named(("input", "normalized_shape", "weight", "bias", "eps"), args, kwargs)
    x, dims = given["input"], tuple(range(-len(given["normalized_shape"]), 0))
    y = _centred(x, dims, given.get("eps", 1e-5))
    return _scaled(ledger, y, given.get("weight"), given.get("bias"))


def _rms_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    del func
    given = _named(("input", "normalized_shape", "weight", "eps"), args, kwargs)
    x, dims = given["input"], tuple(range(-len(given["normalized_shape"]), 0))
    eps = given.get("eps") or torch.finfo(x.dtype).eps
    return _scaled(
        ledger, x * torch.rsqrt(x.detach().square().mean(dims, keepdim=True) + eps), given.get("weight"), None
    )


def _group_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    del func
    given = _named(("input", "num_groups", "weight", "bias", "eps"), args, kwargs)
    x = given["input"]
    y = _centred(x.reshape(len(x), given["num_groups"], -1), (-1,), given.get("eps", 1e-5)).reshape(x.shape)
    return _scaled(ledger, y, given.get("weight"), given.get("bias"), (-1, *[1] * (x.ndim - 2)))


def _instance_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    x, weight, bias, mean, var, use_input_stats, momentum, eps, *_ = args
    if not use_input_stats:
        return _batch_norm(ledger, func, (x, weight, bias, mean, var, False, momentum, eps), kwargs)
    y = _centred(x, tuple(range(2, x.ndim)), eps)
    return _scaled(ledger, y, weight, bias, (-1, *[1] * (x.ndim - 2)))


# What decomposed programs call returns what a backward pass would need too; nobody uses that when a model is run.
def _native_batch_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    *layer, momentum, eps = args
    return _batch_norm(ledger, func, (*layer, False, momentum, eps), kwargs), None, None


def _native_layer_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _layer_norm(ledger, func, args, kwargs), None, None


def _native_group_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    x, weight, bias, _, _, _, groups, eps = args
    return _group_norm(ledger, func, (x, groups, weight, bias, eps), kwargs), None, None


def _native_attention(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _attention(ledger, func, args, kwargs)


def _centred(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    """x minus its mean, over its deviation as a constant factor."""
    centred = x - x.mean(dims, keepdim=True)
    return centred * torch.rsqrt(centred.detach().square().mean(dims, keepdim=True) + eps)


def _scaled(
    ledger: Ledger, y: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...] | None = None
) -> Tensor:
    if weight is not None:
        y = y * (weight.detach() if shape is None else weight.detach().view(shape))
    if bias is not None:
        leaf = ledger.leaf(bias)
        y = y + (leaf if shape is None else leaf.view(shape))
    return y


def _elementwise(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The identity rule: a factor f(x) / x that is held constant; what f gives for 0 is a constant."""
    x, rest = args[0], args[1:]
    kwargs.pop("inplace", None)
    if not isinstance(x, Tensor) or not x.requires_grad or any(live(a) for a in rest):
        ledger.unknown.add(plain_name(func))
        return func(*args, **kwargs)
    with torch.no_grad():
        y = func(x.detach().clone(), *rest, **kwargs)
        at_zero = func(torch.zeros_like(x), *rest, **kwargs).nan_to_num(0.0, 0.0, 0.0)
        near = x.abs() <= TINY
        slope = torch.where(near, 0, (y - at_zero) / torch.where(near, 1, x))
    linear = x * slope
    if bool(at_zero.any()):
        linear = linear + ledger.leaf(at_zero)
    return linear + (y - linear.detach())  # the value stays exact to the last bit


def _gate(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    ledger.squashed = args[0]
    return ledger.gate(_elementwise(ledger, func, args, kwargs))


def _softmax(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    ledger.squashed = args[0]
    return func(args[0].detach(), *args[1:], **kwargs)


def _log_softmax(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The logits minus a constant a row."""
    x: Tensor = args[0]
    return x + ledger.leaf(func(x.detach(), *args[1:], **kwargs) - x.detach())


def _factor(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A deviation or norm: others are multiplied by it or divided by it, it takes no share itself."""
    del ledger
    return func(*(a.detach() if isinstance(a, Tensor) else a for a in args), **kwargs)


def _attention(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    del ledger
    given = _named(("query", "key", "value"), args[:3], kwargs)
    query, key, value = (given.pop(n) for n in ("query", "key", "value"))
    return func(query.detach(), key.detach(), value, *args[3:], **given)


def _product(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """a * b or a @ b: half the relevance to each factor, all of it to what a gate lets through."""
    a, b, *rest = args
    if not (live(a) and live(b)):
        return func(*args, **kwargs)
    if ledger.is_gate(a) != ledger.is_gate(b):
        a, b = (a.detach(), b) if ledger.is_gate(a) else (a, b.detach())
        return func(a, b, *rest, **kwargs)
    return 0.5 * (func(a, b.detach(), *rest, **kwargs) + func(a.detach(), b, *rest, **kwargs))


def _einsum(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    equation, *operands = args
    tensors = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    if sum(live(t) for t in tensors) != 2 or len(tensors) != 2:
        if sum(live(t) for t in tensors) > 1:
            ledger.unknown.add("einsum of more than two")
        return func(*args, **kwargs)
    return _product(ledger, lambda a, b: func(equation, [a, b]), tuple(tensors), kwargs)


def _quotient(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """a / b: the denominator is a constant factor."""
    a, b, *rest = args
    if live(b) and not live(a):
        return _elementwise(ledger, lambda x: func(a, x, *rest, **kwargs), (b,), {})
    return func(a, b.detach() if isinstance(b, Tensor) else b, *rest, **kwargs)


def _reversed_quotient(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    return _elementwise(ledger, func, args, kwargs)


def _sum(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """a + b, a - b: a constant side is a constant with a share."""
    a, b = args[:2]
    if live(a) and live(b):
        return func(*args, **kwargs)
    x = a if live(a) else b
    zero = torch.zeros_like(x)
    constant = func(*(zero if t is x else t for t in args[:2]), **kwargs)
    moved = func(*((t if t is x else _nothing(t)) for t in args[:2]), **kwargs)
    return moved + ledger.leaf(constant)


def _nothing(constant: object) -> Any:
    return torch.zeros_like(constant) if isinstance(constant, Tensor) else 0


def _joined(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """cat, stack: parts that do not depend on the input are constants with a share."""
    first, *rest = args if args else (kwargs.pop("tensors"),)
    return func([t if live(t) else ledger.leaf(t) for t in first], *rest, **kwargs)


def _where(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    condition, *sides = args
    like = next(s for s in sides if live(s))
    parts = [s if live(s) else ledger.leaf(torch.as_tensor(s, dtype=like.dtype, device=like.device)) for s in sides]
    return func(condition, *parts, **kwargs)


def _affine(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Padding, masking: what the function gives for 0 is a constant; attention masks (beyond 1e4) are left alone."""
    x, *rest = args
    constant = func(torch.zeros_like(x), *rest, **kwargs)
    y: Tensor = func(x, *rest, **kwargs)
    if not bool(constant.any()) or bool((constant.abs() > 1e4).any()):
        return y
    return y - constant + ledger.leaf(constant)


def _addmm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """bias + a @ b, plainly or in batches."""
    del func
    bias, a, b = args[:3]
    if kwargs.get("beta", 1) != 1 or kwargs.get("alpha", 1) != 1:
        ledger.unknown.add("addmm with factors")
    y = _product(ledger, torch.matmul, (a, b), {})
    return y + (bias if live(bias) else ledger.leaf(bias))


def _named(names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(names, args, strict=False)) | kwargs


RULES: dict[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(GATES, _gate),
    **dict.fromkeys(FACTORS, _factor),
    "linear": _linear,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "_convolution"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _convolution),
    **dict.fromkeys(("mul", "multiply", "matmul", "bmm", "mm"), _product),
    **dict.fromkeys(("add", "sub", "subtract", "rsub", "__rsub__"), _sum),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack", "hstack", "vstack"), _joined),
    **dict.fromkeys(("pad", "constant_pad_nd", "masked_fill"), _affine),
    **dict.fromkeys(("addmm", "baddbmm"), _addmm),
    **dict.fromkeys(("div", "divide", "true_divide"), _quotient),
    "__rdiv__": _reversed_quotient,
    "__rtruediv__": _reversed_quotient,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    **dict.fromkeys(("softmax", "_softmax"), _softmax),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _log_softmax),
    "scaled_dot_product_attention": _attention,
    "_native_batch_norm_legit_no_training": _native_batch_norm,
    "native_layer_norm": _native_layer_norm,
    "native_group_norm": _native_group_norm,
    "_scaled_dot_product_flash_attention_for_cpu": _native_attention,
    "einsum": _einsum,
    "where": _where,
}
