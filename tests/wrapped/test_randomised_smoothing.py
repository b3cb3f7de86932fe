"""Randomised smoothing as a wrapper: it answers what a loop over the same noise counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.defend.randomised_smoothing import randomised_smoothing
from auditor.errors import NotApplicable, UsageError
from auditor.intake.outputs import settle
from auditor.subject import Data, Model
from auditor.wrapped.randomised_smoothing import SLOPES, Smoothed
from auditor.wrapped.wrapping import Wrapping, wrapped
from tests import zoo


def smoothed(case: zoo.Case, seed: int = 0, **settings: float) -> Model:
    return wrapped(settle(case.model, case.data)[0], randomised_smoothing(case.model, case.data, seed, **settings))


def rows(case: zoo.Case, n: int = 24) -> Tensor:
    return case.data.read(np.arange(n))


@pytest.mark.parametrize("name", ["inplace_relu", "normalized", "single_logit", "softmax_output", "categories"])
def test_what_it_answers_is_counted_by_a_loop(name: str) -> None:
    case, draws = zoo.ZOO[name](), 9
    around, (model, _), x = smoothed(case, sigma=0.3, draws=9), settle(case.model, case.data), rows(zoo.ZOO[name]())
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(len(x), len(model.classes))
    with torch.no_grad():
        for _ in range(draws):
            noise = torch.randn((1, *x.shape[1:]), generator=generator) * torch.as_tensor(model.unit)
            p = model(x + 0.3 * noise).softmax(1)
            counts += torch.nn.functional.one_hot(p.argmax(1), p.shape[1]) + p / draws
        found = around(x)

    assert torch.allclose(found.exp(), counts / (draws + 1), atol=1e-5)
    assert found.exp().sum(1) == pytest.approx(1, abs=1e-5)


def test_figures_repeat_and_rows_do_not_depend_on_each_other() -> None:
    case = zoo.inplace_relu()
    around, x = smoothed(case, draws=7), rows(case)

    with torch.no_grad():
        assert torch.equal(around(x), smoothed(case, draws=7)(x))
        assert torch.allclose(around(x)[3:5], around(x[3:5]), atol=1e-5)
        assert not torch.equal(around(x), smoothed(case, seed=1, draws=7)(x))


def test_what_nobody_may_change_gets_no_noise() -> None:
    """A model that reads the flag alone answers as it does without noise, whatever its size."""

    class Flag(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([-x[:, 1], x[:, 1]], 1) * 50 - 25

    case = zoo.categories()
    flag = zoo.Case(replace(case.model, module=Flag()), case.data)
    x = rows(case)

    with torch.no_grad():
        assert torch.equal(smoothed(flag, sigma=100.0, draws=5)(x).argmax(1), flag.model(x).argmax(1))


def test_gradients_are_those_of_the_mean_softmax() -> None:
    case = zoo.ZOO["residual"]()
    around, x = smoothed(case, sigma=0.2, draws=SLOPES), rows(case, 4).requires_grad_()
    (found,) = torch.autograd.grad(around(x)[:, 0].sum(), x)
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn((1, *x.shape[1:]), generator=generator) for _ in range(SLOPES)]
    mean = torch.stack([case.model(x + 0.2 * n).softmax(1) for n in noise]).mean(0)
    (expected,) = torch.autograd.grad(mean[:, 0].log().sum(), x)

    assert torch.allclose(found, expected, atol=1e-4)


def test_without_gradients_the_batch_alone_sets_what_is_held() -> None:
    """Whatever the number of draws, never more rows at once than were given."""
    asked: list[int] = []

    class Seen(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            asked.append(len(x))
            return x[:, :2]

    x = torch.rand(6, 3)
    case = zoo.Case(Model(Seen(), ("a", "b")), Data.of(x, torch.zeros(6).long()))
    with torch.no_grad():
        smoothed(case, draws=40)(x)

    assert max(asked) == 6 and asked.count(6) >= 40


def test_what_cannot_be_smoothed_is_refused() -> None:
    texts, values = zoo.texts(), zoo.Case(Model(nn.Linear(3, 1), (), output="value"), zoo.linear_table().data)

    with pytest.raises(NotApplicable, match="the inputs are texts"):
        randomised_smoothing(texts.model, texts.data, 0)
    with pytest.raises(NotApplicable, match="a value, not classes; randomised smoothing needs classes"):
        randomised_smoothing(values.model, replace(values.data, y=values.data.y.astype(np.float64)), 0)
    for settings in ({"sigma": 0.0}, {"draws": 0}, {"seed": -1}, {"sigma": "a"}):
        with pytest.raises(UsageError, match=next(iter(settings))):
            wrapped(
                zoo.linear_table().model,
                Wrapping("randomised_smoothing", {"sigma": 0.1, "draws": 3, "seed": 0} | settings),
            )
    assert isinstance(smoothed(zoo.linear_table()).module, Smoothed)
