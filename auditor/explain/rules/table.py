"""Which function has which rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditor.explain.functions import Function
from auditor.explain.ledger import Ledger
from auditor.explain.rules import norms, pointwise, products, recurrent, sums, weighted

__all__ = ["COMPOSED", "LINEAR", "POINTWISE", "RULES", "Rule"]

Rule = Callable[[Ledger, Function, tuple[Any, ...], dict[str, Any]], Any]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Their own derivative is the rule: selecting, moving or adding up elements, and what is linear on either side of 0.
LINEAR = _names("""
    __get__ __getitem__ view view_as reshape flatten unflatten ravel squeeze unsqueeze transpose permute t
    swapaxes movedim moveaxis contiguous clone to float double type type_as detach expand expand_as repeat tile flip
    roll chunk split tensor_split unbind narrow select index_select gather take_along_dim unfold fold im2col col2im
    pixel_shuffle pixel_unshuffle channel_shuffle sum mean cumsum neg negative __neg__ positive dropout dropout1d
    dropout2d dropout3d feature_dropout alpha_dropout feature_alpha_dropout max_pool1d max_pool2d max_pool3d
    max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    adaptive_max_pool1d adaptive_max_pool2d amax amin max min upsample_nearest2d upsample_bilinear2d upsample_bicubic2d
    upsample_nearest1d upsample_linear1d _upsample_nearest2d _upsample_bilinear2d interpolate diagonal triu tril mT mH
    slice alias split_with_sizes lift_fresh_copy to _to_copy _unsafe_view _reshape_alias reshape_as unsafe_chunk
    unsafe_split unsafe_split_with_sizes _adaptive_avg_pool2d _adaptive_avg_pool3d numpy_T matrix_H adjoint
    relu leaky_relu prelu _prelu_kernel rrelu abs _pack_padded_sequence _pad_packed_sequence grid_sampler
""")
POINTWISE = _names("""
    relu6 gelu silu mish hardswish elu selu celu tanh hardtanh clamp clamp_min clamp_max
    clip softplus softsign logsigmoid log_sigmoid tanhshrink hardshrink softshrink threshold square sqrt pow exp
    expm1 log log1p sin cos erf reciprocal tan atan asinh sign
""")
FACTORS = _names("rsqrt var std norm linalg_vector_norm logsumexp softmin")

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(POINTWISE, pointwise.pointwise),
    **dict.fromkeys(("sigmoid", "hardsigmoid"), pointwise.gate),
    **dict.fromkeys(FACTORS, pointwise.factor),
    "linear": weighted.linear,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "_convolution"), weighted.convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), weighted.convolution),
    **dict.fromkeys(("addmm", "baddbmm"), weighted.addmm),
    **dict.fromkeys(("mul", "multiply", "matmul", "bmm", "mm"), products.product),
    **dict.fromkeys(("div", "divide", "true_divide"), products.quotient),
    **dict.fromkeys(("__rdiv__", "__rtruediv__"), pointwise.pointwise),
    "einsum": products.einsum,
    **dict.fromkeys(("softmax", "_softmax"), products.softmax),
    **dict.fromkeys(("log_softmax", "_log_softmax"), products.log_softmax),
    "scaled_dot_product_attention": products.attention,
    "_scaled_dot_product_flash_attention_for_cpu": products.attention,
    **dict.fromkeys(("add", "sub", "subtract", "rsub", "__rsub__"), sums.added),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack", "hstack", "vstack"), sums.affine),
    **dict.fromkeys(("pad", "constant_pad_nd"), sums.padded),
    **dict.fromkeys(("masked_fill", "where", "copy"), sums.affine),
    "batch_norm": weighted.batch_norm,
    "layer_norm": norms.layer_norm,
    "rms_norm": norms.rms_norm,
    "group_norm": norms.group_norm,
    "instance_norm": norms.instance_norm,
    "_native_batch_norm_legit_no_training": norms.native_batch_norm,
    "native_layer_norm": norms.native_layer_norm,
    "native_group_norm": norms.native_group_norm,
}
# Functions written out in others, each of which has its rule.
COMPOSED: Mapping[str, Function] = {
    name: getattr(recurrent, name)
    for name in ("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
}
