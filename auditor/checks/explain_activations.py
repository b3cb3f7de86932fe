"""explain.activations: what the network's units do: which rest, which are pinned, and which rows excite them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from auditor.errors import NotApplicable
from auditor.explain.activations import Activity, activity, feature_maps
from auditor.explain.followed import how_followed
from auditor.explain.units import unit_layers
from auditor.explained.samples import explained_samples, is_image, original, pixels
from auditor.percents import percent
from auditor.registry import Context, check, sizes
from auditor.stats import rate
from auditor.subject import Data
from auditor.types import Image, Measure, Result, Scalar, Table

PEAKS = 5
PICTURED = 3
MAPPED = 2


@check(
    "explain.activations",
    title="Activations",
    measures=("dead_units", "saturated_units"),
    source="Morcos et al. 2018, arXiv:1803.06959; Hanley & Lippman-Hand 1983, JAMA 249:1743",
)
def explain_activations(
    ctx: Context,
    *,
    samples: int = sizes(24, 256, 0),
    layers: tuple[str, ...] = (),
    units: Annotated[int, Field(ge=0, le=100)] = 6,
) -> Result:
    """What the units of the network do: which never move, which are pinned to an end, and which rows excite them.

    What it measures: for `samples` rows (0: all), each class in its share, the units (channels of images, the last axis
    of tokens and vectors) of at most twelve layers spread over the depth: activation functions, blocks where no
    function is a module, or `layers`, by their names in the model. `dead_units` is the share of units that give the
    same value, to 1e-6 of the layer's range, at every place of every row: behind a ReLU those that are never above 0.
    `saturated_units` is the share of units of sigmoid, tanh and clipped functions with 95 % of their values within 1 %
    of an end. None where no layer has ends. Of the last layer, the `units` that tell one class from the rest best are
    shown with the rows that excite them most: `selectivity` is how far the class's mean lies above that of all other
    rows, in standard deviations.

    How to read it: many dead or saturated units are capacity that training lost; pictures made from gradients are blind
    to them. The interval is about units: the layer's are taken as drawn from those that such a training gives. That a
    unit never moved says of other rows that it moves in few of them; a caveat says in how many at most.

    When it misleads: the most selective of many units are selective by chance, too; a unit need not stand for anything
    that a person has a name for. Functions that are no modules are seen only through the layers around them: there a
    unit that is never above 0 is silent behind a ReLU, and the table counts it.
    """
    model = ctx.need_model()
    drawn = _drawn(ctx, samples)
    chosen = unit_layers(model, drawn.read(np.zeros(1, np.int64)), layers)
    classes = 0 if ctx.is_regression else len(ctx.classes)
    found = activity(model, drawn.batches(ctx.batch_size), chosen, most=PEAKS, classes=classes)
    if not any(bool((a.low <= a.high).any()) for a in found):
        msg = f"no unit saw anything in {len(drawn):,} rows: expected a token, a pixel or a column"
        raise NotApplicable(msg)
    tables, images = [_layers(found)], _feature_maps(ctx, found)
    if units:
        best = _selective(found[-1], units)
        tables.append(_excited(ctx, drawn, found[-1], best))
        images += _pictures(ctx, drawn, found[-1], best)
    for i, a in enumerate(found):
        ctx.keep(f"low-{i}", a.low.numpy())
        ctx.keep(f"high-{i}", a.high.numpy())
        ctx.keep(f"at-ends-{i}", a.at_ends.numpy())
    return Result(tuple(_measures(found)), tuple(tables), tuple(images), (*_caveats(ctx, found), *how_followed(model)))


def _drawn(ctx: Context, n: int) -> Data:
    """`n` rows (0: all), each class in its share, in file order."""
    size = len(ctx.data)
    if n == 0 or n >= size:
        return ctx.data
    lots = np.random.default_rng(ctx.seed).permutation(size)
    by_class = lots[np.argsort(ctx.data.y[lots], kind="stable")]
    return ctx.data.at(np.sort(by_class[np.arange(n) * size // n]))


# ---- dead and saturated units ------------------------------------------------------------------------------------
def _bounded(a: Activity) -> bool:
    return a.units.low is not None or a.units.high is not None


def _measures(found: Sequence[Activity]) -> list[Measure]:
    """The share of units, of all layers and of each."""
    ends = [a for a in found if _bounded(a)]
    measures = []
    for name, among in (("dead_units", found), ("saturated_units", ends)):
        counts = [int((a.dead if name == "dead_units" else a.saturated).sum()) for a in among]
        measures.append(rate(name, sum(counts), sum(a.units.count for a in among), better="lower"))
        measures += [
            rate(name, k, a.units.count, slice=f"layer={a.units.layer}", better="lower")
            for k, a in zip(counts, among, strict=True)
        ]
    return measures


def _layers(found: Sequence[Activity]) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for a in found:
        k = int(a.dead.sum())
        share = rate("", k, a.units.count)
        saturated = int(a.saturated.sum()) if _bounded(a) else None
        rows.append(
            (a.units.layer, a.units.count, k, share.value, share.low, share.high, saturated, int(a.silent.sum()))
        )
    columns = ("layer", "units", "dead", "share dead", "low", "high", "saturated", "never above 0")
    return Table("Units by layer", columns, tuple(rows))


def _caveats(ctx: Context, found: Sequence[Activity]) -> list[str]:
    n = found[0].samples
    most = 1 - 0.05 ** (1 / n)  # by which n rows without an event have a probability of 5 %
    said = [
        f"Counted over {n} rows: a unit that moved in none moves in at most {percent(most, 2)} of such rows (95 %)."
    ]
    if not all(a.units.is_function for a in found):
        said.append(
            "Not all of these layers are activation functions: what such a function would silence behind them is "
            "counted as `never above 0`, not as dead."
        )
    if repeated := [a.units.layer for a in found if a.repeated]:
        said.append(f"Counted with their last run, as they run several times: {', '.join(repeated)}.")
    said += [
        f"Layer {a.units.layer!r} gives NaN or infinity {a.odd} times; those values are left out."
        for a in found
        if a.odd
    ]
    if not ctx.is_regression and not bool(found[-1].selectivity.isfinite().any()):
        said.append("No unit can be said to prefer a class: too few rows of each, or of one class alone.")
    return said


# ---- what excites a unit -----------------------------------------------------------------------------------------
def _selective(a: Activity, k: int) -> list[int]:
    """The `k` units that tell a class from the rest best; that move most, where no class can be told."""
    known = a.selectivity.isfinite()
    score = a.selectivity.masked_fill(~known, -torch.inf) if bool(known.any()) else (a.high - a.low).double()
    order: list[int] = torch.sort(score, descending=True, stable=True).indices.tolist()
    return order[:k]


def _most(a: Activity, unit: int) -> list[tuple[int, float]]:
    """The rows that excite a unit most, with its value."""
    pairs = zip(a.rows[:, unit].tolist(), a.peaks[:, unit].tolist(), strict=True)
    return [(row, value) for row, value in pairs if np.isfinite(value)]


def _excited(ctx: Context, drawn: Data, a: Activity, best: Sequence[int]) -> Table:
    target = dict(zip(drawn.row_ids.tolist(), drawn.y.tolist(), strict=True))
    rows: list[tuple[Scalar, ...]] = []
    for unit in best:
        most = _most(a, unit)
        value = float(a.selectivity[unit])
        by_class = Counter(ctx.classes[target[row]] for row, _ in most) if not ctx.is_regression else Counter()
        mostly = " ".join(f"{name} ({n} of {len(most)})" for name, n in by_class.most_common(1))
        listed = ", ".join(f"{row} ({v:.3g})" for row, v in most)
        rows.append((unit, mostly or None, value if np.isfinite(value) else None, listed))
    columns = ("unit", "class mostly", "selectivity", "rows that excite it most (its value)")
    return Table(f"Units of {a.units.layer}", columns, tuple(rows))


def _pictures(ctx: Context, drawn: Data, a: Activity, best: Sequence[int]) -> list[Image]:
    """The images that excite a unit most."""
    if not is_image(ctx):
        return []
    position = {int(row): i for i, row in enumerate(drawn.row_ids)}
    images = []
    for unit in best:
        for row, value in _most(a, unit)[:PICTURED]:
            x = drawn.read(np.array([position[row]]))[0]
            name = ctx.keep(f"row-{row}", pixels(ctx.need_model(), x), folder="samples")
            title = f"unit {unit} of {a.units.layer}: row {row} ({value:.3g})"
            images.append(Image(title, name, "original", f"The image of row {row}, which excites unit {unit}"))
    return images


# ---- feature maps ------------------------------------------------------------------------------------------------
def _feature_maps(ctx: Context, found: Sequence[Activity]) -> list[Image]:
    """Of a few explained rows, the mean size of what each layer gives at each cell of its grid."""
    if not is_image(ctx) or ctx.is_regression:
        return []
    shown = explained_samples(ctx, MAPPED)
    maps = feature_maps(ctx.need_model(), torch.stack([s.x for s in shown]), [a.units.layer for a in found])
    images = []
    for i, s in enumerate(shown):
        images.append(original(ctx, s))
        for k, (layer, of_layer) in enumerate(maps.items()):
            key = ctx.keep(f"row-{s.row}-layer-{k}", of_layer[i].numpy())
            h, w = of_layer.shape[1:]
            words = f"{layer}: mean size of what the layer gives, on a grid of {h} by {w}"
            images.append(Image(s.title, key, "features", words))
    return images
