"""What a model gives out is settled by looking at it."""

from __future__ import annotations

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
        (lambda x: (x, x), 2, "logits", "returns tuple; expected one tensor"),
        (lambda x: x[None], 2, "logits", r"returns \(1, 40, 1\)"),
        (lambda x: x[:3], 2, "logits", r"returns \(3, 1\) for inputs \(40, 1\)"),
    ],
)
def test_outputs_that_cannot_be_audited_are_refused(function: object, classes: int, output: str, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        settled(function, classes, output)
