"""Layer-wise relevance propagation on any architecture, with a ledger that shows that nothing was lost."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.explain.followed import followed
from auditor.explain.ledger import Ledger
from auditor.explain.linearised import Linearised
from auditor.subject import Model

__all__ = ["Relevance", "lrp"]

SAME = 1e-4


@dataclass(frozen=True)
class Relevance:
    """Shares of one logit for each of N samples.

    `shares` (N, ...) are the input's, shaped like it; `constants` (N,) is the sum of what biases and other constants
    hold, `constant_share` (N,) their part of all |shares|, from 0 to 1;
    `logit` (N,) what was explained; `ledger_error` (N,) |all shares - logit| / max(|logit|, 0.01 * sum of |shares|);
    `unknown` names functions without a rule.
    """

    shares: Tensor
    constants: Tensor
    constant_share: Tensor
    logit: Tensor
    ledger_error: Tensor
    unknown: tuple[str, ...]


def lrp(model: Model, x: Tensor, target: Tensor, *, gamma: float = 0.0) -> Relevance:
    """Shares of the logit of class `target` (N,) for inputs (N, ...); the model is frozen and in evaluation mode.

    `gamma` favours what speaks for a convolution's output; 0 is LRP-0, which is input x gradient on ReLU networks.
    NotApplicable when the model cannot be followed: a program that cannot be followed, no gradient to the input, or
    an output that changes when it is followed.
    """
    model = followed(model, x)
    if any(isinstance(m, torch.jit.ScriptModule) for m in model.module.modules()):
        msg = "a part of the model is TorchScript, which hides its functions; give that part as a module"
        raise NotApplicable(msg)
    rows = [_one(model, x[i : i + 1], int(target[i]), gamma) for i in range(len(x))]
    return Relevance(
        shares=torch.cat([r.shares for r in rows]),
        constants=torch.cat([r.constants for r in rows]),
        constant_share=torch.cat([r.constant_share for r in rows]),
        logit=torch.cat([r.logit for r in rows]),
        ledger_error=torch.cat([r.ledger_error for r in rows]),
        unknown=tuple(sorted({name for r in rows for name in r.unknown})),
    )


def _one(model: Model, x: Tensor, target: int, gamma: float) -> Relevance:
    """One sample at a time: constants are shared by a batch, and each sample's ledger is its own."""
    with torch.no_grad():
        plain = model(x.clone())  # a copy, since some models write into their input
    leaf = x.detach().to(model.device).requires_grad_()
    ledger = Ledger(gamma)
    with Linearised(ledger):
        logits = model(leaf.clone())
    if float((logits.detach() - plain).abs().max()) > SAME * max(1.0, float(plain.abs().max())):
        msg = "following the model's functions changes its output"
        raise NotApplicable(msg)
    logit = _unsquashed(model, logits, ledger)[0, target]
    if not logit.requires_grad:
        msg = "the model gives no gradient to its input"
        raise NotApplicable(msg)
    leaves = [leaf, *ledger.constants]
    gradients = torch.autograd.grad(logit, leaves, allow_unused=True)
    if gradients[0] is None:
        msg = "the model's output does not depend on its input"
        raise NotApplicable(msg)
    shares = [part.detach() * g for part, g in zip(leaves, gradients, strict=True) if g is not None]
    total = torch.stack([s.sum() for s in shares]).sum().cpu()
    size = torch.stack([s.abs().sum() for s in shares]).sum().cpu()
    own, value = shares[0].cpu(), logit.detach().cpu()
    error = (total - value).abs() / torch.maximum(value.abs(), 0.01 * size).clamp_min(1e-12)
    constant = (1 - own.abs().sum() / size.clamp_min(1e-12)).clamp(0, 1)
    return Relevance(
        own, (total - own.sum())[None], constant[None], value[None], error[None], tuple(sorted(ledger.unknown))
    )


def _unsquashed(model: Model, logits: Tensor, ledger: Ledger) -> Tensor:
    """The logits (1, C), from before the final softmax or sigmoid where the model ends in one."""
    if model.output != "probabilities":
        return logits
    before = ledger.squashed
    if before is None or before.numel() not in (1, logits.shape[1]):
        msg = "the model gives probabilities, and no softmax or sigmoid is found that could be taken off"
        raise NotApplicable(msg)
    if before.numel() == 1:
        z = before.reshape(1, 1)
        return torch.cat([-z / 2, z / 2], 1)
    return before.reshape(1, -1)
