"""Every method that explains a row, as the evidence checks put it to the test: scores of the same parts, for any model.

Methods run at fixed sizes, so that their evidence does not depend on which other checks an audit runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.evidence.scene import Scene, stacked
from auditor.explain.attention import Attended, attention, attention_gradient, readers, rollout
from auditor.explain.composites import with_attention
from auditor.explain.entries import enterable
from auditor.explain.expected import expected_gradients
from auditor.explain.games import Floats, Game, answers, image_game, play_finite
from auditor.explain.gradcam import gradcam
from auditor.explain.integrated import integrated_gradients
from auditor.explain.lime import lime
from auditor.explain.lrp import lrp
from auditor.explain.neighbours import of_row, of_superpixels, of_words
from auditor.explain.occlusion import losses, spread, window_game, windows
from auditor.explain.parts import column_parts, image_parts
from auditor.explain.paths import at_once
from auditor.explain.quick import channels_last
from auditor.explain.rise import rise
from auditor.explain.segments import Segments, superpixels
from auditor.explain.shapley import Request, shapley
from auditor.explain.smoothgrad import input_times_gradient, smoothgrad
from auditor.explained.samples import Sample, is_image
from auditor.explained.ways import baselines_of, usual
from auditor.registry import derive_seed
from auditor.subject import Model

__all__ = ["METHODS", "Method", "Scores", "again", "kind_of", "not_tested", "scores_of"]

BATCH = 16  # rows whose gradients are taken at once
STEPS, DRAWS, NOISE = 16, 16, 0.15
ANSWERS, FIRST = 128, 64  # of methods that hide parts at random
SUPERPIXELS, CELLS, WINDOW = 25, 14, 2
ROUNDING = 1e-6
WINDOWS = (CELLS - WINDOW + 1) ** 2
Scores = list[Floats]
Kind = Literal["image", "table", "text"]
EVERYTHING: tuple[Kind, ...] = ("image", "table", "text")


@dataclass(frozen=True)
class Method:
    """A method by its name in reports, the check whose maps it makes, and how it scores the parts of samples.

    `passes` is about how many forward passes one explanation costs, a backward pass counting as two, for so many
    parts; `kinds` are the inputs that it takes. Signed scores also say what speaks against the class.
    """

    name: str
    check: str
    scores: Callable[[Scene, Model, Sequence[Sample]], Scores]
    passes: Callable[[int], int]
    kinds: tuple[Kind, ...] = EVERYTHING
    signed: bool = True


def scores_of(scene: Scene, most: int) -> tuple[dict[Method, Scores], dict[str, str]]:
    """The scores of every method that applies, for all samples, made once an audit; and why others were left out.

    A method that costs more than `most` passes a row is left out, more than ten times as many where inputs are small.
    """
    most = most * 10 if scene.is_small else most
    found: dict[Method, Scores] = {}
    left: dict[str, str] = {}
    parts = max(g.players for g in scene.games)
    for method in METHODS:
        if kind_of(scene) not in method.kinds:
            continue
        if method.passes(parts) > most:
            left[method.name] = f"more than {most:,} passes a row, see `passes`"
            continue
        try:
            scores = _cached(scene, method)
        except NotApplicable as e:
            left[method.name] = str(e)
            continue
        if all(float(np.ptp(own)) <= ROUNDING * float(np.abs(own).max()) for own in scores):
            left[method.name] = "all parts get the same in every row"
        else:
            found[method] = scores
    _need_some(found, left)
    return found, left


def not_tested(left: Mapping[str, str]) -> list[str]:
    """A sentence for each reason why methods were left out, with all that it holds for."""
    of_reason: dict[str, list[str]] = {}
    for name, why in left.items():
        of_reason.setdefault(why, []).append(name)
    return [f"Not put to the test: {', '.join(names)} ({why})." for why, names in of_reason.items()]


def again(scene: Scene, methods: Iterable[Method], model: Model, samples: Sequence[Sample]) -> dict[Method, Scores]:
    """The methods' scores for another model, or other inputs; without those that do not apply to it."""
    found: dict[Method, Scores] = {}
    for method in methods:
        with suppress(NotApplicable):
            found[method] = method.scores(scene, model, samples)
    return found


def _need_some(found: Mapping[Method, Scores], left: Mapping[str, str]) -> None:
    if not found:
        reasons = "; ".join(f"{name}: {why}" for name, why in left.items())
        msg = f"no method says which parts matter: {reasons}"
        raise NotApplicable(msg)


def kind_of(scene: Scene) -> Kind:
    """What the inputs are."""
    return "text" if scene.ctx.is_text else "image" if is_image(scene.ctx) else "table"


def _cached(scene: Scene, method: Method) -> Scores:
    known = cast("dict[tuple[str, int], Floats]", scene.ctx.shared.setdefault("scores", {}))
    missing = [s for s in scene.samples if (method.name, s.row) not in known]
    if missing:
        own = method.scores(scene, scene.ctx.need_model(), missing)
        known.update({(method.name, s.row): scores for s, scores in zip(missing, own, strict=True)})
    return [known[method.name, s.row] for s in scene.samples]


# ---- made of gradients -------------------------------------------------------------------------------------------
def _gradcam(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    found: Scores = []
    for some, x, target in _batches(samples):
        maps = gradcam(model, x, target).maps[:, None]
        wide = functional.interpolate(maps, x.shape[2:], mode="bilinear")
        found += [scene.parts(s, m) for s, m in zip(some, wide, strict=True)]
    return found


def _lrp(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    composite = with_attention("epsilon_gamma", "values")
    x, target = stacked(samples)
    return _folded(scene, samples, lrp(model, x, target, composite=composite, rows=BATCH).shares)


def _input_times_gradient(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    x, target = stacked(samples)
    return _folded(scene, samples, input_times_gradient(enterable(model, x), x, target, rows=BATCH))


def _smoothgrad(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    x, target = stacked(samples)
    low, high = (torch.as_tensor(b, dtype=torch.float32) for b in model.bounds)
    span = high - low if is_image(scene.ctx) else model.unit
    seed = _seed(scene, "SmoothGrad")
    found = smoothgrad(
        enterable(model, x), x, target, noise=NOISE, span=span, draws=DRAWS, seed=seed, rows=at_once(x)
    )  # fmt: skip
    return _folded(scene, samples, found.shares)


def _integrated_gradients(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    x, target = stacked(samples)
    entered = enterable(model, x)
    rows = (scene.ctx.reference or scene.ctx.data).take(DRAWS, scene.ctx.seed)
    (baseline,) = (b for b in baselines_of(scene.ctx, entered, rows, "") if b.name == usual(scene.ctx))
    found = integrated_gradients(entered, x, target, baseline.start, rows=at_once(x), steps=(STEPS,))
    return _folded(scene, samples, found.shares)


def _expected_gradients(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    x, target = stacked(samples)
    found = expected_gradients(
        enterable(model, x), x, target, scene.background, draws=DRAWS, seed=_seed(scene, "expected"), rows=at_once(x)
    )  # fmt: skip
    return _folded(scene, samples, found.shares)


# ---- made of attention -------------------------------------------------------------------------------------------
def _rollout(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    return _attended(scene, model, samples, rollout)


def _attention_gradient(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    return _attended(scene, model, samples, attention_gradient)


def _attended(scene: Scene, model: Model, samples: Sequence[Sample], between: Callable[[Attended], Tensor]) -> Scores:
    """What the tokens that the logit is read from took from each part."""
    found: Scores = []
    for s in samples:
        seen = attention(model, s.x[None], torch.tensor([s.predicted]))
        (read,) = readers(seen)
        taken = read @ between(seen)[0]
        if scene.segments is not None:
            parts = image_parts(s.x, read)
            assert parts.grid is not None  # noqa: S101 - it is an image's
            grid = taken[parts.of_token >= 0].view(1, 1, *parts.grid)
            found.append(scene.parts(s, functional.interpolate(grid, s.x.shape[1:], mode="bilinear")[0]))
        elif scene.ctx.is_text:
            found.append(scene.parts(s, taken[: len(s.x)]))
        else:
            parts = column_parts(s.x, scene.background, scene.ctx.columns, read)
            found.append(taken[parts.of_token >= 0].double().numpy())
    return found


# ---- made of passes alone ----------------------------------------------------------------------------------------
def _occlusion(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """What is lost without each part; of an image without each of the squares that slide over it."""
    rows, (x, target) = scene.ctx.batch_size, stacked(samples)
    model = channels_last(model, x[:1])
    whole = answers(model, x, target, rows)
    if scene.segments is None:
        left = losses(model, [scene.game(s) for s in samples], rows)
        return [own - rest for own, rest in zip(whole, left, strict=True)]
    covers = windows(*scene.segments.shape, CELLS, WINDOW)
    fills = (s.x.mean((1, 2), keepdim=True).expand_as(s.x) for s in samples)
    left = losses(model, [window_game(s.x, f, covers, s.predicted) for s, f in zip(samples, fills, strict=True)], rows)
    maps = (spread(own - rest, covers) for own, rest in zip(whole, left, strict=True))
    return [scene.parts(s, _enlarged(torch.from_numpy(m), s.x)) for s, m in zip(samples, maps, strict=True)]


def _rise(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    x, target = stacked(samples)
    found = rise(
        channels_last(model, x[:1]), x, target, masks=ANSWERS, rows=scene.ctx.batch_size, seed=_seed(scene, "RISE")
    )
    return _folded(scene, samples, found.maps[:, None])


def _shap(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    games, segments = _played(scene, samples)
    model = channels_last(model, samples[0].x[None])

    def values(requests: Sequence[Request]) -> Scores:
        asked = [r.coalitions for r in requests]
        return play_finite(model, [games[r.game] for r in requests], asked, scene.ctx.batch_size)

    players = [g.players for g in games]
    found = shapley(values, players, first=FIRST, most=ANSWERS, seed=_seed(scene, "SHAP"))
    return _of_players(scene, samples, [f.values for f in found], segments)


def _lime(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    games, segments = _played(scene, samples)
    if kind_of(scene) == "table":
        around, varied = zip(
            *(of_row(s.x, scene.background, scene.ctx.columns, s.predicted) for s in samples), strict=True
        )
    else:
        around = tuple(of_words(g) if segments is None else of_superpixels(g) for g in games)
        varied = tuple(range(g.players) for g in games)
    if not all(map(len, varied)):
        msg = f"no column varies in {len(scene.background):,} rows of the background"
        raise NotApplicable(msg)
    size, seed = scene.ctx.batch_size, _seed(scene, "LIME")
    model = channels_last(model, samples[0].x[None])
    found = lime(model, around, neighbours=ANSWERS, most=ANSWERS, rows=size, seed=seed)
    scores = [np.zeros(g.players) for g in games]
    for own, local, columns in zip(scores, found, varied, strict=True):
        own[list(columns)] = np.nan_to_num(local.weights)
    return _of_players(scene, samples, scores, segments)


def _played(scene: Scene, samples: Sequence[Sample]) -> tuple[list[Game], list[Segments] | None]:
    """The samples as games; of images in superpixels, which come along."""
    if scene.segments is None:
        return [scene.game(s) for s in samples], None
    segments = [superpixels(s.x, SUPERPIXELS) for s in samples]
    return [image_game(s.x, own, s.predicted) for s, own in zip(samples, segments, strict=True)], segments


def _of_players(scene: Scene, samples: Sequence[Sample], values: Scores, segments: Sequence[Segments] | None) -> Scores:
    """What players got, by the scene's parts."""
    if segments is None:
        return values
    maps = (torch.from_numpy(v[own])[None] for v, own in zip(values, segments, strict=True))
    return [scene.parts(s, m) for s, m in zip(samples, maps, strict=True)]


# ---- shared ------------------------------------------------------------------------------------------------------
def _batches(samples: Sequence[Sample]) -> Iterator[tuple[Sequence[Sample], Tensor, Tensor]]:
    for i in range(0, len(samples), BATCH):
        some = samples[i : i + BATCH]
        yield some, *stacked(some)


def _folded(scene: Scene, samples: Sequence[Sample], shares: Tensor) -> Scores:
    return [scene.parts(s, own) for s, own in zip(samples, shares, strict=True)]


def _enlarged(cells: Tensor, image: Tensor) -> Tensor:
    """A map (rows, columns) as large as the image (C, H, W)."""
    return functional.interpolate(cells[None, None], image.shape[1:], mode="nearest")[0]


def _seed(scene: Scene, name: str) -> int:
    return derive_seed(scene.ctx.seed, name)


METHODS = (
    Method("Grad-CAM", "explain.gradcam", _gradcam, lambda _: 3, ("image",), signed=False),
    Method("LRP", "explain.lrp", _lrp, lambda _: 8),
    Method("Integrated gradients", "explain.integrated_gradients", _integrated_gradients, lambda _: 3 * STEPS),
    Method("Expected gradients", "explain.integrated_gradients", _expected_gradients, lambda _: 4 * DRAWS),
    Method("SmoothGrad x input", "explain.smoothgrad", _smoothgrad, lambda _: 3 * DRAWS),
    Method("Input x gradient", "explain.smoothgrad", _input_times_gradient, lambda _: 3),
    Method("Attention rollout", "explain.attention", _rollout, lambda _: 3, signed=False),
    Method("Attention x gradient", "explain.attention", _attention_gradient, lambda _: 3, signed=False),
    Method("Occlusion", "explain.occlusion", _occlusion, lambda parts: min(parts, WINDOWS) + 1),
    Method("RISE", "explain.rise", _rise, lambda _: ANSWERS, ("image",)),
    Method("SHAP", "explain.shap", _shap, lambda parts: max(ANSWERS, 3 * min(parts, SUPERPIXELS))),
    Method("LIME", "explain.lime", _lime, lambda _: ANSWERS),
)
