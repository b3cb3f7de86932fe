"""A run of LRP: batches, what passes each layer, what must not be left behind, and bad input."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import NotApplicable
from auditor.explain.composites import COMPOSITES
from auditor.explain.ledger import Ledger
from auditor.explain.lrp import lrp
from auditor.subject import Model
from tests.explain.doubled import Double, explained

EXACT, CLOSED = 1e-10, 1e-8


# ---- batches, layers, and what must not be left behind -------------------------------------------------------------
def small() -> nn.Module:
    torch.manual_seed(8)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU(inplace=True), nn.Conv2d(4, 4, 3), nn.Hardswish(),
        nn.Flatten(), nn.Linear(64, 3),
    )  # fmt: skip
    norm = net[1]
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    return net.eval()


IMAGES = torch.rand(3, 2, 6, 6, dtype=torch.float64)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_sample_gets_in_a_batch_what_it_gets_alone(composite: Any) -> None:
    net = small()
    whole = explained(net, IMAGES, 1, composite=COMPOSITES[composite])
    alone = [explained(net, IMAGES[i : i + 1], 1, composite=COMPOSITES[composite]) for i in range(3)]

    for field in ("shares", "constants", "constant_share", "logit", "ledger_error"):
        assert torch.allclose(getattr(whole, field), torch.cat([getattr(a, field) for a in alone]), atol=1e-9)
    for name, flow in whole.flows.items():
        assert torch.allclose(flow.absorbed, torch.cat([a.flows[name].absorbed for a in alone]), atol=1e-9)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_what_reaches_a_layer_is_kept_there_or_goes_on(composite: Any) -> None:
    """Between two layers in a row: what reaches the first is what reaches the second, less what the second keeps."""
    torch.manual_seed(9)
    net = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(4, 5, dtype=torch.float64)
    found = explained(net, x, 1, composite=COMPOSITES[composite])
    flows = found.flows

    assert torch.allclose(flows["4"].relevance, found.logit, atol=EXACT)
    assert torch.allclose(flows["2"].relevance, flows["4"].relevance - flows["4"].absorbed, atol=EXACT)
    assert torch.allclose(flows["0"].relevance, flows["2"].relevance - flows["2"].absorbed, atol=EXACT)
    assert torch.allclose(found.shares.sum(1), flows["0"].relevance - flows["0"].absorbed, atol=EXACT)


def test_nothing_is_left_on_the_modules_and_the_output_is_the_same() -> None:
    net = small().double()
    state = {k: v.clone() for k, v in net.state_dict().items()}
    keys = {name: set(vars(m)) for name, m in net.named_modules()}
    before = net(IMAGES).detach()
    found = explained(net, IMAGES, 2, composite=COMPOSITES["epsilon_gamma_box"])

    assert torch.allclose(found.logit, before[:, 2], atol=1e-12)
    assert torch.equal(net(IMAGES).detach(), before)
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    assert {name: set(vars(m)) for name, m in net.named_modules()} == keys
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in net.modules())


class InPlace(nn.Module):
    """Writes into tensors and goes on with them, and into a buffer of its own making."""

    def forward(self, x: Tensor) -> Tensor:
        y = x * 2
        y.tanh_()
        y[:, 0] = 0.5
        y += 1
        found = torch.full_like(y, 3.0)
        found[:, 1:] = y[:, 1:]
        found.mul_(x)
        return found


def test_what_is_written_in_place_is_followed() -> None:
    x = torch.randn(3, 4, dtype=torch.float64)
    found = explained(InPlace(), x, 1)

    assert found.ledger_error.max() < CLOSED
    assert torch.allclose(found.logit, InPlace()(x)[:, 1])


def test_relevance_that_cancels_is_seen_on_its_way() -> None:
    """A large constant is added and taken away again: the second layer gets a thousand times the logit."""
    first, second = nn.Linear(1, 1), nn.Linear(1, 2)
    for layer, weight, bias in ((first, 1.0, 1e5), (second, 1.0, -1e5)):
        layer.weight.data.fill_(weight)
        layer.bias.data.fill_(bias)
    found = explained(nn.Sequential(first, second), torch.ones(1, 1, dtype=torch.float64))

    assert found.logit.item() == pytest.approx(1)
    assert found.peak().item() == pytest.approx(100001)
    assert found.ledger_error.max() < CLOSED


def test_a_regression_model_is_explained_in_its_value() -> None:
    torch.manual_seed(10)
    head = nn.Linear(3, 1).double()
    x = torch.randn(2, 3, dtype=torch.float64)
    model = replace(Double(head, (), output="value"), output="value")
    with model.frozen():
        found = lrp(model, x, torch.zeros(2, dtype=torch.long))

    assert torch.allclose(found.shares, x * head.weight[0].detach(), atol=EXACT)
    assert torch.allclose(found.logit, head(x)[:, 0].detach())


@pytest.mark.parametrize("composite", COMPOSITES)
def test_nothing_of_a_run_stays_in_memory(composite: Any) -> None:
    """A graph holds the ledger by its hooks; were the ledger to hold a tensor of it, neither would be freed."""

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = small()

        def forward(self, x: Tensor) -> Tensor:
            moved = x - 0.5
            return self.body(moved * torch.sigmoid(x)).softmax(1)

    for _ in range(3):
        explained(Gated(), IMAGES, composite=COMPOSITES[composite], output="probabilities")
    gc.collect()

    assert not [o for o in gc.get_objects() if type(o) is Ledger]  # isinstance asks objects that are lazy


# ---- bad input ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_explained_and_its_ledger_says_how_roughly(dtype: torch.dtype) -> None:
    net = small().float()
    exact = explained(net, IMAGES, 1)
    model = Model(small().to(dtype), ("a", "b", "c"))
    with model.frozen():
        found = lrp(model, IMAGES.float(), torch.tensor([1, 1, 1]))

    assert found.shares.isfinite().all()
    assert 1e-6 < float(found.ledger_error.max()) < 0.2
    alike = torch.corrcoef(torch.stack([found.shares.flatten().double(), exact.shares.flatten()]))[0, 1]
    assert float(alike) > 0.98


def test_inputs_that_are_no_numbers_are_refused() -> None:
    x = IMAGES.clone()
    x[1, 0, 0, 0] = torch.nan

    with pytest.raises(NotApplicable, match="1 of 3 inputs"):
        explained(small(), x)


def test_outputs_that_are_no_numbers_are_refused() -> None:
    class Breaks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.log()[:, :2]

    with pytest.raises(NotApplicable):
        explained(Breaks(), torch.tensor([[-1.0, 2.0]], dtype=torch.float64))


def test_a_layer_that_runs_twice_is_told_with_both_runs() -> None:
    """R of both runs together: of y = w (w x), each run passes the whole logit on."""
    layer = nn.Linear(1, 1, bias=False)
    found = explained(nn.Sequential(layer, layer, nn.Linear(1, 2)), torch.ones(1, 1, dtype=torch.float64), 1)

    assert found.flows["0"].relevance.item() == pytest.approx(2 * found.shares.sum().item())


def test_a_tuple_is_explained_in_the_part_that_holds_the_logits() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, self.head(x)

    pair, x = Pair(), torch.randn(2, 3)
    model = Model(pair, ("a", "b"), part=1)
    with model.frozen():
        found = lrp(model, x, torch.tensor([0, 1]))

    assert torch.allclose(found.shares, x * pair.head.weight.detach(), atol=1e-6)
