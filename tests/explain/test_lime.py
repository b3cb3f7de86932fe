"""LIME against the lime package, on models whose weights are known, and its own figures against repeats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.columns import Column
from auditor.explain.games import Floats, image_game, text_game
from auditor.explain.lime import RUNS, Local, fit, lime
from auditor.explain.neighbours import Neighbourhood, of_row, of_superpixels, of_words
from auditor.subject import Model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

GENERATOR = np.random.default_rng(0)
COLUMNS = (
    Column("a", 0, 1),
    Column("b", 1, 2),
    Column("on", 2, 3, "flag"),
    Column("c", 3, 6, "category", tuple("xyz")),
)
BACKGROUND = torch.from_numpy(
    np.column_stack(
        [GENERATOR.normal(0, 2, 400), GENERATOR.normal(5, 3, 400), GENERATOR.integers(0, 2, 400),
         np.eye(3)[GENERATOR.integers(0, 3, 400)]]
    )
).float()  # fmt: skip
ROW = torch.tensor([1.0, 4.0, 1.0, 0.0, 1.0, 0.0])


class Value(nn.Module):
    """Answers a function of its input, and counts what it was asked."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.asked = function, 0

    def forward(self, x: Tensor) -> Tensor:
        self.asked += len(x)
        return self.function(x)


def of_values(function: Callable[[Tensor], Tensor]) -> Model:
    return Model(Value(function), (), output="value")


def linear(x: Tensor) -> Tensor:
    return 0.5 + 0.02 * x[:, 0] - 0.01 * x[:, 1] + 0.1 * x[:, 2] + 0.3 * x[:, 4]


def bent(x: Tensor) -> Tensor:
    return torch.tanh(linear(x)) + 0.3 * torch.sin(x[:, 0])


def around_row(x: Tensor = ROW) -> Neighbourhood:
    return of_row(x, BACKGROUND, COLUMNS, 0)[0]


def around_image(players: int = 6) -> Neighbourhood:
    return of_superpixels(image_game(torch.rand(1, 1, players), np.arange(players)[None], 0))


def around_text(words: int = 6) -> Neighbourhood:
    return of_words(text_game(torch.arange(words), np.arange(words), 0))


def weights_of(found: Local) -> list[float]:
    return [float(v) for v in found.weights]


def runs_of(around: Neighbourhood, k: int, seed: int = 0) -> tuple[list[Floats], list[Floats]]:
    features = [around.seen(around.draw((seed, r), k)) for r in range(RUNS)]
    return features, [around.nearness(f) for f in features]


# ---- the package -------------------------------------------------------------------------------------------------
def of_package(kind: str, features: Floats) -> tuple[Any, Floats]:
    """What the package fits with, and its distances of these neighbours to the input."""
    from lime.lime_image import LimeImageExplainer
    from lime.lime_tabular import LimeTabularExplainer
    from lime.lime_text import LimeTextExplainer
    from sklearn.metrics import pairwise_distances

    if kind == "row":
        explainer = LimeTabularExplainer(np.zeros((3, features.shape[1])), discretize_continuous=False)
        return explainer.base, pairwise_distances(features, np.zeros((1, features.shape[1]))).ravel()
    distances = pairwise_distances(features, np.ones((1, features.shape[1])), metric="cosine").ravel()
    return (LimeImageExplainer().base, distances) if kind == "image" else (LimeTextExplainer().base, 100 * distances)


@pytest.mark.parametrize(
    ("kind", "around"), [("row", around_row()), ("image", around_image()), ("text", around_text())]
)
def test_the_package_gives_the_same_weights_for_the_same_neighbours(kind: str, around: Neighbourhood) -> None:
    features, nearness = runs_of(around, 60)
    x = np.concatenate(features)
    y = np.tanh(x @ np.linspace(-1, 2, x.shape[1])) + 0.2 * x[:, 0] * x[:, 1]

    (ours,) = fit(features, nearness, np.split(y[:, None], RUNS), RUNS)

    base, distances = of_package(kind, x)
    _, theirs, _, _ = base.explain_instance_with_data(
        x, np.stack([1 - y, y], 1), distances, 1, x.shape[1], feature_selection="none"
    )
    assert np.concatenate(nearness) == pytest.approx(base.kernel_fn(distances), abs=1e-12)
    assert weights_of(ours) == pytest.approx([w for _, w in sorted(theirs)], abs=1e-6)


def test_the_fidelity_is_of_neighbours_that_the_fit_has_not_seen() -> None:
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score

    features, nearness = runs_of(around_image(), 40)
    y = [np.random.default_rng(r).normal(f @ np.arange(6.0), 2) for r, f in enumerate(features)]

    found = [fit(features, nearness, [v[:, None] for v in y], judged)[0].fidelity for judged in (1, RUNS)]

    model = Ridge(1.0).fit(np.concatenate(features[1:]), np.concatenate(y[1:]), np.concatenate(nearness[1:]))
    assert found[0] == pytest.approx(r2_score(y[0], model.predict(features[0]), sample_weight=nearness[0]), abs=1e-9)
    assert found[1] != found[0]
    # chance alone looks like something on its own neighbours, and like less than nothing on others
    noise = [np.random.default_rng(9 + r).normal(size=(len(f), 1)) for r, f in enumerate(features)]
    assert fit(features, nearness, noise, RUNS)[0].fidelity < 0.02


# ---- known models ------------------------------------------------------------------------------------------------
def test_the_weights_of_a_linear_value_are_those_of_one_deviation_and_of_being_what_it_is() -> None:
    (found,) = lime(of_values(linear), [around_row()], neighbours=4000, most=4000, rows=512, seed=0)
    spread = BACKGROUND.double().std(0, correction=0).tolist()

    assert found.fidelity == pytest.approx(1, abs=1e-3)
    assert weights_of(found) == pytest.approx([0.02 * spread[0], -0.01 * spread[1], 0.1, 0.3], rel=0.01)
    assert found.stability == pytest.approx(1, abs=1e-3)
    assert found.holds


def test_a_row_says_how_much_one_deviation_is_in_units_of_the_file() -> None:
    scaled = [replace(c, std=10.0) if c.kind == "number" else c for c in COLUMNS]
    spread = BACKGROUND.double().std(0, correction=0).tolist()

    assert around_row().deviations[:2] == pytest.approx(spread[:2])
    assert around_row().deviations[2:] == (None, None)
    assert of_row(ROW, BACKGROUND, scaled, 0)[0].deviations[:2] == pytest.approx((10 * spread[0], 10 * spread[1]))
    assert around_image().deviations == around_text().deviations == ()


def test_the_weights_of_words_and_of_superpixels() -> None:
    effects = torch.tensor([0.5, 0.0, -0.2, 0.0, 0.1, 0.05])
    image = torch.arange(6.0)[None, None] / 6
    worth = image[0, 0] - image.mean()
    pictures = of_superpixels(image_game(image, np.arange(6)[None], 0))
    (of_image,) = lime(
        of_values(lambda x: x[:, 0, 0] @ effects), [pictures], neighbours=3000, most=3000, rows=64, seed=1
    )
    present = of_values(lambda ids: torch.stack([effects[r[r >= 0]].sum() for r in ids]))
    (of_text,) = lime(present, [around_text()], neighbours=3000, most=3000, rows=64, seed=1)

    assert weights_of(of_image) == pytest.approx((effects * worth).tolist(), abs=0.002)
    assert weights_of(of_text) == pytest.approx(effects.tolist(), abs=0.005)


def test_a_model_that_is_not_linear_here_is_asked_up_to_the_most_and_does_not_hold() -> None:
    model = of_values(lambda x: torch.sin(9 * x[:, 0]))
    (found,) = lime(model, [around_row()], neighbours=200, most=1000, rows=64, seed=0)

    assert found.fidelity < 0.2
    assert not found.holds
    assert found.neighbours == 800  # 200, 400, 800; 1600 are too many
    assert model.module.asked == 800  # the earlier ones are kept


def test_doubling_ends_where_the_weights_hold() -> None:
    """A weak effect under a strong wave: few neighbours see chance, many the effect."""
    model = of_values(lambda x: 0.4 * x[:, 0] + 0.4 * torch.sin(40 * x[:, 1]) + 0.4 * torch.sin(31 * x[:, 0]))
    (few,) = lime(model, [around_row()], neighbours=25, most=25, rows=64, seed=3)
    (found,) = lime(model, [around_row()], neighbours=25, most=100_000, rows=64, seed=3)

    assert not few.holds
    assert found.holds
    assert 25 < found.neighbours < 10_000


def test_many_inputs_in_shared_batches_answer_as_alone() -> None:
    """Also where some need more neighbours than others; the superpixels share one regression."""
    model = of_values(lambda x: torch.sin(3 * x.flatten(1).sum(1)) + x.flatten(1)[:, 0])
    pictures = [torch.rand(1, 2, 3, generator=torch.Generator().manual_seed(i)) for i in range(4)]
    around = [of_superpixels(image_game(p, np.arange(6).reshape(2, 3), 0)) for p in pictures]
    settings = {"neighbours": 50, "most": 400, "seed": 0}

    together = lime(model, around, rows=37, **settings)
    alone = [lime(model, [a], rows=1000, **settings)[0] for a in around]

    assert len({found.neighbours for found in together}) > 1
    for one, other in zip(together, alone, strict=True):
        assert one.neighbours == other.neighbours
        assert weights_of(one) == pytest.approx(weights_of(other), abs=1e-6)
        assert one.fidelity == pytest.approx(other.fidelity, abs=1e-6)
        assert one.high == pytest.approx(other.high, abs=1e-6)


def test_where_a_stand_in_searches_the_model_answers_one_run_of_five() -> None:
    model, other = of_values(linear), of_values(linear)
    lime(model, [around_row()], neighbours=100, most=100, rows=64, seed=0, search=other)

    assert [m.module.asked for m in (model, other)] == [20, 80]


def test_a_fit_to_a_stand_in_is_judged_by_the_model() -> None:
    """A stand-in that is another model altogether is found out."""
    model, other = of_values(linear), of_values(lambda x: -linear(x))
    (found,) = lime(model, [around_row()], neighbours=500, most=500, rows=64, seed=0, search=other)

    assert found.fidelity < 0


# ---- nothing to explain ------------------------------------------------------------------------------------------
def test_a_value_that_does_not_change_has_no_fidelity() -> None:
    constant = of_values(lambda x: torch.full((len(x),), 3.0))
    rounded = of_values(lambda x: torch.full((len(x),), 3.01))  # runs that round otherwise are no change
    for search in (constant, rounded):
        (found,) = lime(constant, [around_row()], neighbours=100, most=800, rows=64, seed=0, search=search)

        assert (found.fidelity, found.stability, found.neighbours) == (None, None, 100)
        assert not found.holds


def test_one_answer_that_is_not_a_number_is_one_inputs_own() -> None:
    model = of_values(lambda x: torch.where(x[:, 0] > 50, torch.nan, linear(x)))
    far = ROW.clone()
    far[0] = 51
    broken, found = lime(model, [around_row(far), around_row()], neighbours=200, most=200, rows=64, seed=0)

    assert (broken.fidelity, broken.stability) == (None, None)
    assert found.holds


# ---- its own figures against repeats -----------------------------------------------------------------------------
def repeats(noise: float, n: int, times: int = 150) -> list[Local]:
    """Fits to a bent answer with noise, each to neighbours and noise of its own."""
    around, found = around_image(10), []
    for i in range(times):
        features, nearness = runs_of(around, n // RUNS, i)
        generator = np.random.default_rng(1000 + i)
        y = [f @ np.linspace(-1, 1, 10) + f[:, 0] * f[:, 9] + generator.normal(0, noise, len(f)) for f in features]
        found += fit(features, nearness, [v[:, None] for v in y], RUNS)
    return found


@pytest.mark.parametrize(("noise", "n"), [(0.1, 60), (0.1, 400), (1.0, 200), (3.0, 400)])
def test_intervals_hold_the_mean_of_repeats(noise: float, n: int) -> None:
    found = repeats(noise, n)
    middle = np.mean([f.weights for f in found], 0)
    held = np.mean([(f.low <= middle) & (middle <= f.high) for f in found])

    assert 0.93 <= held <= 0.985


@pytest.mark.parametrize(("noise", "n"), [(0.1, 200), (1.0, 100), (1.0, 400), (3.0, 100), (3.0, 400), (6.0, 3200)])
def test_stability_foretells_how_far_repeats_agree(noise: float, n: int) -> None:
    found = repeats(noise, n)
    directions = np.stack([f.weights / np.linalg.norm(f.weights) for f in found])
    agreement = float((directions @ directions.T)[np.triu_indices(len(found), 1)].mean())
    foretold = float(np.mean([f.stability for f in found]))

    # it says a little too little of weights that do not hold, and never too much
    assert agreement - (0.15 if agreement < 0.95 else 0.01) <= foretold <= agreement + 0.01


def test_weights_of_chance_are_not_stable() -> None:
    features, nearness = runs_of(around_image(10), 40)
    generator = np.random.default_rng(0)
    y = [generator.normal(size=(40, 300)) for _ in range(RUNS)]  # 300 inputs that share their neighbours

    stability = [f.stability for f in fit(features, nearness, y, RUNS)]

    assert np.mean(stability) < 0.25
    assert np.max(stability) < 0.9
