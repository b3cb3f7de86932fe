"""One forward and one backward pass, from which everything that is made of gradients is taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.errors import NotApplicable, one_line, without_machine
from auditor.explain.followed import followed
from auditor.explain.layers import driven, heard, leaf, own_rows
from auditor.subject import HALVES, Model

__all__ = ["Pass", "gradients_of", "is_half", "need_finite", "need_gradient", "one_pass"]

EXPONENTS = (15, 10, 5, 0)  # 2 ** 15 is the largest power of two in half precision


@dataclass(frozen=True)
class Pass:
    """What one forward and one backward pass give for N samples, detached, in single precision at least.

    `logits` (N, C); `gradient` (N, ...) of each sample's target logit to its input; `layers` the output of each layer
    that was asked for and the gradient to it, 0 where the logits do not depend on it. Of a layer that runs several
    times these are those of the last run; `repeated` names such layers.
    """

    logits: Tensor
    gradient: Tensor
    layers: Mapping[str, tuple[Tensor, Tensor]]
    repeated: frozenset[str] = frozenset()


def one_pass(model: Model, x: Tensor, target: Tensor, layers: Collection[str] = ()) -> Pass:
    """Logits of inputs (N, ...), and the gradients of the logits of class `target` (N,) to them and to `layers`.

    The model is frozen and in evaluation mode. Half precision does not lose small gradients: there the logits are
    multiplied by the largest power of two that keeps all gradients finite, and the gradients divided by it
    (Micikevicius et al. 2018, arXiv:1710.03740, 3.2). NotApplicable for inputs that are whole numbers or not finite,
    for logits that are not finite, for a model without gradients, for a layer that does not run, and for a program
    that cannot be followed.
    """
    need_finite(x)
    if not x.is_floating_point():
        msg = f"inputs of {str(x.dtype).removeprefix('torch.')} have no gradient; embeddings of them have one"
        raise NotApplicable(msg)
    model = followed(model, x)
    wanted = frozenset(layers)
    found = [
        _one_run(model, rows, classes, wanted)
        for rows, classes in zip(driven(model, x), driven(model, target), strict=True)
    ]
    return Pass(
        torch.cat([p.logits for p in found]),
        torch.cat([p.gradient for p in found]),
        {
            name: (torch.cat([p.layers[name][0] for p in found]), torch.cat([p.layers[name][1] for p in found]))
            for name in layers
        },
        frozenset().union(*(p.repeated for p in found)),
    )


def need_finite(x: Tensor) -> None:
    """NotApplicable where samples (N, ...) hold NaN or infinity, which no explanation can be made of."""
    odd = int((~x.isfinite()).flatten(1).any(1).sum()) if x.is_floating_point() else 0
    if odd:
        msg = f"{odd} of {len(x)} inputs hold NaN or infinity; what is explained must be finite"
        raise NotApplicable(msg)


def _one_run(model: Model, rows: Tensor, target: Tensor, layers: frozenset[str]) -> Pass:
    outputs: dict[str, Tensor] = {}
    repeated: set[str] = set()

    def keep(name: str, output: Tensor) -> Tensor:
        repeated.update({name} & outputs.keys())
        outputs[name] = output.view_as(output)  # a layer that gives its input back has a gradient of its own
        return outputs[name].clone()  # the next layer may work in place

    with torch.enable_grad():
        own = leaf(rows, model)
        with heard(model.module, dict.fromkeys(layers, keep)):
            logits = model(own.clone())
        if missing := sorted(layers - outputs.keys()):
            msg = f"the layer {missing[0]!r} does not run for every input"
            raise NotApplicable(msg)
        logit = logits.reshape(len(logits), -1).gather(1, target.to(logits.device)[:, None])[:, 0]
        need_gradient(logit)
        last = {name: outputs[name] for name in layers}
        gradients = gradients_of(logit, [own, *last.values()], half=is_half(model, outputs.values()))
    of_layers = {
        name: (own_rows(rows, model, _wide(output.detach())), own_rows(rows, model, gradient))
        for (name, output), gradient in zip(last.items(), gradients[1:], strict=True)
    }
    return Pass(logits.detach().cpu(), gradients[0].cpu(), of_layers, frozenset(repeated))


def need_gradient(logit: Tensor) -> None:
    """NotApplicable for logits (N,) that are not finite, and for those that no gradient can be taken of."""
    odd = int((~logit.isfinite()).sum())
    if odd:
        msg = f"the model gives NaN or infinity for {odd} of {len(logit)} inputs; what is explained must be finite"
        raise NotApplicable(msg)
    if not logit.requires_grad:
        msg = "the model gives no gradient to its input"
        raise NotApplicable(msg)


def gradients_of(logit: Tensor, to: Sequence[Tensor], *, half: bool) -> list[Tensor]:
    """The gradients of the sum of `logit` (N,) to each tensor, 0 where it does not depend on it.

    They are of single precision at least. With `half` the sum is multiplied by a power of two as `one_pass` says.
    NotApplicable for a function that has no derivative.
    """
    asked = [t for t in to if t.requires_grad]
    found: list[Tensor | None] = []
    for exponent in EXPONENTS if half else (0,):
        scale = 2.0**exponent
        try:
            given = torch.autograd.grad((logit * scale).sum(), asked, allow_unused=True, retain_graph=exponent > 0)
        except RuntimeError as e:
            if "derivative" not in str(e):
                raise
            msg = f"the model gives no gradient to its input: {without_machine(one_line(str(e), 120))}"
            raise NotApplicable(msg) from None
        found = [None if g is None else _wide(g) / scale for g in given]
        if exponent == EXPONENTS[-1] or all(g is None or bool(g.isfinite().all()) for g in found):
            break
    by_tensor = dict(zip(map(id, asked), found, strict=True))
    gradients = [by_tensor.get(id(t)) for t in to]
    return [torch.zeros_like(_wide(t.detach())) if g is None else g for t, g in zip(to, gradients, strict=True)]


def is_half(model: Model, outputs: Collection[Tensor]) -> bool:
    """Whether gradients pass through numbers that end at 6e-8."""
    return any(t.dtype is torch.float16 for t in (*model.module.parameters(), *outputs))


def _wide(t: Tensor) -> Tensor:
    return t.float() if t.dtype in HALVES else t
