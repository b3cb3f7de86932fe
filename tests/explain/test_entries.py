"""Where inputs enter a network: embeddings are found on any architecture, and what they hold can be another."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.explain.entries import Entry, enterable, entries, gathered, gradients_at, logits_from, movable
from auditor.explain.followed import followed
from auditor.feeds import Tokens, arguments_of
from auditor.subject import Model
from benchmarks._architectures import TEXTS, named
from tests import zoo
from tests.explain.nets import exported, still
from tests.intake.zoo_packages import installed

CLASSES = ("a", "b", "c")
IDS = torch.tensor([[3, 1, 4, 1, 5], [2, 6, 5, -1, -1], [7, -1, -1, -1, -1]])
IDS_ALONE = Tokens(pad=0, names=())


class Words(nn.Module):
    """Embeddings, a function of them, and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tokens, self.head = nn.Embedding(10, 4), nn.Linear(4, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(torch.tanh(self.tokens(ids)).mean(1))


class Recurrent(Words):
    """An LSTM over (T, N)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 4)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.lstm(self.tokens(ids.t()))[1][0][-1])


class Rows(Words):
    """A table of weights that is indexed, and positions that are no elements of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.positions = nn.Parameter(torch.randn(10, 4)), nn.Embedding(9, 4)

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1]).expand(ids.shape)
        return self.head(torch.tanh(self.table[ids] + self.positions(places)).mean(1))


class Bags(Words):
    """An EmbeddingBag."""

    def __init__(self, mode: str = "mean", skipped: int | None = None) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(10, 4, mode=mode, padding_idx=skipped)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(torch.tanh(self.bag(ids)))


class Codes(nn.Module):
    """A table with two categories, each by its embedding, beside numbers, as TabTransformer has them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.city, self.job, self.head = nn.Embedding(3, 4), nn.Embedding(5, 4), nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        codes = x[:, 1:3].long()
        return self.head(torch.tanh(torch.cat([x[:, :1], self.city(codes[:, 0]), self.job(codes[:, 1]), x[:, 3:]], 1)))


def text_model(module: nn.Module, **facts: object) -> Model:
    return Model(still(module), CLASSES, feed=IDS_ALONE, bounds=(-1.0, 9.0), **facts)


def values(known: Sequence[Entry]) -> list[Tensor]:
    return [e.values for e in known]


TEXT_NETS = [Words, Recurrent, Rows, Bags, lambda: Bags("sum"), lambda: Bags("max"), lambda: Bags("mean", skipped=1)]


# ---- what is found, and what can be put there -----------------------------------------------------------------------
@pytest.mark.parametrize("make", TEXT_NETS)
def test_its_own_embeddings_give_its_own_logits_for_any_selection_of_rows(make: type[Words]) -> None:
    model = text_model(make())
    known = entries(model, IDS)
    rows = torch.tensor([2, 1, 2, 2])

    assert len(known) == 1 and known[0].values.shape == (3, 5, 4)
    assert torch.allclose(logits_from(model, IDS, known, values(known)), model(IDS), atol=1e-6)
    some = logits_from(model, IDS[rows], known, [e.values[rows] for e in known])
    assert torch.allclose(some, model(IDS[rows]), atol=1e-6)


@pytest.mark.parametrize("make", TEXT_NETS)
def test_the_embeddings_of_other_words_give_their_logits(make: type[Words]) -> None:
    model = text_model(make())
    others = torch.where(IDS < 0, IDS, (IDS + 3) % 10)
    others = torch.where(others == 1, 2, others) if isinstance(model.module, Bags) else others
    same = IDS.where(IDS != 1, torch.tensor(4)) if isinstance(model.module, Bags) else IDS  # none is skipped
    known, wanted = entries(model, same), entries(model, others)

    assert torch.allclose(logits_from(model, same, known, values(wanted)), model(others), atol=1e-6)


def test_of_categories_each_has_its_entry_beside_the_input_itself() -> None:
    model = Model(still(Codes().eval()), CLASSES)
    x = torch.tensor([[0.5, 2.0, 4.0, -1.0], [0.1, 0.0, 3.0, 2.0]])
    known = entries(model, x)
    own, city, job = known

    assert torch.equal(own.values, x) and own.place is None
    assert city.place is not None and city.place.tolist() == [1, 5]
    assert job.place is not None and job.place.tolist() == [2, 6]
    assert torch.equal(city.values, model.module.city(torch.tensor([2, 0])))
    assert [m.tolist() for m in movable(x, known)] == [
        [[True, False, False, True]] * 2, [[True], [True]], [[True], [True]],
    ]  # fmt: skip
    assert torch.equal(logits_from(model, x, known, values(known)), model(x))
    parts = [torch.ones(2, 4), torch.full((2, 4), 10.0), torch.full((2, 4), 100.0)]
    assert gathered(x, known, parts).tolist() == [[1, 41, 401, 1]] * 2


def test_gradients_are_those_of_the_embeddings_by_autograd() -> None:
    module = still(Words().eval())
    model, target = text_model(module), torch.tensor([0, 1, 2])
    known = entries(model, IDS)
    logit, (found,) = gradients_at(model, IDS, target, known, values(known), half=False)

    leaf = module.tokens(IDS.clamp_min(0)).requires_grad_()
    wanted = module.head(torch.tanh(leaf).mean(1))[torch.arange(3), target]
    (gradient,) = torch.autograd.grad(wanted.sum(), leaf)
    assert torch.allclose(logit, wanted) and torch.allclose(found, gradient, atol=1e-6)


def test_padding_may_not_move_and_gets_nothing() -> None:
    model = text_model(Words())
    known = entries(model, IDS)
    (mask,) = movable(IDS, known)

    assert torch.equal(mask[..., 0], IDS >= 0)
    assert torch.equal(gathered(IDS, known, [mask * torch.ones(3, 5, 4)]), 4.0 * (IDS >= 0))


def test_a_model_that_takes_so_many_rows_alone_is_filled_up() -> None:
    whole, pairs = text_model(Words()), text_model(Words(), batch=2)
    known, of_pairs = entries(whole, IDS), entries(pairs, IDS)

    assert gathered(IDS, of_pairs, [torch.ones(3, 5, 4)]).tolist() == [[4.0] * 5, [4.0] * 5, [4, 0, 0, 0, 0]]
    given = [torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))]
    at_once = torch.cat([logits_from(whole, IDS[i], known, [given[0][i]]) for i in (slice(0, 2), slice(2, 3))])
    assert torch.allclose(logits_from(pairs, IDS, of_pairs, given), at_once, atol=1e-6)


@pytest.mark.parametrize("name", TEXTS)
def test_published_text_models_are_entered_by_their_word_embeddings(name: str) -> None:
    installed("transformers")
    architecture = named(f"transformers:{name}ForSequenceClassification")
    module, x = architecture.settled(), architecture.inputs(4)
    x[1, 8:], x[3, 5:] = -1, -1
    takes = arguments_of(module)
    feed = Tokens(pad=1, names=tuple(n for n in ("input_ids", "attention_mask", "inputs_embeds") if n in takes))
    model = Model(still(module), CLASSES, feed=feed, part=0 if name == "XLNet" else "logits")
    known = entries(model, x)
    rows = torch.tensor([3, 3, 1])
    with torch.no_grad():
        table = module.get_input_embeddings()(x.clamp_min(0))
        found = logits_from(model, x[rows], known, [e.values[rows] for e in known])

        assert len(known) == 1
        if known[0].values.shape == table.shape:  # others cut or widen their embeddings first
            assert torch.equal(known[0].values[x >= 0], table[x >= 0])
        assert torch.allclose(found, model(x[rows]), atol=1e-6)
        moved = logits_from(model, x[rows], known, [torch.zeros_like(e.values[rows]) for e in known])
        assert not torch.allclose(moved, found, atol=1e-6)


# ---- programs --------------------------------------------------------------------------------------------------------
def programs() -> list[tuple[str, nn.Module]]:
    ids = IDS.clamp_min(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            (".pt2", exported(Words().eval(), ids, dynamic=True)),
            ("TorchScript", torch.jit.trace(Words().eval(), ids)),
        ]


@pytest.mark.parametrize(("kind", "program"), programs())
def test_programs_that_embed_are_followed(kind: str, program: nn.Module) -> None:
    model, original = text_model(program), text_model(Words())
    shown = enterable(model, IDS)
    known = entries(shown, IDS)
    others = [torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))]

    assert shown is not model, kind
    expected = logits_from(original, IDS, entries(original, IDS), others)
    assert torch.allclose(logits_from(shown, IDS, known, others), expected, atol=1e-6)


def test_what_embeds_nothing_stays_as_it_is() -> None:
    case = zoo.planted_patch()
    x = zoo.images()[:3]
    program = Model(still(torch.jit.trace(case.model.module.eval(), x)), case.model.classes)

    assert followed(program, x) is not program
    assert enterable(program, x) is program
    assert enterable(case.model, x) is case.model


# ---- what cannot be -------------------------------------------------------------------------------------------------
def test_whole_numbers_that_are_embedded_nowhere_do_not_apply() -> None:
    class Counts(nn.Module):
        def forward(self, ids: Tensor) -> Tensor:
            return functional.one_hot(ids, 10).float().mean(1)[:, :3]

    with pytest.raises(NotApplicable, match="no embedding of them is found"):
        entries(text_model(Counts()), IDS)


def test_ids_in_one_long_row_do_not_apply() -> None:
    class Flat(Words):
        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.tokens(ids.reshape(-1)).view(*ids.shape, 4).mean(1))

    with pytest.raises(NotApplicable, match="in several rows of the batch"):
        entries(text_model(Flat()), IDS)


def test_a_network_that_embeds_some_inputs_only_does_not_apply() -> None:
    class Sometimes(Words):
        def forward(self, ids: Tensor) -> Tensor:
            held = self.tokens(ids)
            return self.head((held + self.tokens(ids) if bool((ids == 7).any()) else held).mean(1))

    model = text_model(Sometimes())
    known = entries(model, IDS[:2])
    with pytest.raises(NotApplicable, match="embeds some inputs otherwise"):
        logits_from(model, IDS, known, [torch.zeros(3, 5, 4)])
    with pytest.raises(NotApplicable, match="embeds some inputs otherwise"):
        logits_from(model, IDS[:2], entries(model, IDS), [torch.zeros(2, 5, 4)] * 2)
