"""SmoothGrad and input x gradient against hand loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.errors import NotApplicable
from auditor.explain.smoothgrad import input_times_gradient, smoothgrad
from auditor.subject import Model
from tests import zoo
from tests.explain.nets import IMAGES, TARGET, net

CLASSES = ("a", "b", "c")


def gradient(module: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(module(leaf).gather(1, target[:, None]).sum(), leaf)[0]


def test_as_a_loop_over_the_same_noise() -> None:
    module, draws, deviation = net("resnet"), 8, 0.15 * 2.0
    found = smoothgrad(
        Model(module, CLASSES), IMAGES[:1], TARGET[:1], noise=0.15, span=2.0, draws=draws, seed=3, rows=4
    )

    each = []
    for draw in range(draws):
        own = np.random.default_rng((3, 0, draw)).standard_normal(IMAGES.shape[1:], np.float32)
        each.append(gradient(module, IMAGES[:1] + deviation * torch.from_numpy(own), TARGET[:1])[0])
    mean = torch.stack(each).mean(0)
    spread = (IMAGES[0] * torch.stack(each)).var(0) / draws

    assert torch.allclose(found.sensitivity[0], mean.abs(), atol=1e-5)
    assert torch.allclose(found.shares[0], IMAGES[0] * mean, atol=1e-5)
    expected = float((spread.sum() / (IMAGES[0] * mean).square().sum()).sqrt())
    assert float(found.standard_error) == pytest.approx(expected, rel=1e-3)


def test_without_noise_it_is_input_times_gradient() -> None:
    model = Model(net("vit"), CLASSES)
    found = smoothgrad(model, IMAGES, TARGET, noise=0.0, span=1.0, draws=3, seed=0, rows=4)
    plain = input_times_gradient(model, IMAGES, TARGET)

    assert torch.allclose(plain, IMAGES * gradient(model.module, IMAGES, TARGET), atol=1e-6)
    assert torch.allclose(found.shares, plain, atol=1e-5)
    assert float(found.standard_error.max()) < 1e-3


def test_the_standard_error_is_the_error_against_what_many_draws_give() -> None:
    module = nn.Sequential(nn.Linear(6, 20), nn.Tanh(), nn.Linear(20, 3))
    torch.manual_seed(0)
    for p in module.parameters():
        nn.init.normal_(p)
    model, x, target = Model(module, CLASSES), torch.randn(40, 6), torch.zeros(40).long()
    most = smoothgrad(model, x, target, noise=0.5, span=1.0, draws=4000, seed=4000, rows=512)
    every = [smoothgrad(model, x, target, noise=0.5, span=1.0, draws=20, seed=s, rows=512) for s in range(30)]
    errors = [(f.shares - most.shares).square().sum(1) / most.shares.square().sum(1) for f in every]
    said = torch.stack([f.standard_error.square() for f in every])

    assert 0.7 < float((torch.stack(errors).mean() / said.mean()).sqrt()) < 1.4


def test_every_sample_has_the_same_noise_whatever_stands_beside_it() -> None:
    model = Model(net("resnet"), CLASSES)
    both = smoothgrad(model, IMAGES[:2], TARGET[:2], noise=0.15, span=2.0, draws=6, seed=1, rows=5)
    alone = smoothgrad(model, IMAGES[1:2], TARGET[1:2], noise=0.15, span=2.0, draws=6, seed=1, rows=4)

    assert torch.allclose(both.shares[1:], alone.shares, atol=1e-6)


def test_what_may_not_change_gets_no_noise() -> None:
    case = zoo.categories()
    x, seen = case.data.read(np.arange(4)), []
    handle = case.model.module.register_forward_hook(lambda module, given, output: seen.append(given[0].detach()))
    smoothgrad(case.model, x, torch.zeros(4).long(), noise=0.2, span=case.model.unit, draws=500, seed=0)
    handle.remove()
    values = torch.cat([s for s in seen if len(s) == 16])

    assert torch.equal(values[:, 1:].unique(dim=0), x[:, 1:].unique(dim=0))
    assert float((values[:, 0] - x[:, 0].mean()).var()) > float(x[:, 0].var(correction=0))


def test_tokens_are_moved_by_a_part_of_the_size_of_their_embeddings_and_padding_not_at_all() -> None:
    case = zoo.texts()
    x = case.data.read(np.arange(8))
    module = case.model.module
    assert isinstance(module, zoo.Bag)
    target = torch.ones(8).long()
    found = smoothgrad(case.model, x, target, noise=0.2, span=1.0, draws=4, seed=0)
    there = x >= 0
    weight = module.head.weight[1].detach() / there.sum(1)[:, None, None]

    embedded = module.tokens.weight.detach()[x.clamp_min(0)]
    assert torch.allclose(found.shares, (embedded * weight).sum(2) * there, atol=1e-5)  # linear: noise changes nothing
    assert torch.allclose(found.sensitivity, weight.norm(dim=2) * there, atol=1e-5)
    assert torch.allclose(input_times_gradient(case.model, x, target), found.shares, atol=1e-5)


def test_a_model_without_gradients_does_not_apply() -> None:
    class Hard(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x > 0).float()

    with pytest.raises(NotApplicable, match="no gradient to its input"):
        input_times_gradient(Model(Hard(), CLASSES), torch.randn(2, 3), torch.zeros(2).long())
