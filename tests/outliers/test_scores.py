"""Scores: against scikit-learn, numpy and counts by hand; and the rows that are foreign."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.outliers.features import Answers, answered, answers_of, last_vector
from auditor.outliers.foreign import FOREIGN, Range, range_of
from auditor.outliers.scores import RIDGE, energy, mahalanobis, max_softmax, nearest
from auditor.subject import Data, Model


def of_features(f: Tensor) -> Answers:
    return Answers(torch.zeros(len(f), 2), f)


def normal(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


# ---- of the outputs ----------------------------------------------------------------------------------------------
def test_energy_and_softmax_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)], [5.0, 5.0]])
    answers = Answers(logits, logits)

    assert energy(answers).tolist() == pytest.approx([math.log(4), 5 + math.log(2)])
    assert max_softmax(answers).sigmoid().tolist() == pytest.approx([0.75, 0.5])


def test_the_order_is_that_of_the_largest_probability_also_where_that_rounds_to_one() -> None:
    logits = normal(50, 4) * 3
    order = max_softmax(Answers(logits, logits)).argsort()
    sure = torch.tensor([[200.0, 0.0], [300.0, 0.0]])

    assert order.tolist() == logits.double().softmax(1).amax(1).argsort().tolist()
    assert sure.softmax(1).amax(1).tolist() == [1, 1]
    assert max_softmax(Answers(sure, sure)).diff() > 0


# ---- of the last vector ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("n", "d"), [(60, 5), (12, 30), (8, 8)])
def test_mahalanobis_is_that_of_a_plain_inverse(n: int, d: int) -> None:
    f, y, asked = normal(n, d), torch.arange(n) % 3, normal(7, d, 1)
    x = f.double().numpy()
    means = np.stack([x[y.numpy() == c].mean(0) for c in range(3)])
    centred = x - means[y.numpy()]
    covariance = centred.T @ centred / n
    inverse = np.linalg.inv(covariance + RIDGE * np.trace(covariance) / d * np.eye(d))
    away = asked.double().numpy()[:, None] - means
    expected = -np.einsum("nci,ij,ncj->nc", away, inverse, away).min(1)

    assert mahalanobis(of_features(f), y)(of_features(asked)).numpy() == pytest.approx(expected, rel=1e-8)


def test_mahalanobis_of_one_class_is_scikit_learns_up_to_the_ridge() -> None:
    from sklearn.covariance import EmpiricalCovariance

    f, asked = normal(400, 4), normal(9, 4, 1)
    expected = EmpiricalCovariance().fit(f.numpy()).mahalanobis(asked.numpy())

    found = mahalanobis(of_features(f), torch.zeros(400, dtype=torch.long))(of_features(asked))
    assert (-found).numpy() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("k", [1, 5, 40])
def test_nearest_is_scikit_learns(k: int) -> None:
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import normalize

    f, asked = normal(40, 6), normal(9, 6, 1)
    model = NearestNeighbors(n_neighbors=k).fit(normalize(f.double().numpy()))
    expected = model.kneighbors(normalize(asked.double().numpy()))[0][:, -1]

    assert (-nearest(of_features(f), k)(of_features(asked))).numpy() == pytest.approx(expected, abs=1e-7)


def test_features_that_never_move_tell_nothing() -> None:
    same = of_features(torch.ones(20, 6))

    assert mahalanobis(same, torch.arange(20) % 2)(same).unique().tolist() == [0]
    assert nearest(same, 3)(same).abs().max() < 1e-6


# ---- the last vector ---------------------------------------------------------------------------------------------
def test_outputs_and_features_are_those_of_one_pass() -> None:
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    model, x = Model(net, ("a", "b")), normal(5, 3)
    with torch.no_grad():
        found = answered(model, x)

    assert torch.equal(found.logits, net(x)) and torch.equal(found.features, net[:2](x))
    assert torch.equal(last_vector(model, x), found.features)
    parts = answers_of(model, Data.of(x, torch.zeros(5, dtype=torch.long)), 2, lambda x: x)
    assert torch.allclose(parts.features, found.features, atol=1e-6)
    assert not net[0]._forward_hooks


def test_features_have_gradients_where_they_are_asked_for() -> None:
    model, x = Model(nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 2)), ("a", "b")), normal(5, 3).requires_grad_()

    assert answered(model, x).features.requires_grad


# ---- foreign rows ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(6, 3, 4, 4), (6, 5)])
@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_rows_lie_in_the_range_and_what_is_held_stays(kind: str, shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    free = torch.ones(shape[1:], dtype=torch.bool)
    free[0] = shape[1] == 3
    within = Range(torch.zeros(shape[1:]), torch.ones(shape[1:]), free)
    made = FOREIGN[kind](x, within, torch.Generator().manual_seed(1))

    assert made.shape == x.shape and not torch.equal(made, x)
    assert made.min() >= 0 and made.max() <= 1
    assert torch.equal(made[:, ~free], x[:, ~free])


def test_shuffled_pictures_keep_their_pixels_and_shuffled_columns_their_values() -> None:
    everything, random = torch.ones(3, 4, 4, dtype=torch.bool), torch.Generator().manual_seed(1)
    x = torch.arange(2 * 48.0).view(2, 3, 4, 4)
    made = FOREIGN["shuffled"](x, Range(x[0], x[0], everything), random)
    first = [sorted(map(tuple, p.flatten(1).T.tolist())) for p in (x[0], made[0])]
    vectors = torch.arange(30.0).view(10, 3)
    swapped = FOREIGN["shuffled"](vectors, Range(vectors[0], vectors[0], everything[0, 0, :3]), random)

    assert first[0] == first[1]  # whole pixels, with all their channels
    assert [sorted(c) for c in swapped.T.tolist()] == vectors.T.tolist()
    assert not torch.equal(swapped.argsort(0)[:, 0], swapped.argsort(0)[:, 1])


def test_constant_pictures_have_one_value_each() -> None:
    x = torch.rand(5, 1, 4, 4)
    made = FOREIGN["constant"](x, Range(x[0] * 0, x[0] * 0 + 1, x[0] >= 0), torch.Generator().manual_seed(1))

    assert made.flatten(1).std(1).max() == 0
    assert len(made[:, 0, 0, 0].unique()) == 5


def test_bounds_without_an_end_are_those_of_the_rows() -> None:
    bounds = (torch.tensor([-torch.inf, 0.0]), torch.tensor([torch.inf, 9.0]))
    model = Model(nn.Identity(), ("a", "b"), bounds=bounds, unit=torch.tensor([1.0, 0.0]))
    x = torch.tensor([[-3.0, 1.0], [2.0, 4.0], [5.0, 2.0]])
    found = range_of(model, Data.of(x, torch.zeros(3, dtype=torch.long)), 2)

    assert found.low.tolist() == [-3, 0] and found.high.tolist() == [5, 9]
    assert found.free.tolist() == [True, False]
