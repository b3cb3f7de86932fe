"""Scores by gradients and by attention: every method that looks inside the model, by the parts of a scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from auditor.evidence.scene import Scene, Scores, stacked
from auditor.explain.attention import Attended, attention, attention_gradient, readers, rollout
from auditor.explain.composites import with_attention
from auditor.explain.entries import enterable
from auditor.explain.expected import expected_gradients
from auditor.explain.gradcam import gradcam
from auditor.explain.integrated import integrated_gradients
from auditor.explain.lrp import lrp
from auditor.explain.parts import column_parts, image_parts
from auditor.explain.paths import at_once
from auditor.explain.quick import channels_last
from auditor.explain.smoothgrad import input_times_gradient, smoothgrad
from auditor.explained.samples import Sample, is_image
from auditor.explained.ways import baselines_of, usual
from auditor.subject import Model

__all__ = [
    "DRAWS", "STEPS", "by_attention_gradient", "by_expected_gradients", "by_gradcam", "by_input_times_gradient",
    "by_integrated_gradients", "by_lrp", "by_rollout", "by_smoothgrad",
]  # fmt: skip

BATCH = 16  # rows whose gradients are taken at once
STEPS, DRAWS, NOISE = 16, 16, 0.15


def by_gradcam(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """Grad-CAM, its map enlarged to the image."""
    found: Scores = []
    for some, x, target in _batches(samples):
        maps = gradcam(model, x, target).maps[:, None]
        wide = functional.interpolate(maps, x.shape[2:], mode="bilinear")
        found += [scene.parts(s, m) for s, m in zip(some, wide, strict=True)]
    return found


def by_lrp(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """LRP by the default composite."""
    composite = with_attention("epsilon_gamma", "values")
    x, target = stacked(samples)
    return scene.folded(samples, lrp(model, x, target, composite=composite, rows=BATCH).shares)


def by_input_times_gradient(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """The input times the gradient at it."""
    x, target = stacked(samples)
    return scene.folded(samples, input_times_gradient(_entered(model, x), x, target, rows=BATCH))


def by_smoothgrad(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """The input times the gradient, averaged over 16 draws of noise."""
    x, target = stacked(samples)
    low, high = (torch.as_tensor(b, dtype=torch.float32) for b in model.bounds)
    span = high - low if is_image(scene.ctx) else model.unit
    seed = scene.seed("SmoothGrad")
    found = smoothgrad(
        _entered(model, x), x, target, noise=NOISE, span=span, draws=DRAWS, seed=seed, rows=at_once(x)
    )  # fmt: skip
    return scene.folded(samples, found.shares)


def by_integrated_gradients(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """Integrated gradients from the usual baseline, in 16 steps."""
    x, target = stacked(samples)
    entered = _entered(model, x)
    rows = (scene.ctx.reference or scene.ctx.data).take(DRAWS, scene.ctx.seed)
    (baseline,) = (b for b in baselines_of(scene.ctx, entered, rows, "") if b.name == usual(scene.ctx))
    found = integrated_gradients(entered, x, target, baseline.start, rows=at_once(x), steps=(STEPS,))
    return scene.folded(samples, found.shares)


def by_expected_gradients(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """Expected gradients from 16 draws of the background."""
    x, target = stacked(samples)
    found = expected_gradients(
        _entered(model, x), x, target, scene.background, draws=DRAWS, seed=scene.seed("expected"), rows=at_once(x)
    )  # fmt: skip
    return scene.folded(samples, found.shares)


# ---- made of attention -------------------------------------------------------------------------------------------
def by_rollout(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """Attention rollout to the tokens that the logit is read from."""
    return _attended(scene, model, samples, rollout)


def by_attention_gradient(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """Attention times its gradient, to the same tokens."""
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


# ---- shared ------------------------------------------------------------------------------------------------------
def _batches(samples: Sequence[Sample]) -> Iterator[tuple[Sequence[Sample], Tensor, Tensor]]:
    for i in range(0, len(samples), BATCH):
        some = samples[i : i + BATCH]
        yield some, *stacked(some)


def _entered(model: Model, x: Tensor) -> Model:
    """The model as gradients are taken of it at other points, with the channels last where it takes images so."""
    return channels_last(enterable(model, x), x[:1])
