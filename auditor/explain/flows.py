"""What of a logit reaches each layer on its way to the input, and what the layer's constants keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Flow", "Flows"]


@dataclass(frozen=True)
class Flow:
    """What passes one layer, for N samples: `relevance` (N,) reaches its output, `absorbed` (N,) its constants take.

    `peak` (N,) is the largest |relevance| of a channel, or of a token. `relevance` and `peak` are None where nothing
    reaches the output or the samples do not lie along the first axis.
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


class Flows:
    """Notes for `samples` samples what passes the layers of a module that have weights of their own."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self._running: list[str] = []
        self._reached: dict[str, tuple[Tensor, Tensor]] = {}
        self._absorbed: dict[str, Tensor] = {}

    @property
    def layer(self) -> str:
        """The layer with weights that runs now, "" outside of all."""
        return self._running[-1] if self._running else ""

    @contextmanager
    def watching(self, module: nn.Module) -> Iterator[None]:
        """Watch the layers of `module` as they run; no hook is left behind on them."""
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

    def absorb(self, layer: str, shares: Tensor) -> None:
        """Note `shares` (N,) that constants of `layer` keep."""
        if layer:
            self._absorbed[layer] = self._absorbed.get(layer, torch.zeros(())) + shares

    def by_layer(self) -> dict[str, Flow]:
        """What passed each layer, by name, from the output to the input."""
        nothing = torch.zeros(self.samples)
        found = {}
        for name in dict.fromkeys((*self._reached, *self._absorbed)):
            relevance, peak = self._reached.get(name, (None, None))
            found[name] = Flow(relevance, peak, self._absorbed.get(name, nothing).expand(self.samples))
        return found

    def _enter(self, name: str, module: nn.Module, inputs: object) -> None:
        del module, inputs
        self._running.append(name)

    def _leave(self, name: str, module: nn.Module, inputs: object, output: Any) -> None:
        del module, inputs
        self._running.pop()
        first = output[0] if isinstance(output, tuple) and output else output
        if isinstance(first, Tensor) and first.requires_grad and first.ndim and len(first) % self.samples == 0:
            first.register_hook(partial(self._pass, name, first.detach()))  # the tensor itself would hold itself

    def _pass(self, name: str, output: Tensor, gradient: Tensor) -> None:
        rows = output.shape[1] if output.ndim > 2 else 1  # channels, or tokens
        parts = (output * gradient).reshape(self.samples, -1, output[0].numel() // rows).sum(2)
        total, peak = parts.sum(1).cpu(), parts.abs().amax(1).cpu()
        if name in self._reached:  # a layer that runs several times: all its runs together
            before, highest = self._reached[name]
            total, peak = before + total, torch.maximum(highest, peak)
        self._reached[name] = (total, peak)


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False))
