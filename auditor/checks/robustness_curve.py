"""robustness.curve: how far the accuracy falls when inputs are changed on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from auditor.attacks.box import Box
from auditor.attacks.curve import Frontiers, robust_curve
from auditor.errors import NotApplicable
from auditor.registry import Context, check, sizes
from auditor.samples import Sample, explained_samples, is_image, original, pixels
from auditor.stats import rate
from auditor.subject import Model
from auditor.types import Image, Measure, Result, Scalar, Table

Epsilon = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PIXELS = tuple(e / 255 for e in (0.5, 1, 2, 4, 8, 16, 32, 64))
DEVIATIONS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 2.0)


@check(
    "robustness.curve",
    title="Robust accuracy",
    source="Croce & Hein 2020, arXiv:2003.01690; Athalye et al. 2018, arXiv:1802.00420",
)
def curve(
    ctx: Context,
    *,
    norm: Literal["linf"] = "linf",
    epsilons: tuple[Epsilon, ...] = (),
    samples: int = sizes(16, 64, 256),
    steps: Annotated[int, Field(ge=1)] = sizes(10, 40, 100),
    shown: int = sizes(2, 4, 8),
) -> Result:
    """How far the accuracy falls when someone may change every input by a little and picks the worst change found.

    What it measures: `robust_accuracy` of `samples` rows (0: all) at each of `epsilons`, largest changes in `norm`: a
    pixel's value from 0 to 1, a table column in its standard deviations. None given means 0.5/255 to 64/255 of the
    input's range for images, 0.05 to 2 deviations for tables. Every row is attacked by eleven attacks of `steps`
    gradient steps, at the epsilon that just does not break it; a row that is wrong as it is counts as broken at 0.
    `noise_accuracy` is what random changes of the same size leave. `shown` rows are attacked for their picture, too.

    How to read it: an attack can only show how low the accuracy gets; the truth lies at or below the figure.

    When it misleads: a model that hides its gradients stands attacks of this kind without being robust.
    """
    ctx.need_classes()
    model = ctx.need_model()
    changeable = bool(torch.as_tensor(model.unit).any())
    if not changeable:
        msg = "no column is a number that may be changed; attacks on categories and flags cannot be made yet"
        raise NotApplicable(msg)
    ladder = tuple({_at(norm, e): e for e in sorted(epsilons)}.values()) or _ladder(ctx, model)
    drawn = ctx.data.take(samples, ctx.seed)
    x, y = drawn.read(np.arange(len(drawn))), torch.from_numpy(drawn.y)
    found = _attack(ctx, model, x, y, ladder, steps)
    clean = rate("robust_accuracy", int(_right(ctx, model, x, y).sum()), len(x), slice=f"{norm}@0")
    robust = [
        rate("robust_accuracy", int((found.index > k).sum()), len(x), slice=_at(norm, e)) for k, e in enumerate(ladder)
    ]
    noise = [rate("noise_accuracy", k, len(x), slice=_at(norm, e)) for e, k in _noise(ctx, model, x, y, ladder)]
    table = Table(
        "Robust accuracy by largest change",
        ("epsilon", "robust accuracy", "low", "high", "random change", "n"),
        tuple(_row(e, r, n.value) for e, r, n in zip((0.0, *ladder), (clean, *robust), (clean, *noise), strict=True)),
    )
    ctx.keep("epsilons", np.asarray(ladder))
    ctx.keep("rows", drawn.row_ids)
    ctx.keep("distance", found.distance.numpy())
    tables, images = _examples(ctx, model, shown, ladder, steps)
    return Result((clean, *robust, *noise), (table, *tables), tuple(images), tuple(_caveats(ctx, model, x, y)))


def _at(norm: str, epsilon: float) -> str:
    return f"{norm}@{epsilon:.3g}"


def _row(epsilon: float, m: Measure, noise: float | None) -> tuple[Scalar, ...]:
    return (epsilon, m.value, m.low, m.high, noise, m.n)


def _ladder(ctx: Context, model: Model) -> tuple[float, ...]:
    """Eight epsilons from invisible to obvious, in input units."""
    low, high = (torch.as_tensor(b) for b in model.bounds)
    if low.numel() > 1 or ctx.columns:
        return DEVIATIONS
    return tuple(e * float(high - low) for e in PIXELS)


def _attack(ctx: Context, model: Model, x: Tensor, y: Tensor, ladder: Sequence[float], steps: int) -> Frontiers:
    """In parts that fit into memory; each has the same seed, whatever the others hold."""
    parts = [
        robust_curve(model, x[i : i + ctx.batch_size], y[i : i + ctx.batch_size], ladder, steps=steps, seed=ctx.seed)
        for i in range(0, len(x), ctx.batch_size)
    ]
    return Frontiers(
        torch.cat([p.index for p in parts]),
        torch.cat([p.witness for p in parts]),
        torch.cat([p.distance for p in parts]),
    )


def _right(ctx: Context, model: Model, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(part).argmax(1).cpu() for part in x.split(ctx.batch_size)]) == y


def _noise(ctx: Context, model: Model, x: Tensor, y: Tensor, ladder: Sequence[float]) -> list[tuple[float, int]]:
    """For each epsilon how many rows are still right after one random change."""
    box, generator = Box.of(model, x), torch.Generator().manual_seed(ctx.seed)
    found = []
    for e in ladder:
        changed = box.noise(x, torch.full((len(x),), e), generator)
        found.append((e, int(_right(ctx, model, changed, y).sum())))
    return found


# ---- examples ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Example:
    """A row, and the smallest change that was found to turn it."""

    sample: Sample
    changed: Tensor
    distance: float
    called: str


def _examples(
    ctx: Context, model: Model, shown: int, ladder: Sequence[float], steps: int
) -> tuple[list[Table], list[Image]]:
    """Pictures or tables of rows that are right and were turned. These rows are chosen, so they are not counted."""
    samples = explained_samples(ctx, shown)
    x, y = torch.stack([s.x for s in samples]), torch.tensor([s.predicted for s in samples])
    found = _attack(ctx, model, x, y, ladder, steps)  # a wrong answer is turned from what the model says, too
    tables, images = [], []
    with torch.no_grad():
        p = model(found.witness).softmax(1).cpu()
    for i, s in enumerate(samples):
        if int(found.index[i]) == len(ladder):
            continue
        called = f"{ctx.classes[int(p[i].argmax())]} ({float(p[i].max()):.2f})"
        example = _Example(s, found.witness[i], float(found.distance[i]), called)
        if is_image(ctx):
            images += _pictures(ctx, model, example)
        elif ctx.columns:
            tables.append(_changes(ctx, example))
    return tables, images


def _pictures(ctx: Context, model: Model, e: _Example) -> list[Image]:
    row, before = e.sample.row, original(ctx, e.sample)
    changed = ctx.keep(f"row-{row}-adversarial", pixels(model, e.changed))
    difference = ctx.keep(f"row-{row}-change", (e.changed - e.sample.x).mean(0).numpy())
    return [
        before,
        Image(e.sample.title, difference, "change", f"The change, at most {e.distance:.3g} a pixel, enlarged"),
        Image(e.sample.title, changed, "adversarial", f"After the change it is called {e.called}"),
    ]


def _changes(ctx: Context, e: _Example) -> Table:
    before, after = e.sample.x.tolist(), e.changed.tolist()
    changed = [c for c in ctx.columns if c.shown(before) != c.shown(after)]
    changed.sort(key=lambda c: -abs(after[c.start] - before[c.start]))
    rows = [(c.name, c.shown(before), c.shown(after)) for c in changed]
    title = f"{e.sample.title}: called {e.called} after changes of at most {e.distance:.3g} deviations"
    return Table(title, ("column", "before", "after"), tuple(rows))


def _caveats(ctx: Context, model: Model, x: Tensor, y: Tensor) -> list[str]:
    unit, found = torch.as_tensor(model.unit), []
    held = [c.name for c in ctx.columns if unit.numel() > 1 and not bool(unit[c.start : c.stop].any())]
    if held:
        names = ", ".join(held[:8]) + (f" and {len(held) - 8} more" if len(held) > 8 else "")
        found.append(f"Only numbers that may change either way are attacked; these columns are not: {names}.")
    if blind := _without_gradient(ctx, model, x, y):
        found.append(
            f"At {blind:,} of {len(x):,} rows the gradient is exactly zero, so that attacks by gradients are blind "
            "there: the true robust accuracy may lie far below the figure."
        )
    return found


def _without_gradient(ctx: Context, model: Model, x: Tensor, y: Tensor) -> int:
    """At how many rows the margin of the true class has no slope in anything that may change."""
    blind, unit = 0, Box.of(model, x).unit
    for part, own in zip(x.split(ctx.batch_size), y.split(ctx.batch_size), strict=True):
        leaf = part.clone().requires_grad_()
        logits = model(leaf).cpu()
        if not logits.requires_grad:
            return len(x)
        true = logits.gather(1, own[:, None])
        rival = logits.scatter(1, own[:, None], -torch.inf).amax(1, keepdim=True)
        (gradient,) = torch.autograd.grad((rival - true).sum(), leaf)
        blind += int(((gradient * unit).flatten(1) == 0).all(1).sum())
    return blind
