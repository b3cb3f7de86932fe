"""Defences that hide gradients are seen through; networks that hide nothing are left as they are."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.attacks.goals import AnotherClass
from auditor.attacks.seen import Seen, answers_differ, seen_by_search, slopes
from auditor.attacks.strongest import strongest
from auditor.subject import Model
from tests import zoo
from tests.attacks.patients import HIDING, HONEST, Patient, patient

ROWS = 24
EPSILON = 0.2
# what stands at .2 of 24 rows, where the plain network has none standing; a threshold is a defence for some rows
STANDING = {"thresholded input": 12}
DRAWN = "noisy input"  # one pass of it has a gradient that leads somewhere


@cache
def sight(name: str) -> Seen:
    p = patient(name)
    with torch.random.fork_rng(), p.model.frozen():
        torch.manual_seed(0)
        return seen_by_search(p.model, p.x, p.y)


def standing(p: Patient, seen: Seen) -> int:
    with torch.random.fork_rng(), p.model.frozen():
        torch.manual_seed(0)
        found = strongest(seen, p.x[:ROWS], p.y[:ROWS], (EPSILON,), steps=20)
    return int((found.index > 0).sum())


def standing_to_signs(p: Patient) -> int:
    """20 steps along the sign of the cross-entropy's gradient, as most papers attack."""
    x, y = p.x[:ROWS], p.y[:ROWS]
    at = x.clone()
    for _ in range(20):
        leaf = at.clone().requires_grad_()
        loss = functional.cross_entropy(p.model(leaf), y, reduction="sum")
        gradient = torch.autograd.grad(loss, leaf)[0] if loss.requires_grad else torch.zeros_like(x)
        at = (x + (at + EPSILON / 8 * gradient.sign() - x).clamp(-EPSILON, EPSILON)).clamp(0, 1)
    return int((p.model(at).argmax(1) == y).sum())


@pytest.mark.parametrize("name", HIDING)
def test_what_hides_gradients_is_broken_all_the_same(name: str) -> None:
    assert standing(patient(name), sight(name)) <= STANDING.get(name, 1)


@pytest.mark.parametrize("name", [name for name in HIDING if name != DRAWN])
def test_simple_gradients_leave_it_standing(name: str) -> None:
    p = patient(name)
    with p.model.frozen():
        assert standing_to_signs(p) >= 0.8 * ROWS


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_network_is_left_as_it_is(name: str) -> None:
    seen = sight(name)

    assert (seen.adapted, seen.random, seen.recovered, seen.met) == (None, False, False, ())
    assert (seen.blind, seen.still_blind) == (0, 0)
    assert seen.searches == (seen.plain,)
    assert torch.equal(seen.plain(patient(name).x), patient(name).model(patient(name).x))


@pytest.mark.parametrize("name", [name for name in zoo.ZOO if name != "texts"])
def test_no_model_of_the_zoo_is_said_to_hide(name: str) -> None:
    case = zoo.ZOO[name]()
    batch = next(case.data.batches(24))
    with case.model.frozen():
        seen = seen_by_search(case.model, batch.x, batch.y)

    assert (seen.adapted, seen.random, seen.recovered) == (None, False, name in {"softmax_output", "sigmoid_output"})


@pytest.mark.parametrize(
    ("name", "met"),
    [
        ("rounded input", ("round",)),
        ("input as bytes", ("byte",)),
        ("thresholded input", ("gt",)),
        ("detached input", ("detach",)),
    ],
)
def test_what_hides_gradients_is_named(name: str, met: tuple[str, ...]) -> None:
    seen = sight(name)

    assert (seen.met, seen.blind, seen.still_blind) == (met, 1, 0)
    assert seen.searches == (seen.adapted,)


def test_what_cannot_be_passed_is_attacked_by_answers_alone() -> None:
    seen = sight("rounded by numpy")

    assert (seen.searches, seen.blind, seen.still_blind) == ((), 1, 1)


def test_saturated_probabilities_are_taken_back_to_their_logits() -> None:
    p, seen = patient("saturated softmax"), sight("saturated softmax")
    module = p.model.module
    with p.model.frozen(), torch.no_grad():
        logits = seen.plain(p.x)

        assert seen.recovered
        assert torch.allclose(logits, 50 * module.inner(p.x))
        assert torch.allclose(seen.model(p.x), module(p.x).clamp_min(1e-12).log())


class Alternating(nn.Module):
    """Says 0, then 1, then 0 ..."""

    turn = 0

    def forward(self, x: Tensor) -> Tensor:
        self.turn += 1
        side = 2.0 if self.turn % 2 else -2.0
        return torch.stack([side + 0 * x.sum(1), x.sum(1)], 1)


def test_random_answers_are_the_mean_of_probabilities() -> None:
    x = torch.zeros(3, 4)
    seen = seen_by_search(Model(Alternating(), ("a", "b")), x, torch.zeros(3).long())
    expected = (torch.tensor([2.0, 0]).softmax(0) + torch.tensor([-2.0, 0]).softmax(0)) / 2

    assert seen.random
    assert torch.allclose(seen.model(x), expected.log().expand(3, 2))


class Turning(nn.Module):
    """The slope of its first output is 3, then -1, then 3 ..."""

    turn = 0

    def forward(self, x: Tensor) -> Tensor:
        self.turn += 1
        z = (3 if self.turn % 2 else -1) * x[:, 0]
        return torch.stack([z, 0 * z], 1)


def test_gradients_of_a_model_that_answers_at_random_are_the_mean_of_several() -> None:
    x, y = torch.full((3, 2), 0.5), torch.ones(3).long()
    seen = seen_by_search(Model(Turning(), ("a", "b")), x, y)

    assert seen.random
    assert slopes(seen.plain, x, y, AnotherClass()).tolist() == [[1, 0]] * 3


def test_a_softmax_that_did_not_give_the_outputs_is_not_taken_back() -> None:
    class Flipped(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (5 * x).softmax(1).flip(1)

    x = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))
    model = Model(Flipped(), ("a", "b", "c"), output="probabilities")
    seen = seen_by_search(model, x, torch.zeros(6).long())

    assert not seen.recovered
    assert torch.equal(seen.plain(x), model(x))


def test_a_large_model_with_a_little_noise_of_its_arithmetic_is_not_random() -> None:
    class Jittering(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1000 * x + 1e-2 * torch.rand(len(x), 1)

    assert not answers_differ(Model(Jittering(), ("a", "b")), torch.ones(5, 2))


class Refuses(nn.Module):
    """Raises for a batch with a first element above .5."""

    def forward(self, x: Tensor) -> Tensor:
        if bool((x[:, 0] > 0.5).any()):
            msg = "no"
            raise ValueError(msg)
        return torch.stack([x.sum(1), 1 - x.sum(1)], 1)


def test_rows_that_a_model_raises_for_have_no_answer_and_the_others_theirs() -> None:
    model = Model(Refuses(), ("a", "b"))
    x = torch.tensor([[0.1, 0.2], [0.9, 0.1], [0.3, 0.3]])
    seen = seen_by_search(model, x[::2], torch.tensor([1, 0]))

    answers = seen.model(x)

    assert answers[1].isnan().all()
    assert torch.equal(answers[::2], model(x[::2]))


class Underived(nn.Module):
    """Answers by a function without a derivative, which its backward pass refuses."""

    def forward(self, x: Tensor) -> Tensor:
        found = torch.heaviside(x - 0.5, torch.ones(1)).sum(1)
        return torch.stack([found, 2 - found], 1)


def test_a_function_without_a_derivative_is_passed_as_one_without_slope() -> None:
    x = torch.rand(9, 4, generator=torch.Generator().manual_seed(0))
    seen = seen_by_search(Model(Underived(), ("a", "b")), x, torch.zeros(9).long())

    assert (seen.blind, seen.still_blind, seen.met) == (1, 0, ("heaviside",))


class Touchy(nn.Module):
    """Raises when what it detached has a gradient after all."""

    def forward(self, x: Tensor) -> Tensor:
        still = x.detach()
        if still.requires_grad:
            msg = "no"
            raise ValueError(msg)
        return torch.stack([x.sum(1), still.sum(1)], 1)


def test_a_model_that_raises_for_adapted_gradients_keeps_its_own() -> None:
    x = torch.rand(9, 4, generator=torch.Generator().manual_seed(0))
    seen = seen_by_search(Model(Touchy(), ("a", "b")), x, torch.zeros(9).long())

    assert (seen.adapted, seen.met, seen.blind, seen.still_blind) == (None, (), 0, 0)


def test_slopes_are_the_margins_gradient_in_units() -> None:
    head = nn.Linear(3, 2)
    head.weight.data = torch.tensor([[1.0, 0.0, 2.0], [4.0, -1.0, 2.0]])
    model = Model(head, ("a", "b"), unit=torch.tensor([1.0, 2.0, 0.0]))

    found = slopes(model, torch.zeros(2, 3), torch.tensor([0, 1]), AnotherClass())

    assert found.tolist() == [[3, -2, 0], [-3, 2, 0]]
