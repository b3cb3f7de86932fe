"""LRP where the input is embedded, recurrent or attended to: by hand counts, and by ledgers that close."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.explain.composites import COMPOSITES, with_attention
from auditor.explain.ledger import Ledger
from auditor.explain.lrp import Relevance, lrp
from auditor.feeds import Tokens
from auditor.subject import Model

EXACT, CLOSED = 1e-10, 1e-8
IDS = torch.tensor([[3, 1, 4, 1, 5], [2, 6, 5, -1, -1], [7, -1, -1, -1, -1]])


class Double(Model):
    """A handle that stays in float64."""

    def raw(self, x: Tensor) -> Tensor:
        y: Tensor = self.returned(x)
        return y


def explained(module: nn.Module, x: Tensor, target: int = 0, **facts: Any) -> Relevance:
    composite = facts.pop("composite", COMPOSITES["epsilon"])
    model = Double(module.double().eval(), ("a", "b"), **facts)
    with model.frozen():
        return lrp(model, x, torch.full((len(x),), target), composite=composite)


# ---- embeddings --------------------------------------------------------------------------------------------------
class Bag(nn.Module):
    """The sum of the words' embeddings, and a linear head; padding has an embedding that counts."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.embed(ids).sum(1))


def test_a_words_relevance_is_its_embedding_times_the_weights() -> None:
    torch.manual_seed(0)
    bag = Bag()
    found = explained(bag, IDS, 1, feed=Tokens(0, names=()))
    worth = (bag.embed.weight @ bag.head.weight[1]).detach()

    assert torch.allclose(found.shares[0], worth[IDS[0]], atol=EXACT)
    assert torch.allclose(found.shares[1, :3], worth[IDS[1, :3]], atol=EXACT)
    assert torch.allclose(found.constants, bag.head.bias[1].detach().expand(3), atol=EXACT)
    assert found.ledger_error.max() < EXACT


class Columns(nn.Module):
    """Two columns of codes with an embedding each, two numbers, a transformer layer over all four."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.number = nn.Embedding(3, 8), nn.Embedding(5, 8), nn.Linear(1, 8)
        self.mix = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        codes = [self.first(x[:, 0].long()), self.second(x[:, 1].long() + 1)]
        numbers = [self.number(x[:, i : i + 1]) for i in (2, 3)]
        return self.head(self.mix(torch.stack([*codes, *numbers], 1)).mean(1))


def test_codes_of_a_table_get_what_their_embeddings_get() -> None:
    torch.manual_seed(1)
    x = torch.tensor([[0.0, 3.0, 0.5, -1.0], [2.0, 0.0, 1.5, 2.0]], dtype=torch.float64)
    found = explained(Columns(), x, 1)

    assert found.ledger_error.max() < CLOSED
    assert (found.shares[0].abs() > 0).all()  # the code 0, too


def test_codes_that_are_made_one_hot_get_their_weights() -> None:
    class OneHot(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(functional.one_hot(x[:, 0].long(), 4).double() + 0 * x[:, :1])

    torch.manual_seed(2)
    net = OneHot()
    x = torch.tensor([[0.0], [3.0]], dtype=torch.float64)
    found = explained(net, x, 1)

    assert torch.allclose(found.shares[:, 0], net.head.weight[1, [0, 3]].detach(), atol=EXACT)


# ---- recurrent layers --------------------------------------------------------------------------------------------
class Recurrent(nn.Module):
    """Words through a recurrent layer; the mean of its outputs, or its last state of packed sequences."""

    def __init__(self, layer: nn.RNNBase, *, packed: bool = False) -> None:
        super().__init__()
        self.layer, self.packed = layer, packed
        self.embed = nn.Embedding(9, layer.input_size)
        width = (layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)
        self.head = nn.Linear(layer.hidden_size if packed else width, 2)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids.clamp_min(0))
        if self.packed:
            lengths = (ids >= 0).sum(1)
            inputs = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            state = self.layer(inputs)[1]
            state = state[0] if isinstance(state, tuple) else state
            return self.head(state[-1])
        if not self.layer.batch_first:
            return self.head(self.layer(x.transpose(0, 1))[0].mean(0))
        return self.head(self.layer(x)[0].mean(1))


RECURRENT: dict[str, Callable[[], nn.Module]] = {
    "LSTM": lambda: Recurrent(nn.LSTM(6, 5, batch_first=True)),
    "LSTM of two layers, both ways": lambda: Recurrent(nn.LSTM(6, 5, 2, bidirectional=True, batch_first=True)),
    "LSTM, steps first": lambda: Recurrent(nn.LSTM(6, 5)),
    "LSTM without biases": lambda: Recurrent(nn.LSTM(6, 5, bias=False, batch_first=True)),
    "LSTM with a projection": lambda: Recurrent(nn.LSTM(6, 5, proj_size=3, batch_first=True)),
    "packed LSTM": lambda: Recurrent(nn.LSTM(6, 5, batch_first=True), packed=True),
    "packed LSTM, both ways": lambda: Recurrent(nn.LSTM(6, 5, bidirectional=True, batch_first=True), packed=True),
    "GRU": lambda: Recurrent(nn.GRU(6, 5, batch_first=True)),
    "GRU of two layers, both ways": lambda: Recurrent(nn.GRU(6, 5, 2, bidirectional=True, batch_first=True)),
    "packed GRU": lambda: Recurrent(nn.GRU(6, 5, batch_first=True), packed=True),
    "tanh": lambda: Recurrent(nn.RNN(6, 5, batch_first=True)),
    "ReLU": lambda: Recurrent(nn.RNN(6, 5, nonlinearity="relu", batch_first=True)),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_the_ledger_closes_on_recurrent_layers(name: str) -> None:
    torch.manual_seed(3)
    module = RECURRENT[name]()
    found = explained(module, IDS, 1)
    plain = module(IDS)[:, 1].detach()

    assert torch.allclose(found.logit, plain, atol=EXACT)
    assert found.ledger_error.max() < CLOSED
    assert found.unknown == ()
    assert (found.shares[:, 0].abs() > 0).all()
    if "packed" in name:
        assert not found.shares[IDS < 0].any()


class Cells(nn.Module):
    """A hand-written loop over cells, as tutorials have it."""

    def __init__(self, cell: nn.RNNCellBase) -> None:
        super().__init__()
        self.cell, self.head = cell, nn.Linear(cell.hidden_size, 2)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), self.cell.hidden_size)
        memory = state
        for step in x.unbind(1):
            if isinstance(self.cell, nn.LSTMCell):
                state, memory = self.cell(step, (state, memory))
            else:
                state = self.cell(step, state)
        return self.head(state)


@pytest.mark.parametrize("cell", [nn.LSTMCell(3, 4), nn.GRUCell(3, 4), nn.RNNCell(3, 4)])
def test_the_ledger_closes_on_cells(cell: nn.RNNCellBase) -> None:
    torch.manual_seed(4)
    found = explained(Cells(cell), torch.randn(2, 5, 3, dtype=torch.float64), 1)

    assert found.ledger_error.max() < CLOSED


def test_one_step_of_an_lstm_by_hand() -> None:
    """Gates are constant factors and tanh passes relevance on: R = o * tanh(c)/c * i * tanh(g)/g * (w_g x)."""
    torch.manual_seed(5)
    layer = nn.LSTM(3, 1, batch_first=True).double()
    x = torch.randn(1, 1, 3, dtype=torch.float64)

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)[0][:, -1].expand(-1, 2)

    found = explained(Last(), x)
    w, u = layer.weight_ih_l0.detach(), (layer.bias_ih_l0 + layer.bias_hh_l0).detach()
    i, _, g, o = (w @ x[0, 0] + u).unbind()
    i, o = torch.sigmoid(i), torch.sigmoid(o)
    c = i * torch.tanh(g)
    expected = o * torch.tanh(c) / c * i * torch.tanh(g) / g * w[2] * x[0, 0]

    assert torch.allclose(found.shares[0, 0], expected, atol=EXACT)


# ---- AttnLRP -----------------------------------------------------------------------------------------------------
def test_attnlrp_softmax_rule_by_its_formula() -> None:
    """R_i = x_i (R_i^s - s_i sum_j R_j^s) (Achtibat et al. 2024, eq. 13); what is left is a constant."""
    torch.manual_seed(6)
    x, w = torch.randn(2, 4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)

    class Weighted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x.softmax(-1) * w).sum(1, keepdim=True).expand(-1, 2)

    found = explained(Weighted(), x, composite=with_attention("epsilon", "attnlrp"))
    s = x.softmax(-1)
    above = s * w
    assert torch.allclose(found.shares, x * (above - s * above.sum(1, keepdim=True)), atol=EXACT)
    assert found.ledger_error.max() < EXACT


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
def test_attnlrp_closes_with_masks_and_halves_each_product(masked: bool, need_weights: bool) -> None:
    torch.manual_seed(7)
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    mask = torch.tensor([[False] * 4 + [masked]] * 2)

    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x, x, x, key_padding_mask=mask, need_weights=need_weights)[0].mean(1)

    x = torch.randn(2, 5, 8, dtype=torch.float64)
    found = explained(Attends(), x, composite=with_attention("epsilon", "attnlrp"))
    values = explained(Attends(), x)

    assert found.ledger_error.max() < CLOSED
    assert values.ledger_error.max() < CLOSED
    assert not torch.allclose(found.shares, values.shares)


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
