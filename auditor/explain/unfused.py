"""Fused transformer kernels in the functions that they stand for: torch gives the kernels no derivative.

They come into programs that were traced under torch.no_grad(), where torch takes them for nn.MultiheadAttention and
nn.TransformerEncoderLayer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from auditor.errors import NotApplicable

__all__ = ["UNFUSED"]


def _attention(
    query: Tensor, key: Tensor, value: Tensor, width: int, heads: int, weight: Tensor, bias: Tensor,
    out_weight: Tensor, out_bias: Tensor, mask: Tensor | None = None, need_weights: bool = True,
    average: bool = True, mask_type: int | None = None,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """torch._native_multi_head_attention: what attention gives for tokens (N, T, width), and its weights."""
    del mask_type
    _need_no(mask)
    inputs = zip((query, key, value), weight.chunk(3), bias.chunk(3), strict=True)
    q, k, v = (functional.linear(x, w, b).unflatten(-1, (heads, -1)).transpose(1, 2) for x, w, b in inputs)
    weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(width // heads), -1)
    y = functional.linear((weights @ v).transpose(1, 2).flatten(2), out_weight, out_bias)
    return y, (weights.mean(1) if average else weights) if need_weights else None


def _encoder_layer(
    x: Tensor, width: int, heads: int, weight: Tensor, bias: Tensor, out_weight: Tensor, out_bias: Tensor,
    use_gelu: bool, norm_first: bool, eps: float, weight_1: Tensor, bias_1: Tensor, weight_2: Tensor, bias_2: Tensor,
    up_weight: Tensor, up_bias: Tensor, down_weight: Tensor, down_bias: Tensor,
    mask: Tensor | None = None, mask_type: int | None = None,
) -> Tensor:  # fmt: skip
    """torch._transformer_encoder_layer_fwd: what the layer gives for tokens (N, T, width)."""
    del mask_type
    _need_no(mask)

    def attended(t: Tensor) -> Tensor:
        return _attention(t, t, t, width, heads, weight, bias, out_weight, out_bias, need_weights=False)[0]

    def mixed(t: Tensor) -> Tensor:
        hidden = functional.linear(t, up_weight, up_bias)
        return functional.linear((functional.gelu if use_gelu else torch.relu)(hidden), down_weight, down_bias)

    def first(t: Tensor) -> Tensor:
        return functional.layer_norm(t, (width,), weight_1, bias_1, eps)

    def second(t: Tensor) -> Tensor:
        return functional.layer_norm(t, (width,), weight_2, bias_2, eps)

    if norm_first:
        x = x + attended(first(x))
        return x + mixed(second(x))
    x = first(x + attended(x))
    return second(x + mixed(x))


def _need_no(mask: Tensor | None) -> None:
    if mask is not None:
        msg = "the program uses a fused transformer layer with a mask, which cannot be followed"
        raise NotApplicable(msg)


UNFUSED: Mapping[str, Callable[..., Any]] = {
    "_native_multi_head_attention": _attention,
    "_transformer_encoder_layer_fwd": _encoder_layer,
}
