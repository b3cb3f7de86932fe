"""What is made of attention weights, by hand; and what is no attention, or has no map of the whole input."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.explain.attention import Attended, attention, attention_gradient, readers, rollout
from auditor.explain.heads import distance, entropy
from auditor.subject import Model
from tests.explain.mixers import Head, tokens, watched
from tests.explain.nets import CLASSES, IMAGES, TARGET, net


# ---- rollout, and what is made of it -----------------------------------------------------------------------------
def made(*layers: list[list[float]], gradients: list[list[float]] | None = None) -> Attended:
    """One sample, one head a layer."""
    weights = tuple(torch.tensor(w)[None, None] for w in layers)
    slope = torch.ones_like(weights[0]) if gradients is None else torch.tensor(gradients)[None, None]
    return Attended(weights, tuple(slope for _ in layers), tuple("ab"[: len(layers)]), torch.zeros(1))


def test_rollout_is_the_product_written_out() -> None:
    """Layer 1 mixes half of token 2 into token 1; layer 2 takes token 1 from token 2 alone."""
    found = made([[0.5, 0.5], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]])

    # A~1 = [[.75, .25], [0, 1]], A~2 = [[.5, .5], [0, 1]]; A~2 A~1 = [[.375, .625], [0, 1]]
    assert torch.allclose(rollout(found)[0], torch.tensor([[0.375, 0.625], [0.0, 1.0]]))


def test_rollout_averages_heads_and_its_rows_sum_to_1() -> None:
    found = attention(Model(net("vit"), CLASSES), IMAGES, TARGET)
    product = torch.eye(17)
    for weights in found.weights:
        mean = (weights[0, 0] + weights[0, 1]) / 2
        step = 0.5 * mean + 0.5 * torch.eye(17)
        product = torch.einsum("ij,jk->ik", step / step.sum(1, keepdim=True), product)

    assert torch.allclose(rollout(found)[0], product, atol=1e-6)
    assert torch.allclose(rollout(found).sum(-1), torch.ones(3, 17), atol=1e-5)


def test_attention_gradient_follows_only_what_speaks_for_the_class() -> None:
    """C = max(0, A g) = [[0, .5], [0, 0]] in both layers: R - I = 2 C + C^2 = [[0, 1], [0, 0]]."""
    found = made([[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]], gradients=[[-1.0, 1.0], [0.0, -2.0]])

    assert torch.allclose(attention_gradient(found)[0], torch.tensor([[0.0, 1.0], [0.0, 0.0]]))


@pytest.mark.parametrize(("first", "read"), [(True, [1.0, 0, 0, 0, 0]), (False, [0.2] * 5)])
def test_the_tokens_that_are_read_are_found(first: bool, read: list[float]) -> None:
    def mix(x: Tensor) -> Tensor:
        return (x @ x.mT).softmax(-1) @ x

    found = readers(watched(mix, first=first))

    assert torch.allclose(found, torch.tensor([read] * 3))


def test_entropy_is_0_on_one_token_and_1_on_all() -> None:
    weights = torch.tensor([[[[1.0, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0], [0, 0, 0]]]])

    assert entropy(weights)[0, 0].tolist() == pytest.approx([0, 1, 1, 0], abs=1e-6)
    assert entropy(torch.tensor([[[[0.9, 0.1]]]]))[0, 0, 0] == pytest.approx(0.469, abs=1e-3)  # bits of a coin


def test_distance_is_the_mean_way_between_tokens_that_have_a_place() -> None:
    """Token 1 takes half from 3 cells below and half from itself; what goes to token 0, which has no place, is out."""
    nan = float("nan")
    places = torch.tensor([[nan, nan], [0.0, 0.0], [3.0, 4.0]])
    weights = torch.tensor([[[[0.2, 0.4, 0.4], [0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]]])

    assert distance(weights, places).tolist() == [[pytest.approx((2.5 + 0) / 2)]]
    assert bool(distance(weights, torch.full((3, 2), nan)).isnan().all())


# ---- what is not attention, or has no map ------------------------------------------------------------------------
def test_a_softmax_that_weights_no_values_is_none() -> None:
    with pytest.raises(NotApplicable, match="has no attention"):
        watched(lambda x: x.softmax(-1) * 2)


def test_choosing_from_a_table_is_no_attention() -> None:
    with pytest.raises(NotApplicable, match="has no attention"):
        watched(lambda x: x[..., :6].softmax(-1) @ torch.ones(6, 8))


def test_weights_that_are_lost_sight_of_are_told() -> None:
    mixer = nn.Linear(5, 5)

    with pytest.raises(NotApplicable, match="cannot be followed what becomes of the softmax"):
        watched(lambda x: mixer((x @ x.mT).softmax(-1)) @ x)


def test_a_sum_of_two_softmaxes_is_one_attention() -> None:
    found = watched(lambda x: ((x @ x.mT).softmax(-1) * 0.25 + (-x @ x.mT).softmax(-1) * 0.75) @ x)

    assert [w.shape for w in found.weights] == [(3, 1, 5, 5)]
    assert torch.allclose(found.weights[0].sum(-1), torch.ones(3, 1, 5))


def test_windows_have_weights_and_no_map_of_the_whole() -> None:
    def mix(x: Tensor) -> Tensor:
        w = x.reshape(6, 2, 8)
        return functional.scaled_dot_product_attention(*[w[:, None]] * 3)[:, 0].reshape(3, 4, 8)

    found = watched(mix, x=tokens(4))

    assert [w.shape for w in found.weights] == [(6, 1, 2, 2)]
    for method in (rollout, attention_gradient, readers):
        with pytest.raises(NotApplicable, match=r"1 attention layers no map .* attention runs in windows \(2 by 2"):
            method(found)


def test_tokens_that_change_between_layers_have_no_map() -> None:
    def mix(x: Tensor) -> Tensor:
        x = functional.scaled_dot_product_attention(x, x, x)
        x = functional.avg_pool1d(x.mT, 2).mT
        return functional.scaled_dot_product_attention(x, x, x)

    found = watched(mix, x=tokens(4))

    with pytest.raises(NotApplicable, match=r"its tokens change between layers \(2 from 2, 4 from 4\)"):
        rollout(found)


def test_a_part_in_torchscript_is_told() -> None:
    part = torch.jit.script(nn.Linear(8, 8))

    with pytest.raises(NotApplicable, match="a part of the model is TorchScript"):
        watched(part)


def test_an_output_that_does_not_follow_from_attention_is_told() -> None:
    def mix(x: Tensor) -> Tensor:
        with torch.no_grad():
            return functional.scaled_dot_product_attention(x, x, x)

    module = Head(mix)
    for p in module.parameters():
        p.requires_grad_(False)

    with pytest.raises(NotApplicable, match="does not depend on its attention"):
        attention(Model(module, CLASSES), tokens(), TARGET)
