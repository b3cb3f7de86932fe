"""What a module is called with: every token and every element arrives, and gradients come back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from auditor.errors import NotApplicable
from auditor.feeds import Packed, Part, Tokens
from auditor.subject import Model
from tests.zoo import Bag

IDS = torch.tensor([[5, 6, 7, -1, -1], [8, -1, -1, -1, -1]])


def test_ids_and_their_mask_without_the_columns_that_hold_nothing() -> None:
    given = Tokens(pad=9)(IDS)

    assert isinstance(given, dict)
    assert given["input_ids"].tolist() == [[5, 6, 7], [8, 9, 9]]
    assert given["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    alone = Tokens(pad=9, names=("input_ids",))(IDS)
    assert isinstance(alone, dict) and list(alone) == ["input_ids"]
    assert torch.equal(torch.as_tensor(Tokens(pad=9, names=())(IDS)), given["input_ids"])
    empty = Tokens(pad=9)(torch.full((2, 3), -1))
    assert isinstance(empty, dict) and empty["input_ids"].tolist() == [[9], [9]]


def test_embeddings_say_what_the_ids_say_and_have_a_gradient() -> None:
    torch.manual_seed(0)
    model = Model(Bag().eval(), ("a", "b"), feed=Tokens(pad=0))

    embedded = model.embed(IDS)

    assert embedded.shape == (2, 5, 4) and not embedded[0, 3:].any() and not embedded[1, 1:].any()
    assert torch.allclose(model(embedded), model(IDS), atol=1e-6)
    leaf = embedded.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
    # the logit is a mean over the tokens: the same gradient for each that is there, and none for the others
    slope = (model.module.head.weight[1]).detach()
    assert torch.allclose(gradient[0, :3], slope.expand(3, 4) / 3, atol=1e-6)
    assert torch.allclose(gradient[1, :1], slope.expand(1, 4), atol=1e-6)
    assert not gradient[0, 3:].any() and not gradient[1, 1:].any()


def test_a_model_without_an_embedding_says_so() -> None:
    with pytest.raises(NotApplicable, match="shows no embedding"):
        Model(nn.Linear(2, 2), ("a", "b")).embed(IDS)


def test_arguments_lie_behind_each_other() -> None:
    packed = Packed((Part("a", (2, 2), whole=False), Part("n", (), whole=True), Part("b", (1,), whole=False)))
    x = torch.tensor([[1.5, 2.5, 3.5, 4.5, 6.9999, 0.25]]).requires_grad_()

    given = packed(x)

    assert {k: tuple(v.shape) for k, v in given.items()} == {"a": (1, 2, 2), "n": (1,), "b": (1, 1)}
    assert given["a"].flatten().tolist() == [1.5, 2.5, 3.5, 4.5] and given["b"].item() == 0.25
    assert given["n"].dtype == torch.int64 and given["n"].tolist() == [7]
    (gradient,) = torch.autograd.grad(given["a"].sum() + given["b"].sum(), x)
    assert gradient.tolist() == [[1, 1, 1, 1, 0, 1]]


def test_half_weights_get_half_floats_and_whole_ids() -> None:
    torch.manual_seed(0)
    model = Model(Bag().eval(), ("a", "b"), feed=Tokens(pad=0))
    exact = model(IDS)

    half = Model(model.module.half(), ("a", "b"), feed=Tokens(pad=0))

    assert torch.allclose(half(IDS), exact, atol=0.01)
