"""Whatever is done to a model is named and undone; random numbers and settings are the caller's again afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from auditor.guard import Snapshot, isolated
from tests import zoo


def model() -> nn.Sequential:
    relu: Any = nn.ReLU()
    relu.scale, relu.widths, relu.names, relu.seen = torch.ones(2), [1, 2], {"a": 1}, {1}
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), relu, nn.Flatten(), nn.Linear(72, 2))


def _replace_forward(m: nn.Sequential) -> None:
    m[2].forward = lambda x: x


def _replace_buffer(m: nn.Sequential) -> None:
    m[1].running_mean = torch.ones(2)


def _train_a_step(m: nn.Sequential) -> None:
    m.train()
    m(torch.rand(4, 1, 8, 8)).sum().backward()


DAMAGE: dict[str, tuple[Callable[[nn.Sequential], object], str]] = {
    "weights in place": (lambda m: m[4].weight.data.add_(1), "weights"),
    "one weight to NaN": (lambda m: m[4].bias.data.fill_(float("nan")), "weights"),
    "a parameter replaced": (lambda m: setattr(m[4], "bias", nn.Parameter(torch.ones(2))), "parts of Linear"),
    "a buffer replaced": (_replace_buffer, "parts of BatchNorm2d"),
    "the counter without dimensions": (lambda m: m[1].num_batches_tracked.add_(1), "weights"),
    "a layer removed": (lambda m: m.__delitem__(2), "parts of Sequential"),
    "a forward hook": (lambda m: m[0].register_forward_hook(lambda *_: None), "hooks of Conv2d"),
    "a backward hook": (lambda m: m[0].register_full_backward_hook(lambda *_: None), "hooks of Conv2d"),
    "a pre-hook": (lambda m: m[4].register_forward_pre_hook(lambda *_: None), "hooks of Linear"),
    "a hook of all modules": (
        lambda _: torch.nn.modules.module.register_module_forward_hook(lambda *_: None),
        "hooks of every module",
    ),
    "an attribute, as captum leaves": (lambda m: setattr(m[0], "activations", {}), "attribute 'activations'"),
    "an attribute changed": (lambda m: setattr(m[1], "eps", 0.5), "attribute 'eps'"),
    "a tensor attribute in place": (lambda m: m[2].scale.fill_(9), "attribute 'scale'"),
    "a list attribute in place": (lambda m: m[2].widths.append(7), "attribute 'widths'"),
    "a dict attribute in place": (lambda m: m[2].names.clear(), "attribute 'names'"),
    "a set attribute in place": (lambda m: m[2].seen.add(3), "attribute 'seen'"),
    "a method replaced": (_replace_forward, "attribute 'forward'"),
    "evaluation mode": (lambda m: m.eval(), "training mode"),
    "one layer's mode": (lambda m: m[1].eval(), "training mode"),
    "gradient flags": (lambda m: m.requires_grad_(False), "gradient"),
    "gradients left": (_train_a_step, "gradient"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_undone(name: str) -> None:
    m = model()
    torch.manual_seed(0)
    x = torch.rand(5, 1, 8, 8)
    before, attributes = m.state_dict(), {part: set(vars(part)) for part in m.modules()}
    own: tuple[Any, ...] = (m[2].scale.tolist(), list(m[2].widths), dict(m[2].names), set(m[2].seen))
    before = {k: v.clone() for k, v in before.items()}
    snapshot = Snapshot(m)
    damage, word = DAMAGE[name]

    damage(m)
    changed = snapshot.restore()

    assert any(word in what for what in changed), changed
    assert snapshot.restore() == []
    assert {k: v.tolist() for k, v in m.state_dict().items()} == {k: v.tolist() for k, v in before.items()}
    assert {part: set(vars(part)) for part in m.modules()} == attributes
    assert (m[2].scale.tolist(), m[2].widths, m[2].names, m[2].seen) == own
    assert m.training and m[1].training
    assert all(p.requires_grad and p.grad is None for p in m.parameters())
    m.eval()
    assert m(x).shape == (5, 2)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_a_model_that_was_only_used_is_found_unchanged(name: str) -> None:
    case = zoo.ZOO[name]()
    snapshot = Snapshot(case.model.module)

    with case.model.frozen():
        case.model(case.data.read(np.arange(3)))

    assert snapshot.restore() == []


def test_a_program_is_watched_too() -> None:
    program = torch.jit.trace(model().eval(), torch.rand(1, 1, 8, 8))
    snapshot = Snapshot(program)

    with torch.no_grad():
        next(program.parameters()).add_(1)

    assert any("weights" in what for what in snapshot.restore())
    assert snapshot.restore() == []


def test_inside_numbers_depend_on_the_seed_alone() -> None:
    def draw(seed: int) -> tuple[float, float, float]:
        with isolated(seed):
            return torch.rand(1).item(), np.random.rand(), random.random()  # noqa: NPY002

    random.seed(5)
    first = draw(3)
    random.seed(6)
    np.random.rand()  # noqa: NPY002
    torch.rand(7)

    assert draw(3) == first
    assert all(a != b for a, b in zip(draw(4), first, strict=True))


def test_outside_nothing_has_moved() -> None:
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    expected = torch.rand(1).item(), np.random.rand(), random.random()  # noqa: NPY002
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    threads = torch.get_num_threads()

    with pytest.raises(RuntimeError), isolated(9):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_num_threads(threads + 1)
        torch.rand(1)
        raise RuntimeError

    assert (torch.rand(1).item(), np.random.rand(), random.random()) == expected  # noqa: NPY002
    assert torch.get_default_dtype() is torch.float32
    assert torch.is_grad_enabled()
    assert torch.get_num_threads() == threads
