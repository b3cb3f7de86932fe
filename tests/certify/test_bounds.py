"""Bounds hold what sampling finds, are exact where they can be, and name what they do not know."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.attacks.curve import robust_curve
from auditor.certify.interval import Interval
from auditor.certify.margins import certified, ends, least_margins
from auditor.certify.zonotope import Zonotope
from auditor.errors import NotApplicable
from auditor.subject import Model
from tests.shared import needs_shared, real


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = (
            nn.Conv2d(2, 4, 3, padding=1),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Linear(60, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.first(x), inplace=True)
        y = y + 0.5 * torch.tanh(self.second(y))
        y = torch.cat([y, y - 1], 1)
        y = functional.avg_pool2d(y, 2)[:, :4]
        z: Tensor = self.head(torch.flatten(functional.pad(y, (1, 1)), 1))
        return z


def conv_net() -> nn.Module:
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(),
        nn.Flatten(), nn.Linear(36, 8), nn.Sigmoid(), nn.Linear(8, 3),
    )  # fmt: skip
    norm = net[1]
    assert isinstance(norm, nn.BatchNorm2d)
    norm.running_mean = torch.randn(4) * 0.2
    norm.running_var = torch.rand(4) + 0.5
    return net


class InPlace(nn.Module):
    """Functions in place whose results nobody takes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(72, 9), nn.Linear(9, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x.view(x.size(0), -1))
        y.relu_()
        functional.hardtanh(y, 0.0, 0.5, inplace=True)
        z: Tensor = self.head(y)
        return z


def with_unit(unit: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(72, 12), unit(), nn.Linear(12, 3))


NETS: dict[str, Callable[[], nn.Module]] = {
    "layers": conv_net,
    "residual": Residual,
    "in place": InPlace,
    "leaky": lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 12), nn.LeakyReLU(0.2), nn.Linear(12, 3)),
    **{f.__name__: partial(with_unit, f) for f in (nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish)},
    "softmax": lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 12), nn.ELU(), nn.Linear(12, 3), nn.Softmax(1)),
}  # fmt: skip


def net(name: str) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = NETS[name]().eval().requires_grad_(requires_grad=False)
    return Model(module, ("a", "b", "c"), output="probabilities" if name == "softmax" else "logits")


def rows(n: int = 6) -> Tensor:
    return torch.rand(n, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def corners(low: Tensor, high: Tensor, n: int) -> Tensor:
    """(n, ...) random points and corners of the box of one row."""
    g = torch.Generator().manual_seed(2)
    share = torch.rand(n, *low.shape[1:], generator=g)
    share[: n // 2] = share[: n // 2].round()
    return low + share * (high - low)


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("name", NETS)
def test_nothing_in_the_box_lies_outside_the_bounds(name: str, epsilon: float) -> None:
    model, x = net(name), rows()
    low, high = ends(model, x, epsilon)

    every = model.module(Interval(low.double(), high.double()))
    for i in range(len(x)):
        one = model.module(Zonotope.box(low[i : i + 1].double(), high[i : i + 1].double()))
        found = model.module(corners(low[i : i + 1], high[i : i + 1], 400)).double()
        if name == "softmax":
            continue  # orders are kept there, not sizes: see margins below
        for least, most in ((every.low[i : i + 1], every.high[i : i + 1]), one.bounds()):
            assert bool((found >= least - 1e-5).all())
            assert bool((found <= most + 1e-5).all())


@pytest.mark.parametrize("name", NETS)
def test_no_margin_in_the_box_is_below_the_least(name: str) -> None:
    model, x = net(name), rows()
    with torch.no_grad():
        y = model(x).argmax(1)
        low, high = ends(model, x, 0.03)
        least = least_margins(model, low, high, y)
        for i in range(len(x)):
            outputs = model(corners(low[i : i + 1], high[i : i + 1], 400))
            rivals = outputs.scatter(1, y[i].expand(400, 1), -torch.inf).amax(1)
            lead = outputs[:, y[i]] - rivals
            if name == "softmax":
                assert least[i] <= 0 or bool((lead > 0).all())
            else:
                assert bool((lead >= least[i] - 1e-5).all())


def test_a_linear_models_margins_are_exact() -> None:
    """Those of intervals only by the differences of the weights: each output on its own is looser."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = nn.Linear(5, 3).requires_grad_(requires_grad=False)
    model, x = (
        Model(head, ("a", "b", "c"), (-10.0, 10.0)),
        torch.randn(7, 5, generator=torch.Generator().manual_seed(0)),
    )
    y = model(x).argmax(1)
    gap = head.weight[y][:, None] - head.weight[None]
    exact = (model(x).gather(1, y[:, None]) - model(x)) - 0.1 * gap.abs().sum(2)
    exact = exact.scatter(1, y[:, None], torch.inf).double()

    low, high = (t.double() for t in ends(model, x, 0.1))
    boxes = model.module(Interval(low, high)).margins(y)
    one = torch.cat(
        [model.module(Zonotope.box(low[i : i + 1], high[i : i + 1])).margins(y[i : i + 1]) for i in range(7)]
    )

    assert torch.allclose(boxes, exact, atol=1e-5)
    assert torch.allclose(one, exact, atol=1e-5)


def test_what_moves_together_is_known_to() -> None:
    """x - x is 0, which intervals do not see."""

    class Same(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * 2 - x) - x

    low, high = torch.zeros(1, 4, dtype=torch.float64), torch.ones(1, 4, dtype=torch.float64)

    assert float(Same()(Interval(low, high)).high.max()) == 2
    assert float(Same()(Zonotope.box(low, high)).bounds()[1].abs().max()) == 0


def test_one_relu_by_hand() -> None:
    """Of x in [-1, 3] the zonotope is .75 x + .375 +- .375: from -.75 to 3."""
    low, high = torch.tensor([[-1.0]], dtype=torch.float64), torch.tensor([[3.0]], dtype=torch.float64)
    found = functional.relu(Zonotope.box(low, high)).bounds()

    assert [float(v) for v in found] == [-0.75, 3.0]


@pytest.mark.parametrize("name", ["layers", "residual", "leaky"])
def test_attacks_break_nothing_that_is_certain(name: str) -> None:
    model, x = net(name), rows(24)
    epsilons = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
    with model.frozen():
        y = model(x).argmax(1).detach()
        index = certified(model, x, y, epsilons).index
        attacked = robust_curve(model, x, y, epsilons, steps=20).index

    assert bool((attacked >= index).all())
    assert int(index.sum()) > 0


UNKNOWN: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "sine": (torch.sin, "no bounds are known of sin, which the model uses"),
    "product of parts": (lambda x: x * x, "no bounds are known of mul of two parts"),
    "a comparison": (lambda x: x if x.sum() > 0 else -x, "cannot be bounded"),
    "numpy": (lambda x: torch.from_numpy(x.numpy()), "no bounds are known of numpy"),
    "softmax inside": (lambda x: x.flatten(1).softmax(1) * 2, "no bounds are known of mul behind a softmax"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_named(name: str) -> None:
    function, said = UNKNOWN[name]

    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x).flatten(1)[:, :3]

    with pytest.raises(NotApplicable, match=said):
        certified(Model(Net(), ("a", "b", "c")), rows(2), torch.zeros(2, dtype=torch.long), (0.1,))


@needs_shared
def test_a_network_trained_for_bounds_has_them_and_attacks_agree() -> None:
    """Wong & Kolter's MNIST network was trained at .1; its authors' bound certifies 96 % there."""
    case = real("mnist_kw")
    drawn = case.data.at(np.random.default_rng(0).permutation(len(case.data))[200:212])  # it is sorted in places
    x, y = drawn.read(np.arange(12)), torch.from_numpy(drawn.y)
    with case.model.frozen(), torch.no_grad():
        found = certified(case.model, x, y, (0.05, 0.1, 0.2))

    assert found.by_zonotopes
    assert [int((found.index > k).sum()) for k in range(3)][1] >= 10
    assert int((found.index > 2).sum()) == 0
