"""What a module is made of, and the arithmetic of one sample."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from auditor.errors import NotApplicable
from auditor.subject import Model

__all__ = ["Operators", "flops", "layers", "parameters"]

# whole layers in one operator, of which torch's counter knows nothing
UNCOUNTED = frozenset(
    """
    _native_multi_head_attention _transformer_encoder_layer_fwd mkldnn_rnn_layer quantized_lstm quantized_gru
    """.split()  # noqa: SIM905 - a list of names
)


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query.shape, key.shape, value.shape))


COUNTED = {
    **flop_registry,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,  # noqa: SLF001 - as torch names it
}


class Operators(TorchDispatchMode):
    """Collects what runs inside: `seen` the names of torch's operators, `random` those that draw numbers.

    `flops` are the floating-point operations of those that torch knows to count (torch.utils.flop_counter).
    """

    def __init__(self) -> None:
        TorchDispatchMode.__init__(self)
        self.seen: dict[str, None] = {}
        self.random: dict[str, None] = {}
        self.flops = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # torch would import its compiler to do so, which takes longer than many an audit

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.__name__.partition(".")[0]
        self.seen[name] = None
        if torch.Tag.nondeterministic_seeded in getattr(func, "tags", ()):
            self.random[name] = None
        keywords = kwargs or {}
        result = func(*args, **keywords)
        if (count := COUNTED.get(getattr(func, "_overloadpacket", None))) is not None:
            self.flops += int(count(*args, **keywords, out_val=result))
        return result


def parameters(module: nn.Module) -> int:
    """How many weights it has, each counted once."""
    return sum(p.numel() for p in module.parameters())


def layers(module: nn.Module) -> int:
    """How many of its parts hold weights of their own."""
    return sum(any(True for _ in part.parameters(recurse=False)) for part in module.modules())


def flops(model: Model, x: Tensor) -> int:
    """Floating-point operations for one sample of `x` (N, ...): two for a multiplication with its addition.

    Counted are matrix products, convolutions and attention (torch.utils.flop_counter), not what is done to single
    elements. NotApplicable where some layer cannot be looked into.
    """
    operators = Operators()
    try:
        with torch.no_grad(), _layers_in_parts(), operators:
            model.raw(x[:1])
    except (Exception, SystemExit) as e:  # noqa: BLE001 - somebody else's module under a counter it does not expect
        msg = f"the counter does not go through this module ({type(e).__name__})"
        raise NotApplicable(msg) from None
    whole = sorted(UNCOUNTED & set(operators.seen))
    if whole:
        msg = f"{whole[0]} does a whole layer at once"
        raise NotApplicable(msg)
    return operators.flops // (model.batch or 1)


@contextmanager
def _layers_in_parts() -> Iterator[None]:
    """Attention layers in the operators they are made of, instead of one for the whole layer."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
