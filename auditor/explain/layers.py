"""What the named layers of a model give, whether it is a module or a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from auditor.errors import NotApplicable
from auditor.explain.followed import followed
from auditor.subject import Model

__all__ = ["layer_gradient", "layer_outputs"]

Hook = Callable[[str, Tensor], Tensor | None]


def layer_outputs(model: Model, x: Tensor) -> dict[str, Tensor]:
    """The output of every named layer that gives a tensor, for inputs (N, ...), in the order in which they finish.

    A layer that runs several times is there once, with its last output; of a tuple the first is taken, as attention
    gives its weights beside its output. The model runs as it does when gradients are asked for, since some layers go
    another way without. Layers of programs have the names that they had in the module. NotApplicable when the model is
    a program that cannot be followed.
    """
    model = followed(model, x)
    parts: list[dict[str, Tensor]] = []
    for rows in _driven(model, x):
        found: dict[str, Tensor] = {}

        def note(name: str, output: Tensor, found: dict[str, Tensor] = found) -> None:
            found.pop(name, None)
            found[name] = output.detach().clone()  # the next layer may work in place

        with _heard(model.module, dict.fromkeys(dict(model.module.named_modules()), note)):
            model(_leaf(rows, model).clone())
        parts.append({name: _of(rows, model, output) for name, output in found.items()})
    return {name: torch.cat([p[name] for p in parts]) if len(parts) > 1 else one for name, one in parts[0].items()}


def layer_gradient(model: Model, layer: str, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Output of `layer` for inputs (N, ...), and the gradient of the logits of class `target` (N,) to it.

    Both are those of the layer's last run, the gradient 0 where the logits do not depend on it. NotApplicable when the
    model is a program that cannot be followed.
    """
    model = followed(model, x)
    parts = []
    for rows, wanted in zip(_driven(model, x), _driven(model, target), strict=True):
        outputs: list[Tensor] = []

        def keep(_: str, output: Tensor, outputs: list[Tensor] = outputs) -> Tensor:
            outputs.append(output)
            return output.clone()  # the next layer may work in place

        with _heard(model.module, {layer: keep}):
            logits = model(_leaf(rows, model).clone())
        if not outputs:
            msg = f"the layer {layer!r} does not run for every input"
            raise NotApplicable(msg)
        logit = logits.gather(1, wanted.to(model.device)[:, None]).sum()
        (gradient,) = torch.autograd.grad(logit, outputs[-1], allow_unused=True)
        output = outputs[-1].detach()
        gradient = torch.zeros_like(output) if gradient is None else gradient
        parts.append((_of(rows, model, output), _of(rows, model, gradient)))
    return torch.cat([output for output, _ in parts]), torch.cat([gradient for _, gradient in parts])


def _driven(model: Model, x: Tensor) -> tuple[Tensor, ...]:
    """`x` in parts that the module takes in one run each."""
    return tuple(x.split(model.batch or max(1, len(x))))


def _leaf(rows: Tensor, model: Model) -> Tensor:
    return rows.detach().to(model.device).requires_grad_()


def _of(rows: Tensor, model: Model, output: Tensor) -> Tensor:
    """`output` without what belongs to the rows that filled a batch up."""
    return output[: len(rows)] if model.batch is not None and output.shape[:1] == (model.batch,) else output


@contextmanager
def _heard(module: nn.Module, hooks: dict[str, Hook]) -> Iterator[None]:
    """Hooks `f(name, output)` on the named modules that give a tensor, gone on leaving."""
    handles = []
    for name, part in module.named_modules():
        if name and name in hooks and not isinstance(part, torch.jit.ScriptModule):  # those take no hooks
            handles.append(part.register_forward_hook(partial(_told, name, hooks[name])))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _told(name: str, hook: Hook, module: nn.Module, inputs: object, output: Any) -> Any:
    """What goes on in the place of `output`, None for itself."""
    del module, inputs
    if isinstance(output, Tensor):
        return hook(name, output)
    if type(output) is tuple and output and isinstance(output[0], Tensor):
        first = hook(name, output[0])
        return None if first is None else (first, *output[1:])
    return None
