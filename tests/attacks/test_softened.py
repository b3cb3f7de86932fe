"""Softened backward passes: values are untouched bit for bit, gradients are those that were meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.attacks.curve import robust_curve
from auditor.attacks.plan import Stage
from auditor.attacks.softened import SLOPES, SoftBackward
from auditor.subject import Model

Function = Callable[[Tensor], Tensor]
aten = torch.ops.aten

# every way that an activation is written, by the name of its slope
WRITTEN: dict[str, list[Function]] = {
    "relu": [torch.relu, Tensor.relu, nn.ReLU(), functional.relu, aten.relu.default],
    "gelu": [functional.gelu, nn.GELU(), nn.GELU("tanh"), aten.gelu.default],
    "silu": [functional.silu, nn.SiLU(), aten.silu.default],
    "mish": [functional.mish, nn.Mish()],
    "relu6": [functional.relu6, nn.ReLU6()],
    "hardtanh": [functional.hardtanh, nn.Hardtanh(), aten.hardtanh.default],
    "hardswish": [functional.hardswish, nn.Hardswish()],
    "hardsigmoid": [functional.hardsigmoid, nn.Hardsigmoid()],
    "sigmoid": [torch.sigmoid, Tensor.sigmoid, nn.Sigmoid(), functional.sigmoid, aten.sigmoid.default],
    "tanh": [torch.tanh, Tensor.tanh, nn.Tanh(), functional.tanh, aten.tanh.default],
}
IN_PLACE: dict[str, list[Function]] = {
    "relu": [torch.relu_, Tensor.relu_, nn.ReLU(inplace=True), lambda x: functional.relu(x, True), aten.relu_.default],
    "silu": [nn.SiLU(inplace=True), lambda x: functional.silu(x, inplace=True)],
    "mish": [nn.Mish(inplace=True)],
    "relu6": [nn.ReLU6(inplace=True)],
    "hardtanh": [nn.Hardtanh(inplace=True), functional.hardtanh_],
    "hardswish": [nn.Hardswish(inplace=True)],
    "hardsigmoid": [nn.Hardsigmoid(inplace=True)],
    "sigmoid": [torch.sigmoid_, Tensor.sigmoid_],
    "tanh": [torch.tanh_, Tensor.tanh_],
}
ALL = [(name, f) for ways in (WRITTEN, IN_PLACE) for name, functions in ways.items() for f in functions]
TRUE: dict[str, Function] = {name: functions[0] for name, functions in WRITTEN.items()}


def numbers(scale: float = 3.0) -> Tensor:
    return scale * torch.randn(4, 50, generator=torch.Generator().manual_seed(0))


def softened(f: Function, x: Tensor, width: float) -> tuple[Tensor, Tensor]:
    """What `f` gives and the gradient of its sum."""
    leaf = x.clone().requires_grad_()
    with SoftBackward(torch.full((len(x),), width)):
        y = f(leaf.clone())
    (gradient,) = torch.autograd.grad(y.sum(), leaf)
    return y.detach(), gradient


def test_every_slope_is_tried() -> None:
    assert set(WRITTEN) == set(SLOPES)


# ---- values ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "f"), ALL)
def test_values_are_the_same_bit_for_bit(name: str, f: Function) -> None:
    assert torch.equal(softened(f, numbers(), 0.1)[0], f(numbers()))


@pytest.mark.parametrize(("name", "f"), [(n, f) for n, functions in IN_PLACE.items() for f in functions])
def test_in_place_is_in_place(name: str, f: Function) -> None:
    """What is used again afterwards is the activated tensor, whose gradient passes once."""

    def again(x: Tensor) -> Tensor:
        y = f(x)
        x += 1
        return y + 2 * x

    def apart(x: Tensor) -> Tensor:
        return 3 * (TRUE[name](x) + 1)

    y, gradient = softened(again, numbers(), 0.1)

    assert torch.equal(y, again(numbers()))
    assert torch.allclose(gradient, softened(apart, numbers(), 0.1)[1], atol=1e-5)


# ---- gradients ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "f"), ALL)
def test_width_0_is_the_true_gradient(name: str, f: Function) -> None:
    leaf = numbers().requires_grad_()
    (true,) = torch.autograd.grad(f(leaf.clone()).sum(), leaf)

    assert torch.allclose(softened(f, numbers(), 0.0)[1], true, atol=1e-6)


@pytest.mark.parametrize(("name", "f"), ALL)
def test_however_it_is_written_it_is_softened_alike(name: str, f: Function) -> None:
    assert torch.allclose(softened(f, numbers(), 0.1)[1], softened(TRUE[name], numbers(), 0.1)[1])


def rms(x: Tensor) -> Tensor:
    return x.square().mean(1, keepdim=True).sqrt()


BY_HAND: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda x, e: 1 / (1 + (-x / e).exp()),
    "gelu": lambda x, e: 1 / (1 + (-x / e.clamp_min(1 / 1.7)).exp()),
    "silu": lambda x, e: 1 / (1 + (-x / e.clamp_min(1.0)).exp()),
    "relu6": lambda x, e: 1 / (1 + (-x / e).exp()) / (1 + ((x - 6) / e).exp()),
    "hardtanh": lambda x, e: 1 / (1 + (-(x + 1) / e).exp()) / (1 + ((x - 1) / e).exp()),
    "sigmoid": lambda x, e: 1 / (2 + (x / e.clamp_min(1.0)).exp() + (-x / e.clamp_min(1.0)).exp()),
    "tanh": lambda x, e: 0.25 / torch.cosh(x / e.clamp_min(0.5) / 2) ** 2,
}


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize(("width", "scale"), [(0.05, 3.0), (0.3, 3.0), (0.3, 30.0)])
def test_gradients_by_hand(name: str, width: float, scale: float) -> None:
    x = numbers(scale).clamp(-80, 80)
    expected = BY_HAND[name](x, width * rms(x))

    assert torch.allclose(softened(TRUE[name], x, width)[1], expected, atol=2e-3, rtol=1e-3)


def test_a_hardtanh_is_softened_at_its_own_ends() -> None:
    x = numbers()
    e = 0.1 * rms(x)
    expected = 1 / (1 + (-(x + 2) / e).exp()) / (1 + ((x - 5) / e).exp())

    assert torch.allclose(softened(nn.Hardtanh(-2, 5), x, 0.1)[1], expected, atol=1e-5)


def test_every_sample_has_a_width_of_its_own() -> None:
    leaf = numbers().requires_grad_()
    with SoftBackward(torch.tensor([0.0, 0.1, 0.0, 0.4])):
        (gradient,) = torch.autograd.grad(torch.relu(leaf).sum(), leaf)
    apart = [softened(torch.relu, numbers(), w)[1] for w in (0.0, 0.1, 0.4)]

    assert torch.equal(gradient[::2], apart[0][::2])
    assert torch.allclose(gradient[1], apart[1][1])
    assert torch.allclose(gradient[3], apart[2][3])


def test_one_number_a_sample_is_softened_as_a_row_of_one_is() -> None:
    x = numbers()[:, 0]

    assert torch.equal(softened(torch.sigmoid, x, 0.1)[1], softened(torch.sigmoid, x[:, None], 0.1)[1][:, 0])


def test_what_is_no_row_a_sample_is_left_alone() -> None:
    leaf = numbers().requires_grad_()
    with SoftBackward(torch.full((9,), 0.1)):
        (gradient,) = torch.autograd.grad(torch.relu(leaf).sum(), leaf)

    assert torch.equal(gradient, (leaf > 0).float())


def test_nothing_is_softened_afterwards() -> None:
    softened(torch.relu, numbers(), 0.1)
    leaf = numbers().requires_grad_()

    assert torch.equal(torch.autograd.grad(torch.relu(leaf).sum(), leaf)[0], (leaf > 0).float())


# ---- pools -------------------------------------------------------------------------------------------------------
POOLS: dict[str, Function] = {
    "module": nn.MaxPool2d(2),
    "functional": lambda x: functional.max_pool2d(x, 2),
    "stride": nn.MaxPool2d(3, stride=2),
    "rectangle": nn.MaxPool2d((2, 3), stride=(1, 3)),
    "dilation": nn.MaxPool2d(2, stride=1, dilation=2),
    "padding": nn.MaxPool2d(3, stride=2, padding=1),
    "ceiling": nn.MaxPool2d(2, ceil_mode=True),
    "aten": lambda x: aten.max_pool2d.default(x, [2, 2], [2, 2]),
}


def pictures() -> Tensor:
    return torch.randn(3, 2, 7, 7, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("width", [0.0, 0.1])
def test_pools_give_the_same_bit_for_bit(name: str, width: float) -> None:
    assert torch.equal(softened(POOLS[name], pictures(), width)[0], POOLS[name](pictures()))


@pytest.mark.parametrize("name", POOLS)
def test_pools_of_width_0_have_the_true_gradient(name: str) -> None:
    leaf = pictures().requires_grad_()
    (true,) = torch.autograd.grad(POOLS[name](leaf).sum(), leaf)

    assert torch.allclose(softened(POOLS[name], pictures(), 0.0)[1], true)


@pytest.mark.parametrize("name", ["padding", "ceiling"])
def test_pools_whose_windows_leave_the_picture_are_left_alone(name: str) -> None:
    assert torch.equal(softened(POOLS[name], pictures(), 0.1)[1], softened(POOLS[name], pictures(), 0.0)[1])


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (3, 1)])
def test_a_pools_gradient_is_shared_as_softmax_shares(kernel: int, stride: int) -> None:
    x, width = pictures(), 0.2
    edge = width * x.flatten(1).square().mean(1).sqrt()
    expected = torch.zeros_like(x)
    for i in range(0, 7 - kernel + 1, stride):
        for j in range(0, 7 - kernel + 1, stride):
            window = (slice(None), slice(None), slice(i, i + kernel), slice(j, j + kernel))
            shares = (x[window].flatten(2) / edge[:, None, None]).softmax(2)
            expected[window] += shares.view_as(x[window])

    found = softened(nn.MaxPool2d(kernel, stride), x, width)[1]

    assert torch.allclose(found, expected, atol=1e-5)


# ---- what it is for ----------------------------------------------------------------------------------------------
class Hidden(nn.Module):
    """One unit turns the answer at x0 = .5, and its gradient is nothing where x0 is 0; x1 leads nowhere."""

    def __init__(self, unit: Function) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, x: Tensor) -> Tensor:
        found = self.unit(x[:, :1])
        decoy = 1e-3 * x[:, 1]
        return torch.stack([1 + decoy, 2 * found[:, 0]], 1)


def pooled(x: Tensor) -> Tensor:
    """The largest of x0 and a constant .4: at 0 the constant hides x0."""
    return 4 * functional.max_pool2d(torch.cat([x, 0 * x + 0.4], 1)[:, None, None], (1, 2))[:, 0, 0] - 1.4


DEAD: dict[str, Function] = {
    "relu": lambda x: torch.relu(20 * x - 9.5),
    "saturated sigmoid": lambda x: torch.sigmoid(400 * (x - 0.5)),
    "saturated tanh": lambda x: torch.tanh(400 * (x - 0.5)),
    "GELU far below 0": lambda x: functional.gelu(60 * x - 29.5),
    "max-pooling": pooled,
}


@pytest.mark.parametrize("name", DEAD)
def test_a_way_through_a_dead_unit_is_found_softened_and_not_otherwise(name: str) -> None:
    model = Model(Hidden(DEAD[name]), ("a", "b"))
    x, y = torch.zeros(6, 2), torch.zeros(6).long()
    x[:, 1] = torch.linspace(0, 0.2, 6)

    def standing(soft: float) -> int:
        plan = (Stage(None, "clean", soft),)
        return int((robust_curve(model, x, y, (0.6,), steps=20, plan=plan).index > 0).sum())

    assert (standing(0.0), standing(0.5)) == (6, 0)
