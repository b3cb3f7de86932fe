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

from auditor.explain.attention import attention, attention_gradient, readers, rollout
from auditor.feeds import Tokens
from auditor.subject import Model
from tests.explain.mixers import Head, tokens, watched
from tests.explain.nets import CLASSES, FORMS, IMAGES, TARGET, ViT, close, net, program
from tests.intake.zoo_packages import installed

SIZES = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_labels": 3}
TEXTS = torch.tensor([[5, 7, 9, 11, 13, 2], [4, 6, 8, 2, -1, -1], [3, 2, -1, -1, -1, -1]])


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
