"""Attention: where each token took from, layer by layer, and what that says of the class. Routing, not importance.

Rollout follows where information can go: Abnar & Zuidema 2020, arXiv:2005.00928. Attention x gradient follows what of
it speaks for a class: Chefer et al. 2021, arXiv:2103.15679.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.explain.followed import followed
from auditor.explain.watched import Watched, Weights
from auditor.subject import Model

__all__ = ["Attended", "attention", "attention_gradient", "readers", "rollout"]

SAME = 1e-4
READ = 1e-6


@dataclass(frozen=True)
class Attended:
    """The attention of N samples, a layer an entry, in the order in which the layers ran.

    `weights` (N, H, Tq, Tk) say what part each of Tq tokens took from each of Tk, from 0 to 1; 0 where it was hidden.
    Windows are (N * windows, H, Tq, Tk). `gradients`, of the same shapes, are those of the explained `logit` (N,).
    `names` are the layers that the attention ran in; in programs, the first layer that finished behind it.
    """

    weights: tuple[Tensor, ...]
    gradients: tuple[Tensor, ...]
    names: tuple[str, ...]
    logit: Tensor


def attention(model: Model, x: Tensor, target: Tensor) -> Attended:
    """Attention for inputs (N, ...), with its gradient from the logits of class `target` (N,), in one run of all N.

    The model is frozen and in evaluation mode. NotApplicable for a model without attention, one whose output does not
    depend on it or changes when it is watched, and for a program that cannot be followed.
    """
    model = followed(model, x)
    if any(isinstance(m, torch.jit.ScriptModule) for m in model.module.modules()):
        msg = "a part of the model is TorchScript, which hides its functions; give that part as a module"
        raise NotApplicable(msg)
    size = model.batch or max(1, len(x))
    parts = [_watched(model, *rows) for rows in zip(x.split(size), target.split(size), strict=True)]
    return Attended(
        weights=tuple(_joined(layers) for layers in zip(*(p.weights for p in parts), strict=True)),
        gradients=tuple(_joined(layers) for layers in zip(*(p.gradients for p in parts), strict=True)),
        names=parts[0].names,
        logit=torch.cat([p.logit for p in parts]),
    )


def _watched(model: Model, x: Tensor, target: Tensor) -> Attended:
    with torch.no_grad():
        plain = model(x.clone())  # a copy, since some models write into their input
    with torch.enable_grad(), _places(model.module) as place, Watched(place) as watched:
        logits = model(x.clone())
    seen = [w for w in watched.seen if w.used]
    lost = next((w for w in watched.seen if not w.used and w.tensor.shape[-2] == w.tensor.shape[-1] > 1), None)
    if lost is not None:
        msg = f"it cannot be followed what becomes of the softmax in {lost.name!r}, which may be attention too"
        raise NotApplicable(msg)
    if not seen:
        msg = "the model has no attention: no softmax whose result weights values, and none of torch's functions for it"
        raise NotApplicable(msg)
    tolerance = max(SAME, 4 * torch.finfo(seen[0].tensor.dtype).eps)
    if not float((logits.detach() - plain).abs().max()) <= tolerance * max(1.0, float(plain.abs().max())):
        msg = "watching the model's attention changes its output"
        raise NotApplicable(msg)
    logit = logits.reshape(len(logits), -1).gather(1, target.to(logits.device)[:, None])[:, 0]
    found = [w.tensor for w in seen]
    gradients = torch.autograd.grad(logit.sum(), found, allow_unused=True) if logit.requires_grad else [None]
    if all(g is None for g in gradients):
        msg = "the model's output does not depend on its attention, or hides how (torch.no_grad)"
        raise NotApplicable(msg)
    run = model.batch or len(x)
    return Attended(
        weights=tuple(_of_samples(t.detach(), run, len(x)) for t in found),
        gradients=tuple(
            _of_samples(torch.zeros_like(t) if g is None else g, run, len(x))
            for t, g in zip(found, gradients, strict=True)
        ),
        names=tuple(w.name for w in seen),
        logit=logit.detach().cpu(),
    )


def _of_samples(t: Tensor, run: int, n: int) -> Tensor:
    """(n, H, Tq, Tk) of weights that a run of `run` samples made, the rows left out that only filled it up.

    Heads that lie among the samples, (run * H, Tq, Tk), get their own dimension; further dimensions are windows.
    """
    if t.ndim == 3 and len(t) % run == 0:
        t = t.unflatten(0, (run, -1))
    if t.ndim > 4:
        t = t.flatten(0, -4)
    return t[: n * (len(t) // run) if len(t) % run == 0 else None].float().cpu()


def _joined(layers: tuple[Tensor, ...]) -> Tensor:
    """Samples of several runs, with 0 where a run had fewer tokens."""
    most = [max(t.shape[d] for t in layers) for d in (-2, -1)]
    return torch.cat([functional.pad(t, (0, most[1] - t.shape[-1], 0, most[0] - t.shape[-2])) for t in layers])


@contextmanager
def _places(module: nn.Module) -> Iterator[_Names]:
    """What gives each attention the name of the layer it runs in, by hooks that are gone on leaving."""
    names, handles = _Names(), []
    for name, part in module.named_modules():
        handles += [
            part.register_forward_pre_hook(lambda *_, name=name: names.inside.append(name)),
            part.register_forward_hook(lambda *_: names.left()),
        ]
    try:
        yield names
    finally:
        for handle in handles:
            handle.remove()


class _Names:
    """The layers that are running, innermost last; called with weights when their attention runs."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.unnamed: list[Weights] = []

    def __call__(self, found: Weights) -> None:
        found.name = self.inside[-1] if self.inside else ""
        if not found.name:  # the whole model, or a program, of whose layers only the end is known
            self.unnamed.append(found)

    def left(self) -> None:
        name = self.inside.pop()
        for found in self.unnamed if name else ():
            found.name = name
        self.unnamed = [] if name else self.unnamed


# ---- what is made of the weights ---------------------------------------------------------------------------------
def rollout(found: Attended) -> Tensor:
    """(N, T, T): what part of each token at the end came from each token of the input; rows sum to 1.

    The product over layers of (A + I) / 2 with A the mean over heads (Abnar & Zuidema 2020, section 3), rows scaled to
    sum to 1. NotApplicable where the attention is not between the same T tokens in every layer.
    """
    total = _start(found)
    for weights in found.weights:
        step = (weights.mean(1) + torch.eye(total.shape[-1])) / 2
        total = step / step.sum(-1, keepdim=True) @ total
    return total


def attention_gradient(found: Attended) -> Tensor:
    """(N, T, T): what each token at the end took from each of the input that speaks for the class; at least 0.

    R <- R + C R from R = I, with C the mean over heads of max(0, A x gradient) (Chefer et al. 2021, arXiv:2103.15679,
    equations 5 and 6); without the identity, which is what each token keeps of itself. NotApplicable as `rollout`.
    """
    start = total = _start(found)
    for weights, gradients in zip(found.weights, found.gradients, strict=True):
        total = total + (weights * gradients).clamp_min(0).mean(1) @ total
    return total - start


def readers(found: Attended) -> Tensor:
    """(N, T): the tokens of the last layer that the logit is read from, each with the same part of 1.

    A token is read when the logit has a gradient to what it took: the class token alone, the last token of a text, or
    all that are averaged. All T where there is no gradient.
    """
    _start(found)
    size = found.gradients[-1].abs().amax((1, 3))
    read = (size > READ * size.amax(1, keepdim=True)).float()
    read = torch.where(read.any(1, keepdim=True), read, torch.ones_like(read))
    return read / read.sum(1, keepdim=True)


def _start(found: Attended) -> Tensor:
    """(N, T, T): the identity; NotApplicable where there is no T that all layers have on both sides."""
    n, sizes = len(found.logit), sorted({tuple(w.shape[-2:]) for w in found.weights})
    if any(w.ndim != 4 or len(w) != n for w in found.weights):
        words = f"attention runs in windows ({', '.join(f'{a} by {b}' for a, b in sizes)} tokens)"
    elif len(sizes) > 1 or sizes[0][0] != sizes[0][1]:
        words = f"its tokens change between layers ({', '.join(f'{a} from {b}' for a, b in sizes)})"
    else:
        return torch.eye(sizes[0][0]).expand(n, -1, -1)
    layers = len(found.weights)
    msg = f"of the model's {layers} attention layers no map of the whole input can be made: {words}"
    raise NotApplicable(msg)
