"""explain.faithfulness: whether what a method calls important is what moves the model, against chance and edges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from auditor.evidence.compared import Compared, compared
from auditor.evidence.faithful import BETTER, Faithfulness, faithfulness
from auditor.evidence.methods import not_tested, scores_of
from auditor.evidence.scene import Scene
from auditor.explained.made_up import of_all_sizes, off_data
from auditor.registry import Context, check, sizes
from auditor.stats import mean, mean_correlation, mean_share, rate
from auditor.types import Better, Measure, Result, Scalar, Table

CHANCE, TRIED = "chance", 200
MEANS: dict[str, Callable[..., Measure]] = {"sensitivity_n": mean_correlation, "infidelity": mean_share}
OF_PROBABILITIES: dict[str, Callable[..., Measure]] = {"deletion": mean_share, "insertion": mean_share}


@check(
    "explain.faithfulness",
    title="Faithfulness of explanations",
    measures=(
        "deletion", "evidence_against", "evidence_for", "evidence_measures", "infidelity", "insertion",
        "off_data", "passes", "road", "sensitivity_n", "wins_chance", "wins_features",
    ),
    source=(
        "Petsiuk et al. 2018, arXiv:1806.07421; Rong et al. 2022, arXiv:2202.00449; Yeh et al. 2019, arXiv:1901.09392; "
        "Ancona et al. 2018, arXiv:1711.06104"
    ),
)  # fmt: skip
def explain_faithfulness(
    ctx: Context,
    *,
    samples: int = sizes(2, 12, 64),
    steps: Annotated[int, Field(ge=2, le=1000)] = sizes(5, 10, 28),
    subsets: Annotated[int, Field(ge=8, le=100_000)] = sizes(8, 32, 128),
    passes: Annotated[int, Field(ge=1, le=10_000_000)] = sizes(60, 1000, 10_000),
) -> Result:
    """Whether the parts that a method calls important are those that move the model, beside orders that know no model.

    What it measures: for `samples` rows (0: all; at least 12 of inputs of up to 1,024 numbers, with ten times the
    `passes`) every method that costs at most `passes` forward passes a row scores the same parts (columns, words, at
    most 14 by 14 squares of an image), and the probability of the predicted class (or the value) is followed while
    parts are hidden. `deletion` is its mean while the best parts go first, in `steps` steps, `insertion` while they
    come first: from 0 to 1, lower and higher is better. `road` is, for images, how much lower it stays when the best
    pixels are filled in from their neighbours than when the worst are: no hole shows, so that nothing can be read from
    its shape. `sensitivity_n` is the correlation of the sums of shares of `subsets` random sets of parts with what
    hiding them takes away, 1 where they say it exactly; `infidelity` what those sums leave unexplained at their best
    scale, 0 to 1, 0 is exact. The same figures are taken of the method's scores dealt out by chance, and by what stands
    out without the model: edges, columns far from their mean, long words. `wins_chance` and `wins_features` are the
    rates of rows in which the method is the better one; `evidence_for` counts the measures in which it beats both,
    significantly (one-sided Wilcoxon test on the same rows, Holm over methods) and in over 60 % of the rows, and
    `evidence_against` those in which chance beats it so.

    How to read it: a method that does not beat chance says nothing here, and one that does not beat edges says nothing
    about this model. With fewer than 8 rows hardly any difference can be significant.

    When it misleads: hidden parts make inputs that the model has never seen, and its answer to them is what is
    measured. `off_data` is, of rows of columns, the rate of such inputs that lie off the data (see explain.shap): a
    method that is fooled by them is confirmed here all the same. Measures contradict each other; that none is right
    alone is why there are five.
    """
    scene = Scene.of(ctx, samples)
    scores, left = scores_of(scene, passes)
    what, features = scene.features()
    rivals = {CHANCE: scene.chance(), what: features}
    found, run = faithfulness(scene, {m.name: own for m, own in scores.items()}, rivals, steps, subsets)
    means = MEANS if ctx.is_regression else MEANS | OF_PROBABILITIES
    judged = [_judged(name, f, what, means.get(name, mean)) for name, f in found.items()]
    measures = [m for method in scores for m in _measures(judged, method.name)]
    ctx.keep_scores(np.array([s.row for s in scene.samples]), _kept(judged, measures))
    measures.append(Measure("passes", "", run / len(scene.samples), len(scene.samples)))
    caveats = not_tested(left)
    off, far = off_data(scene.ctx, [(g, of_all_sizes(g, TRIED, scene.ctx.seed)) for g in scene.games])
    measures += off
    caveats += [f"{words} What moves the answer there need not be what moves it on real rows." for words in far]
    caveats += scene.caveats()
    return Result(tuple(measures), tuple(_table(j, what) for j in judged), (), tuple(caveats))


@dataclass(frozen=True)
class _Judged:
    """A measure by its name: every method beside chance, and beside what stands out without the model.

    `mean` is of its figures, with an interval that ends where they do.
    """

    measure: str
    mean: Callable[..., Measure]
    found: Faithfulness
    chance: Mapping[str, Compared]
    features: Mapping[str, Compared]

    def speaks_for(self, method: str) -> bool:
        """Whether the method beats both."""
        return self.chance[method].is_better and self.features[method].is_better


def _judged(measure: str, found: Faithfulness, what: str, mean: Callable[..., Measure]) -> _Judged:
    beside = (compared(found.own, found.rivals[r], BETTER[measure]) for r in (CHANCE, what))
    return _Judged(measure, mean, found, *beside)


def _measures(judged: list[_Judged], method: str) -> list[Measure]:
    measures = []
    where = f"method={method}"
    for j in judged:
        known = [v for v in j.found.own[method] if v is not None]
        better: Better = "higher" if BETTER[j.measure] > 0 else "lower"
        measures.append(j.mean(j.measure, known, slice=where, better=better))
        for name, c in (("wins_chance", j.chance[method]), ("wins_features", j.features[method])):
            measures.append(rate(name, int(c.wins), c.n, slice=f"{where}&measure={j.measure}"))
    told = [j for j in judged if j.chance[method].n]
    counts = {
        "evidence_for": sum(j.speaks_for(method) for j in told),
        "evidence_against": sum(j.chance[method].is_worse for j in told),
        "evidence_measures": len(told),
    }
    rows = len(judged[0].found.own[method])
    return measures + [Measure(name, where, n, rows) for name, n in counts.items()]


def _kept(judged: list[_Judged], measures: list[Measure]) -> dict[Measure, list[float]]:
    """What each row counts in the mean of each measure and method."""
    own = {(j.measure, f"method={name}"): values for j in judged for name, values in j.found.own.items()}
    found = {m: own[m.name, m.slice] for m in measures if (m.name, m.slice) in own}
    return {m: [math.nan if v is None else v for v in values] for m, values in found.items()}


def _table(j: _Judged, what: str) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for method, own in j.found.own.items():
        m = j.mean("", [v for v in own if v is not None])
        figures: list[Scalar] = []
        for c, rival in ((j.chance[method], CHANCE), (j.features[method], what)):
            other = j.mean("", [v for v in j.found.rivals[rival][method] if v is not None])
            figures += [other.value, c.wins / c.n if c.n else None, c.p_better if c.n else None]
        rows.append((method, m.value, m.low, m.high, *figures, m.n))
    name = {"road": "ROAD", "sensitivity_n": "Sensitivity-n"}.get(j.measure, j.measure.capitalize())
    title = f"{name}, {'higher' if BETTER[j.measure] > 0 else 'lower'} is better"
    beside = [f"{name}{rival}" for rival in (CHANCE, what) for name in ("", "beats ", "p against ")]
    return Table(title, ("method", "mean", "low", "high", *beside, "n"), tuple(rows))
