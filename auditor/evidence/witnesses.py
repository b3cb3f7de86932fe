"""Other libraries' explanations of the same rows: how far ours and theirs agree at run time."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from auditor.errors import reason, without_machine
from auditor.evidence.scene import Kind, Scene, Scores, stacked
from auditor.explain.entries import entries
from auditor.explain.games import Bools, Floats, Game, play
from auditor.explained.samples import Sample
from auditor.explained.ways import baselines_of, usual
from auditor.stats import rank_correlation
from auditor.subject import Model

__all__ = ["Witnessed", "witnessed"]

ROWS, STEPS, DRAWS, CALLS = 2, 32, 16, 2048
Explain = Callable[[Scene, Sequence[Sample]], Scores]


@dataclass(frozen=True)
class Witnessed:
    """Our method beside a library's: the rank correlation of their parts in each row, or why there is none."""

    method: str
    library: str
    correlations: tuple[float | None, ...] = ()
    refused: str = ""


def witnessed(scene: Scene, scores: Mapping[str, Scores]) -> list[Witnessed]:
    """Our `scores` beside those of captum and shap, in two rows; none for texts, of which they would need embeddings.

    A library that cannot explain the model is listed with what it said.
    """
    rows, found = scene.samples[:ROWS], []
    for method, library, explain, kinds in WITNESSES:
        if method not in scores or scene.kind not in kinds:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = explain(scene, rows)
        except Exception as e:  # noqa: BLE001 - a library that cannot is a finding
            found.append(Witnessed(method, library, refused=without_machine(reason(e, 160))))
        else:
            pairs = zip(scores[method][: len(rows)], theirs, strict=True)
            same = (rank_correlation(a.tolist(), b.tolist()) for a, b in pairs)
            found.append(Witnessed(method, library, tuple(same)))
    return found


class _Module(nn.Module):
    """A copy of the model as a module that gives (N, C), also for values: libraries leave hooks where they fail."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.inner = copy.deepcopy(model.module)
        self._model = replace(model, module=self.inner)

    def forward(self, x: Tensor) -> Tensor:
        y = self._model(x)
        return y[:, None] if y.ndim == 1 else y


def _integrated_gradients(scene: Scene, rows: Sequence[Sample]) -> Scores:
    from captum.attr import IntegratedGradients

    (x, target), model = stacked(rows), scene.ctx.need_model()
    data = (scene.ctx.reference or scene.ctx.data).take(BASELINE_ROWS, scene.ctx.seed)
    (baseline,) = (b for b in baselines_of(scene.ctx, model, data, "") if b.name == usual(scene.ctx))
    (start,) = baseline.start(x, entries(model, x))
    explainer = IntegratedGradients(_Module(model))
    return _folded(scene, rows, explainer.attribute(x, start, target, n_steps=STEPS, internal_batch_size=AT_ONCE))


def _input_times_gradient(scene: Scene, rows: Sequence[Sample]) -> Scores:
    from captum.attr import InputXGradient

    x, target = stacked(rows)
    return _folded(scene, rows, InputXGradient(_Module(scene.ctx.need_model())).attribute(x.requires_grad_(), target))


def _gradient_shap(scene: Scene, rows: Sequence[Sample]) -> Scores:
    from captum.attr import GradientShap

    explainer = GradientShap(_Module(scene.ctx.need_model()))
    found = [explainer.attribute(s.x[None], scene.background, target=s.predicted, n_samples=DRAWS) for s in rows]
    return _folded(scene, rows, torch.cat(found))


def _deep_shap(scene: Scene, rows: Sequence[Sample]) -> Scores:
    from captum.attr import DeepLiftShap

    explainer = DeepLiftShap(_Module(scene.ctx.need_model()))
    background = scene.background[:AT_ONCE]
    found = [explainer.attribute(s.x[None], background, target=s.predicted) for s in rows]
    return _folded(scene, rows, torch.cat(found))


def _kernel_shap(scene: Scene, rows: Sequence[Sample]) -> Scores:
    import shap

    found = []
    for s in rows:
        value = _of_coalitions(scene, scene.game(s))
        explainer = shap.KernelExplainer(value, np.zeros((1, scene.game(s).players)))
        everybody = np.ones((1, scene.game(s).players))
        # without l1_reg=False all but ten values are silently set to 0
        shares = explainer.shap_values(everybody, nsamples=CALLS, l1_reg=False, silent=True)
        found.append(np.asarray(shares, np.float64).ravel())
    return found


def _of_coalitions(scene: Scene, game: Game) -> Callable[[Bools], Floats]:
    return lambda z: play(scene.ctx.need_model(), [game], [np.asarray(z, np.bool_)], scene.ctx.batch_size)[0]


def _folded(scene: Scene, rows: Sequence[Sample], shares: Tensor) -> Scores:
    return [scene.parts(s, own.detach()) for s, own in zip(rows, shares, strict=True)]


BASELINE_ROWS, AT_ONCE = 16, 8
FLOATS: tuple[Kind, ...] = ("image", "table")
WITNESSES: tuple[tuple[str, str, Explain, tuple[Kind, ...]], ...] = (
    ("Integrated gradients", "captum IntegratedGradients", _integrated_gradients, FLOATS),
    ("Input x gradient", "captum InputXGradient", _input_times_gradient, FLOATS),
    ("Expected gradients", "captum GradientShap", _gradient_shap, FLOATS),
    ("SHAP", "captum DeepLiftShap", _deep_shap, FLOATS),
    ("SHAP", "shap KernelExplainer", _kernel_shap, ("table",)),
)
