"""explain.sanity: whether explanations change when the model's weights are random."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from auditor.errors import NotApplicable
from auditor.evidence.methods import Method, again, not_tested, scores_of
from auditor.evidence.randomised import entropy_rise, randomised
from auditor.evidence.scene import Scene, Scores, stacked
from auditor.explained.samples import Sample
from auditor.percents import percent
from auditor.registry import Context, check, derive_seed, sizes
from auditor.stats import mean, mean_correlation, rank_correlation
from auditor.subject import Model
from auditor.types import Measure, Result, Scalar, Table

NOISE = 0.1
FEWEST = 20  # parts below which a histogram says nothing


@check(
    "explain.sanity",
    title="Explanations of random weights",
    measures=("entropy_rise", "random_correlation"),
    source="Adebayo et al. 2018, arXiv:1810.03292; Hedström et al. 2024, arXiv:2401.06465 (sMPRT, eMPRT)",
)
def explain_sanity(
    ctx: Context,
    *,
    samples: int = sizes(2, 5, 32),
    stages: Annotated[int, Field(ge=1, le=100)] = sizes(1, 1, 5),
    draws: Annotated[int, Field(ge=1, le=1000)] = sizes(1, 2, 10),
    passes: Annotated[int, Field(ge=1, le=10_000_000)] = sizes(20, 300, 10_000),
) -> Result:
    """Whether what a method shows comes from the weights: its maps beside those of the same model with random ones.

    What it measures: for `samples` rows (0: all; at least 12 of inputs of up to 1,024 numbers, with ten times the
    `passes`) every method that costs at most `passes` forward passes a row explains the same class for the model, and
    for copies whose layers are random from the input on: a part of them in each of `stages`, all in the last. Each
    explanation is the mean over the input and `draws` - 1 noisy copies of it, by a tenth of what an element ranges over
    (sMPRT; texts have no noise). `random_correlation` is the rank correlation of both explanations' parts when all
    layers are random: near 0 where the weights decide, 1 where they do not matter. `entropy_rise` is (H(random) - H) /
    H, H being the entropy of the map's histogram (eMPRT): above 0 where random weights leave a map without a pattern;
    for images and texts of 20 parts or more.

    How to read it: a method whose maps stay the same when the weights are random shows the input, not the model; its
    maps are misleading here, however plausible they look.

    When it misleads: a random network still passes the shape of its input on, so that a correlation of 0 is not
    reached by every method that works. One copy of random weights is drawn for each stage.
    """
    scene = Scene.of(ctx, samples)
    model = ctx.need_model()
    scores, left = scores_of(scene, passes)
    inputs = _inputs(scene, draws)
    own = _explained(scene, scores, model, inputs)
    seed = derive_seed(scene.ctx.seed, "random weights")
    reached = [(i + 1) / stages for i in range(stages)]
    copies = [_explained(scene, scores, _answering(randomised(model, part, seed), scene), inputs) for part in reached]
    measures: list[Measure] = []
    rows: list[tuple[Scalar, ...]] = []
    for method in scores:
        if any(method not in found for found in (own, *copies)):
            left[method.name] = "it does not apply to the model with random weights"
            continue
        alike = [_correlations(own[method].smooth, found[method].smooth) for found in copies]
        where = f"method={method.name}"
        last = mean_correlation("random_correlation", alike[-1], slice=where, better="lower")
        rise = mean("entropy_rise", _rises(own[method].plain, copies[-1][method].plain), slice=where, better="higher")
        measures += [last, rise]
        rows.append((method.name, *(mean("", a).value for a in alike), last.low, last.high, rise.value, last.n))
    columns = ("method", *(f"{percent(part)} random" for part in reached), "low", "high", "entropy rise", "n")
    table = Table("Rank correlation with the explanation of random weights", columns, tuple(rows))
    caveats = not_tested(left)
    return Result(tuple(measures), (table,), (), (*caveats, *scene.caveats()))


@dataclass(frozen=True)
class _Explained:
    """The scores of every row, and their means over its noisy copies too."""

    plain: Scores
    smooth: Scores


def _inputs(scene: Scene, draws: int) -> list[list[Sample]]:
    """The samples, and noisy copies of them where they can be moved."""
    try:
        noisy = [scene.moved(NOISE, derive_seed(scene.ctx.seed, f"noise {i}")) for i in range(1, draws)]
    except NotApplicable:
        noisy = []
    return [list(scene.samples), *noisy]


def _explained(
    scene: Scene, methods: Iterable[Method], model: Model, inputs: Sequence[Sequence[Sample]]
) -> dict[Method, _Explained]:
    """Every method that applies to the model on all inputs."""
    every = [again(scene, methods, model, rows) for rows in inputs]
    common = [m for m in methods if all(m in found for found in every)]
    draws = {m: [found[m] for found in every] for m in common}
    return {m: _Explained(d[0], [np.mean(row, 0) for row in zip(*d, strict=True)]) for m, d in draws.items()}


def _answering(model: Model, scene: Scene) -> Model:
    """The model, where it gives finite answers. NotApplicable otherwise."""
    x, _ = stacked(scene.samples[:1])
    with model.frozen(), torch.no_grad():
        if bool(model(x).isfinite().all()):
            return model
    msg = "with random weights the model gives no finite numbers, which no method can explain"
    raise NotApplicable(msg)


def _correlations(a: Scores, b: Scores) -> list[float]:
    """By rows; those where one explanation is flat are left out."""
    every = (rank_correlation(own.tolist(), other.tolist()) for own, other in zip(a, b, strict=True))
    return [r for r in every if r is not None]


def _rises(own: Scores, other: Scores) -> list[float]:
    pairs = ((a, b) for a, b in zip(own, other, strict=True) if len(a) >= FEWEST)
    return [r for a, b in pairs if (r := entropy_rise(a, b)) is not None]
