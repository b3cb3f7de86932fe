"""How a model behaves as it runs: from one pass to the next, alone and in a batch, in its modes, by its statistics.

Each look gives a Line, with a caveat where the figures of an audit would mean something else than they seem to.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from auditor.alternatives import is_better
from auditor.anatomy import Operators
from auditor.subject import Model, Targets

__all__ = ["Line", "batch_norm", "batches", "dropout", "evaluation_mode", "passes"]

ALONE = 4  # rows that are tried by themselves
WITHOUT_MODES = "the program has no modes of its own: TorchScript runs as eval() leaves it, .pt2 as it was exported"
Program = torch.jit.ScriptModule, torch.fx.GraphModule


@dataclass(frozen=True, slots=True)
class Line:
    """What was looked at, what was found, and why the figures may be doubted ("": nothing to doubt)."""

    name: str
    found: str
    caveat: str = ""


def passes(model: Model, x: Tensor) -> tuple[Line, float]:
    """Two passes over `x` (N, ...) compared, and how far apart their outputs lie at most.

    Where they differ, with the operators that drew random numbers meanwhile.
    """
    name = "two passes over the same rows"
    with torch.no_grad():
        first, second = model(x), model(x)
    largest = float((first - second).abs().max())
    if torch.allclose(first, second, rtol=1e-4, atol=1e-5):
        return Line(name, f"the same outputs for {len(x)} rows"), largest
    apart = f"up to {largest:.3g} apart"
    random = _random_operators(model, x)
    if not random:
        what = "the model keeps a state from run to run, or draws numbers that cannot be seen"
        caveat = f"Two runs on the same {len(x)} rows give outputs {apart}: {what}, so every figure holds for one run."
        return Line(name, f"{apart}: it keeps a state, or draws numbers", caveat), largest
    caveat = (
        f"Two runs on the same {len(x)} rows give outputs {apart}: the model draws random numbers as it runs "
        f"({', '.join(random)}), in evaluation mode too, so every figure holds for one draw."
    )
    return Line(name, f"{apart}: it draws random numbers", caveat), largest


def _random_operators(model: Model, x: Tensor) -> list[str]:
    """Names of the operators by which the model draws numbers; empty where that cannot be seen."""
    operators = Operators()
    with contextlib.suppress(Exception), torch.no_grad(), operators:
        model(x)
    return list(operators.random)


def batches(model: Model, x: Tensor) -> Line:
    """The first rows of `x` (N, ...) alone and among the others."""
    name = "rows alone and in a batch"
    if len(x) < 2:
        return Line(name, "not compared: there is one row")
    if model.batch is not None:
        return Line(name, f"does not apply: the program takes {model.batch} rows at once")
    with torch.no_grad():
        together, again, alone = model(x), model(x), torch.cat([model(row[None]) for row in x[:ALONE]])
    if not torch.allclose(together, again, rtol=1e-4, atol=1e-5):
        return Line(name, "cannot be told: the same rows give other outputs each time")
    if torch.allclose(together[:ALONE], alone, rtol=1e-3, atol=1e-4):
        return Line(name, "the same outputs")
    apart = f"up to {float((together[:ALONE] - alone).abs().max()):.3g} apart"
    caveat = (
        f"Rows alone and in a batch of {len(x)} give outputs {apart}: what the model says of a row depends on the rows "
        "beside it, which no figure here allows for."
    )
    return Line(name, f"{apart}: it looks at the other rows", caveat)


def evaluation_mode(module: nn.Module) -> Line:
    """Whether the module's own eval() leaves any part of it in training mode; the audit switches every part itself."""
    name = "evaluation mode"
    if isinstance(module, Program):
        return Line(name, f"does not apply: {WITHOUT_MODES}")
    parts = list(module.modules())
    if all(type(p).train is nn.Module.train and type(p).eval is nn.Module.eval for p in parts):
        return Line(name, f"eval() reaches all of its {len(parts):,} parts")
    try:
        tried = copy.deepcopy(module)  # since its eval() may do anything to it
        tried.eval()
        left = list(dict.fromkeys(type(p).__name__ for p in tried.modules() if p.training))
    except (Exception, SystemExit) as e:  # noqa: BLE001 - the module's own code
        return Line(name, f"its own eval() could not be tried ({type(e).__name__})")
    if not left:
        return Line(name, f"its own eval() reaches all of its {len(parts):,} parts")
    kinds = ", ".join(left[:3]) + (" ..." if len(left) > 3 else "")
    caveat = (
        f"The model's own eval() leaves parts in training mode ({kinds}). Here they were measured in evaluation mode; "
        "whoever runs the model by eval() alone gets another one."
    )
    return Line(name, f"its own eval() leaves {kinds} in training mode", caveat)


def dropout(module: nn.Module) -> Line:
    """How many dropout layers there are; in evaluation mode they do nothing, which `passes` puts to the test."""
    if isinstance(module, Program):
        return Line("dropout", f"does not apply: {WITHOUT_MODES}")
    count = sum(isinstance(part, _DropoutNd) for part in module.modules())
    return Line("dropout", f"{count:,} layers, off in evaluation mode" if count else "no such layer")


def batch_norm(model: Model, x: Tensor, y: Targets) -> Line:
    """Which rows of `x` (N, ...) are right by BatchNorm's running statistics, and by those of the rows themselves.

    Far more by their own: the running statistics are not those of the data. Values are right where their error is
    smaller than the other way; what counts is the number of such rows (sign test).
    """
    name = "BatchNorm"
    if isinstance(model.module, Program):
        return Line(name, f"does not apply: {WITHOUT_MODES}")
    norms = [m for m in model.module.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    if not norms:
        return Line(name, "does not apply: no such layer")
    if len(x) < 2:
        return Line(name, "not compared: there is one row")
    with torch.no_grad():
        running = model(x).cpu().numpy()
        try:
            with _by_the_batch(norms):
                own = model(x).cpu().numpy()
        except (Exception, SystemExit) as e:  # noqa: BLE001 - the module's own code in a mode it may not expect
            return Line(name, f"{len(norms):,} layers; cannot be run by the batch's statistics ({type(e).__name__})")
    if model.output == "value":
        errors = np.abs(running - y), np.abs(own - y)
        right, other = errors[0] < errors[1] / 2, errors[1] < errors[0] / 2
        found = f"mean absolute error {errors[0].mean():.3g} by the running statistics, {errors[1].mean():.3g} by the"
        found = f"{found} batch's"
    else:
        right, other = running.argmax(1) == y, own.argmax(1) == y
        found = f"{right.sum()} of {len(x)} right by the running statistics, {other.sum()} by the batch's"
    found = f"{len(norms):,} layers; {found}"
    if not is_better(other, right, 1):
        return Line(name, found)
    caveat = (
        f"BatchNorm: {found}. The running statistics are stale, or those of other data than this; in evaluation mode "
        "the model goes by them."
    )
    return Line(name, found, caveat)


@contextlib.contextmanager
def _by_the_batch(norms: list[_BatchNorm]) -> Iterator[None]:
    """These layers normalise by the batch inside; outside, their mode and statistics are as before."""
    saved = [(t, t.clone()) for norm in norms for t in norm.buffers()]
    modes = [norm.training for norm in norms]
    for norm in norms:
        norm.training = True
    try:
        yield
    finally:
        for norm, mode in zip(norms, modes, strict=True):
            norm.training = mode
        for tensor, was in saved:
            tensor.copy_(was)
