"""A wrong audit file is told from a weak model, on real models and by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.alternatives import ROWS, better_order, better_preprocessing
from auditor.subject import Data, Model, Normalize
from tests import zoo
from tests.shared import needs_shared, real


def brightness(normalize: object = None) -> Model:
    """Calls an image (1, 8, 8) bright where its mean, normalised as for MNIST, is above 0."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 2, bias=False))
    with torch.no_grad():
        module[1].weight.copy_(torch.stack([-torch.ones(64), torch.ones(64)]))
    mnist = Normalize(torch.tensor([0.1307]), torch.tensor([0.3081]))
    return Model(module, ("dark", "bright"), normalize=normalize or mnist)


def images(n: int = 80) -> Data:
    x = torch.linspace(0.001, 0.26, n)[:, None, None, None].expand(n, 1, 8, 8).clone()
    return Data.of(x, (x.mean((1, 2, 3)) > 0.1307).long())


def test_the_normalisation_of_training_is_found_and_a_right_one_is_left_alone() -> None:
    wrong = brightness(lambda x: x)
    found = better_preprocessing(wrong, images(), seed=0)

    assert (found.name, found.n, found.alternative) == ("MNIST normalisation", ROWS, ROWS)
    drawn = images().take(ROWS, 0)
    assert found.configured == int((drawn.y == 1).sum())  # without it everything is bright
    assert better_preprocessing(brightness(), images(), seed=0) is None


def test_a_weak_model_is_not_called_a_wrong_file() -> None:
    case = zoo.inplace_relu()  # random weights: no preprocessing makes it right
    y = torch.from_numpy(np.random.default_rng(0).integers(0, 3, 24))

    assert better_preprocessing(case.model, Data.of(case.data.read(np.arange(24)), y), seed=0) is None


def test_columns_that_should_have_been_standardised(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 2, generator=generator) * torch.tensor([1.0, 100.0]) + torch.tensor([0.0, 500.0])
    y = (((x - x.mean(0)) / x.std(0)).sum(1) > 0).long()
    module = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    found = better_preprocessing(Model(module, ("no", "yes"), bounds=(-1e3, 1e3)), Data.of(x, y), seed=0)

    assert found.name == "standardised columns"
    assert found.alternative >= 62 > found.configured


def test_channels_in_another_order() -> None:
    """A model that tells red from blue, given blue first."""
    x = torch.zeros(60, 3, 4, 4)
    y = torch.arange(60) % 2
    x[y == 0, 2], x[y == 1, 0] = 1.0, 1.0
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        module[2].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 1.0]]))
    found = better_preprocessing(Model(module, ("red", "blue")), Data.of(x, y), seed=0)

    assert (found.name, found.configured, found.alternative) == ("the channels reversed (BGR)", 0, 60)


def test_inputs_without_a_usual_form_have_no_alternative() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))

    assert (
        better_preprocessing(Model(module, ("a", "b")), Data.of(torch.rand(40, 3, 4), torch.zeros(40).long()), 0)
        is None
    )


# ---- the order of the classes ------------------------------------------------------------------------------------
def test_another_order_is_fitted_on_some_rows_and_judged_on_others() -> None:
    y = np.tile(np.arange(4), 25)
    order = np.array([2, 0, 1, 3])

    found = better_order(order[y], y, 4)

    assert (found.alternative, found.n) == (50, 50)
    assert 5 < found.configured < 20  # class 3 alone keeps its place
    assert found.name == "the classes in another order (0 is called 2, 1 is called 0, 2 is called 1)"


@pytest.mark.parametrize("seed", range(5))
def test_guesses_have_no_order(seed: int) -> None:
    generator = np.random.default_rng(seed)

    assert better_order(generator.integers(0, 10, 300), generator.integers(0, 10, 300), 10) is None


def test_a_good_model_keeps_its_order() -> None:
    y = np.tile(np.arange(10), 30)
    predicted = np.where(np.arange(300) % 7 == 0, (y + 1) % 10, y)

    assert better_order(predicted, y, 10) is None


# ---- real models -------------------------------------------------------------------------------------------------
@needs_shared
@pytest.mark.parametrize("normalize", [lambda x: x * 255, lambda x: 1 - x, lambda x: (x - 120) / 60])
def test_a_real_model_is_given_back_what_it_was_trained_with(normalize: Callable[[Tensor], Tensor]) -> None:
    """Trained with ImageNet's mean and std, from which CIFAR-10's own differ little."""
    opened = real("cifar10_resnet20")

    found = better_preprocessing(replace(opened.model, normalize=normalize), opened.data, seed=0)

    assert found.name in {"ImageNet normalisation", "CIFAR-10 normalisation"}
    assert found.alternative > 0.85 * found.n > 0.5 * found.n > found.configured


@needs_shared
@pytest.mark.parametrize(
    "name", ["cifar10_resnet20", "cifar10_cnn_a_adv", "cifar10_vit_ibp", "mnist_kw", "mnist_small"]
)
def test_real_audit_files_are_right(name: str) -> None:
    opened = real(name)

    assert better_preprocessing(opened.model, opened.data, seed=0) is None


def test_the_rows_are_read_in_parts_and_the_model_keeps_its_own_normalisation() -> None:
    sizes: list[int] = []

    class Counts(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            sizes.append(len(x))
            return torch.stack([x.flatten(1).sum(1), -x.flatten(1).sum(1)], 1)

    model = Model(Counts(), ("a", "b"))
    better_preprocessing(model, images(), seed=0)

    assert max(sizes) <= 16
    assert model.normalize(torch.ones(1)) == torch.ones(1)
