"""Places and words suspected of deciding a class, whatever else the row shows: what holds them up, and when it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.errors import NotApplicable
from auditor.integers import Integers
from auditor.intervals import FEWEST, newcombe
from auditor.registry import Context
from auditor.types import Measure

__all__ = ["MOVED", "Chosen", "Counts", "Members", "Moves", "Suspect", "chosen", "others_of"]

MOVED = 40  # rows, at least, that windows and words are put into and taken from
DECIDES = 0.5  # of the rows that it is put into must turn: a part of a digit turns up to 12 of 40, a watermark 40

Counts = tuple[int, int]


# ---- the rows ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Members:
    """Positions of rows that are predicted as class `label`.

    In `seen` the suspect is looked for, in `measured` its share is measured, `moved` it is taken from: neither of these
    is among those in which it was found.
    """

    label: int
    seen: Integers
    measured: Integers
    moved: Integers


@dataclass(frozen=True)
class Chosen:
    """The classes that are looked at, and the names of those predicted too seldom and of those beyond their number."""

    members: tuple[Members, ...]
    rare: tuple[str, ...]
    beyond: tuple[str, ...]


def chosen(ctx: Context, classes: int, rows: int) -> Chosen:
    """The `classes` predicted most often, with up to `rows` rows each, drawn at random.

    NotApplicable where no class is predicted for 10 rows, and where all rows are predicted as one class.
    """
    predicted = ctx.predictions.predicted
    counts = np.bincount(predicted, minlength=len(ctx.classes))
    fewest, most = 2 * FEWEST, int(counts.argmax())
    if counts[most] < fewest:
        name = ctx.classes[most]
        msg = f"no class is predicted for at least {fewest} rows; the commonest, {name}, for {counts[most]}"
        raise NotApplicable(msg)
    if counts[most] == len(predicted):
        msg = f"every row is predicted as {ctx.classes[most]}: there is no other class to tell it from"
        raise NotApplicable(msg)
    order = np.argsort(-counts, kind="stable")
    enough = [int(c) for c in order if counts[c] >= fewest]
    generator = np.random.default_rng(ctx.seed)
    members = []
    for label in enough[:classes]:
        own = generator.permutation(np.flatnonzero(predicted == label))
        half = min(rows, len(own)) // 2
        members.append(Members(label, own[:half], own[half:rows], own[half : half + max(MOVED, rows)]))
    rare = tuple(ctx.classes[c] for c in order if counts[c] < fewest)
    return Chosen(tuple(members), rare, tuple(ctx.classes[c] for c in enough[classes:]))


def others_of(ctx: Context, label: int, n: int) -> Integers:
    """Positions of `n` rows at most that are predicted as another class, drawn at random."""
    others = np.flatnonzero(ctx.predictions.predicted != label)
    return np.random.default_rng((ctx.seed, label)).permutation(others)[:n]


# ---- what is found -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Moves:
    """How many rows of how many changed their class, (k, n).

    `put` into rows of other classes, which turned to the class; `taken` from its own rows, which lost it; each beside
    something else of the same size.
    """

    put: Counts
    put_else: Counts
    taken: Counts
    taken_else: Counts


@dataclass(frozen=True)
class Suspect:
    """What holds most of the relevance of class `label` beyond its due, with what moving it does.

    `where` names it; `size` is its part of the image or of the words, from 0 to 1; `share` is the mean of the positive
    relevance that it holds, with its interval; `concentrated` says whether that is far beyond its due.
    """

    label: int
    where: str
    size: float
    share: Measure
    concentrated: bool
    moves: Moves

    @property
    def percent(self) -> str:
        """The share in words: `63 %`."""
        return f"{100 * (self.share.value or 0):.0f} %"

    def decides(self, compared: int) -> bool:
        """Whether it is a shortcut: concentrated, and half of the rows that it is put into turn to the class.

        They also are more than those with something else put into them, by an interval of 1 - .05 / `compared`.
        """
        (k, n), other = self.moves.put, self.moves.put_else
        low = newcombe(k, n, *other, confidence=1 - 0.05 / max(1, compared)).low
        return self.concentrated and low is not None and low > 0 and k >= DECIDES * n
