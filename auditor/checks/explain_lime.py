"""explain.lime: a linear model of the classifier around one row, drawn where it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from auditor.errors import NotApplicable
from auditor.explain.lime import LINEAR, Local, lime
from auditor.explain.neighbours import Neighbourhood, of_row, of_superpixels, of_words
from auditor.explain.quick import channels_last, quicker
from auditor.explained.made_up import off_data
from auditor.explained.playing import Board, background_of, boards, drawn
from auditor.explained.samples import Sample, explained_samples, is_image, need_explainable
from auditor.registry import Context, check, sizes
from auditor.stats import mean, mean_share, mean_size, rate
from auditor.types import Image, Measure, Result, Table

BACKGROUND, NAMED, FEW, TRIED = 1000, 5, 10, 200


@dataclass(frozen=True)
class _Found:
    """The linear model around one sample, and the board it is drawn on."""

    board: Board
    local: Local

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.local.weights).all())


@check(
    "explain.lime",
    title="LIME",
    measures=("drawn", "fidelity", "neighbours", "off_data", "stability"),
    source="Ribeiro et al. 2016, arXiv:1602.04938",
)
def explain_lime(
    ctx: Context,
    *,
    samples: int = sizes(2, 4, 16),
    neighbours: Annotated[int, Field(ge=50, le=1_000_000)] = sizes(200, 500, 5000),
    most: Annotated[int, Field(ge=50, le=1_000_000)] = sizes(400, 4000, 40_000),
    superpixels: Annotated[int, Field(ge=2, le=500)] = 25,
) -> Result:
    """A linear model of the classifier in the neighbourhood of one row, drawn where it follows and would come again.

    What it measures: for `samples` rows (0: all) the weights of a linear model of the probability of the predicted
    class (of the value of a model without classes): of each column, of each of about `superpixels` parts of an image,
    or of each word (sentence, beyond 100 words). It is fitted to `neighbours` random variations in five runs: images
    with parts hidden, texts with words taken out, rows whose numbers move by the standard deviation, and whose other
    columns are drawn from, the reference data (else the data); each counts the more the nearer it lies to the row.
    `fidelity` is the weighted R2 on a run that the fit has not seen: 1 follows the classifier exactly, 0 no better than
    a constant, None where the answer does not change. `stability` is the expected cosine similarity of the weights of
    two repeats: 1 is the same, 0 chance. Where the fidelity is below .5 or the stability below .9, the neighbours are
    doubled, up to `most`; if that does not help, nothing is drawn. `drawn` is the rate of rows where it does,
    `off_data` that of variations of rows of columns which lie off the data (see explain.shap).

    How to read it: a number's weight is the change for one standard deviation more of it, whatever its value is; how
    much that is, its table says in units of the file. That of a category, a word or an image part is for being there.
    The 95 % interval is what another draw of as many neighbours would give.

    When it misleads: the neighbourhood and its width are choices, which no interval covers; variations need not be
    possible rows. The ridge of the fit pulls all weights a little to 0.
    """
    need_explainable(ctx)
    rows = explained_samples(ctx, samples)
    held, around, caveats = _neighbourhoods(ctx, rows, superpixels)
    inputs = torch.stack([b.sample.x for b in held[: ctx.batch_size]])
    model = channels_last(ctx.need_model(), inputs)
    search = quicker(model, inputs)
    locals_ = lime(
        model, around, neighbours=neighbours, most=most, rows=ctx.batch_size, seed=ctx.seed, search=search
    )  # fmt: skip
    found = [_Found(b, local) for b, local in zip(held, locals_, strict=True)]
    if all(f.local.fidelity is None for f in found):
        raise NotApplicable(_nothing(found))
    if search is not model:
        caveats.append("Most variations were answered in bfloat16; the fidelity is of a run in float32 alone.")
    tables: list[Table] = []
    images: list[Image] = []
    for f in found:
        if f.local.holds:
            words = f"LIME for {f.board.sample.answer}, fidelity {f.local.fidelity:.2f}"
            name = "weight on the value" if ctx.is_regression else "weight"
            more = drawn(ctx, f.board, f.local.weights, name, words, (f.local.low, f.local.high))
            tables += more[0]
            images += more[1]
    measures = _measures(found)
    off, far = off_data(ctx, [(a.game, a.draw((ctx.seed, 0), TRIED)) for a in around])
    measures += off
    caveats += far
    return Result(tuple(measures), tuple(tables), tuple(images), (*caveats, *_caveats(found)))


# ---- neighbourhoods ----------------------------------------------------------------------------------------------
def _neighbourhoods(
    ctx: Context, samples: Sequence[Sample], about: int
) -> tuple[list[Board], list[Neighbourhood], list[str]]:
    """Of all samples that have one, with what is to be said of how they are made; NotApplicable where none has."""
    background, words = background_of(ctx, BACKGROUND)
    held, around, without = [], [], []
    fixed: dict[str, None] = {}
    for s in samples:
        try:
            if background is None:
                board, neighbourhood = _of_parts(ctx, s, about)
            else:
                board, neighbourhood = _of_row(ctx, s, background)
                fixed |= dict.fromkeys(c.name for c in ctx.columns if c.name not in board.names)
        except NotApplicable as e:
            without.append(str(e))
            continue
        held.append(board)
        around.append(neighbourhood)
    if not held:
        raise NotApplicable(without[0])
    if background is not None:
        source = "the reference data" if ctx.reference is not None else "the audited data, as no reference was given"
        words = f"Columns vary as they do in {len(background):,} row{'s' * (len(background) != 1)} of {source}."
    caveats = [words]
    if without:
        caveats.append(f"{len(without)} of {len(samples)} rows are left out: {without[0]}.")
    if fixed:
        shown = f"{', '.join(list(fixed)[:NAMED])}{' ...' * (len(fixed) > NAMED)}"
        caveats.append(f"{len(fixed)} of {len(ctx.columns)} columns have no weight, as they do not vary: {shown}.")
    return held, around, caveats


def _of_parts(ctx: Context, s: Sample, about: int) -> tuple[Board, Neighbourhood]:
    """The parts of an image or a text; NotApplicable where there is one, as nothing near is left without it."""
    (board,) = boards(ctx, [s], parts=about, background=None)
    if board.game.players < 2:
        msg = f"row {s.row} is one {board.unit} only, and nothing near it is left without that"
        raise NotApplicable(msg)
    return board, (of_superpixels if is_image(ctx) else of_words)(board.game)


def _of_row(ctx: Context, s: Sample, background: torch.Tensor) -> tuple[Board, Neighbourhood]:
    """The columns of a row that vary."""
    neighbourhood, varied = of_row(s.x, background, ctx.columns, s.predicted)
    if not varied:
        msg = f"no column varies around row {s.row} as its background of {len(background)} rows gives none a spread"
        raise NotApplicable(msg)
    columns, x = [ctx.columns[i] for i in varied], s.x.tolist()
    names, values = tuple(c.name for c in columns), tuple(c.shown(x) for c in columns)
    return Board(s, neighbourhood.game, "column", names, values, deviations=neighbourhood.deviations), neighbourhood


# ---- what they are worth -----------------------------------------------------------------------------------------
def _measures(found: Sequence[_Found]) -> list[Measure]:
    each: list[Measure] = []
    for name, averaged in (("fidelity", mean), ("stability", mean_share)):
        values = [(f, getattr(f.local, name)) for f in found]
        each.append(averaged(name, [v for _, v in values if v is not None], better="higher"))
        each += [Measure(name, f"row={f.board.sample.row}", v, f.local.neighbours, better="higher") for f, v in values]
    holding = rate("drawn", sum(f.local.holds for f in found), len(found))
    return [*each, holding, mean_size("neighbours", [f.local.neighbours for f in found])]


def _caveats(found: Sequence[_Found]) -> list[str]:
    """Why rows are not drawn, a sentence a reason."""
    known = [f for f in found if f.local.fidelity is not None]
    bent = [f for f in known if (f.local.fidelity or 0) < LINEAR]
    loose = [f for f in known if (f.local.fidelity or 0) >= LINEAR and not f.local.holds]
    caveats = []
    for some, why in (
        (bent, "the fidelity is below 0.5: the model is not locally linear here, and no weights are drawn"),
        (loose, "the stability is below 0.9: other neighbours would give other weights, and none are drawn"),
    ):
        if some:
            n = max(f.local.neighbours for f in some)
            caveats.append(f"In {len(some)} of {len(found)} rows {why} (after {n:,} neighbours).")
    few = [f for f in (*bent, *loose) if f.local.neighbours < FEW * f.board.game.players]
    if loose or few:
        players = max(f.board.game.players for f in few or loose)
        caveats.append(f"Neighbours may be too few for {players} {found[0].board.unit}s: raise `most`.")
    if len(known) < len(found):
        why = _nothing([f for f in found if f.local.fidelity is None])
        caveats.append(f"{why[0].upper()}{why[1:]}.")
    return caveats


def _nothing(found: Sequence[_Found]) -> str:
    """Why there is no linear model."""
    broken = [f.board.sample.row for f in found if not f.is_finite]
    if broken:
        return f"the model does not answer with numbers around row {broken[0]} (NaN or infinity)"
    rows = ", ".join(str(f.board.sample.row) for f in found[:NAMED])
    return f"the answer does not change around row {rows}{' ...' * (len(found) > NAMED)}: nothing to explain"
