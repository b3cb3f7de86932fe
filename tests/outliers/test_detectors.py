"""Squeezing and local dimension: against scipy, counts of values and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.outliers.detectors import detectors
from auditor.outliers.features import Answers, answered, asking
from auditor.outliers.foreign import Range
from auditor.outliers.lid import BATCH, NEIGHBOURS, local_dimension
from auditor.outliers.squeezing import median, reduced, squeezed_apart, squeezers
from auditor.subject import Model


def unit_range(*shape: int) -> Range:
    return Range(torch.zeros(shape), torch.ones(shape), torch.ones(shape, dtype=torch.bool))


def rand(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


# ---- squeezing ---------------------------------------------------------------------------------------------------
def test_the_median_is_scipys() -> None:
    from scipy.ndimage import median_filter

    x = rand(3, 2, 7, 5)
    expected = np.stack([[median_filter(c, size=2, mode="reflect") for c in p] for p in x.numpy()])

    assert np.array_equal(median(x).numpy(), expected)


@pytest.mark.parametrize("bits", [1, 4, 5])
def test_bits_leave_so_many_values_each_the_nearest(bits: int) -> None:
    x = torch.linspace(0, 1, 1001)[None]
    coarse = reduced(x, unit_range(1001), bits)

    assert len(coarse.unique()) == 2**bits
    assert (coarse - x).abs().max() <= 0.5 / (2**bits - 1) + 1e-6


def test_bits_are_of_each_elements_own_range_and_leave_what_may_not_change() -> None:
    within = Range(torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 9.0]), torch.tensor([True, False]))

    assert reduced(torch.tensor([[0.2, 3.3]]), within, 1)[0].tolist() == pytest.approx([1, 3.3])


def test_gradients_pass_the_rounding() -> None:
    x = rand(2, 4).requires_grad_()
    (gradient,) = torch.autograd.grad(reduced(x, unit_range(4), 4).sum(), x)

    assert gradient.flatten().tolist() == pytest.approx([1.0] * 8)


def test_the_score_is_the_largest_distance_by_hand() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0]])  # .75 and .25
    coarse = [torch.tensor([[0.0, 0.0]]), torch.tensor([[-50.0, 50.0]])]

    assert float(squeezed_apart(logits, coarse[:1])) == pytest.approx(-0.5)
    assert float(squeezed_apart(logits, coarse)) == pytest.approx(-1.5)


def test_vectors_have_no_median() -> None:
    assert len(squeezers(unit_range(5))) == 2
    assert len(squeezers(unit_range(1, 4, 4))) == 3


def test_sure_answers_leave_a_slope_to_climb() -> None:
    """The softmax of logits in the hundreds is 0 and 1: the score has no slope, what stands for it has."""
    net = nn.Linear(16, 2)
    net.weight.data = torch.stack([torch.ones(16), -torch.ones(16)]) * 300
    net.bias.data = torch.tensor([-2401.0, 2399.0])
    model, x = Model(nn.Sequential(nn.Flatten(), net), ("a", "b")), rand(4, 1, 4, 4).requires_grad_()
    fitted = Answers(torch.zeros(2, 2), torch.zeros(2, 16))
    squeezing = detectors(answered, fitted, torch.zeros(2, dtype=torch.long), unit_range(1, 4, 4))[0][0]
    slopes = [
        torch.autograd.grad(ask(model, x).sum(), x)[0].abs().max() for ask in (squeezing.score, squeezing.climbed)
    ]

    assert slopes[0] < 1e-6
    assert slopes[1] > 0.01


# ---- local dimension ---------------------------------------------------------------------------------------------
def test_the_dimension_is_that_of_a_plain_loop() -> None:
    bank, asked = rand(130, 6), rand(5, 6) + 0.01
    expected = []
    for row in asked.double():
        r = sorted(math.dist(row, other) for other in bank[:BATCH].double())[:NEIGHBOURS]
        expected.append(-NEIGHBOURS / sum(math.log(v / r[-1]) for v in r))
    found = local_dimension(Answers(bank, bank))(Answers(asked, asked))

    assert (-found).numpy() == pytest.approx(np.array(expected), rel=1e-6)


def test_the_dimension_of_a_line_and_of_a_cube_are_told() -> None:
    line = torch.zeros(100, 6)
    line[:, 0] = torch.linspace(0, 1, 100)
    asked = torch.full((1, 6), 0.0)
    asked[0, 0] = 0.503
    one = -float(local_dimension(Answers(line, line))(Answers(asked, asked)))
    six = -float(local_dimension(Answers(rand(100, 6), rand(100, 6)))(Answers(asked + 0.5, asked + 0.5)))

    assert one == pytest.approx(1, abs=0.3)
    assert six > 3 * one


def test_rows_that_are_all_the_same_have_a_finite_score() -> None:
    same = Answers(torch.ones(30, 4), torch.ones(30, 4))

    assert bool(local_dimension(same)(same).isfinite().all())


# ---- which can be had --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("n", "names"), [(0, 1), (1, 1), (2, 2), (NEIGHBOURS - 1, 2), (NEIGHBOURS, 3)])
def test_too_few_rows_leave_detectors_out(n: int, names: int) -> None:
    fitted = Answers(rand(n, 3), rand(n, 8))
    found, said = detectors(answered, fitted, torch.arange(n) % 2, unit_range(8))

    assert [d.name for d in found] == ["squeezing", "mahalanobis", "lid"][:names]
    assert len(said) == 3 - names


def test_a_program_and_its_model_are_asked_for_what_both_show() -> None:
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    model = Model(net, ("a", "b"))
    with torch.no_grad():
        program = Model(torch.jit.trace(net, rand(2, 3)), ("a", "b"))

    assert asking(model, model, rand(4, 3))(model, rand(4, 3)).features.shape == (4, 8)
    assert asking(program, model, rand(4, 3))(model, rand(4, 3)).features.shape == (4, 2)
