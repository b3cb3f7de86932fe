"""Every method that explains a row, as the evidence checks put it to the test: scores of the same parts, for any model.

Methods run at fixed sizes, so that their evidence does not depend on which other checks an audit runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import numpy as np

from auditor.errors import NotApplicable
from auditor.evidence.from_answers import ANSWERS, SUPERPIXELS, WINDOWS, by_lime, by_occlusion, by_rise, by_shap
from auditor.evidence.from_inside import (
    DRAWS,
    STEPS,
    by_attention_gradient,
    by_expected_gradients,
    by_gradcam,
    by_input_times_gradient,
    by_integrated_gradients,
    by_lrp,
    by_rollout,
    by_smoothgrad,
)  # fmt: skip
from auditor.evidence.scene import Kind, Scene, Scores
from auditor.explain.games import Floats
from auditor.explained.samples import Sample
from auditor.subject import Model

__all__ = ["METHODS", "Method", "again", "not_tested", "scores_of"]

ROUNDING = 1e-6
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
        if scene.kind not in method.kinds:
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


def _cached(scene: Scene, method: Method) -> Scores:
    known = cast("dict[tuple[str, int], Floats]", scene.ctx.shared.setdefault("scores", {}))
    missing = [s for s in scene.samples if (method.name, s.row) not in known]
    if missing:
        own = method.scores(scene, scene.ctx.need_model(), missing)
        known.update({(method.name, s.row): scores for s, scores in zip(missing, own, strict=True)})
    return [known[method.name, s.row] for s in scene.samples]


METHODS = (
    Method("Grad-CAM", "explain.gradcam", by_gradcam, lambda _: 3, ("image",), signed=False),
    Method("LRP", "explain.lrp", by_lrp, lambda _: 8),
    Method("Integrated gradients", "explain.integrated_gradients", by_integrated_gradients, lambda _: 3 * STEPS),
    Method("Expected gradients", "explain.integrated_gradients", by_expected_gradients, lambda _: 4 * DRAWS),
    Method("SmoothGrad x input", "explain.smoothgrad", by_smoothgrad, lambda _: 3 * DRAWS),
    Method("Input x gradient", "explain.smoothgrad", by_input_times_gradient, lambda _: 3),
    Method("Attention rollout", "explain.attention", by_rollout, lambda _: 3, signed=False),
    Method("Attention x gradient", "explain.attention", by_attention_gradient, lambda _: 3, signed=False),
    Method("Occlusion", "explain.occlusion", by_occlusion, lambda parts: min(parts, WINDOWS) + 1),
    Method("RISE", "explain.rise", by_rise, lambda _: ANSWERS, ("image",)),
    Method("SHAP", "explain.shap", by_shap, lambda parts: max(ANSWERS, 3 * min(parts, SUPERPIXELS))),
    Method("LIME", "explain.lime", by_lime, lambda _: ANSWERS),
)
