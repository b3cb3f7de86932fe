"""Steps of adversarial training a second beside a plain PyTorch loop and ART's trainer, on the same rows and network.

A step is one batch of 64 rows: 7 steps of PGD, then one of Adam. Ours is the defence `pgd` without the rows held out,
which neither of the others has; what they add is printed. The plain loop is what a paper's code does: forward,
backward, sign, clamp, then the update. ART is adversarial-robustness-toolbox 1.20.1 (`pip install --no-deps
adversarial-robustness-toolbox==1.20.1`, and six): AdversarialTrainer with ProjectedGradientDescentPyTorch, all rows of
a batch attacked. They take turns; the ratio is the median of the rounds' own, of processors' time.
    python -m benchmarks.defend [--rounds 5] [--threads 1]
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.demos import digits
from auditor.config import load_audit_file
from auditor.defend.pgd import pgd
from auditor.opening import open_audit
from auditor.subject import Data, Model
from auditor.training import loop

EPSILON, STEPS, BATCH, RATE, EPOCHS = 0.15, 7, 64, 2e-3, 3
BARS = {"plain loop": 1.0, "ART": 1.5}


def ours(model: Model, data: Data) -> None:
    """The defence as it is, rows held out aside."""
    held_out, loop.HELD_OUT = loop.HELD_OUT, 0.0
    try:
        pgd(model, data, 0, epsilon=EPSILON, steps=STEPS, batch=BATCH, rate=RATE, epochs=EPOCHS)
    finally:
        loop.HELD_OUT = held_out


def with_validation(model: Model, data: Data) -> None:
    """The defence as users run it."""
    pgd(model, data, 0, epsilon=EPSILON, steps=STEPS, batch=BATCH, rate=RATE, epochs=EPOCHS)


def plain_loop(model: Model, data: Data) -> None:
    """Madry's training as it is usually written."""
    net, x, y = copy.deepcopy(model.module), *_rows(data)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            net.eval()
            worst = _plain_pgd(net, x[rows], y[rows])
            net.train()
            optimizer.zero_grad()
            functional.cross_entropy(net(worst), y[rows]).backward()
            optimizer.step()


def _plain_pgd(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    at = (x + torch.empty_like(x).uniform_(-EPSILON, EPSILON)).clamp(0, 1)
    for _ in range(STEPS):
        at = at.detach().requires_grad_()
        functional.cross_entropy(net(at), y).backward()
        assert at.grad is not None  # noqa: S101 - just made
        at = at.detach() + 2.5 * EPSILON / STEPS * at.grad.sign()
        at = torch.min(torch.max(at, x - EPSILON), x + EPSILON).clamp(0, 1)
    return at.detach()


def by_art(model: Model, data: Data) -> None:
    """ART's own trainer."""
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.defences.trainer import AdversarialTrainer
    from art.estimators.classification import PyTorchClassifier

    net, x, y = copy.deepcopy(model.module), *_rows(data)
    estimator = PyTorchClassifier(
        net, functional.cross_entropy, tuple(x.shape[1:]), len(model.classes),
        optimizer=torch.optim.Adam(net.parameters(), lr=RATE), clip_values=(0.0, 1.0), device_type="cpu",
    )  # fmt: skip
    attack = ProjectedGradientDescentPyTorch(
        estimator, eps=EPSILON, eps_step=2.5 * EPSILON / STEPS, max_iter=STEPS, num_random_init=1, batch_size=BATCH,
        verbose=False,
    )  # fmt: skip
    AdversarialTrainer(estimator, attack, ratio=1.0).fit(x.numpy(), y.numpy(), batch_size=BATCH, nb_epochs=EPOCHS)


def _rows(data: Data) -> tuple[Tensor, Tensor]:
    batch = next(data.batches(len(data)))
    return batch.x, batch.y


def main() -> None:
    """Print steps a second, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        opened = open_audit(load_audit_file(digits.write(Path(folder))), Path(folder))
    if opened.model is None or opened.reference is None:
        return
    model, data = opened.model, opened.reference
    data = replace(data, read=_in_memory(data))
    runs: dict[str, Callable[[Model, Data], None]] = {
        "ours": ours, "ours, rows held out counted": with_validation, "plain loop": plain_loop,
    }  # fmt: skip
    if find_spec("art"):
        runs["ART"] = by_art
    else:
        print("ART is not installed: left out")
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(model, data.take(2 * BATCH, 0))  # what happens once
    for _ in range(given.rounds):
        for name, run in runs.items():
            start = time.process_time()
            run(model, data)
            seconds[name].append(time.process_time() - start)
    steps = EPOCHS * -(-len(data) // BATCH)
    print(
        f"digits, {len(data):,} rows, {steps} steps of {STEPS} PGD steps; {given.threads} thread, {given.rounds} rounds"
    )
    for name, taken in seconds.items():
        ratio = statistics.median(t / o for t, o in zip(taken, seconds["ours"], strict=True))
        bar = f"  (bar {BARS[name]:.1f})" if name in BARS else ""
        print(f"{name:28} {steps / statistics.median(taken):6.1f} steps a second; takes {ratio:.2f} times ours{bar}")


def _in_memory(data: Data) -> Callable[..., Tensor]:
    """All rows read once, as both others have them."""
    x, _ = _rows(data)
    return lambda rows: x[torch.from_numpy(rows)]


if __name__ == "__main__":
    main()
