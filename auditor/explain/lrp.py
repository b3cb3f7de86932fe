"""Layer-wise relevance propagation on any architecture, with a ledger that shows that nothing was lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.explain.composites import COMPOSITES, Composite
from auditor.explain.first_input import first_input_bounds
from auditor.explain.flows import Flow
from auditor.explain.followed import followed
from auditor.explain.ledger import Ledger
from auditor.explain.linearised import Linearised
from auditor.explain.passes import need_finite
from auditor.subject import HALVES, Model

__all__ = ["Relevance", "lrp"]

SAME, CLOSED = 1e-5, 1e-4
ROUGH = 4 * torch.finfo(torch.bfloat16).eps  # half precision adds up in steps of that size


@dataclass(frozen=True)
class Relevance:
    """Shares of one logit for each of N samples.

    `shares` (N, ...) are the input's, shaped like it, one a token for texts; `constants` (N,) is the sum of what biases
    and other constants hold, `constant_share` (N,) their part of all |shares|, from 0 to 1;
    `logit` (N,) what was explained; `ledger_error` (N,) |all shares - logit| / max(|logit|, 0.01 * sum of |shares|);
    `unknown` names functions without a rule; `flows` is what passed each layer that has weights, by name.
    """

    shares: Tensor
    constants: Tensor
    constant_share: Tensor
    logit: Tensor
    ledger_error: Tensor
    unknown: tuple[str, ...]
    flows: Mapping[str, Flow]

    def peak(self) -> Tensor:
        """(N,) the largest |relevance| of an input element or of a channel on the way."""
        peaks = [f.peak for f in self.flows.values() if f.peak is not None]
        return torch.stack([self.shares.flatten(1).abs().amax(1), *peaks]).amax(0)


def lrp(
    model: Model,
    x: Tensor,
    target: Tensor,
    *,
    composite: Composite = COMPOSITES["epsilon"],
    expected: Tensor | None = None,
    rows: int = 0,
) -> Relevance:
    """Shares of the logit of class `target` (N,) for inputs (N, ...); the model is frozen and in evaluation mode.

    For a model that gives a value, of that value. `expected` are the model's logits for `x` where they are known; so
    many `rows` are explained at once, all for 0.
    NotApplicable when the model cannot be followed: a program that cannot be followed, no gradient to the input, or
    an output that changes by more than 1e-5 of the largest when it is followed (in half precision, by rounding); for
    inputs or outputs that are not finite.
    """
    need_finite(x)
    model = followed(model, x)
    if any(isinstance(m, torch.jit.ScriptModule) for m in model.module.modules()):
        msg = "a part of the model is TorchScript, which hides its functions; give that part as a module"
        raise NotApplicable(msg)
    if expected is None:
        with torch.no_grad():
            expected = model(x.clone())  # a copy, since some models write into their input
    size = model.batch or rows or max(1, len(x))
    parts = []
    for part, wanted, known in zip(x.split(size), target.split(size), expected.split(size), strict=True):
        parts += _closed(model, part, wanted, known, composite)
    return _joined(parts)


def _closed(model: Model, x: Tensor, target: Tensor, expected: Tensor, composite: Composite) -> list[Relevance]:
    """One batch; sample by sample where the ledgers do not close, as when the samples lie along another axis."""
    whole = _batch(model, x, target, expected, composite)
    if len(x) == 1 or bool((whole.ledger_error <= CLOSED).all()):
        return [whole]
    rows = [_batch(model, x[i : i + 1], target[i : i + 1], expected[i : i + 1], composite) for i in range(len(x))]
    worse = float(whole.ledger_error.max()) <= max(float(r.ledger_error.max()) for r in rows)
    return [whole] if worse else rows


def _batch(model: Model, x: Tensor, target: Tensor, expected: Tensor, composite: Composite) -> Relevance:
    n = len(x)
    if model.batch is not None and 1 < n < model.batch:  # a single one is filled up by the handle
        fill = model.batch - n
        x, target, expected = (torch.cat([t, t[-1:].expand(fill, *t.shape[1:])]) for t in (x, target, expected))
    leaf = x.detach().to(model.device)
    leaf = leaf.requires_grad_() if leaf.is_floating_point() else leaf
    entry = leaf.clone()  # some models write into their input
    ledger = Ledger(composite, entry)
    if composite.first == "box":
        ledger.box = first_input_bounds(model, x)
    try:
        return _explained(model, ledger, leaf, entry, target, expected, n)
    finally:
        ledger.close()


def _explained(
    model: Model, ledger: Ledger, leaf: Tensor, entry: Tensor, target: Tensor, expected: Tensor, n: int
) -> Relevance:
    linearised = Linearised(ledger)
    with linearised, ledger.flows.watching(model.module):
        logits = linearised.standing(model(entry))
    known = expected.detach().to(logits.device)
    apart, largest = float((logits.detach() - known).abs().max()), float(known.abs().max())
    rough = any(p.dtype in HALVES for p in model.module.parameters())
    if not apart <= (ROUGH if rough else SAME) * max(1.0, largest):
        msg = "following the model's functions changes its output"
        raise NotApplicable(msg)
    explained = _unsquashed(model, logits, ledger)
    logit = explained.gather(1, target.to(explained.device)[:, None])[:, 0]
    if not logit.requires_grad:
        msg = "the model gives no gradient to its input"
        raise NotApplicable(msg)
    own = [leaf] if leaf.requires_grad else []
    found = torch.autograd.grad(logit.sum(), [*own, ledger.root], allow_unused=True)
    if (not own or found[0] is None) and ledger.located is None:
        msg = "the model's output does not depend on its input"
        raise NotApplicable(msg)
    shares = torch.zeros(leaf.shape, dtype=logit.dtype) if ledger.located is None else ledger.located.cpu()
    if own and found[0] is not None:
        shares = shares + (leaf.detach() * found[0]).cpu()
    return _balanced(ledger, shares, logit.detach().cpu(), n)


def _balanced(ledger: Ledger, shares: Tensor, logit: Tensor, n: int) -> Relevance:
    """The shares of the first `n` samples beside what they must add up to."""
    total = shares.flatten(1).sum(1) + ledger.constants
    own = shares.flatten(1).abs().sum(1)
    size = own + ledger.constants_size
    error = (total - logit).abs() / torch.maximum(logit.abs(), 0.01 * size).clamp_min(1e-12)
    part = (1 - own / size.clamp_min(1e-12)).clamp(0, 1)
    flows = {name: flow.first(n) for name, flow in ledger.flows.by_layer().items()}
    unknown = tuple(sorted(ledger.unknown))
    return Relevance(shares[:n], ledger.constants[:n], part[:n], logit[:n], error[:n], unknown, flows)


def _joined(parts: Sequence[Relevance]) -> Relevance:
    if len(parts) == 1:
        return parts[0]
    names = dict.fromkeys(name for p in parts for name in p.flows)
    return Relevance(
        **{
            f: torch.cat([getattr(p, f) for p in parts])
            for f in ("shares", "constants", "constant_share", "logit", "ledger_error")
        },
        unknown=tuple(sorted({name for p in parts for name in p.unknown})),
        flows={name: Flow.joined([p.flows[name] for p in parts if name in p.flows]) for name in names},
    )


def _unsquashed(model: Model, logits: Tensor, ledger: Ledger) -> Tensor:
    """The logits (N, C), from before a final softmax or sigmoid; a value (N,) as the only one."""
    if model.output != "probabilities":
        return logits.reshape(len(logits), -1)
    before = ledger.squashed
    if before is None or before.numel() not in (len(logits), logits.numel()):
        msg = "the model gives probabilities, and no softmax or sigmoid is found that could be taken off"
        raise NotApplicable(msg)
    if before.numel() == len(logits):
        z = before.reshape(-1, 1)
        return torch.cat([-z / 2, z / 2], 1)
    return before.reshape(len(logits), -1)
