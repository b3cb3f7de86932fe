"""explain.shap: how much each part of the input adds to the answer, with an error bar on every bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from auditor.errors import NotApplicable
from auditor.explain.shapley import T9, certain_order, certain_set
from auditor.explained.made_up import of_all_sizes, off_data
from auditor.explained.playing import Board, background_of, boards, drawn, playable
from auditor.explained.samples import explained_samples, need_explainable
from auditor.explained.shares import Shares, shares_of
from auditor.percents import percent
from auditor.registry import Context, check, sizes
from auditor.stats import mean_size, rate
from auditor.types import Image, Measure, Result, Table

MOST_PLAYERS = 1000
TOP, TRIED = 3, 200
SENSITIVE = 0.2  # a background effect that is worth a caveat


@check(
    "explain.shap",
    title="SHAP",
    measures=("background_effect", "certain_bars", "certain_top", "coalitions", "off_data", "standard_error"),
    source="Lundberg & Lee 2017, arXiv:1705.07874; Musco & Witter 2025, arXiv:2410.01917; arXiv:2602.01399",
)
def explain_shap(
    ctx: Context,
    *,
    samples: int = sizes(2, 4, 16),
    budget: Annotated[int, Field(ge=32, le=1_000_000)] = sizes(128, 1024, 8192),
    background: Annotated[int, Field(ge=1, le=100_000)] = 100,
    superpixels: Annotated[int, Field(ge=2, le=500)] = 25,
    joined_above: Annotated[float, Field(ge=0, le=1)] = 1.0,
) -> Result:
    """How much each part of the input adds to the probability of the predicted class, and how certain that is.

    What it measures: Shapley values for `samples` rows (0: all) of the probability, or of the value of a model without
    classes. The players are the columns of a table, a category being one and those whose rank correlation is beyond
    `joined_above` too; about `superpixels` parts of an image; the words of a text, or its sentences where it has more
    than 100 words. An absent column takes its values from `background` rows of the reference data (of the audited data
    where there is none), an absent part of an image its mean colour; an absent word is taken out. Up to 16 players all
    coalitions are counted where they fit into 128 batches; else so many are played, doubled from 64 to at most
    `budget`, until the standard error of every bar is within 5 % of the largest. `standard_error` is the largest of a
    row against its largest bar, 0 where all were counted. `certain_bars` is how many of the longest bars are in their
    order beyond chance, `certain_top` the rate of rows whose three longest bars are certain to be those.
    `background_effect` is how far the bars of two halves of the background lie apart, as half the size of their
    difference against the size of the bars: at .5 what absence means decides as much as the row. `off_data` is the rate
    of rows made up that lie further from the middle of the data than 99 % of it (Mahalanobis distance): above .25 a
    caveat says so, and names columns that go together.

    How to read it: the bars add up to the answer minus the answer with everything absent. The thin line is the 95 %
    interval of a bar: it is about the coalitions that were not played, not about other rows or backgrounds.

    When it misleads: columns that move together are pulled apart into rows that cannot exist, which a model may treat
    as it never would real ones; join them. Another background gives other values.
    """
    ctx.need_model()
    need_explainable(ctx)
    rows, absent = background_of(ctx, background)
    shown, left_out = playable(ctx, explained_samples(ctx, samples))
    played = boards(ctx, shown, parts=superpixels, background=rows, alike_above=joined_above)
    _need_few(played)
    found = list(zip(played, shares_of(ctx, played, rows, budget), strict=True))
    moving = [(b, f) for b, f in found if f.values.any()]
    if not moving:
        msg = f"in none of {len(played)} rows does the answer change, whatever is hidden: there is nothing to share"
        raise NotApplicable(msg)
    off, far = off_data(ctx, [(b.game, of_all_sizes(b.game, TRIED, ctx.seed)) for b, _ in moving])
    far = [f"{words} With `joined_above` they play as one." if "go together" in words else words for words in far]
    tables, images = _drawn(ctx, moving)
    caveats = [absent, *left_out, *far, *_caveats(found, budget)]
    return Result((*_measures(moving), *off), tuple(tables), tuple(images), tuple(caveats))


def _need_few(played: Sequence[Board]) -> None:
    most = max(b.game.players for b in played)
    if most > MOST_PLAYERS:
        msg = f"{most:,} {played[0].unit}s play; at most {MOST_PLAYERS:,} do: join columns by `joined_above`"
        raise NotApplicable(msg)


def _drawn(ctx: Context, found: Sequence[tuple[Board, Shares]]) -> tuple[list[Table], list[Image]]:
    tables: list[Table] = []
    images: list[Image] = []
    name = "effect on the value" if ctx.is_regression else "effect"
    for b, f in found:
        words = f"SHAP for {b.sample.answer} in {len(f.values)} {b.unit}s, standard error {f.relative_error:.2f}"
        ends = f.values - T9 * f.standard_error, f.values + T9 * f.standard_error
        some, pictures = drawn(ctx, b, f.values, name, words, ends)
        tables, images = [*tables, *some], [*images, *pictures]
    return tables, images


def _measures(found: Sequence[tuple[Board, Shares]]) -> list[Measure]:
    errors = [f.relative_error for _, f in found]
    certain = [_certain_bars(f) for _, f in found]
    tops = sum(certain_set(f.values, f.standard_error, min(TOP, len(f.values))) for _, f in found)
    effects = [f.background_effect for _, f in found if f.background_effect is not None]
    measures = [
        mean_size("standard_error", errors, better="lower"),
        rate("certain_top", tops, len(found)),
        mean_size("coalitions", [f.coalitions for _, f in found]),
        mean_size("background_effect", effects, better="lower"),
    ]
    for (b, _), error, bars in zip(found, errors, certain, strict=True):
        measures.append(Measure("standard_error", f"row={b.sample.row}", error, 1, better="lower"))
        measures.append(Measure("certain_bars", f"row={b.sample.row}", bars, 1, better="higher"))
    return measures


def _certain_bars(f: Shares) -> int:
    """How many of the longest bars are in their order beyond chance."""
    most = len(f.values)
    return next((k - 1 for k in range(1, most + 1) if not certain_order(f.values, f.standard_error, k)), most)


def _caveats(found: Sequence[tuple[Board, Shares]], budget: int) -> list[str]:
    moving = [f for _, f in found if f.values.any()]
    caveats, n, rough = [], len(moving), sum(not f.settled for f in moving)
    if rough:
        caveats.append(
            f"In {rough} of {n} rows a standard error is above 5 % of the largest bar after {budget:,} coalitions: "
            "raise `budget`."
        )
    effects = [f.background_effect for f in moving if f.background_effect is not None]
    if effects and max(effects) > SENSITIVE:
        caveats.append(
            f"The background decides too: two halves of it give bars that lie up to {percent(max(effects))} of their "
            "size apart. Take more rows, or a background that fits the question."
        )
    if n < len(found):
        caveats.append(
            f"In {len(found) - n} of {len(found)} rows the answer does not change whatever is hidden: no bars are "
            "drawn."
        )
    return caveats
