"""Programs as modules whose functions and layers can be followed: TorchScript and torch.export take no hooks.

Explanations alone are made on them; predictions and attacks stay with the program itself. That is why this is no part
of loading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from auditor.errors import NotApplicable, one_line, without_machine
from auditor.explain.exported import exported_layers
from auditor.explain.scripted import scripted_layers
from auditor.subject import Model

__all__ = ["Followed", "followed", "how_followed"]

SAME = 1e-4
ROWS = 16
ADVICE = {
    "TorchScript": "export the model with torch.export (.pt2) to have it followed",
    ".pt2": "give its weights with their architecture to have it followed",
}


class Followed(nn.Module):
    """A program whose operators run one by one, with a module for each of its layers, by name.

    Each layer's output passes through its module, so that forward hooks fire as they do on the module that the program
    was made from; they may give another output in its place. The weights are the program's own, not copies.
    """

    def __init__(
        self,
        program: nn.Module,
        names: Iterable[str],
        run: Callable[[tuple[Any, ...], Callable[[str, Tensor], Tensor]], Any],
    ) -> None:
        super().__init__()
        self._run = run
        self._layers: dict[str, nn.Module] = {}  # both before any layer is there, which may have the same name
        self._layers.update((name, _grown(self, name)) for name in names)
        for name, p in program.named_parameters():
            path, _, leaf = name.rpartition(".")
            _grown(self, path)._parameters[leaf] = p  # noqa: SLF001 - TorchScript's weights are no nn.Parameter

    def forward(self, *inputs: Tensor) -> Any:
        """What the program gives for `inputs`."""
        return self._run(tuple(x.clone() for x in inputs), self._passed)  # copies, since some programs write into them

    def _passed(self, name: str, output: Tensor) -> Tensor:
        passed: Tensor = self._layers[name](output)
        return passed


class _Layer(nn.Module):
    """The place of a layer: its output goes through."""

    def forward(self, output: Tensor) -> Tensor:
        return output


def followed(model: Model, x: Tensor) -> Model:
    """The model with its program in a form that shows its functions and layers; the model itself where it is a module.

    NotApplicable when the program cannot be followed, or when following gives other outputs for `x` (N, ...): a
    difference of more than 1e-4 of the largest.
    """
    kind = _program(model.module)
    if not kind:
        return model
    try:
        names, run = (scripted_layers if kind == "TorchScript" else exported_layers)(model.module)
        found = replace(model, module=Followed(model.module, names, run))
        with torch.no_grad():
            same = all(_agree(model.raw(rows.clone()), found.raw(rows)) for rows in x.split(ROWS))
    except NotApplicable as e:
        msg = f"{e}; {ADVICE[kind]}"
        raise NotApplicable(msg) from None
    except Exception as e:  # noqa: BLE001 - the program is somebody else's
        msg = f"the {kind} program cannot be followed ({without_machine(one_line(str(e), 120))}); {ADVICE[kind]}"
        raise NotApplicable(msg) from None
    if not same:
        msg = f"the {kind} program gives other outputs when its operators run one by one; {ADVICE[kind]}"
        raise NotApplicable(msg)
    return found


def how_followed(model: Model) -> tuple[str, ...]:
    """What a report says of an explanation of `model`: one sentence for a program, none for a module."""
    kind = _program(model.module)
    if not kind:
        return ()
    said = (
        f"The model is a {kind} program: it was explained with its operators run one by one, which gave the program's "
        f"own outputs for these rows to within {SAME:.0e} of the largest."
    )
    return (said,)


def _program(module: nn.Module) -> str:
    """The kind of a program, "" where `module` is none."""
    if isinstance(module, torch.jit.ScriptModule):
        return "TorchScript"
    if isinstance(module, fx.GraphModule) and all(n.op != "call_module" or _is_guard(n) for n in module.graph.nodes):
        return ".pt2"
    return ""


def _is_guard(node: fx.Node) -> bool:
    return node.target == "_guards_fn"


def _agree(expected: Tensor, found: Tensor) -> bool:
    if expected.shape != found.shape:
        return False
    return float((expected - found).abs().max()) <= SAME * max(1.0, float(expected.abs().max()))


def _grown(module: nn.Module, path: str) -> nn.Module:
    """The part of `module` at `path` (a.b.c), made where it is missing."""
    for name in path.split(".") if path else ():
        part = module._modules.get(name) or _Layer()  # noqa: SLF001 - add_module refuses names that programs have
        module._modules[name] = part  # noqa: SLF001 - as above
        module = part
    return module
