"""Integrated gradients against captum, closed forms, and a count of what is computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.errors import NotApplicable
from auditor.explain.baselines import text_baselines
from auditor.explain.entries import Entry
from auditor.explain.integrated import STEPS, Start, integrated_gradients
from auditor.feeds import Tokens, arguments_of
from auditor.subject import Model
from benchmarks._architectures import named
from tests import zoo
from tests.explain.nets import IMAGES, TARGET, net, still
from tests.intake.zoo_packages import installed

CLASSES = ("a", "b", "c")


def zero(x: Tensor, known: Sequence[Entry]) -> list[Tensor]:
    del x
    return [torch.zeros_like(e.values) for e in known]


def at(value: Tensor) -> Start:
    return lambda x, known: [value.expand(known[0].values.shape)]


class Counted(nn.Module):
    """A module that counts the samples it is given, and those at once at most."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        return self.inner(x)


class Called(nn.Module):
    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def two(value: Tensor) -> Tensor:
    """Logits (-v, v) of values (N,)."""
    return torch.stack([-value, value], 1)


# ---- against others --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["resnet", "mobilenet", "vit", "encoder"])
@pytest.mark.parametrize("baseline", [0.0, 0.6])
def test_as_captum_with_the_same_nodes(name: str, baseline: float) -> None:
    from captum.attr import IntegratedGradients

    module = net(name)
    start = torch.full((3, 16, 16), baseline)
    found = integrated_gradients(Model(module, CLASSES), IMAGES, TARGET, at(start), steps=(50,), rows=7)
    expected = IntegratedGradients(module).attribute(
        IMAGES, start.expand_as(IMAGES), target=TARGET, n_steps=50, method="gausslegendre"
    )

    assert float((found.shares - expected).abs().max() / expected.abs().max()) < 1e-5
    assert found.steps.tolist() == [50] * 3


def test_a_linear_model_shares_w_times_the_way_and_is_complete() -> None:
    case = zoo.linear_table()
    x = case.data.read(np.arange(5))
    start = torch.tensor([0.5, -1.0, 2.0])
    found = integrated_gradients(case.model, x, torch.ones(5).long(), at(start))

    assert torch.allclose(found.shares, (x - start) * torch.tensor([2.0, -1.0, 0.5]), atol=1e-5)
    assert torch.allclose(found.gain, case.model(x)[:, 1] - case.model(start[None])[:, 1])
    assert float(found.completeness_error.max()) < 1e-5
    assert found.steps.tolist() == [STEPS[0]] * 5


def test_a_quadratic_form_has_its_closed_form() -> None:
    torch.manual_seed(0)
    a = torch.randn(4, 4)
    x, start = torch.randn(6, 4), torch.randn(4)
    model = Model(Called(lambda v: two(torch.einsum("ni,ij,nj->n", v, a, v))), ("no", "yes"))
    found = integrated_gradients(model, x, torch.ones(6).long(), at(start))

    closed = (x - start) * (((x + start) / 2) @ (a + a.t()))
    assert torch.allclose(found.shares, closed, atol=1e-4)


def test_implementation_does_not_matter() -> None:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    forms = [lambda v: two((v**2).prod(1)), lambda v: two(torch.exp((v**2).log().sum(1)))]
    first, second = (
        integrated_gradients(Model(Called(f), ("a", "b")), x, torch.ones(4).long(), at(torch.full((3,), 0.3)))
        for f in forms
    )

    assert torch.allclose(first.shares, second.shares, atol=1e-4)


# ---- completeness, and what it costs ---------------------------------------------------------------------------------
def kink(where: float) -> nn.Module:
    """Flat, then steep: x - `where` above it, a hundred times over."""
    return Called(lambda v: two(100 * torch.relu(v.sum(1) - where)))


def test_steps_are_doubled_for_those_alone_that_need_it() -> None:
    counted = Counted(kink(0.9))
    x = torch.tensor([[1.0, 0.0], [5.0, 5.0], [0.2, 0.1], [0.5, 0.45]])  # kinks at .9, .09, none, .95 of the way
    found = integrated_gradients(Model(counted, ("a", "b")), x, torch.ones(4).long(), zero, rows=8)

    alone = [
        integrated_gradients(Model(kink(0.9), ("a", "b")), x[i : i + 1], torch.ones(1).long(), zero) for i in range(4)
    ]
    assert found.steps.tolist() == [int(a.steps) for a in alone]
    assert found.steps[1] < found.steps[0]
    taken = sum(sum(n for n in STEPS if n <= s) for s in found.steps.tolist())
    look_and_ends = 3 * len(x)
    assert sum(counted.seen) == taken + look_and_ends
    assert max(counted.seen) <= 8


@pytest.mark.parametrize("steps", [(4,), STEPS])
def test_completeness_by_construction_or_said_not_to_be(steps: tuple[int, ...]) -> None:
    x = torch.rand(12, 2, generator=torch.Generator().manual_seed(0))
    found = integrated_gradients(Model(kink(0.7), ("a", "b")), x, torch.ones(12).long(), zero, steps=steps)
    gap = (found.shares.sum(1) - found.gain).abs()
    scale = torch.maximum(found.gain.abs(), 0.01 * found.shares.abs().sum(1))
    flat = x.sum(1) <= 0.7  # nothing moves on the way

    assert torch.equal(found.completeness_error.isnan(), flat)
    assert torch.allclose(found.completeness_error[~flat], (gap / scale)[~flat])
    assert torch.equal(found.unresolved, found.completeness_error > 0.01)
    assert bool((found.steps[found.unresolved] == steps[-1]).all())
    assert int(found.unresolved.sum()) == (1 if steps == STEPS else 8)  # one ends just behind its kink


def test_an_error_is_one_where_gradients_are_lost() -> None:
    """Rounded inputs have gradients of 0 everywhere, but another output: no silent map of zeros."""
    model = Model(Called(lambda v: two(v.sum(1).round() + 0 * v.sum(1))), ("a", "b"))
    found = integrated_gradients(model, torch.tensor([[3.0, 4.0]]), torch.ones(1).long(), zero)

    assert found.completeness_error.tolist() == [1.0]
    assert bool(found.unresolved.all()) and found.steps.tolist() == [512]


def test_batches_change_nothing() -> None:
    model = Model(net("resnet"), CLASSES)
    one, many = (integrated_gradients(model, IMAGES, TARGET, zero, rows=rows) for rows in (1, 64))
    pairs = integrated_gradients(Model(net("resnet"), CLASSES, batch=2), IMAGES, TARGET, zero)

    for other in (many, pairs):
        assert torch.equal(one.steps, other.steps)
        assert float((one.shares - other.shares).abs().max() / one.shares.abs().max()) < 1e-4


def test_a_model_that_writes_into_its_input_is_explained_as_one_that_does_not() -> None:
    x = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    forms = [lambda v: two(v.mul_(2).pow(2).sum(1)), lambda v: two((2 * v).pow(2).sum(1))]
    first, second = (
        integrated_gradients(Model(Called(f), ("a", "b")), x.clone(), torch.ones(4).long(), zero) for f in forms
    )

    assert torch.allclose(first.shares, second.shares, atol=1e-5)
    assert torch.allclose(second.shares, 4 * x**2, atol=1e-4)


# ---- texts, and other ways in ----------------------------------------------------------------------------------------
def test_texts_share_the_gain_over_their_tokens_and_padding_gets_nothing() -> None:
    case = zoo.texts()
    x = case.data.read(np.arange(8))
    module = case.model.module
    assert isinstance(module, zoo.Bag)
    found = integrated_gradients(case.model, x, torch.ones(8).long(), zero)
    weight = module.head.weight[1].detach()

    expected = (module.tokens.weight.detach()[x.clamp_min(0)] @ weight) / (x >= 0).sum(1, keepdim=True) * (x >= 0)
    assert torch.allclose(found.shares, expected, atol=1e-5)
    assert bool((found.shares[x < 0] == 0).all())
    assert float(found.completeness_error.max()) < 1e-4


def published(name: str) -> tuple[Model, Tensor]:
    """A text model of transformers with random weights, and four texts, two of them shorter.

    Not for XLNet, which answers at the last place: shorter texts have other answers beside longer ones.
    """
    installed("transformers")
    architecture = named(f"transformers:{name}ForSequenceClassification")
    module, x = still(architecture.settled()), architecture.inputs(4)
    if name != "XLNet":
        x[1, 8:], x[3, 5:] = -1, -1
    takes = arguments_of(module)
    feed = Tokens(pad=1, names=tuple(n for n in ("input_ids", "attention_mask", "inputs_embeds") if n in takes))
    return Model(module, CLASSES, feed=feed, part=0 if name == "XLNet" else "logits"), x


@pytest.mark.parametrize("name", ["Bert", "GPT2", "XLNet", "ModernBert", "DebertaV2"])
def test_published_text_models_are_complete_and_padding_gets_nothing(name: str) -> None:
    model, x = published(name)
    mean = text_baselines(model, [x], "these")[1].start
    found = integrated_gradients(model, x, torch.tensor([0, 1, 2, 0]), mean, rows=6)

    assert float(found.completeness_error.max()) < 0.01
    assert float(found.gain.abs().min()) > 1e-5
    assert bool((found.shares[x < 0] == 0).all()) and bool((found.shares[x >= 0] != 0).all())


def test_where_normalisation_leaps_at_zero_no_number_of_steps_helps_and_that_is_said() -> None:
    model, x = published("XLNet")
    found = integrated_gradients(model, x, torch.tensor([0, 1, 2, 0]), zero, rows=6)

    assert bool(found.unresolved.all()) and float(found.completeness_error.min()) > 0.5


def test_a_category_by_its_embedding_gets_the_share_of_its_embedding() -> None:
    case = zoo.several_inputs()
    x = case.data.read(np.arange(6))
    module = case.model.module
    assert isinstance(module, zoo.TwoInputs)
    target = case.model(x).argmax(1)
    found = integrated_gradients(case.model, x, target, zero)

    both = torch.cat([module.embed(x[:, 0].long()), x[:, 1:]], 1).detach()
    inner = Model(still(nn.Sequential(nn.ReLU(), module.head)), CLASSES)
    flat = integrated_gradients(inner, both, target, zero)
    merged = torch.cat([flat.shares[:, :3].sum(1, keepdim=True), flat.shares[:, 3:]], 1)
    assert torch.allclose(found.shares, merged, atol=1e-4)


def test_half_precision_does_not_lose_small_gradients() -> None:
    torch.manual_seed(0)
    head = nn.Linear(8, 2)
    head.weight.data *= 1e-4
    small = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), head)
    x = torch.rand(3, 8)
    full = integrated_gradients(Model(still(small), ("a", "b")), x, torch.ones(3).long(), zero, steps=(32,))
    halved = integrated_gradients(Model(small.half(), ("a", "b")), x, torch.ones(3).long(), zero, steps=(32,))

    assert float((halved.shares - full.shares).abs().max() / full.shares.abs().max()) < 0.02


def test_of_probabilities_the_logarithm_is_explained() -> None:
    inner = nn.Sequential(nn.Linear(4, 3))
    x, target = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1])
    squashed = Model(still(nn.Sequential(inner, nn.Softmax(1))), CLASSES, output="probabilities")
    found = integrated_gradients(squashed, x, target, zero)
    by_hand = integrated_gradients(Model(nn.Sequential(inner, nn.LogSoftmax(1)), CLASSES), x, target, zero)

    assert torch.allclose(found.shares, by_hand.shares, atol=1e-4)


# ---- what it does not apply to ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda v: two(v.sum(1).detach()), "no gradient to its input"),
        (lambda v: two(v.sum(1).argsort().float()), "no gradient to its input"),
        (lambda v: two((v - v.detach()).pow(2).sum(1).sqrt()), "are not finite"),
        (lambda v: two(v.sum(1).mul(-1).log()), "gives NaN or infinity"),
    ],
)
def test_models_without_finite_gradients_do_not_apply(function: object, words: str) -> None:
    with pytest.raises(NotApplicable, match=words):
        integrated_gradients(Model(Called(function), ("a", "b")), torch.rand(3, 2), torch.ones(3).long(), zero)


def test_inputs_that_are_not_finite_do_not_apply() -> None:
    case = zoo.linear_table()
    x = torch.tensor([[1.0, float("nan"), 0.0]])
    with pytest.raises(NotApplicable, match="1 of 1 inputs hold NaN or infinity"):
        integrated_gradients(case.model, x, torch.ones(1).long(), zero)


def test_whole_numbers_without_an_embedding_do_not_apply() -> None:
    model = Model(Called(lambda v: two(v.sum(1).float())), ("a", "b"), feed=Tokens(pad=0, names=()))
    with pytest.raises(NotApplicable, match="no embedding"):
        integrated_gradients(model, torch.ones(2, 3).long(), torch.ones(2).long(), zero)
