"""explain.shortcuts: whether one place of the image, or one word, decides a class whatever else the row shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from auditor.errors import NotApplicable
from auditor.explained.samples import is_image, need_explainable
from auditor.lists import listed
from auditor.registry import Context, check, sizes
from auditor.shortcuts.marks import marks, pictures
from auditor.shortcuts.relevance import relevance_of
from auditor.shortcuts.suspects import Chosen, Suspect, chosen
from auditor.shortcuts.telltales import telltales
from auditor.stats import rate
from auditor.types import Measure, Result, Table

COLUMNS = (
    "class", "place", "share of relevance", "low", "high", "its size",
    "turned by it", "by another", "lost without it", "without another", "shortcut",
)  # fmt: skip


@check(
    "explain.shortcuts",
    title="Shortcuts",
    measures=("concentration", "hide_rate", "paste_rate", "shortcuts"),
    source="Lapuschkin et al. 2019, Nat. Commun. 10:1096 (Clever Hans)",
)
def explain_shortcuts(
    ctx: Context,
    *,
    rows: Annotated[int, Field(ge=10, le=100_000)] = sizes(12, 24, 100),
    classes: Annotated[int, Field(ge=1, le=100_000)] = sizes(10, 20, 100),
) -> Result:
    """Whether one place of the image, or one word, decides a class whatever else a row shows, as a watermark does.

    What it measures: of the `classes` predicted most often, for `rows` rows each, which small window of the image (at
    most .1 of it, of any shape) or which word holds most of the positive relevance: beyond 4 times its size, and beyond
    twice what it holds for the other classes, as objects are in the middle whatever they are. It is looked for in one
    half of the rows; `concentration` is the mean share that it holds in the other. Then it is moved: `paste_rate` is
    the part of rows of other classes that turn to the class when its content is put into them, `hide_rate` of its own
    rows that lose the class when it is hidden in the mean colour or taken out; the table has both beside a place, or a
    word, drawn at random. `shortcuts` counts the classes whose share is so concentrated, by the lower end of its 95 %
    interval, and where at least half of the other rows turn, and more than with what was drawn at random (Newcombe's
    interval at .05 over the number of classes).

    How to read it: a shortcut is worth looking at, not yet wrong: whether a word should decide is for people to say.
    Hiding shows no shortcut by itself: what is hidden may be the object.

    When it misleads: several shortcuts of one class, those that move about, or count only together with the object are
    not found; nor, of 3 classes and more, those at the same place in all of them. With fewer, a small object that is
    always at the same place looks the same as a mark. Tables are left to other checks.
    """
    ctx.need_classes()
    ctx.need_model()
    need_explainable(ctx)
    if not is_image(ctx) and not ctx.is_text:
        msg = "the inputs are rows of columns; shortcuts are looked for at places of images and on words of texts"
        raise NotApplicable(msg)
    whom = chosen(ctx, classes, rows)
    relevance, method = relevance_of(ctx, np.array([m.seen[0] for m in whom.members]))
    places = marks(ctx, whom.members, relevance) if is_image(ctx) else []
    suspects = [p.suspect for p in places] if is_image(ctx) else telltales(ctx, whom.members, relevance)
    if not suspects:
        msg = "no class has positive relevance at a place or on a word that 5 rows of each half share; raise `rows`"
        raise NotApplicable(msg)
    suspects.sort(key=lambda s: (-s.decides(len(suspects)), -(s.share.value or 0)))
    of_class = {m.label: m.measured for m in whom.members}
    images = [i for s in suspects for p in places if p.suspect is s for i in pictures(ctx, p, of_class[s.label])]
    said = [_sentence(ctx, s) for s in suspects if s.decides(len(suspects))]
    caveats = [*said, f"Relevance is measured {method}.", *_left_out(ctx, whom, suspects)]
    return Result(tuple(_measures(ctx, suspects, len(said))), (_table(ctx, suspects),), tuple(images), tuple(caveats))


def _measures(ctx: Context, suspects: Sequence[Suspect], found: int) -> list[Measure]:
    measures = [Measure("shortcuts", "", found, len(suspects), better="lower")]
    for s in suspects:
        of = f"class={ctx.classes[s.label]}"
        put = rate("paste_rate", *s.moves.put, slice=of, better="lower")
        measures += [s.share, put, rate("hide_rate", *s.moves.taken, slice=of, better="lower")]
    return measures


def _table(ctx: Context, suspects: Sequence[Suspect]) -> Table:
    rows = []
    for s in suspects:
        moves = (s.moves.put, s.moves.put_else, s.moves.taken, s.moves.taken_else)
        counts = [f"{k:,} of {n:,}" for k, n in moves]
        said = _sentence(ctx, s) if s.decides(len(suspects)) else ""
        rows.append((ctx.classes[s.label], s.where, s.share.value, s.share.low, s.share.high, s.size, *counts, said))
    return Table("Shortcuts", COLUMNS, tuple(rows))


def _sentence(ctx: Context, s: Suspect) -> str:
    """What is found, for people who read one sentence."""
    (k, n), (k_else, _), name = s.moves.put, s.moves.put_else, ctx.classes[s.label]
    lies, how, other = (
        (f"in the {s.where}", "pasting", "as much from elsewhere")
        if is_image(ctx)
        else (f"on {s.where} where it stands", "putting", "another word")
    )
    return (
        f"{s.percent} of the relevance of class {name} lies {lies}; {how} it into {n:,} rows of other classes turns "
        f"{k:,} of them to class {name}, {other} turns {k_else:,}."
    )


def _left_out(ctx: Context, whom: Chosen, suspects: Sequence[Suspect]) -> list[str]:
    silent = [ctx.classes[m.label] for m in whom.members if m.label not in {s.label for s in suspects}]
    reasons = (
        (whom.rare, "predicted for fewer than 10 rows"),
        (whom.beyond, "predicted less often than those looked at; `classes` is their number"),
        (silent, "without positive relevance at a place or on a word that 5 rows of each half share"),
    )
    caveats = [f"Not looked at: {listed(names, 5)} ({why})." for names, why in reasons if names]
    if len(whom.members) < 3 and is_image(ctx):
        caveats.append(
            "With fewer than 3 classes an object at a fixed place looks the same as a mark: see the picture."
        )
    return caveats
