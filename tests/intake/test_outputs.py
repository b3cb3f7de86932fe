"""What a model gives out is settled by looking at it."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import LoadError
from auditor.intake.outputs import settle
from auditor.subject import Data, Model

X = torch.linspace(-3, 3, 40)[:, None]
DATA = Data.of(X, torch.zeros(40).long())
LOGITS = torch.cat([X, -X, X * 2], 1)


class Gives(nn.Module):
    """A module that returns what a function of its input says."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def settled(function: object, classes: int, output: str = "logits") -> tuple[Model, tuple[str, ...]]:
    return settle(Model(Gives(function), tuple("abc"[:classes]), output=output), DATA)


@pytest.mark.parametrize(
    ("function", "classes", "declared", "seen"),
    [
        (lambda x: torch.cat([x, -x, 2 * x], 1), 3, "logits", "logits"),
        (lambda x: torch.cat([x, -x, 2 * x], 1), 3, "probabilities", "logits"),
        (lambda x: torch.cat([x, -x, 2 * x], 1).softmax(1), 3, "logits", "probabilities"),
        (lambda x: torch.cat([x, -x, 2 * x], 1).softmax(1), 3, "probabilities", "probabilities"),
        (lambda x: x, 2, "logits", "logits"),
        (lambda x: x[:, 0], 2, "logits", "logits"),
        (lambda x: x.sigmoid(), 2, "logits", "probabilities"),
        (lambda x: x.sigmoid()[:, 0], 2, "probabilities", "probabilities"),
        (lambda x: x, 2, "probabilities", "logits"),
        (lambda x: x.sigmoid() / 2 + 0.5, 2, "logits", "logits"),  # all mean the positive class either way
    ],
)
def test_the_output_kind_is_what_is_seen(function: object, classes: int, declared: str, seen: str) -> None:
    model, caveats = settled(function, classes, declared)

    assert model.output == seen
    assert bool(caveats) == (declared != seen)


@pytest.mark.parametrize(
    ("function", "classes", "output", "expected"),
    [
        (lambda x: torch.cat([x, -x, 2 * x], 1), 3, "logits", LOGITS.softmax(1)),
        (lambda x: torch.cat([x, -x, 2 * x], 1).softmax(1), 3, "probabilities", LOGITS.softmax(1)),
        (lambda x: x, 2, "logits", torch.cat([(-X).sigmoid(), X.sigmoid()], 1)),
        (lambda x: x[:, 0], 2, "logits", torch.cat([(-X).sigmoid(), X.sigmoid()], 1)),
        (lambda x: x.sigmoid(), 2, "probabilities", torch.cat([(-X).sigmoid(), X.sigmoid()], 1)),
    ],
)
def test_logits_mean_the_probabilities_that_the_model_means(
    function: object, classes: int, output: str, expected: Tensor
) -> None:
    model, _ = settled(function, classes, output)

    assert torch.allclose(model(X).softmax(1), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "classes", "output", "message"),
    [
        (lambda x: torch.cat([x, x, x], 1), 2, "logits", "gives 3 outputs, which means 3 classes; 2 are named"),
        (lambda x: x, 3, "logits", "gives 1 outputs, which means 2 classes; 3 are named"),
        (lambda x: torch.cat([x, x], 1), 2, "value", "needs one output a sample; the model gives 2"),
        (lambda x: x.log(), 2, "logits", "NaN or infinity for 20 of 40 samples"),
        (lambda x: {"a": x, "b": x}, 2, "logits", r"returns dict with 2 outputs \(a, b\) that could be the logits"),
        (lambda x: {"loss": x.sum()}, 2, "logits", "returns dict with no output that could be the logits"),
        (lambda x: [], 2, "logits", "returns list with no output"),
        (lambda x: "yes", 2, "logits", "returns str; expected one tensor"),
        (lambda x: x[None], 2, "logits", r"returns \(1, 40, 1\)"),
        (lambda x: x[:3], 2, "logits", r"returns \(3, 1\) for inputs \(40, 1\)"),
    ],
)
def test_outputs_that_cannot_be_audited_are_refused(function: object, classes: int, output: str, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        settled(function, classes, output)


# ---- where the logits are ----------------------------------------------------------------------------------------
class Output(OrderedDict[str, Tensor]):
    """What transformers' models return: a dict that can be indexed by position, too."""


@pytest.mark.parametrize(
    ("function", "part"),
    [
        (lambda x: (x, x * 2), 0),
        (lambda x: [x.sum(), x], 1),
        (lambda x: (x[None], x, x * 2), 1),
        (lambda x: {"loss": x.sum(), "logits": x, "scores": x * 2}, "logits"),
        (lambda x: {"features": x[None], "anything": x}, "anything"),
        (lambda x: Output(loss=x.sum(), logits=x, hidden=x[None]), "logits"),
    ],
)
def test_the_logits_are_found_and_named(function: object, part: object) -> None:
    model, caveats = settled(function, 2)

    assert model.part == part
    said = f"The model returns several things; its output {part!r} was audited."
    assert caveats == (() if part == "logits" else (said,))
    assert torch.equal(model.raw(X), X)
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[:, 1].sum(), x)
    assert torch.equal(gradient, torch.full_like(X, 0.5))


# ---- how many rows at once ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 4, 7, 100])
def test_a_model_of_one_batch_size_is_driven_at_it(size: int) -> None:
    def fixed(x: Tensor) -> Tensor:
        assert len(x) == size
        return torch.cat([x, -x, 2 * x], 1)

    model, caveats = settled(fixed, 3)

    assert model.batch == size
    assert caveats == (f"The model takes {size} rows at once and no other number; it was driven so.",)
    assert torch.equal(model(X), LOGITS)  # 40 rows: 16 does not divide them
    assert torch.equal(model(X[:3]), LOGITS[:3])


def test_a_program_exported_for_one_batch_size_says_the_same() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    program = torch.export.export(module, (torch.rand(8, 1),)).module()

    model, caveats = settle(Model(program, ("a", "b", "c")), DATA)

    assert model.batch == 8
    assert len(caveats) == 1
    assert torch.allclose(model(X), module(X), atol=1e-6)


# ---- half precision ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_given_half_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    exact = module(X)

    model, _ = settle(Model(module.to(dtype), ("a", "b", "c")), DATA)

    assert model(X).dtype == torch.float32
    assert torch.allclose(model(X), exact, atol=0.05)
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    assert gradient.dtype == torch.float32
