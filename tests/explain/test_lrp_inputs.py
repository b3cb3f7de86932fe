"""LRP where the input is embedded, recurrent or attended to: by hand counts, and by ledgers that close."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.explain.composites import with_attention
from auditor.feeds import Tokens
from tests.explain.doubled import explained

EXACT, CLOSED = 1e-10, 1e-8
IDS = torch.tensor([[3, 1, 4, 1, 5], [2, 6, 5, -1, -1], [7, -1, -1, -1, -1]])


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
