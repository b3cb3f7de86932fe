"""Attention: weights as the reference libraries give them, gradients and rollout by hand, on modules and programs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.explain.attention import Attended, attention, attention_gradient, readers, rollout
from auditor.explain.heads import distance, entropy
from auditor.feeds import Tokens
from auditor.subject import Model
from tests.explain.nets import CLASSES, FORMS, IMAGES, TARGET, ViT, close, net, program
from tests.intake.zoo_packages import installed

SIZES = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_labels": 3}
TEXTS = torch.tensor([[5, 7, 9, 11, 13, 2], [4, 6, 8, 2, -1, -1], [3, 2, -1, -1, -1, -1]])


def tokens(t: int = 5, d: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(3, t, d, generator=torch.Generator().manual_seed(seed))


class Head(nn.Module):
    """A mixer of tokens, then the logits of the first token or of the mean."""

    def __init__(self, mix: Callable[[Tensor], Tensor], first: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.mix, self.head, self.first = nn.Linear(8, 8), mix, nn.Linear(8, 3), first

    def forward(self, x: Tensor) -> Tensor:
        y = self.mix(self.inner(x))
        return self.head(y[:, 0] if self.first else y.mean(1))


def watched(mix: Callable[[Tensor], Tensor], *, first: bool = False, x: Tensor | None = None) -> Attended:
    return attention(Model(Head(mix, first).eval(), CLASSES), tokens() if x is None else x, TARGET)


# ---- weights -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
def test_weights_are_those_that_multihead_attention_gives(batch_first: bool, need_weights: bool) -> None:
    torch.manual_seed(0)
    mha = nn.MultiheadAttention(8, 2, batch_first=batch_first).eval()
    seen: list[Tensor] = []

    def mix(x: Tensor) -> Tensor:
        x = x if batch_first else x.transpose(0, 1)
        seen.append(mha(x, x, x, need_weights=True, average_attn_weights=False)[1])
        y = mha(x, x, x, need_weights=need_weights)[0]
        return y if batch_first else y.transpose(0, 1)

    found = watched(mix)

    assert torch.allclose(found.weights[-1], seen[-1].detach(), atol=1e-6)


def test_an_encoder_layers_fused_kernel_hides_nothing() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    whole = nn.TransformerEncoder(layer, 2).eval()
    for p in whole.parameters():
        p.requires_grad_(False)

    found = watched(whole)
    with torch.no_grad():
        x = Head(whole).inner(tokens())
        expected = whole.layers[0].self_attn(x, x, x, average_attn_weights=False)[1]

    assert [w.shape for w in found.weights] == [(3, 2, 5, 5)] * 2
    assert torch.allclose(found.weights[0], expected, atol=1e-6)


class Padded(nn.Module):
    """torch's own encoder on texts, the mean over the tokens that are there."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, layer = nn.Embedding(30, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.layers, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(8, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        y = self.layers(self.embed(input_ids), src_key_padding_mask=attention_mask == 0)
        mask = attention_mask[..., None]
        return self.head((y * mask).sum(1) / mask.sum(1))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_padding_is_taken_from_by_nobody_and_never_read() -> None:
    module = Padded().eval().requires_grad_(False)
    feed = Tokens(pad=0, names=("input_ids", "attention_mask"))
    found = attention(Model(module, CLASSES, feed=feed), TEXTS, TARGET)
    present = (TEXTS >= 0).float()

    for weights in found.weights:
        assert not (weights * (1 - present)[:, None, None]).any()
    assert torch.allclose(readers(found), present / present.sum(1, keepdim=True))


def heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (2, 4)).transpose(1, 2)


HIDDEN = torch.tensor([[1, 1, 0, 1, 1]] * 5, dtype=torch.bool)
FLOATS = torch.randn(5, 5, generator=torch.Generator().manual_seed(3))
ASKED: dict[str, dict[str, Any]] = {
    "plain": {},
    "hidden": {"attn_mask": HIDDEN},
    "bias": {"attn_mask": FLOATS},
    "causal": {"is_causal": True},
    "scale": {"scale": 0.3},
    "a row of nothing": {"attn_mask": torch.tensor([[True] * 5] * 4 + [[False] * 5])},
}


@pytest.mark.parametrize("asked", ASKED)
def test_the_fused_function_is_recomputed_with_all_it_was_asked(asked: str) -> None:
    """softmax(Q K^T scale + mask) written out; an identity in the place of the values gives the weights back."""
    options = ASKED[asked]
    given: list[Tensor] = []

    def mix(x: Tensor) -> Tensor:
        q = heads(x)
        given.append(functional.scaled_dot_product_attention(q, q, torch.eye(5).expand(3, 2, 5, 5), **options))
        return functional.scaled_dot_product_attention(q, q, q, **options).transpose(1, 2).flatten(2)

    found = watched(mix)

    assert torch.allclose(found.weights[-1], given[0].detach(), atol=1e-6)
    if asked == "causal":
        assert not found.weights[-1].triu(1).any()
    if asked == "hidden":
        assert not found.weights[-1][..., 2].any()


def test_grouped_queries_repeat_their_keys() -> None:
    def mix(x: Tensor) -> Tensor:
        q, kv = heads(x), x[..., :4][:, None]
        return functional.scaled_dot_product_attention(q, kv, kv, enable_gqa=True).transpose(1, 2).flatten(2)

    found = watched(mix)
    x = Head(mix).inner(tokens())
    expected = (heads(x) @ x[..., :4][:, None].mT / 2).softmax(-1)

    assert torch.allclose(found.weights[0], expected.detach(), atol=1e-6)


BY_HAND: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "matmul": lambda w, v: w @ v,
    "einsum": lambda w, v: torch.einsum("nhij,nhjd->nhid", w, v),
    "bmm": lambda w, v: torch.bmm(w.flatten(0, 1), v.flatten(0, 1)).unflatten(0, (3, 2)),
    "dropout, then half and back": lambda w, v: functional.dropout(w, 0.5, training=False).double().float() @ v,
    "values first": lambda w, v: (v.mT @ w.mT).mT,
    "in place": lambda w, v: w.mul_(1.0) @ v,
}


@pytest.mark.parametrize("way", BY_HAND)
def test_attention_by_hand_is_seen(way: str) -> None:
    def mix(x: Tensor) -> Tensor:
        q = heads(x)
        return BY_HAND[way]((q @ q.mT).softmax(-1), q).transpose(1, 2).flatten(2)

    found = watched(mix)
    q = heads(Head(mix).inner(tokens()))

    assert torch.allclose(found.weights[0], (q @ q.mT).softmax(-1).detach(), atol=1e-6)


def test_heads_that_lie_among_the_samples_are_unfolded() -> None:
    def mix(x: Tensor) -> Tensor:
        q = heads(x).flatten(0, 1)
        return torch.bmm(functional.softmax(q @ q.mT, dim=-1), q).unflatten(0, (3, 2)).transpose(1, 2).flatten(2)

    q = heads(Head(mix).inner(tokens()))

    assert torch.allclose(watched(mix).weights[0], (q @ q.mT).softmax(-1).detach(), atol=1e-6)


@pytest.mark.parametrize("kind", ["Bert", "GPT2"])
def test_weights_of_text_models_are_those_of_eager_transformers(kind: str) -> None:
    library = installed("transformers")
    more = {"Bert": {"intermediate_size": 32}, "GPT2": {"n_positions": 16}}[kind]
    config = getattr(library, f"{kind}Config")(**SIZES, **more, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    torch.manual_seed(0)
    module = getattr(library, f"{kind}ForSequenceClassification")(config).eval()
    feed = Tokens(pad=0, names=("input_ids", "attention_mask"))
    found = attention(Model(module, CLASSES, feed=feed, part="logits"), TEXTS, TARGET)
    assert module.config._attn_implementation == "sdpa"
    module.set_attn_implementation("eager")
    expected = module(**feed(TEXTS), output_attentions=True).attentions
    present = TEXTS >= 0
    real = present[:, None, :, None].expand(-1, 2, -1, 6)  # what padding itself looks at is nobody's business

    for weights, reference in zip(found.weights, expected, strict=True):
        assert torch.allclose(weights[real], reference.detach()[real], atol=1e-6)
    assert float((rollout(found) * ~present[:, None] * present[:, :, None]).abs().max()) == 0
    last = (readers(found) > 0).float().argmax(1).tolist()
    assert last == ([0, 0, 0] if kind == "Bert" else [5, 3, 1])  # the class token; the last token of each text


def test_weights_of_an_image_model_are_those_of_eager_transformers() -> None:
    library = installed("transformers")
    sizes = {**SIZES, "intermediate_size": 32, "image_size": 16, "patch_size": 4}
    del sizes["vocab_size"]
    torch.manual_seed(0)
    module = library.ViTForImageClassification(library.ViTConfig(**sizes)).eval()
    found = attention(Model(module, CLASSES, part="logits"), IMAGES, TARGET)
    assert module.config._attn_implementation == "sdpa"
    module.set_attn_implementation("eager")

    for weights, reference in zip(found.weights, module(IMAGES, output_attentions=True).attentions, strict=True):
        assert torch.allclose(weights, reference.detach(), atol=1e-6)


# ---- gradients ---------------------------------------------------------------------------------------------------
class Explicit(nn.Module):
    """The two blocks of `ViT`, with a zero of their own added to each layer's weights."""

    def __init__(self, vit: ViT) -> None:
        super().__init__()
        self.vit = vit
        self.zeros = [torch.zeros(3, 2, 17, 17, requires_grad=True) for _ in range(2)]

    def forward(self, x: Tensor) -> Tensor:
        v = self.vit
        x = v.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([v.token.expand(len(x), -1, -1), x], 1)
        for norm, attend, mix, zero in zip(v.norms, v.attend, v.mix, self.zeros, strict=True):
            q, k, val = attend.qkv(norm(x)).reshape(3, 17, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
            weights = torch.exp(q @ k.mT / math.sqrt(4))
            y = (weights / weights.sum(-1, keepdim=True) + zero) @ val
            x = x + attend.out(y.transpose(1, 2).reshape(3, 17, 8))
            x = x + mix(x)
        return v.head(x.mean(1))


@pytest.mark.parametrize("name", ["vit", "vit by hand"])
def test_gradients_are_those_of_weights_written_out(name: str) -> None:
    explicit = Explicit(net(name))
    expected = torch.autograd.grad(explicit(IMAGES).gather(1, TARGET[:, None]).sum(), explicit.zeros)
    found = attention(Model(net(name), CLASSES), IMAGES, TARGET)

    for gradient, reference in zip(found.gradients, expected, strict=True):
        assert torch.allclose(gradient, reference, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["vit", "vit by hand", "encoder"])
def test_programs_have_the_attention_of_their_module(name: str, form: str) -> None:
    expected = attention(Model(net(name), CLASSES), IMAGES, TARGET)
    found = attention(program(name, form), IMAGES, TARGET)

    assert len(found.weights) == len(expected.weights)
    for a, b in zip(found.weights, expected.weights, strict=True):
        assert close(a, b, 1e-5)
    for a, b in zip(found.gradients, expected.gradients, strict=True):
        assert close(a, b, 1e-4)
    assert close(attention_gradient(found), attention_gradient(expected), 1e-4)


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


# ---- the model -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["vit", "vit by hand", "encoder"])
def test_the_logit_is_the_models_own_and_nothing_is_left_on_it(name: str) -> None:
    module = net(name)
    with torch.no_grad():
        plain = module(IMAGES).gather(1, TARGET[:, None])[:, 0]

    found = attention(Model(module, CLASSES), IMAGES, TARGET)

    assert torch.allclose(found.logit, plain, atol=1e-5)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    assert not any(p.requires_grad or p.grad is not None for p in module.parameters())


def test_layers_have_the_names_of_the_modules_they_ran_in() -> None:
    assert attention(Model(net("encoder"), CLASSES), IMAGES, TARGET).names == (
        "layers.0.self_attn",
        "layers.1.self_attn",
        "attend",
    )


def test_a_half_precision_model_is_watched_to_its_own_precision() -> None:
    module = nn.Sequential(ViT(fused=True)).eval().to(torch.bfloat16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = attention(Model(module, CLASSES), IMAGES, TARGET)

    assert torch.allclose(found.weights[0].sum(-1), torch.ones(3, 2, 17), atol=0.02)
