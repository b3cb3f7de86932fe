"""explain.agreement: how far methods agree on what matters, and how far they agree with other libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated

import numpy as np
from pydantic import Field

from auditor.evidence.agreement import same_signs, same_strongest
from auditor.evidence.methods import Method, not_tested, scores_of
from auditor.evidence.scene import Scene, Scores
from auditor.evidence.witnesses import Witnessed, witnessed
from auditor.percents import percent
from auditor.registry import Context, check, sizes
from auditor.stats import mean, mean_share, rank_correlation
from auditor.types import Result, Scalar, Table

TOP = 5
DISAGREE = 0.5


@check(
    "explain.agreement",
    title="Agreement of explanations",
    measures=("consensus", "consensus_by_chance"),
    source="Krishna et al. 2024, arXiv:2202.01602",
)
def explain_agreement(
    ctx: Context,
    *,
    samples: int = sizes(2, 12, 64),
    passes: Annotated[int, Field(ge=1, le=10_000_000)] = sizes(60, 1000, 10_000),
) -> Result:
    """Whether methods agree on which parts matter most, and whether ours agree with other libraries' of the same name.

    What it measures: for `samples` rows (0: all; at least 12 of inputs of up to 1,024 numbers, with ten times the
    `passes`) every method that costs at most `passes` forward passes a row scores the same parts (columns, words, at
    most 14 by 14 squares of an image). For each two methods: the part of the five strongest that they have in common
    (of fewer than ten parts the stronger half), the part of those with the same sign, and the rank correlation of all
    parts. Strongest are, of images, the parts that speak most for the class; of columns and words, those with the
    largest shares either way. `consensus` is the mean of the common part over all pairs, from 0 to 1. Two rows are
    explained by other libraries too.

    How to read it: below a consensus of .5 methods tell different stories, and a caveat says so: read the one whose
    faithfulness is shown, not the one that pleases. What chance would have in common is beside it.

    When it misleads: methods that share a flaw agree on it. Some ask different questions: occlusion what is lost
    without a part, gradients what would change if it did.
    """
    scene = Scene.of(ctx, samples)
    scores, left = scores_of(scene, passes)
    by_size = scene.segments is None
    pairs = {(a, b): _alike(scores, a, b, by_size=by_size) for a, b in combinations(scores, 2)}
    rows = range(len(scene.samples))
    common = [[found.common for alike in pairs.values() if (found := alike[i]) is not None] for i in rows]
    consensus = mean_share("consensus", [float(np.mean(held)) for held in common if held], better="higher")
    chance = mean_share("consensus_by_chance", [_top(g.players) / g.players for g in scene.games])
    ids = np.array([s.row for s in scene.samples])
    ctx.keep_scores(ids, {consensus: [float(np.mean(held)) if held else np.nan for held in common]})
    beside = witnessed(scene, {m.name: own for m, own in scores.items()})
    tables = [_between(pairs), *([_witnesses(beside)] if beside else [])]
    caveats = not_tested(left)
    if consensus.value is not None and consensus.value < DISAGREE:
        caveats.insert(
            0, f"Methods disagree: of the strongest parts each two have {percent(consensus.value)} in common."
        )
    return Result((consensus, chance), tuple(tables), (), (*caveats, *scene.caveats()))


@dataclass(frozen=True)
class _Alike:
    """Two explanations of one row: the strongest in common, their signs, and the rank correlation of all parts."""

    common: float
    signs: float | None
    ranks: float | None


def _alike(scores: Mapping[Method, Scores], a: Method, b: Method, *, by_size: bool) -> list[_Alike | None]:
    signed, found = a.signed and b.signed, list[_Alike | None]()
    for own, other in zip(scores[a], scores[b], strict=True):
        if not (np.ptp(own) and np.ptp(other)):  # all parts alike: there are no strongest
            found.append(None)
            continue
        k = _top(len(own))
        first, second = (np.abs(own), np.abs(other)) if by_size and signed else (own, other)
        signs = same_signs(own, other, k) if signed else None
        found.append(_Alike(same_strongest(first, second, k), signs, rank_correlation(own.tolist(), other.tolist())))
    return found


def _top(players: int) -> int:
    """How many parts count as the strongest."""
    return min(TOP, (players + 1) // 2)


def _between(pairs: Mapping[tuple[Method, Method], list[_Alike | None]]) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for (a, b), every in pairs.items():
        alike = [r for r in every if r is not None]
        common = mean_share("", [r.common for r in alike])
        signs = mean("", [r.signs for r in alike if r.signs is not None])
        ranks = mean("", [r.ranks for r in alike if r.ranks is not None])
        rows.append((a.name, b.name, common.value, common.low, common.high, signs.value, ranks.value, common.n))
    columns = ("method", "and", "strongest in common", "low", "high", "same sign", "rank correlation", "n")
    return Table("How far the methods agree", columns, tuple(rows))


def _witnesses(beside: Sequence[Witnessed]) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for w in beside:
        known = [c for c in w.correlations if c is not None]
        said = f"refused: {w.refused}" if w.refused else "" if known else "flat"
        rows.append((w.method, w.library, mean("", known).value, min(known, default=None), len(known), said))
    columns = ("ours", "theirs", "mean rank correlation", "lowest", "rows", "")
    return Table("Beside other libraries", columns, tuple(rows))
