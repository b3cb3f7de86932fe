"""Places in images that are suspected of deciding a class, and what their content does in other images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.explain.concentration import TIMES, TIMES_OTHERS, Place, Shares, densest, positive_shares, share_in
from auditor.explained.samples import pixels
from auditor.integers import Integers
from auditor.registry import Context
from auditor.shortcuts.relevance import Relevance
from auditor.shortcuts.suspects import MOVED, Counts, Members, Moves, Suspect, others_of
from auditor.stats import mean_share
from auditor.types import Image

__all__ = ["Mark", "marks", "pictures", "with_windows"]

Corners = np.ndarray[tuple[int, int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Mark:
    """A suspected place, with the mean share (rows, columns) of the positive relevance of its class in each cell."""

    suspect: Suspect
    shares: np.ndarray[tuple[int, int], np.dtype[np.float64]]


def marks(ctx: Context, members: Sequence[Members], relevance: Relevance) -> list[Mark]:
    """The densest place of each class; none for a class without positive relevance, and for images of few pixels."""
    found = {m.label: tuple(_shares(ctx, part, m.label, relevance) for part in (m.seen, m.measured)) for m in members}
    _, height, width = ctx.data.shape
    suspects = []
    for m in members:
        seen, measured = found[m.label]
        if not len(seen) or not len(measured):
            continue
        seen_else, measured_else = (_of_others(found, m.label, part) for part in (0, 1))
        place = densest(seen, seen_else, height, width)
        if place is not None:
            suspects.append(Mark(_suspect(ctx, m, place, measured, measured_else), measured.mean(0)))
    return suspects


def _shares(ctx: Context, rows: Integers, label: int, relevance: Relevance) -> Shares:
    size = ctx.batch_size
    return np.concatenate([positive_shares(relevance(rows[i : i + size], label)) for i in range(0, len(rows), size)])


def _of_others(found: Mapping[int, tuple[Shares, ...]], label: int, part: int) -> Shares:
    """The shares of the other classes; none where there is one other class only, whose place would be the same."""
    own = found[label][part]
    others = [shares[part] for other, shares in found.items() if other != label]
    return np.concatenate(others) if len(others) > 1 else own[:0]


def _suspect(ctx: Context, m: Members, place: Place, measured: Shares, others: Shares) -> Suspect:
    share = mean_share(
        "concentration", share_in(place, measured), slice=f"class={ctx.classes[m.label]}", better="lower"
    )
    elsewhere = float(share_in(place, others).mean()) if len(others) else 0.0
    due = max(TIMES * place.area, TIMES_OTHERS * elsewhere)
    concentrated = share.low is not None and share.low >= due
    return Suspect(m.label, str(place), place.area, share, concentrated, _moves(ctx, m, place))


def pictures(ctx: Context, mark: Mark, rows: Integers) -> tuple[Image, Image]:
    """The mean of the images `rows` (positions) of its class, and where the relevance of the class lies in the mean."""
    label, size = mark.suspect.label, ctx.batch_size
    name = ctx.classes[label]
    total = torch.stack([ctx.data.read(rows[i : i + size]).sum(0) for i in range(0, len(rows), size)]).sum(0)
    average = ctx.keep(f"class-{label}-mean", pixels(ctx.need_model(), total / len(rows)))
    shares = ctx.keep(f"class-{label}", mark.shares.astype(np.float32))
    said = f"Mean relevance of class {name}: {mark.suspect.percent} lies in the {mark.suspect.where}"
    return (
        Image(f"class {name}", average, "original", f"The mean of {len(rows):,} images of class {name}"),
        Image(f"class {name}", shares, "map", said),
    )


# ---- what moving it does -----------------------------------------------------------------------------------------
def with_windows(x: Tensor, source: Tensor, corners: Corners, place: Place) -> Tensor:
    """Images (n, C, H, W) in which a window of the size of `place` shows `source` (n, C, H, W).

    `corners` (n, 2) are its first row and column in each image.
    """
    h, w = place.bottom - place.top, place.right - place.left
    shown = x.clone()
    for image, other, (top, left) in zip(shown, source, corners, strict=True):
        image[:, top : top + h, left : left + w] = other[:, top : top + h, left : left + w]
    return shown


def _moves(ctx: Context, m: Members, place: Place) -> Moves:
    """Its content put into images of other classes, and the mean colour put in its place; and the same elsewhere."""
    generator = np.random.default_rng((ctx.seed, m.label))
    free = place.elsewhere()
    to = others_of(ctx, m.label, max(MOVED, len(m.moved)))
    donors = m.moved[np.arange(len(to)) % len(m.moved)]

    def turned(rows: Integers, sources: Integers | None) -> tuple[Counts, Counts]:
        """How many are called that class with the window at its place, and with one elsewhere."""
        here = np.tile([place.top, place.left], (len(rows), 1))
        there = free[generator.integers(0, len(free), len(rows))]
        counts = [0, 0]
        for i in range(0, len(rows), ctx.batch_size):
            part = slice(i, i + ctx.batch_size)
            x = ctx.data.read(rows[part])
            source = x.mean((2, 3), keepdim=True).expand_as(x) if sources is None else ctx.data.read(sources[part])
            for k, corners in enumerate((here, there)):
                counts[k] += _called(ctx, with_windows(x, source, corners[part], place), m.label)
        return (counts[0], len(rows)), (counts[1], len(rows))

    put, put_else = turned(to, donors)
    kept, kept_else = turned(m.moved, None)
    lost, lost_else = ((n - k, n) for k, n in (kept, kept_else))
    return Moves(put, put_else, lost, lost_else)


def _called(ctx: Context, x: Tensor, label: int) -> int:
    with torch.no_grad():
        return int((ctx.need_model()(x).argmax(1) == label).sum())
