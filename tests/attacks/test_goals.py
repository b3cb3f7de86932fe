"""What attacks want, by hand."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch

from auditor.attacks.goals import AnotherClass, AnotherValue

NAN, INF = math.nan, math.inf


# ---- another class -----------------------------------------------------------------------------------------------
def test_the_margin_is_by_how_much_another_class_leads() -> None:
    outputs = torch.tensor([[1.0, 4.0, 2.0], [1.0, 4.0, 2.0], [3.0, 3.0, 0.0]])

    assert AnotherClass().margin(outputs, torch.tensor([1, 2, 0])).tolist() == [-2, 2, 0]
    assert AnotherClass(0.5).margin(outputs, torch.tensor([1, 2, 0])).tolist() == [-2.5, 1.5, -0.5]


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("place", [0, 1])
def test_outputs_that_are_no_numbers_reach_it(bad: float, place: int) -> None:
    outputs = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    outputs[0, place] = bad
    y = torch.tensor([0, 0])

    assert AnotherClass().margin(outputs, y).tolist() == [INF, -1]
    assert AnotherClass().reached(outputs, y).tolist() == [True, False]


def test_a_tie_is_broken_as_the_model_breaks_it() -> None:
    """argmax names the first of equals."""
    outputs = torch.tensor([[1.0, 1.0], [1.0, 1.0]])

    assert AnotherClass().reached(outputs, torch.tensor([0, 1])).tolist() == [False, True]


def test_rivals_are_the_other_classes_the_highest_first() -> None:
    outputs = torch.tensor([[1.0, 4.0, 2.0, 3.0]])

    assert AnotherClass().rivals(outputs, torch.tensor([1]), 9).tolist() == [[3, 2, 0]]
    assert AnotherClass().rivals(outputs, torch.tensor([3]), 2).tolist() == [[1, 2]]
    assert AnotherClass().towards(outputs, torch.tensor([1]), torch.tensor([2])).tolist() == [-2]


def test_the_loss_is_cross_entropy_of_cooled_outputs() -> None:
    outputs, y = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 0])
    expected = torch.nn.functional.cross_entropy(outputs / 3, y, reduction="none")

    assert torch.allclose(AnotherClass().loss(outputs, y, torch.full((5,), 3.0)), expected)


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
def test_the_loss_has_a_slope_however_large_the_logits(scale: float) -> None:
    """Cross-entropy of logits x 100 is flat in float32."""
    outputs = (scale * torch.tensor([[0.0, 2.0, 1.0]])).requires_grad_()
    y = torch.tensor([1])
    heat = AnotherClass().heat(outputs.detach(), y)
    (gradient,) = torch.autograd.grad(AnotherClass().loss(outputs, y, heat).sum(), outputs)

    assert float(gradient.abs().max()) * scale > 1e-6
    assert float(heat) == pytest.approx(max(1.0, scale / 15))


# ---- another value -----------------------------------------------------------------------------------------------
def test_a_value_is_reached_further_than_the_amount_either_way() -> None:
    goal, y = AnotherValue(2.0), torch.tensor([1.0, 1.0, 1.0, 1.0])
    outputs = torch.tensor([4.0, -2.5, 2.0, NAN])

    assert goal.margin(outputs, y)[:3].tolist() == [1, 1.5, -1]
    assert goal.reached(outputs, y).tolist() == [True, True, False, True]
    assert goal.reached(torch.tensor([INF, -INF]), y[:2]).tolist() == [True, True]


def test_the_rivals_of_a_value_are_up_and_down_the_nearer_first() -> None:
    goal, outputs, y = AnotherValue(2.0), torch.tensor([1.5, 0.5]), torch.tensor([1.0, 1.0])
    rivals = goal.rivals(outputs, y, 9)

    assert rivals.tolist() == [[1, 0], [0, 1]]
    assert goal.towards(outputs, y, rivals[:, 0]).tolist() == [-1.5, -1.5]
    assert goal.towards(outputs, y, rivals[:, 1]).tolist() == [-2.5, -2.5]


@pytest.mark.parametrize("of", ["loss", "margin"])
def test_a_value_has_a_slope_at_the_sample_itself(of: str) -> None:
    """|z| has none at 0; a model of values would seem to have no gradient at all."""
    goal, outputs, y = AnotherValue(2.0), torch.tensor([1.0], requires_grad=True), torch.tensor([1.0])
    climbed = goal.margin(outputs, y) if of == "margin" else goal.loss(outputs, y, torch.ones(1))

    assert torch.autograd.grad(climbed.sum(), outputs)[0].tolist() == [1]


def test_a_rejected_change_reaches_no_goal_by_brute_force() -> None:
    """Every order of four outputs, the last of which rejects, and every class of the other three."""
    outputs = torch.tensor(list(permutations((0.0, 1.0, 2.0, 3.0))))
    for label in range(3):
        y = torch.full((len(outputs),), label)
        goal = AnotherClass(rejects=True)
        accepted = [int(row.argmax()) not in {label, 3} for row in outputs]
        ahead = [max(v for c, v in enumerate(r) if c not in {label, 3}) - max(r[label], r[3]) for r in outputs.tolist()]

        assert goal.reached(outputs, y).tolist() == accepted
        assert goal.margin(outputs, y).tolist() == ahead
        assert (goal.margin(outputs, y) > 0).tolist() == accepted
        assert goal.wrong(outputs, y).tolist() == [int(row.argmax()) != label for row in outputs]
        assert goal.count(outputs) == 2 and 3 not in goal.rivals(outputs, y, 9).unique()
        best = goal.rivals(outputs, y, 1)[:, 0]
        assert torch.equal(goal.towards(outputs, y, best), goal.margin(outputs, y))
        p = outputs.softmax(1)
        expected = -(p[:, label] + p[:, 3]).log()
        assert torch.allclose(goal.loss(outputs, y, torch.ones(len(y))), expected, atol=1e-6)


def test_no_finite_answer_is_no_rejection() -> None:
    outputs = torch.tensor([[0.0, 1.0, torch.nan], [0.0, 1.0, torch.inf]])

    assert AnotherClass(rejects=True).reached(outputs, torch.tensor([1, 1])).tolist() == [True, True]
