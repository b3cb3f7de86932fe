"""A copy of the model that has gradients, taught by its answers: what breaks the copy often breaks the model.

Papernot et al. 2017, arXiv:1602.02697: the copy is also taught at points it is made to err on itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.attacks.balls import Norm, ball_of, per_sample
from auditor.subject import Model

__all__ = ["distilled_copy"]

WIDTH = 32
BATCH = 64
SMALL = 8  # pixels on a side before the last layer


def distilled_copy(
    model: Model, x: Tensor, epsilon: float, *, norm: Norm = "linf", steps: int = 400, seed: int = 0
) -> Model:
    """A small network that gives about the logits of `model` around the rows `x` (N, ...), as far as `epsilon`.

    `steps` times 64 questions are asked: rows as they are, mixed, with noise, and moved to where the copy changes its
    answer. Convolutions for images, layers of 64 for everything else. Values are copied for a model that gives values.
    """
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = _network(x, max(len(model.classes), 1))
    centre, spread = x.mean(), x.std().clamp_min(1e-6)
    copy = Model(
        nn.Sequential(_Standard(centre, spread), student), model.classes, model.bounds,
        output=model.output if model.output == "value" else "logits", unit=model.unit, rejects=model.rejects,
    )  # fmt: skip
    optimiser = torch.optim.Adam(student.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        asked = _asked(copy, x, epsilon, norm, step % 4, random)
        with torch.no_grad():
            said = model(asked).cpu()
        known = said.isfinite().view(BATCH, -1).all(1)
        if not bool(known.any()):
            continue
        loss = _apart(copy(asked[known]), said[known])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    for p in student.parameters():
        p.requires_grad_(False)
    return copy


class _Standard(nn.Module):
    def __init__(self, centre: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.centre, self.spread = float(centre), float(spread)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.centre) / self.spread


def _network(x: Tensor, outputs: int) -> nn.Module:
    body: list[nn.Module] = [
        nn.Flatten(),
        nn.Linear(x[0].numel(), 2 * WIDTH),
        nn.ReLU(),
        nn.Linear(2 * WIDTH, 2 * WIDTH),
    ]
    if x.ndim == 4:
        body = [nn.Conv2d(x.shape[1], WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 3, 2, 1)]
        halvings = max(0, math.ceil(math.log2(max(x.shape[2:]) / 2 / SMALL)))
        for _ in range(halvings):
            body += [nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 3, 2, 1)]
    features = nn.Sequential(*body, nn.ReLU(), nn.Flatten())
    with torch.no_grad():
        size = features(x[:1]).shape[1]
    return nn.Sequential(features, nn.Linear(size, outputs))


def _asked(copy: Model, x: Tensor, epsilon: float, norm: Norm, kind: int, random: torch.Generator) -> Tensor:
    """Rows as they are, two mixed, with noise, or moved to where the copy errs."""
    ball = ball_of(norm, copy, x)
    rows = x[torch.randint(0, len(x), (BATCH,), generator=random)]
    radius = epsilon * torch.rand(BATCH, generator=random)
    if kind == 0:
        return rows
    if kind == 1:
        others, share = x[torch.randint(0, len(x), (BATCH,), generator=random)], torch.rand(BATCH, generator=random)
        return rows + per_sample(share, rows) * (others - rows)
    if kind == 2:
        return ball.noise(rows, radius, random)
    leaf = rows.clone().requires_grad_()
    outputs = copy(leaf)
    own = outputs.logsumexp(1) - outputs.amax(1) if outputs.ndim == 2 else outputs
    (gradient,) = torch.autograd.grad(own.sum(), leaf)
    return ball.clip(rows + per_sample(radius, rows) * ball.steepest(gradient), rows, radius)


def _apart(copied: Tensor, said: Tensor) -> Tensor:
    if said.ndim == 1:
        return functional.mse_loss(copied, said)
    return functional.kl_div(copied.log_softmax(1), said.softmax(1), reduction="batchmean")
