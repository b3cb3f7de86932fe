"""Which layers' units are looked at, and where in an output they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules import activation, batchnorm, conv, instancenorm

from auditor.errors import NotApplicable, UsageError
from auditor.explain.followed import followed
from auditor.explain.grids import Grid, grids
from auditor.explain.layers import layer_outputs
from auditor.subject import Model

__all__ = ["Units", "unit_layers"]

MOST = 12
NAMED = 5
ROUTING = {"MultiheadAttention", "Softmax", "Softmax2d", "LogSoftmax", "Softmin"}
ACTIVATIONS = tuple(getattr(activation, name) for name in activation.__all__ if name not in ROUTING)
FIRST = (conv._ConvNd, batchnorm._BatchNorm, instancenorm._InstanceNorm, nn.GroupNorm)  # noqa: SLF001 - their types
LAST = (nn.Linear, nn.LayerNorm, nn.Embedding)


@dataclass(frozen=True)
class Units:
    """The units of one layer: `count` of them, along `axis` of its output (1 or -1); the other axes are places.

    `low` and `high` are the ends that its function cannot pass and flattens out at, None where there is none;
    `is_function` says whether the layer is an activation function.
    """

    layer: str
    axis: int
    count: int
    low: float | None = None
    high: float | None = None
    is_function: bool = False

    def by_place(self, output: Tensor) -> Tensor:
        """`output` (N, ...) as (N, places, units)."""
        return output.movedim(self.axis, -1).reshape(len(output), -1, self.count)


def unit_layers(model: Model, x: Tensor, layers: Iterable[str] = ()) -> tuple[Units, ...]:
    """The units of `layers`; where none is named, of at most MOST layers spread over the depth of the network.

    These are its activation functions; where none is a module, its blocks (layers of layers), or else all layers, but
    for those that give the model's output. `x` (1, ...) is one sample. UsageError for a layer that gives no numbers for
    each sample; NotApplicable where there is none, or for a program that cannot be followed.
    """
    model = followed(model, x)
    twice = torch.cat([x, x])
    outputs = {
        name: output
        for name, output in layer_outputs(model, twice).items()
        if output.ndim > 1 and len(output) == 2 and output.is_floating_point() and output.shape[-1]
    }
    found = _laid_out(model, x, outputs)
    for name in layers:
        if name not in found:
            near = ", ".join(map(repr, list(found)[-NAMED:])) or "none"
            msg = f"no layer {name!r} that gives numbers for each sample runs in the model; the last that do: {near}"
            raise UsageError(msg)
    names = list(layers) or _by_rule(model, twice, outputs)
    if not names:
        msg = "no layer of the model gives anything but its output"
        raise NotApplicable(msg)
    return tuple(found[name] for name in dict.fromkeys(names))


def _by_rule(model: Model, twice: Tensor, outputs: Mapping[str, Tensor]) -> list[str]:
    with torch.no_grad():
        final = model.raw(twice).flatten()
    parts = dict(model.module.named_modules())
    inner = [name for name, output in outputs.items() if not torch.equal(output.float().flatten(), final)]
    functions = [name for name in inner if isinstance(parts[name], ACTIVATIONS)]
    blocks = [name for name in inner if any(parts[name].children())]
    seen = twice.to(model.device)
    names = functions or _distinct(blocks, outputs, seen) or _distinct(inner, outputs, seen)
    if len(names) <= MOST:
        return names
    return [names[round(i * (len(names) - 1) / (MOST - 1))] for i in range(MOST)]


def _distinct(names: list[str], outputs: Mapping[str, Tensor], x: Tensor) -> list[str]:
    """The names without those that hand on the input, or what a layer before them gave, in whatever shape."""
    known, kept = [x.float().flatten()], []
    for name in names:
        values = outputs[name].float().flatten()
        if not any(torch.equal(values, other) for other in known):
            known.append(values)
            kept.append(name)
    return kept


def _laid_out(model: Model, x: Tensor, outputs: Mapping[str, Tensor]) -> dict[str, Units]:
    """Where the units stand: by a layer's own kind, by its grid, or as in the last layer of as many axes."""
    parts = dict(model.module.named_modules())
    places: Mapping[str, Grid] = grids(model, x) if x.ndim == 4 else {}
    axes = {2: -1, 3: -1, 4: 1, 5: 1}
    found = {}
    for name, output in outputs.items():
        part = parts[name]
        if isinstance(part, FIRST):
            axes[output.ndim] = 1
        elif type(part) in LAST:
            axes[output.ndim] = -1
        elif name in places:
            axes[output.ndim] = 1 if places[name].layout == "channels first" else -1
        axis = axes.get(output.ndim, -1)
        found[name] = Units(name, axis, output.shape[axis], *_ends(part), isinstance(part, ACTIVATIONS))
    return found


def _ends(part: nn.Module) -> tuple[float | None, float | None]:
    match part:
        case nn.Sigmoid() | nn.Hardsigmoid():
            return 0.0, 1.0
        case nn.Tanh() | nn.Softsign():
            return -1.0, 1.0
        case nn.Hardtanh():  # ReLU6 is one; a floor of 0 is where a ReLU rests
            return (float(part.min_val) or None), float(part.max_val)
    return None, None
