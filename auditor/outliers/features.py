"""What a model makes of rows: its outputs, and the last vector on the way to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from auditor.subject import Data, Model

__all__ = ["Answers", "Asking", "answered", "answers_of", "asking", "last_vector"]

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Answers:
    """What a model says of N rows: logits (N, C) and features (N, D), the last vector on the way to them."""

    logits: Tensor
    features: Tensor

    def at(self, rows: Tensor) -> Answers:
        """The same of some rows: positions, or (N,) whether."""
        return Answers(self.logits[rows], self.features[rows])

    @property
    def finite(self) -> Tensor:
        """(N,) which rows have neither NaN nor infinity."""
        return self.logits.isfinite().all(1) & self.features.isfinite().all(1)


Asking = Callable[[Model, Tensor], Answers]


def answered(model: Model, x: Tensor) -> Answers:
    """What the model says of inputs (N, ...), in one pass; with gradients where they are on."""
    passed: list[tuple[nn.Module, Tensor]] = []
    with _watched(model.module, passed):
        outputs = model(x)
    width = outputs[0].numel()  # 1 of a model that gives values (N,)
    longer = [(m, t) for m, t in passed if t.ndim == 2 and len(t) == len(x) and t.shape[1] > width]
    if not longer:
        return Answers(outputs.cpu(), outputs.cpu())
    layer, last = longer[-1]
    # a model that answers at random is passed several times: the mean of what the layer gave
    vectors = torch.stack([t.float() for m, t in longer if m is layer and t.shape == last.shape])
    return Answers(outputs.cpu(), vectors.mean(0).cpu())


def last_vector(model: Model, x: Tensor) -> Tensor:
    """(N, D) the last vector on the way to the outputs that is longer than they are; else the outputs themselves."""
    return answered(model, x).features


def answers_of(model: Model, data: Data, batch_size: int, change: Change, ask: Asking = answered) -> Answers:
    """What the model says of all rows of `data` after `change`, read in batches of `batch_size`, by `ask`."""
    with torch.no_grad():
        parts = [ask(model, change(b.x)) for b in data.batches(batch_size)]
    return Answers(torch.cat([p.logits for p in parts]), torch.cat([p.features for p in parts]))


def asking(model: Model, view: Model, x: Tensor) -> Asking:
    """How both are asked for the same features: the outputs where only one shows the last vector before them."""
    with torch.no_grad():
        shapes = [answered(m, x[:2]).features.shape for m in (model, view)]
    return answered if shapes[0] == shapes[1] else _outputs


def _outputs(model: Model, x: Tensor) -> Answers:
    logits = model(x).cpu()
    return Answers(logits, logits)


@contextmanager
def _watched(module: nn.Module, passed: list[tuple[nn.Module, Tensor]]) -> Iterator[None]:
    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        found = inputs[0] if inputs and isinstance(layer, nn.Linear) else output
        if isinstance(found, Tensor) and found.is_floating_point():
            passed.append((layer, found))

    leaves = [m for m in _modules(module) if not any(True for _ in m.children())]
    hooks = [m.register_forward_hook(note) for m in leaves if not isinstance(m, torch.jit.ScriptModule)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _modules(module: nn.Module) -> Iterator[nn.Module]:
    """All parts, those of models that a handle is wrapped around too."""
    for part in module.modules():
        yield part
        held = getattr(part, "inner", None)
        for inner in held if isinstance(held, list) else ():
            if isinstance(inner, Model):
                yield from _modules(inner.module)
