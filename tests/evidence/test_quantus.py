"""The evidence beside quantus: where its definition is ours, its number is ours to 1e-6.

Its sensitivity-n correlates over samples instead of subsets, so its faithfulness correlation is taken in its place.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.evidence.agreement import relative_change
from auditor.evidence.curves import area, best_first, fractions
from auditor.evidence.randomised import entropy_rise, histogram_entropy
from auditor.evidence.road import imputed
from auditor.evidence.subsets import infidelity, sensitivity_n
from auditor.explain.games import Game, play
from auditor.subject import Model
from tests.intake.zoo_packages import installed

pytestmark = pytest.mark.filterwarnings("ignore")
SIDE, N = 6, 36


@pytest.fixture(scope="module")
def quantus() -> ModuleType:
    installed("torchvision")
    return pytest.importorskip("quantus", reason="quantus is not installed", exc_type=(ImportError, RuntimeError))


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(N, 12), nn.Tanh(), nn.Linear(12, 3)).eval()


def sample() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """An image (1, 1, 6, 6) and scores of its pixels (1, 36)."""
    chance = np.random.default_rng(1)
    return chance.random((1, 1, SIDE, SIDE)).astype(np.float32), chance.normal(size=(1, N))


def logit(module: nn.Module, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        return module(torch.from_numpy(x.astype(np.float32)))[:, 1].double().numpy()


def hidden(x: np.ndarray[Any, Any], present: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The image without the pixels that are not `present` (k, 36), which are black."""
    return x.reshape(1, N) * present


def settings(a: np.ndarray[Any, Any], module: nn.Module, x: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {
        "model": module, "x_batch": x, "y_batch": np.array([1]), "a_batch": a.reshape(1, 1, SIDE, SIDE),
        "softmax": False, "channel_first": True,
    }  # fmt: skip


def test_pixels_are_filled_in_alike(quantus: ModuleType) -> None:
    image = np.random.default_rng(0).random((3, 9, 7))
    mask = np.random.default_rng(1).random((9, 7)) < 0.6
    theirs = quantus.perturb_func.noisy_linear_imputation(image, np.flatnonzero(mask), noise=0)

    assert imputed(image, mask) == pytest.approx(theirs, abs=1e-6)


def test_deletion_follows_the_same_curve(quantus: ModuleType, module: nn.Module) -> None:
    x, a = sample()
    metric = quantus.PixelFlipping(
        features_in_step=1, perturb_baseline=0.0, normalise=False, abs=False, disable_warnings=True
    )  # fmt: skip
    theirs = np.array(metric(**settings(a, module, x)))[0]
    reached = fractions(N, N)
    model = Model(nn.Sequential(module, Only(1)), (), output="value")
    game = Game(N, 0, lambda present: torch.from_numpy(hidden(x, present)).view(-1, 1, 1, SIDE, SIDE))

    (ours,) = play(model, [game], [~best_first(a[0], reached)], 7)

    assert ours[1:] == pytest.approx(theirs, abs=1e-6)
    assert area(reached, ours) == pytest.approx(np.trapezoid(np.r_[ours[0], theirs]) / N, abs=1e-6)


class Only(nn.Module):
    """One of the outputs."""

    def __init__(self, which: int) -> None:
        super().__init__()
        self.which = which

    def forward(self, y: Tensor) -> Tensor:
        return y[:, self.which]


def test_sensitivity_n_is_the_correlation_over_subsets_of_one_size(quantus: ModuleType, module: nn.Module) -> None:
    x, a = sample()
    metric = quantus.FaithfulnessCorrelation(
        nr_runs=40, subset_size=9, perturb_baseline=0.0, normalise=False, abs=False, disable_warnings=True
    )  # fmt: skip
    np.random.seed(5)  # noqa: NPY002 - quantus draws from the global generator
    (theirs,) = metric(**settings(a, module, x))
    np.random.seed(5)  # noqa: NPY002
    taken = np.zeros((40, N), bool)
    for row in taken:
        row[np.random.choice(N, 9, replace=False)] = True  # noqa: NPY002

    drops = logit(module, x) - logit(module, hidden(x, ~taken))

    assert sensitivity_n(taken @ a[0], drops) == pytest.approx(theirs, abs=1e-6)


def test_infidelity_at_the_best_scale(quantus: ModuleType, module: nn.Module) -> None:
    """quantus hides patch after patch, and takes the scores times what was changed as the sums."""
    x, a = sample()
    patches = (np.arange(SIDE)[:, None] // 2 * 3 + np.arange(SIDE) // 2).ravel()
    gone = np.array([patches <= i for i in range(9)])
    sums = (gone * x.reshape(1, N)) @ a[0]
    drops = logit(module, x) - logit(module, hidden(x, ~gone))
    scale = float(sums @ drops / (sums @ sums))
    metric = quantus.Infidelity(
        perturb_baseline=0.0, n_perturb_samples=1, perturb_patch_sizes=[2], normalise=False, abs=False,
        disable_warnings=True,
    )  # fmt: skip
    (theirs,) = metric(**settings(a * scale, module, x))

    assert infidelity(sums, drops) * float(drops @ drops) / 9 == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def test_max_sensitivity_is_the_largest_change(quantus: ModuleType, module: nn.Module) -> None:
    x, _ = sample()
    seen: list[np.ndarray[Any, Any]] = []

    def explain(model: nn.Module, inputs: Any, targets: Any, **_: Any) -> np.ndarray[Any, Any]:
        leaf = torch.as_tensor(inputs, dtype=torch.float32).requires_grad_()
        (gradient,) = torch.autograd.grad(module(leaf)[:, 1].sum(), leaf)
        seen.append((leaf * gradient).detach().numpy())
        return seen[-1]

    metric = quantus.MaxSensitivity(
        nr_samples=5, lower_bound=0.05, normalise=False, abs=False, return_nan_when_prediction_changes=False,
        disable_warnings=True,
    )  # fmt: skip
    (theirs,) = metric(**(settings(explain(module, x, None), module, x) | {"explain_func": explain}))

    own, *moved = (s.ravel().astype(np.float64) for s in seen)
    assert max(relative_change(own, other) or 0 for other in moved) == pytest.approx(theirs, abs=1e-6)


def test_the_entropy_of_a_histogram(quantus: ModuleType) -> None:
    for scores in (np.random.default_rng(2).normal(size=196), np.eye(1, 50)[0], np.arange(30.0)):
        theirs = quantus.complexity_func.discrete_entropy(scores, scores, n_bins=100)
        assert histogram_entropy(scores) == pytest.approx(theirs, abs=1e-6)


def test_the_rise_of_entropy_is_that_of_efficient_mprt(quantus: ModuleType, module: nn.Module) -> None:
    x, _ = sample()
    maps: list[np.ndarray[Any, Any]] = []

    def explain(model: nn.Module, inputs: Any, targets: Any, **_: Any) -> np.ndarray[Any, Any]:
        leaf = torch.as_tensor(inputs, dtype=torch.float32).requires_grad_()
        (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
        maps.append((leaf * gradient).detach().numpy())
        return maps[-1]

    metric = quantus.EfficientMPRT(
        complexity_func_kwargs={"n_bins": 100}, normalise=False, abs=False, layer_order="bottom_up", skip_layers=True,
        disable_warnings=True,
    )  # fmt: skip
    given = settings(np.zeros((1, N)), module, x) | {"a_batch": None, "explain_func": explain, "softmax": True}
    (theirs,) = metric(**given)

    assert entropy_rise(maps[-2].ravel(), maps[-1].ravel()) == pytest.approx(theirs, abs=1e-6)
