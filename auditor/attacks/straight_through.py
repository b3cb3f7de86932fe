"""Gradients straight through what has none: rounding, casts, thresholds, detached parts (BPDA with the identity).

Athalye et al. 2018, arXiv:1802.00420, section 4.1. Values, and the model, are untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from auditor.attacks.slopes import with_slope_of
from auditor.attacks.softened import base_name

__all__ = ["StraightThrough", "straight_through"]

STEPS = frozenset({"round", "floor", "ceil", "trunc", "fix", "frac"})
SIGNS = frozenset({"sign", "sgn", "heaviside"})
DETACHED = frozenset({"detach", "detach_copy"})
SWITCH = "_set_grad_enabled"  # what no_grad and enable_grad call
ARRAYS = frozenset({"numpy", "__array__"})  # refuse what has a gradient, as detached tensors have here
THRESHOLDS = {"gt": 1, "ge": 1, "greater": 1, "greater_equal": 1, "lt": -1, "le": -1, "less": -1, "less_equal": -1}
TO_FLOAT = frozenset({"float", "double", "half", "bfloat16", "to", "type", "type_as", "_to_copy"})
SHARP = 0.1  # of the root mean square of what is compared: how wide a threshold is in the backward pass


class StraightThrough(TorchFunctionMode):
    """While active, gradients pass rounding, casts to whole numbers and back, thresholds, detached tensors, no_grad.

    `met` are the names of the functions that were passed so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.met: dict[str, None] = {}
        self._from: dict[int, tuple[Tensor, Tensor]] = {}  # by id: casts and masks, which must live, and their source

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What `func` gives, with a gradient where it has none."""
        keywords = dict(kwargs or {})
        name, in_place = base_name(func)
        x = args[0] if args and isinstance(args[0], Tensor) else None
        if name == "__get__" and x is not None and x.requires_grad and _is_data(func):
            return self._note("data", x)
        if name in DETACHED and x is not None and x.requires_grad:
            return self._note(name, x)
        if name in ARRAYS and x is not None:
            return func(x.detach(), *args[1:], **keywords)
        if name == SWITCH:
            return self._switched(bool(args[0]))
        with torch.enable_grad():
            result = func(*args, **keywords)
        if x is None or not isinstance(result, Tensor) or result.shape != x.shape:
            return result
        return self._followed(name, in_place, x, args, result)

    def _switched(self, on: bool) -> None:
        """Gradients stay on."""
        if not on:
            self.met["no_grad"] = None

    def _followed(self, name: str, in_place: bool, x: Tensor, args: tuple[Any, ...], result: Tensor) -> Tensor:
        origin = self._from[id(x)][1] if id(x) in self._from else None
        if origin is not None and not result.is_floating_point():
            self._from[id(result)] = (result, origin)  # still whole numbers, or a mask
        elif origin is not None and name in TO_FLOAT:
            return with_slope_of(origin, result)
        elif not x.requires_grad or not x.is_floating_point():
            return result
        elif name in STEPS and not in_place:
            return self._note(name, with_slope_of(x, result.detach()))
        elif name in SIGNS and not in_place:
            return self._note(name, with_slope_of(self._soft(x), result.detach()))
        elif name in THRESHOLDS:
            self._from[id(result)] = (result, self._note(name, THRESHOLDS[name] * self._soft(x - args[1])))
        elif not result.is_floating_point():
            self._from[id(result)] = (result, self._note(name, x))
        return result

    def _soft(self, x: Tensor) -> Tensor:
        rms = x.detach().flatten(1).square().mean(1).sqrt() if x.ndim > 1 else x.detach().abs()
        return torch.sigmoid(x / (SHARP * rms).clamp_min(1e-12).view(-1, *[1] * (x.ndim - 1)))

    def _note(self, name: str, result: Tensor) -> Tensor:
        self.met[name] = None
        return result


@contextmanager
def straight_through(module: nn.Module) -> Iterator[StraightThrough]:
    """The mode, with hooks that pass gradients by layers of `module` that give no gradient but the shape they got."""
    mode = StraightThrough()

    def passed_by(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        x = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
        if x is None or not x.requires_grad or not isinstance(output, Tensor) or output.requires_grad:
            return None
        if output.shape != x.shape or not output.is_floating_point():
            return None
        mode.met[type(layer).__name__] = None
        return with_slope_of(x, output)

    hooks = [m.register_forward_hook(passed_by) for m in module.modules() if not isinstance(m, torch.jit.ScriptModule)]
    try:
        with mode:
            yield mode
    finally:
        for hook in hooks:
            hook.remove()


def _is_data(func: Callable[..., Any]) -> bool:
    return getattr(func, "__self__", None) is Tensor.data
