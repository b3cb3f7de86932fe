"""SHAP, RISE, expected gradients and the evidence beside their bare passes, on EfficientNet-Lite0 and photographs."""

from __future__ import annotations

import multiprocessing
import resource
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from auditor.evidence.faithful import faithfulness
from auditor.evidence.scene import Scene
from auditor.explain.expected import expected_gradients
from auditor.explain.games import Floats, image_game, play
from auditor.explain.quick import channels_last
from auditor.explain.rise import rise
from auditor.explain.segments import superpixels
from auditor.explain.shapley import Request, shapley
from auditor.registry import Context
from auditor.subject import Data, Model
from benchmarks.explain_gradient import against, interleaved, network, photos

__all__ = ["evidence_of_photos", "expected_gradients_of_photos", "memory", "shap_of_photos"]

PARTS, AT_ONCE, ROUNDS = 25, 16, 3
IMAGES, COALITIONS, DRAWS, BACKGROUND = 2, 128, 50, 8


def shap_of_photos() -> None:
    """Print SHAP of superpixels and RISE beside as many passes in the same batches and layout."""
    model, x = network(), photos(IMAGES)
    with model.frozen(), torch.no_grad():
        last, target = channels_last(model, x), model(x).argmax(1)
        masks = COALITIONS * IMAGES
        found = interleaved(
            {
                "passes": lambda: _passes(last, x, masks),
                "passes, channels first": lambda: _passes(model, x, masks),
                "SHAP": lambda: _shap(last, x, target, COALITIONS),
                "RISE": lambda: rise(last, x, target, masks=COALITIONS, rows=AT_ONCE, seed=0),
            },
            ROUNDS,
        )
    print(f"{IMAGES} photographs, {COALITIONS} coalitions of {PARTS} superpixels or masks each, {AT_ONCE} at once:")
    print(
        f"  passes with the channels last take {against(found, 'passes', 'passes, channels first'):.2f} of the others"
    )
    print(f"  SHAP {against(found, 'SHAP', 'passes'):.2f} of its passes (bar 1.3), RISE "
          f"{against(found, 'RISE', 'passes'):.2f}")  # fmt: skip


def expected_gradients_of_photos() -> None:
    """Print expected gradients beside shap's GradientExplainer, as it comes and in our batches, and its bare passes."""
    import shap

    model, x, reference = network(), photos(1), photos(BACKGROUND + 1)[1:]
    with model.frozen():
        with torch.no_grad():
            target = model(x).argmax(1)
        last, wanted = channels_last(model, x), int(target)
        usual = shap.GradientExplainer(model.module, [model.normalize(reference)])
        ours = shap.GradientExplainer(model.module, [model.normalize(reference)], batch_size=AT_ONCE)

        def bare() -> None:
            for start in range(0, DRAWS, AT_ONCE):
                leaf = reference[:1].repeat(min(AT_ONCE, DRAWS - start), 1, 1, 1).requires_grad_()
                torch.autograd.grad(model(leaf)[:, wanted].sum(), leaf)

        found = interleaved(
            {
                "passes": bare,
                "ours": lambda: expected_gradients(last, x, target, reference, draws=DRAWS, seed=0, rows=AT_ONCE),
                "shap": lambda: usual.shap_values([model.normalize(x)], nsamples=DRAWS, ranked_outputs=1),
                "shap in our batches": lambda: ours.shap_values([model.normalize(x)], nsamples=DRAWS, ranked_outputs=1),
            },
            ROUNDS,
        )
    print(f"Expected gradients of a photograph, {DRAWS} draws, {AT_ONCE} at once:")
    for name in ("ours", "shap", "shap in our batches"):
        print(f"  {name:20} {against(found, name, 'passes'):.2f} of the gradients' passes, channels first")
    print(f"  shap's GradientExplainer takes {against(found, 'shap', 'ours'):.2f} times as long as ours as it comes "
          f"(bar 1.7), {against(found, 'shap in our batches', 'ours'):.2f} in our batches")  # fmt: skip


def evidence_of_photos() -> None:
    """Print what the measures of faithfulness of five orders cost beside the passes that they state."""
    model, x = network(), photos(IMAGES)
    with model.frozen(), torch.no_grad():
        data = Data.of(x, model(x).argmax(1))
        scene = Scene.of(Context(model, data, batch_size=AT_ONCE), IMAGES)
        last, chance = channels_last(model, x), np.random.default_rng(0)
        scores = {f"order {i}": [chance.normal(size=g.players) for g in scene.games] for i in range(5)}
        rivals = {"chance": scene.chance(), "edges": scene.features()[1]}
        _, stated = faithfulness(scene, scores, rivals, 10, 32)
        found = interleaved(
            {
                "passes": lambda: _passes(last, x, stated),
                "evidence": lambda: faithfulness(scene, scores, rivals, 10, 32),
            },
            ROUNDS,
        )
    print(f"Faithfulness of five orders and two rivals, {IMAGES} photographs, {stated:,} passes stated:")
    print(f"  {against(found, 'evidence', 'passes'):.2f} of them (bar 1.3)")


def _passes(model: Model, x: Tensor, n: int) -> None:
    """So many inputs through the model, in batches."""
    batch = x[:1].repeat(AT_ONCE, 1, 1, 1)
    for start in range(0, n, AT_ONCE):
        model(batch[: n - start])


def _shap(model: Model, x: Tensor, target: Tensor, coalitions: int) -> list[Floats]:
    games = [image_game(image, superpixels(image, PARTS), t) for image, t in zip(x, target.tolist(), strict=True)]

    def values(requests: Sequence[Request]) -> list[Floats]:
        return play(model, [games[r.game] for r in requests], [r.coalitions for r in requests], AT_ONCE)

    players = [g.players for g in games]
    return [f.values for f in shapley(values, players, first=coalitions, most=coalitions, seed=0)]


# ---- memory ------------------------------------------------------------------------------------------------------
def _peak(what: str, size: int) -> float:
    """Megabytes at the peak of this process after explaining."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    model, x = network(), photos(8)
    with model.frozen(), torch.no_grad():
        target = torch.zeros(8, dtype=torch.long)
        if what == "coalitions of SHAP":
            _shap(model, x[:1], target[:1], size)
        elif what == "images by SHAP":
            _shap(model, x[:size], target[:size], 64)
        else:
            rise(model, x[:1], target[:1], masks=size, rows=AT_ONCE, seed=0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory() -> None:
    """Print how the peak moves with what should not move it."""
    print(f"Memory at the peak, {AT_ONCE} inputs at once, each in a process of its own:")
    context = multiprocessing.get_context("spawn")
    for what, sizes in (("coalitions of SHAP", (64, 512)), ("images by SHAP", (2, 8)), ("masks of RISE", (64, 512))):
        with context.Pool(1, maxtasksperchild=1) as pool:
            few, many = (pool.apply(_peak, (what, size)) for size in sizes)
        print(f"  {sizes[1]} against {sizes[0]} {what}: {many / few:.2f}")
