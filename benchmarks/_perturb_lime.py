"""LIME on images beside its bare passes and lime_image, on EfficientNet-Lite0 and a photograph."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr

import numpy as np
import torch
from torch import Tensor

from auditor.explain.games import Floats, image_game, play
from auditor.explain.lime import MOST_SURE, RUNS, Local, lime
from auditor.explain.neighbours import Neighbourhood, of_superpixels
from auditor.explain.quick import channels_last, quicker
from auditor.explain.segments import Segments, superpixels
from auditor.subject import Model
from benchmarks.explain_gradient import interleaved, network, photos

__all__ = ["lime_on_images"]

SAMPLES, PARTS, AT_ONCE, ROUNDS, HELD_OUT, IMAGES = 500, 25, 16, 3, 500, 3


def lime_on_images() -> None:
    """Print the times of one interleaved run, the least over its rounds, and the R2 on held-out neighbours."""
    model, x = network(), photos(IMAGES)
    with model.frozen(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sure, target = channels_last(model, x), model(x).argmax(1).tolist()
        search = quicker(sure, x)
        parts = [superpixels(image, PARTS) for image in x]
        around = [of_superpixels(image_game(*g)) for g in zip(x, parts, target, strict=True)]
        _times(model, sure, search, x[0], parts[0], around[0])
        _worth(model, sure, search, x, parts, around)


def _times(
    model: Model, sure: Model, search: Model, image: Tensor, parts: Segments, around: Neighbourhood
) -> None:  # fmt: skip
    some, one = image.expand(AT_ONCE, -1, -1, -1).contiguous(), min(SAMPLES // RUNS, MOST_SURE)
    last = some.contiguous(memory_format=torch.channels_last)

    def those_of_ours() -> None:
        _passes(sure, last, one)
        _passes(search, last, SAMPLES - one)

    found = interleaved(
        {
            "passes, float32": lambda: _passes(model, some, SAMPLES),
            "passes, bfloat16, channels last": lambda: _passes(search, last, SAMPLES),
            "the passes of ours": those_of_ours,
            "ours": lambda: _ours(sure, search, around),
            "lime_image": lambda: _theirs(model, image, parts, around.game.target),
        },
        ROUNDS,
    )
    least = {name: min(seconds) for name, seconds in found.items()}
    print(f"LIME of a photograph, {SAMPLES} samples, {AT_ONCE} at once, {torch.get_num_threads()} threads, least of "
          f"{ROUNDS} rounds{'' if search is not sure else '; no bfloat16 here'}:")  # fmt: skip
    for name, seconds in least.items():
        print(f"  {name:32} {seconds:6.2f} s")
    print(f"  ours: {least['ours'] / least['the passes of ours']:.2f} of its passes (bar 1.15); "
          f"{least['lime_image'] / least['ours']:.2f} times as fast as lime_image (bar 2 with bfloat16)")  # fmt: skip


def _passes(model: Model, x: Tensor, n: int) -> None:
    for start in range(0, n, len(x)):
        model(x[: n - start])


def _ours(model: Model, search: Model, around: Neighbourhood, seed: int = 0) -> Local:
    settings = {"neighbours": SAMPLES, "most": SAMPLES, "rows": AT_ONCE, "seed": seed}
    return lime(model, [around], search=search, **settings)[0]


def _theirs(model: Model, image: Tensor, parts: Segments, label: int) -> Floats:
    """(players,) weights of the lime package."""
    from lime.lime_image import LimeImageExplainer

    def predict(pictures: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> np.ndarray[
        tuple[int, ...], np.dtype[np.float32]
    ]:  # fmt: skip
        return model(torch.from_numpy(pictures).permute(0, 3, 1, 2)).softmax(1).numpy()

    pixels = image.permute(1, 2, 0).contiguous().numpy()
    with redirect_stderr(io.StringIO()):
        explained = LimeImageExplainer(feature_selection="none", random_state=0).explain_instance(
            pixels, predict, labels=(label,), top_labels=None, hide_color=pixels.mean((0, 1)), num_samples=SAMPLES,
            batch_size=AT_ONCE, segmentation_fn=lambda _: parts, random_seed=0,
        )  # fmt: skip
    return np.array([weight for _, weight in sorted(explained.local_exp[label])])


def _worth(
    model: Model, sure: Model, search: Model, x: Tensor, parts: Sequence[Segments], around: Sequence[Neighbourhood]
) -> None:
    """Print the R2 of ours and theirs on the same float32 neighbours, which neither has seen."""
    print(f"  R2 on {HELD_OUT} neighbours that nobody has seen, in float32:")
    for image, own, a in zip(x, parts, around, strict=True):
        z = a.draw((12345, 0), HELD_OUT)
        (y,) = play(model, [a.game], [z], AT_ONCE)
        features = a.seen(z)
        ours, alone = _ours(sure, search, a), _ours(sure, sure, a)
        theirs = _theirs(model, image, own, a.game.target)
        scores = [_r2(features, y, a.nearness(features), w) for w in (ours.weights, alone.weights, theirs)]
        inside = np.mean((alone.low <= ours.weights) & (ours.weights <= alone.high))
        print(f"    ours {scores[0]:.3f} (says {ours.fidelity:.3f}), in float32 alone {scores[1]:.3f}, lime_image "
              f"{scores[2]:.3f}; {inside:.0%} of our weights within the float32 intervals; stability "
              f"{ours.stability:.3f}", flush=True)  # fmt: skip


def _r2(features: Floats, y: Floats, w: Floats, weights: Floats) -> float:
    """Weighted R2 of a linear model whose intercept is the best one."""
    missed = y - features @ weights
    return float(1 - w @ (missed - w @ missed / w.sum()) ** 2 / (w @ (y - w @ y / w.sum()) ** 2))
