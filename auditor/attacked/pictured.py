"""Rows that attacks turned, as they are and changed: pictures, or tables of the columns that changed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from auditor.attacked.found import Attacked, Turned
from auditor.attacked.sizes import at_size
from auditor.explained.samples import is_image, pixels
from auditor.registry import Context
from auditor.subject import Model
from auditor.types import Image, Table

__all__ = ["pictured"]

MOST_COLUMNS = 4096


def pictured(
    ctx: Context, model: Model, found: Attacked, ladder: Sequence[float], norm: str, shown: int
) -> tuple[list[Table], list[Image]]:
    """The rows turned by the least and by the most at `shown` sizes of `ladder`, spread over those that turned any.

    A size shows the rows that it turns and the one before does not.
    """
    tables: list[Table] = []
    images: list[Image] = []
    for k in _spread([k for k, row in enumerate(found.easiest) if row is not None], shown):
        easiest, hardest = found.easiest[k], found.hardest[k]
        names = {"easiest": easiest, "hardest": hardest}
        if easiest is not None and hardest is not None and easiest.row == hardest.row:
            names = {"only one": easiest}
        for name, row in names.items():
            if row is None:
                continue
            what = f"{_called(ctx, row.before)}, called {_called(ctx, row.after)}"
            title = f"row {row.row}: {what}; the {name} of {at_size(norm, ladder[k])}"
            if is_image(ctx):
                images += _pictures(ctx, model, title, row)
            elif ctx.columns and len(ctx.columns) <= MOST_COLUMNS:
                tables.append(_changes(ctx, title, row))
    return tables, images


def _spread(places: list[int], most: int) -> list[int]:
    if len(places) <= most or not most:
        return places[: most or 0]
    return [places[round(i * (len(places) - 1) / max(most - 1, 1))] for i in range(most)]


def _called(ctx: Context, outputs: Tensor) -> str:
    """The class and its probability, or the value."""
    if not bool(outputs.isfinite().all()):
        return "nothing (no finite answer)"
    if ctx.is_regression:
        return f"{float(outputs[0]):.4g}"
    p = outputs.softmax(0)
    return f"{ctx.classes[int(p.argmax())]} ({float(p.max()):.2f})"


def _pictures(ctx: Context, model: Model, title: str, row: Turned) -> list[Image]:
    change = row.changed - row.x
    strongest = change.gather(0, change.abs().argmax(0, keepdim=True))[0]  # of the channels, which may differ in sign
    before = ctx.keep(f"row-{row.row}", pixels(model, row.x), folder="samples")
    after = ctx.keep(f"row-{row.row}-adversarial", pixels(model, row.changed))
    difference = ctx.keep(f"row-{row.row}-change", strongest.numpy())
    return [
        Image(title, before, "original", f"The image as it is, called {_called(ctx, row.before)}"),
        Image(title, difference, "change", f"The change, of size {row.distance:.3g}, enlarged"),
        Image(title, after, "adversarial", f"After the change it is called {_called(ctx, row.after)}"),
    ]


def _changes(ctx: Context, title: str, row: Turned) -> Table:
    before, after = row.x.tolist(), row.changed.tolist()
    changed = [c for c in ctx.columns if c.shown(before) != c.shown(after)]
    changed.sort(key=lambda c: -abs(after[c.start] - before[c.start]))
    rows = [(c.name, c.shown(before), c.shown(after)) for c in changed]
    return Table(title, ("column", "before", "after"), tuple(rows))
