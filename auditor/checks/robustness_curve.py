"""robustness.curve: how far the accuracy falls when inputs are changed on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from auditor.attacked.tables import table_curve
from auditor.attacks.box import Box
from auditor.attacks.curve import Frontiers, robust_curve
from auditor.errors import NotApplicable
from auditor.explained.samples import Sample, explained_samples, is_image, original, pixels
from auditor.registry import Context, check, sizes
from auditor.stats import rate
from auditor.subject import Data, Model
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
    steps: Annotated[int, Field(ge=1, le=10_000)] = sizes(10, 40, 100),
    shown: int = sizes(2, 4, 8),
) -> Result:
    """How far the accuracy falls when someone may change every input by a little and picks the worst change found.

    What it measures: `robust_accuracy` of `samples` rows (0: all) at each of `epsilons`, largest changes in `norm`: a
    pixel's value from 0 to 1, a table column in its standard deviations. None given means 0.5/255 to 64/255 of the
    input's range for images, 0.05 to 2 deviations for tables. Every row is attacked by eleven attacks of `steps`
    gradient steps, at the epsilon that just does not break it; a row that is wrong as it is counts as broken at 0.
    `noise_accuracy` is what one random change of the same size leaves; it counts among the attacks. `shown` rows
    (0: none) are attacked for their picture, too.

    How to read it: an attack can only show how low the accuracy gets; the truth lies at or below the figure.

    When it misleads: a model that hides its gradients stands attacks of this kind without being robust.
    """
    ctx.need_classes()
    model = ctx.need_model()
    if ctx.is_text:
        msg = "a text has no small changes of numbers; attacks on its words cannot be made yet"
        raise NotApplicable(msg)
    if ctx.data.columns:
        ladder = tuple({_at(norm, e): e for e in sorted(epsilons)}.values()) or DEVIATIONS
        return table_curve(ctx, model, ladder=ladder, samples=samples, steps=steps, shown=shown)
    changeable = bool(torch.as_tensor(model.unit).any())
    if not changeable:
        msg = "no column is a number that may be changed; attacks on categories and flags cannot be made yet"
        raise NotApplicable(msg)
    ladder = tuple({_at(norm, e): e for e in sorted(epsilons)}.values()) or _ladder(ctx, model)
    drawn = ctx.data.take(samples, ctx.seed)
    found = _attacked(ctx, model, drawn, ladder, steps)
    n = len(drawn)
    clean = rate("robust_accuracy", int(found.right.sum()), n, slice=f"{norm}@0")
    robust = [
        rate("robust_accuracy", int((found.index > k).sum()), n, slice=_at(norm, e)) for k, e in enumerate(ladder)
    ]
    noise = [rate("noise_accuracy", int(found.noise[k].sum()), n, slice=_at(norm, e)) for k, e in enumerate(ladder)]
    table = Table(
        "Robust accuracy by largest change",
        ("epsilon", "robust accuracy", "low", "high", "random change", "n"),
        tuple(_row(e, r, n.value) for e, r, n in zip((0.0, *ladder), (clean, *robust), (clean, *noise), strict=True)),
    )
    ctx.keep("epsilons", np.asarray(ladder))
    ctx.keep("rows", drawn.row_ids)
    ctx.keep("distance", found.distance.numpy())
    tables, images = _examples(ctx, model, shown, ladder, steps)
    return Result(
        (clean, *robust, *noise), (table, *tables), tuple(images), tuple(_caveats(ctx, model, n, found.blind))
    )


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


# ---- attacks -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Attacked:
    """What attacks and random changes left of N rows at E sizes.

    `index` and `distance` (N,) as in `Frontiers`, random changes counted among the attacks; `right` (N,) and `noise`
    (E, N) say which rows are right as they are, and after one random change; at `blind` rows there is no gradient.
    """

    index: Tensor
    distance: Tensor
    right: Tensor
    noise: Tensor
    blind: int


def _attacked(ctx: Context, model: Model, data: Data, ladder: Sequence[float], steps: int) -> _Attacked:
    """In parts that fit into memory; each is attacked with the same seed, whatever the others hold."""
    generator = torch.Generator().manual_seed(ctx.seed)
    parts = []
    for batch in data.batches(ctx.batch_size):
        x, y = batch.x, batch.y
        found = robust_curve(model, x, y, ladder, steps=steps, seed=ctx.seed)
        parts.append(_with_noise(model, x, y, found, ladder, generator))
    return _Attacked(
        torch.cat([p.index for p in parts]),
        torch.cat([p.distance for p in parts]),
        torch.cat([p.right for p in parts]),
        torch.cat([p.noise for p in parts], 1),
        sum(p.blind for p in parts),
    )


def _with_noise(
    model: Model, x: Tensor, y: Tensor, found: Frontiers, ladder: Sequence[float], generator: torch.Generator
) -> _Attacked:
    """A row that a random change turns is broken at that size, whatever the attacks by gradients found."""
    box, index, distance, stands = Box.of(model, x), found.index.clone(), found.distance.clone(), []
    for k, e in enumerate(ladder):
        changed = box.noise(x, torch.full((len(x),), e), generator)
        stands.append(_right(model, changed, y))
        sooner = ~stands[-1] & (index > k)
        index[sooner], distance[sooner] = k, box.distance(changed, x)[sooner]
    return _Attacked(index, distance, _right(model, x, y), torch.stack(stands), _without_gradient(model, x, y))


def _right(model: Model, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        return model(x).argmax(1).cpu() == y


def _without_gradient(model: Model, x: Tensor, y: Tensor) -> int:
    """At how many rows the margin of the true class has no slope in anything that may change."""
    leaf = x.clone().requires_grad_()
    logits = model(leaf).cpu()
    if not logits.requires_grad:
        return len(x)
    true = logits.gather(1, y[:, None])
    rival = logits.scatter(1, y[:, None], -torch.inf).amax(1, keepdim=True)
    (gradient,) = torch.autograd.grad((rival - true).sum(), leaf)
    return int(((gradient * Box.of(model, x).unit).flatten(1) == 0).all(1).sum())


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
    samples = explained_samples(ctx, shown) if shown else []
    if not samples:
        return [], []
    x, y = torch.stack([s.x for s in samples]), torch.tensor([s.predicted for s in samples])
    found = robust_curve(
        model, x, y, ladder, steps=steps, seed=ctx.seed
    )  # a wrong answer is turned from what the model says, too
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
    change = e.changed - e.sample.x
    strongest = change.gather(0, change.abs().argmax(0, keepdim=True))[0]  # of the channels, which may differ in sign
    difference = ctx.keep(f"row-{row}-change", strongest.numpy())
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


def _caveats(ctx: Context, model: Model, n: int, blind: int) -> list[str]:
    unit, found = torch.as_tensor(model.unit), []
    held = [c.name for c in ctx.columns if unit.numel() > 1 and not bool(unit[c.start : c.stop].any())]
    if held:
        names = ", ".join(held[:8]) + (f" and {len(held) - 8} more" if len(held) > 8 else "")
        found.append(f"Only numbers that may change either way are attacked; these columns are not: {names}.")
    if blind:
        found.append(
            f"At {blind:,} of {n:,} rows the gradient is exactly zero, so that attacks by gradients are blind there: "
            "the true robust accuracy may lie far below the figure."
        )
    return found
