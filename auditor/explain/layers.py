"""What the named layers of a model give, whether it is a module or a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from auditor.explain.followed import followed
from auditor.subject import Model

__all__ = ["Hook", "driven", "heard", "layer_outputs", "leaf", "own_rows"]

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
    for rows in driven(model, x):
        found: dict[str, Tensor] = {}

        def note(name: str, output: Tensor, found: dict[str, Tensor] = found) -> None:
            found.pop(name, None)
            found[name] = output.detach().clone()  # the next layer may work in place

        with heard(model.module, dict.fromkeys(dict(model.module.named_modules()), note)):
            model(leaf(rows, model).clone())
        parts.append({name: own_rows(rows, model, output) for name, output in found.items()})
    return {name: torch.cat([p[name] for p in parts]) if len(parts) > 1 else one for name, one in parts[0].items()}


def driven(model: Model, x: Tensor) -> tuple[Tensor, ...]:
    """`x` (N, ...) in parts that the module takes in one run each."""
    return tuple(x.split(model.batch or max(1, len(x))))


def leaf(rows: Tensor, model: Model) -> Tensor:
    """The rows as a leaf of their own on the model's device, which takes a gradient unless it holds whole numbers."""
    own = rows.detach().to(model.device)
    return own.requires_grad_(own.is_floating_point())


def own_rows(rows: Tensor, model: Model, output: Tensor) -> Tensor:
    """`output` without what belongs to the rows that filled a batch up."""
    return output[: len(rows)] if model.batch is not None and output.shape[:1] == (model.batch,) else output


@contextmanager
def heard(module: nn.Module, hooks: dict[str, Hook]) -> Iterator[None]:
    """Hooks `f(name, output)` on the named modules that give a tensor, gone on leaving.

    What a hook gives goes on in the place of the output; None leaves it.
    """
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
