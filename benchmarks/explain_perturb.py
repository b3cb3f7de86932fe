"""What explanations made of perturbed inputs cost beside other libraries', at equal error.

- SHAP at equal error: calls (coalitions played, the two ends not counted) that our Shapley values and shap's
  KernelExplainer need for the same error against exact values, 14 players, 30 inputs. At least 4 times fewer where the
  rows of the background are shared out, each share with coalitions of its own: a call is then one coalition in every
  share, and has as many rows of model input as a call of KernelExplainer. With one background (an image's mean colour)
  nothing can be shared out, and the ratio is lower.
On EfficientNet-Lite0 and photographs, each part one interleaved run, ratios against bare passes in the same batches:
- LIME beside its passes (at most 1.15) and lime_image (at least 2 times faster with bfloat16).
- SHAP of superpixels (at most 1.3 times its passes), and RISE.
- Expected gradients beside shap's GradientExplainer (at least 1.7 times faster).
- The evidence of faithfulness beside the passes that it states (at most 1.3).
- Memory: the peak with few and with many coalitions, images and masks.
    python -m benchmarks.explain_perturb
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.explain.coalitions import all_coalitions
from auditor.explain.shapley import T9, Request, Shapley, exact, shapley
from benchmarks._perturb_lime import lime_on_images
from benchmarks._perturb_passes import evidence_of_photos, expected_gradients_of_photos, memory, shap_of_photos
from benchmarks.explain_gradient import PHOTOS

TABLES = Path(__file__).resolve().parents[2] / "shared" / "data" / "tabular"
ROWS, BACKGROUND, PLAYERS, SEEDS, SHARES = 30, 100, 14, 5, 10
CALLS = (34, 40, 50, 70, 140, 280, 560)
EQUAL = 140
Array = np.ndarray[Any, Any]


# ---- SHAP at equal error -----------------------------------------------------------------------------------------
def shap_at_equal_error() -> None:
    """Print relative errors by calls and the ratio of calls at equal error."""
    for name, columns, y in tables():
        games = _games(columns, y)
        truth = exact(games.mean(1, dtype=np.float64))
        print(f"SHAP of {name}: {PLAYERS} players, {ROWS} inputs, {SEEDS} seeds, a background of {BACKGROUND} rows.")
        print("Mean of |found - exact|^2 / |exact|^2, and how often our 95 % intervals hold the exact value:")
        print(f"  {'calls':33}" + "".join(f"{c:>14}" for c in CALLS))
        of_shap = [_error([_by_shap(games, c, seed) for seed in range(SEEDS)], truth) for c in CALLS]
        print(f"  {'shap.KernelExplainer':33}" + "".join(f"{e:9.5f}     " for e in of_shap))
        goal = of_shap[CALLS.index(EQUAL)]
        for parts in (1, SHARES):
            runs = [[_by_us(games, c, seed, parts) for seed in range(SEEDS)] for c in CALLS]
            ours = [_error([[f.values for f in found] for found in run], truth) for run in runs]
            held = [_held(run, truth) for run in runs]
            label = "ours, one background" if parts == 1 else f"ours, the background in {parts} shares"
            print(f"  {label:33}" + "".join(f"{e:9.5f} {h:.2f}" for e, h in zip(ours, held, strict=True)))
            reached = _calls_for(goal, ours)
            bound = "<= " if reached == CALLS[0] else ""
            times = ">= " if bound else ""
            print(f"    {goal:.5f} at {bound}{reached:.0f} calls: {times}{EQUAL / reached:.1f} times fewer than shap")
    print(
        f"A call in {SHARES} shares is one coalition in each share: as many rows of model input as with one background."
    )


def tables() -> Iterator[tuple[str, list[Array], Array]]:
    """Columns of 14 players, each (rows, its elements), and two classes: real tables where they are there."""
    from sklearn.datasets import load_breast_cancer

    if TABLES.is_dir():
        import pandas as pd

        frame = pd.read_csv(TABLES / "adult.csv").sample(8000, random_state=0)
        columns = frame.drop(columns=["income", "split"])
        one_hot = [_numbers(columns[c]) for c in columns]
        yield "census income (adult)", one_hot, frame["income"].str.contains(">50K").to_numpy(dtype=int)
    x, y = load_breast_cancer(return_X_y=True)
    yield "breast cancer", [_standard(x[:, i : i + 1]) for i in range(PLAYERS)], y


def _numbers(column: Any) -> Array:
    values = column.to_numpy()
    if values.dtype.kind in "if":
        return _standard(values[:, None].astype(float))
    texts = np.array([str(v) for v in values])
    return np.asarray(texts[:, None] == np.unique(texts), np.float64)


def _standard(x: Array) -> Array:
    return np.asarray((x - x.mean(0)) / x.std(0))


def _games(columns: list[Array], y: Array) -> Array:
    """(ROWS, BACKGROUND, 2^14) probabilities of the predicted class of a small net, of all coalitions."""
    order = np.random.default_rng(0).permutation(len(y))
    shown, known = order[:ROWS], order[ROWS:]
    x = torch.tensor(np.concatenate(columns, 1), dtype=torch.float32)
    net = _trained(x[known], torch.tensor(y[known]))
    ends = np.cumsum([0, *(c.shape[1] for c in columns)])
    first, *rest = net
    behind = torch.nn.Sequential(*rest)
    weight, bias = first.get_parameter("weight"), first.get_parameter("bias")
    with torch.no_grad():
        # the first layer is a sum over players, so coalitions mix its terms and not inputs
        terms = torch.stack([x[:, a:b] @ weight[:, a:b].T for a, b in pairwise(ends)], 1)
        z = torch.tensor(all_coalitions(PLAYERS), dtype=torch.float32)

        def values(row: int, other: int, target: int) -> Tensor:
            hidden = z @ (terms[row] - terms[other]) + terms[other].sum(0) + bias
            logits: Tensor = behind(hidden)
            return logits.softmax(1)[:, target]

        targets = net(x[shown]).argmax(1).tolist()
        return np.stack(
            [
                torch.stack([values(row, other, t) for other in known[:BACKGROUND]]).numpy()
                for row, t in zip(shown, targets, strict=True)
            ]
        ).astype(np.float32)


def _trained(x: Tensor, y: Tensor) -> torch.nn.Sequential:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 2),
    )
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    draws = torch.Generator().manual_seed(0)
    for _ in range(300):
        batch = torch.randint(len(y), (256,), generator=draws)
        adam.zero_grad()
        torch.nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
        adam.step()
    return net


def _by_shap(games: Array, calls: int, seed: int) -> list[Array]:
    import shap

    np.random.seed(seed)  # noqa: NPY002 - KernelExplainer draws from the global generator
    place, found = 1 << np.arange(PLAYERS), []
    for values in games.mean(1, dtype=np.float64):

        def game(z: Array, values: Array = values) -> Array:
            return np.asarray(values[z.astype(np.int64) @ place])

        explainer = shap.KernelExplainer(game, np.zeros((1, PLAYERS)))
        # without l1_reg=False all but ten values are silently set to 0
        one = explainer.shap_values(np.ones((1, PLAYERS)), nsamples=calls, l1_reg=False, silent=True)
        found.append(np.asarray(one, np.float64).reshape(PLAYERS))
    return found


def _by_us(games: Array, calls: int, seed: int, parts: int) -> list[Shapley]:
    shares = games.reshape(ROWS, parts, BACKGROUND // parts, -1).mean(2, dtype=np.float64)
    place = 1 << np.arange(PLAYERS)

    def play(requests: Sequence[Request]) -> list[Array]:
        return [shares[r.game, r.part, r.coalitions @ place] for r in requests]

    return shapley(play, [PLAYERS] * ROWS, first=calls, most=calls + 2, seed=seed, parts=parts)


def _error(runs: Sequence[Sequence[Array]], truth: Array) -> float:
    return float(np.mean(((np.array(runs) - truth) ** 2).sum(2) / (truth**2).sum(1)))


def _held(runs: Sequence[Sequence[Shapley]], truth: Array) -> float:
    inside = [
        np.abs(one.values - exactly) <= T9 * one.standard_error  # noqa: PD011 - not a data frame's
        for found in runs
        for one, exactly in zip(found, truth, strict=True)
    ]
    return float(np.mean(inside))


def _calls_for(error: float, errors: Sequence[float]) -> float:
    """Calls at which the errors, which fall, come down to this one: straight between logarithms."""
    return float(np.exp(np.interp(-np.log(error), -np.log(errors), np.log(CALLS))))


def main() -> None:
    """Print all of it."""
    warnings.simplefilter("ignore")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    shap_at_equal_error()
    torch.set_num_threads(threads)
    if not PHOTOS.is_dir():
        print(f"no photographs in {PHOTOS}: nothing else measured")
        return
    for part in (lime_on_images, shap_of_photos, expected_gradients_of_photos, evidence_of_photos, memory):
        part()


if __name__ == "__main__":
    main()
