"""Gradients pass straight through what has none; values stay bit for bit, and nothing stays behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.curve import robust_curve
from auditor.attacks.seen import seen_by_search
from auditor.attacks.straight_through import straight_through
from auditor.explain.followed import followed
from auditor.subject import Model

Function = Callable[[Tensor], Tensor]


def without(x: Tensor) -> Tensor:
    with torch.no_grad():
        return 2 * x


# what gives no gradient, and the slope that passes: 1, or that of the function without the step
STEPS: dict[str, tuple[Function, float]] = {
    "round": (lambda x: (4 * x).round() / 4, 1),
    "round to decimals": (lambda x: torch.round(x, decimals=1), 1),
    "floor": (lambda x: torch.floor(8 * x) / 8, 1),
    "ceil": (lambda x: (8 * x).ceil() / 8, 1),
    "trunc": (lambda x: (8 * x).trunc() / 8, 1),
    "byte and back": (lambda x: (255 * x).byte().float() / 255, 1),
    "to(uint8) and back": (lambda x: (255 * x).to(torch.uint8).to(torch.float32) / 255, 1),
    "int, shifted, and back": (lambda x: ((255 * x).int() // 16 * 16).float() / 255, 1),
    "long by type and back": (lambda x: (10 * x).type(torch.long).type_as(x) / 10, 1),
    "detach": (lambda x: 3 * x.detach(), 3),
    "data": (lambda x: 3 * x.data, 3),
    "no_grad": (without, 2),
}
# what gives no gradient and has a soft slope where it steps
JUMPS: dict[str, Function] = {
    "sign": lambda x: (x - 0.5).sign(),
    "threshold": lambda x: (x > 0.5).float(),
    "threshold by to": lambda x: (x >= 0.5).to(x.dtype),
    "gt": lambda x: torch.gt(x, 0.5).type(torch.float32),
    "heaviside": lambda x: torch.heaviside(x - 0.5, torch.ones(1)),
}
FALLS: dict[str, Function] = {"less": lambda x: (x < 0.5).float(), "le": lambda x: torch.le(x, 0.5).double()}


class Fronted(nn.Module):
    """`front`, then the sum of all and its opposite as logits."""

    def __init__(self, front: Function) -> None:
        super().__init__()
        self.front = front

    def forward(self, x: Tensor) -> Tensor:
        y = self.front(x).float()
        return torch.stack([y.sum(1), -y.sum(1)], 1)


def rows() -> Tensor:
    return torch.rand(5, 6, generator=torch.Generator().manual_seed(0))


def passed(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """What `module` gives, the gradient of its first output, and what was met."""
    leaf = x.clone().requires_grad_()
    with straight_through(module) as mode:
        y = module(leaf)
    (gradient,) = torch.autograd.grad(y[:, 0].sum(), leaf)
    return y.detach(), gradient, tuple(mode.met)


@pytest.mark.parametrize("name", [*STEPS, *JUMPS, *FALLS])
def test_values_are_the_same_bit_for_bit(name: str) -> None:
    front = {**{n: f for n, (f, _) in STEPS.items()}, **JUMPS, **FALLS}[name]

    assert torch.equal(passed(Fronted(front), rows())[0], Fronted(front)(rows()))


@pytest.mark.parametrize("name", STEPS)
def test_the_gradient_passes_straight(name: str) -> None:
    front, slope = STEPS[name]
    _, gradient, met = passed(Fronted(front), rows())

    assert torch.allclose(gradient, torch.full((5, 6), float(slope)))
    assert met


@pytest.mark.parametrize(("name", "side"), [*((n, 1) for n in JUMPS), *((n, -1) for n in FALLS)])
def test_the_gradient_of_a_jump_is_steepest_where_it_jumps(name: str, side: int) -> None:
    x = torch.tensor([[0.5, 0.45, 0.3, 0.0]])
    gradient = side * passed(Fronted({**JUMPS, **FALLS}[name]), x)[1][0]

    assert gradient.tolist() == sorted(gradient.tolist(), reverse=True)
    assert gradient[0] > 0


class ByNumpy(nn.Module):
    """Leaves torch and comes back with the same shape."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(np.round(x.detach().cpu().numpy() * 7) / 7)


def test_a_layer_that_goes_through_numpy_is_passed_by() -> None:
    module = nn.Sequential(ByNumpy(), Fronted(lambda x: x))
    y, gradient, met = passed(module, rows())

    assert torch.equal(y, module(rows()))
    assert torch.equal(gradient, torch.ones(5, 6))
    assert "ByNumpy" in met


def test_a_plain_network_has_its_own_gradient_and_nothing_is_met() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    leaf = rows().requires_grad_()
    (true,) = torch.autograd.grad(module(leaf)[:, 0].sum(), leaf)

    _, gradient, met = passed(module, rows())

    assert torch.equal(gradient, true)
    assert met == ()


def test_no_hook_stays_behind_even_where_the_model_raises() -> None:
    module = nn.Sequential(nn.Linear(6, 4), ByNumpy())

    for size in (6, 5):
        try:
            with straight_through(module):
                module(torch.rand(2, size, requires_grad=True))
        except RuntimeError:
            assert size == 5
        assert not any(m._forward_hooks for m in module.modules())
    leaf = torch.rand(2, 6, requires_grad=True)
    assert not module(leaf).requires_grad


# ---- programs ----------------------------------------------------------------------------------------------------
class Rounding(nn.Module):
    """Sees its inputs in eight levels."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 2)
        torch.manual_seed(3)
        nn.init.normal_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x * 7).round() / 7 - 0.5)


def scripted(folder: Path) -> nn.Module:
    torch.jit.script(Rounding().eval()).save(str(folder / "m.pt"))
    return torch.jit.load(str(folder / "m.pt"))


def traced(folder: Path) -> nn.Module:
    torch.jit.trace(Rounding().eval(), rows()).save(str(folder / "m.pt"))
    return torch.jit.load(str(folder / "m.pt"))


def exported(folder: Path) -> nn.Module:
    batch = torch.export.Dim("batch", min=1, max=512)
    torch.export.save(torch.export.export(Rounding().eval(), (rows(),), dynamic_shapes=[{0: batch}]), folder / "m.pt2")
    return torch.export.load(folder / "m.pt2").module()


@pytest.mark.parametrize("made", [scripted, traced, exported], ids=["script", "trace", "pt2"])
def test_programs_that_round_their_input_are_broken_as_the_module_is(
    made: Callable[[Path], nn.Module], tmp_path: Path
) -> None:
    x, epsilons = torch.rand(40, 6, generator=torch.Generator().manual_seed(1)), (0.1, 0.3)
    plain = Model(Rounding().eval(), ("a", "b"))
    model = replace(plain, module=made(tmp_path))
    y = plain(x).argmax(1).detach()
    found = []
    for m, shown in ((plain, plain), (model, followed(model, x))):
        seen = seen_by_search(m, x, y, followed=shown)
        assert seen.adapted is not None
        assert (seen.blind, seen.still_blind) == (1, 0)
        found.append(robust_curve(seen.model, x, y, epsilons, seen=seen.adapted, steps=10))

    assert torch.equal(found[0].index, found[1].index)
    assert int((found[1].index > 1).sum()) < 10 < int((found[1].index > 0).sum())
