"""A copy taught by answers: agrees with its teacher, has gradients, and what breaks it breaks the teacher."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.curve import robust_curve
from auditor.attacks.transfer import distilled_copy
from auditor.subject import Model
from tests.attacks.linear import linear, value
from tests.attacks.patients import Patient, patient

STEPS = 150


@cache
def taught() -> tuple[Patient, Model]:
    """A teacher without any gradient, taught on 60 of its rows; the others are new to the copy."""
    p = patient("rounded by numpy")
    with p.model.frozen():
        return p, distilled_copy(p.model, p.x[:60], 0.3, steps=STEPS)


def test_the_copy_agrees_with_its_teacher_on_rows_that_it_has_not_seen() -> None:
    p, copy = taught()
    with p.model.frozen(), torch.no_grad():
        same = copy(p.x[60:]).argmax(1) == p.model(p.x[60:]).argmax(1)

    assert float(same.float().mean()) > 0.8


def test_what_breaks_the_copy_breaks_a_teacher_without_gradients() -> None:
    p, copy = taught()
    x, y = p.x[60:], p.y[60:]
    with p.model.frozen():
        found = robust_curve(p.model, x, y, (0.3,), steps=10, seen=copy)
        wrong = p.model(found.witness).argmax(1) != y

    assert int((found.index == 0).sum()) >= 30
    assert torch.equal(wrong, found.index == 0)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 20, 20), (1, 5, 9), (2, 1, 1), (7,), (4, 6)])
def test_inputs_of_any_shape_are_copied(shape: tuple[int, ...]) -> None:
    class Means(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean = x.flatten(1).mean(1)
            return torch.stack([0.5 - mean, mean - 0.5, 0 * mean], 1)

    x = torch.rand(20, *shape, generator=torch.Generator().manual_seed(0))
    copy = distilled_copy(Model(Means(), ("a", "b", "c")), x, 0.1, steps=4)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(copy(leaf).square().sum(), leaf)

    assert copy(x).shape == (20, 3)
    assert bool(gradient.any())


def test_values_are_copied_too() -> None:
    model, x, y = value(4, 200)
    copy = distilled_copy(model, x, 0.3, steps=STEPS)

    assert copy(x).shape == (200,)
    assert float((copy(x) - y).square().mean() / y.var()) < 0.1


def test_the_same_seed_teaches_the_same_copy_and_moves_no_other_figure() -> None:
    model, x, _ = linear(4)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again, other = (distilled_copy(model, x, 0.3, steps=5, seed=s)(x) for s in (0, 0, 1))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_questions_stay_inside_the_bounds_and_are_as_many_as_were_said() -> None:
    asked: list[Tensor] = []

    class Listening(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            asked.append(x)
            return x[:, :2]

    x = torch.rand(20, 4, generator=torch.Generator().manual_seed(0))
    model = replace(Model(Listening(), ("a", "b")), unit=torch.tensor([1.0, 0.0, 1.0, 1.0]))
    distilled_copy(model, x, 0.5, steps=8)

    assert [len(a) for a in asked] == [64] * 8
    assert min(float(a.min()) for a in asked) >= 0
    assert max(float(a.max()) for a in asked) <= 1


def test_questions_without_an_answer_teach_nothing() -> None:
    class Sometimes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z = x[:, 0] - 0.5
            return torch.where(x[:, 1:2] > 0.5, torch.nan, torch.stack([-z, z], 1))

    x = torch.rand(60, 4, generator=torch.Generator().manual_seed(0))
    copy = distilled_copy(Model(Sometimes(), ("a", "b")), x, 0.1, steps=STEPS)

    assert float((copy(x).argmax(1) == (x[:, 0] > 0.5)).float().mean()) > 0.9
