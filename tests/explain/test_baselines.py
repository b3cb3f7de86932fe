"""Where paths start: three baselines by kind of input, and many by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from auditor.explain.baselines import Baseline, blurred, image_baselines, table_baselines, text_baselines
from auditor.explain.entries import Entry, entries
from auditor.explain.expected import expected_gradients
from auditor.explain.integrated import Start, integrated_gradients
from auditor.feeds import Tokens
from auditor.subject import Model
from tests import zoo
from tests.explain.nets import still


def starts(baselines: Sequence[Baseline], model: Model, x: Tensor) -> dict[str, list[Tensor]]:
    known: tuple[Entry, ...] = entries(model, x)
    return {b.name: list(b.start(x, known)) for b in baselines}


# ---- three by kind ---------------------------------------------------------------------------------------------------
def test_images_start_black_at_their_mean_or_blurred() -> None:
    model = Model(nn.Flatten(), ("a", "b"), bounds=(-1.0, 1.0))
    x = zoo.images(3) * 2 - 1
    found = starts(image_baselines(model, iter(x.split(5)), "the data"), model, x[:4])

    assert list(found) == ["black", "mean", "blurred"]
    assert torch.equal(found["black"][0], torch.full((4, 3, 8, 8), -1.0))
    assert torch.allclose(found["mean"][0], x.mean(0).expand(4, -1, -1, -1), atol=1e-6)
    assert torch.equal(found["blurred"][0], blurred(x[:4], 0.8))


def test_a_blur_is_a_gaussians_and_keeps_what_is_even() -> None:
    x = torch.rand(1, 2, 40, 30, generator=torch.Generator().manual_seed(0))
    expected = np.stack([gaussian_filter(c.double().numpy(), 2.0, truncate=8) for c in x[0]])
    inside = (slice(None), slice(12, -12), slice(12, -12))

    assert np.abs(blurred(x, 2.0)[0].numpy()[inside] - expected[inside]).max() < 1e-5
    assert torch.allclose(blurred(torch.full((1, 1, 9, 7), 0.3), 3.0), torch.tensor(0.3))


def test_rows_start_at_zero_their_mean_or_their_median_and_categories_at_their_shares() -> None:
    case = zoo.categories()
    x = case.data.read(np.arange(zoo.ROWS))
    found = starts(table_baselines(case.model, x, case.data.columns, "the data"), case.model, x[:2])

    assert list(found) == ["zero", "mean", "median"]
    assert not found["zero"][0].any()
    assert torch.allclose(found["mean"][0], x.mean(0).expand(2, -1))
    median = torch.cat([x[:, :2].median(0).values, x[:, 2:].mean(0)])
    assert torch.allclose(found["median"][0], median.expand(2, -1))


def test_embedded_categories_start_at_the_mean_of_their_embeddings() -> None:
    case = zoo.several_inputs()
    x = case.data.read(np.arange(zoo.ROWS))
    found = starts(table_baselines(case.model, x, case.data.columns, "the data"), case.model, x[:2])
    assert isinstance(case.model.module, zoo.TwoInputs)

    expected = case.model.module.embed.weight.detach()[x[:, 0].long()].mean(0)
    assert torch.allclose(found["mean"][1], expected.expand(2, -1), atol=1e-6)
    assert not found["zero"][1].any()


def test_texts_start_at_zero_at_the_mean_of_all_tokens_or_at_padding() -> None:
    case = zoo.texts()
    x = case.data.read(np.arange(zoo.ROWS))
    assert isinstance(case.model.module, zoo.Bag)
    table = case.model.module.tokens.weight.detach()
    found = starts(text_baselines(case.model, x.split(7), "the data"), case.model, x[:3])

    assert list(found) == ["zero", "mean", "padding"]
    length = int((x[:3] >= 0).sum(1).max())
    assert torch.allclose(found["mean"][0], table[x[x >= 0]].mean(0).expand(3, length, -1), atol=1e-6)
    assert torch.equal(found["padding"][0], table[0].expand(3, length, -1))


class Hidden:
    """A feed that does not say which token fills short texts."""

    def __call__(self, ids: Tensor) -> Tensor | Mapping[str, Tensor]:
        return Tokens(pad=0)(ids)


def test_padding_is_no_baseline_where_it_is_unknown_or_zero() -> None:
    case = zoo.texts()
    x = case.data.read(np.arange(4))
    assert isinstance(case.model.module, zoo.Bag)
    hidden = text_baselines(replace(case.model, feed=Hidden()), [x], "the data")
    case.model.module.tokens.weight.data[0] = 0

    for found in (hidden, text_baselines(case.model, [x], "the data")):
        assert [b.name for b in found] == ["zero", "mean"]


# ---- many by chance --------------------------------------------------------------------------------------------------
def test_on_a_linear_model_the_expectation_is_over_the_mean_row() -> None:
    case = zoo.linear_table()
    x, reference = case.data.read(np.arange(5)), torch.randn(12, 3, generator=torch.Generator().manual_seed(2))
    found = expected_gradients(case.model, x, torch.ones(5).long(), reference, draws=24, seed=0, rows=7)

    assert torch.allclose(found.shares, (x - reference.mean(0)) * torch.tensor([2.0, -1.0, 0.5]), atol=1e-4)
    assert float(found.completeness_error.max()) < 1e-4
    z = case.model(torch.cat([x, reference]))[:, 1]
    assert torch.allclose(found.gain, z[:5] - z[5:].mean(), atol=1e-4)


def at(value: Tensor) -> Start:
    return lambda x, known: [value.expand(x.shape) for _ in known]


def bent() -> Model:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 2))
    for p in module.parameters():
        nn.init.normal_(p)
    return Model(still(module), ("a", "b"))


def test_it_is_the_mean_of_integrated_gradients_from_every_row_within_its_standard_error() -> None:
    model, x, target = bent(), torch.randn(30, 4), torch.ones(30).long()
    reference = torch.randn(9, 4)
    whole = torch.stack([integrated_gradients(model, x, target, at(r), rows=64).shares for r in reference]).mean(0)
    found = expected_gradients(model, x, target, reference, draws=900, seed=0, rows=512)
    error = ((found.shares - whole).square().sum(1) / whole.square().sum(1)).sqrt()

    assert float((error / found.standard_error).max()) < 2.5  # rows come equally often: better than by chance alone
    assert float(found.completeness_error.median()) < 0.2


def test_the_same_seed_gives_the_same_shares_however_many_rows_at_once() -> None:
    model, x, target, reference = bent(), torch.randn(5, 4), torch.ones(5).long(), torch.randn(9, 4)
    one, again, other = (
        expected_gradients(model, x, target, reference, draws=20, seed=seed, rows=rows)
        for seed, rows in ((1, 3), (1, 100), (2, 100))
    )

    assert torch.allclose(one.shares, again.shares, atol=1e-5)
    assert not torch.allclose(one.shares, other.shares, atol=1e-3)


def test_texts_start_at_the_tokens_of_others_which_begin_again() -> None:
    case = zoo.texts()
    x = case.data.read(np.arange(6))
    reference = torch.tensor([[3, 4, -1], [5, -1, -1]])
    found = expected_gradients(case.model, x, torch.ones(6).long(), reference, draws=2, seed=0)
    module = case.model.module
    assert isinstance(module, zoo.Bag)

    there = x >= 0
    table, weight = module.tokens.weight.detach(), module.head.weight[1].detach()
    repeated = torch.tensor([[3, 4, 3, 4, 3, 4], [5] * 6])
    way = table[x.clamp_min(0)] - table[repeated].mean(0)
    assert torch.allclose(found.shares, way @ weight / there.sum(1, keepdim=True) * there, atol=1e-5)
    assert float(found.completeness_error.max()) < 1e-3
