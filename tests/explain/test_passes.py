"""One pass against autograd by hand; what small numbers, repeated layers and models without gradients do to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.explain.passes import one_pass
from auditor.subject import Model
from tests.explain.nets import CLASSES, IMAGES, ROWS, TARGET, close, net, program, still


def by_hand(model: Model, layer: str, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits, input gradient, the layer's output and its gradient, sample by sample and with nothing cloned."""
    parts = []
    for row, t in zip(x, target.tolist(), strict=True):
        seen: list[Tensor] = []
        handle = model.module.get_submodule(layer).register_forward_hook(lambda _m, _i, o, s=seen: s.append(o))
        leaf = row[None].clone().requires_grad_()
        logits = model(leaf)
        handle.remove()
        gradients = torch.autograd.grad(logits[0, t], [leaf, seen[-1]])
        parts.append((logits.detach(), gradients[0], seen[-1].detach(), gradients[1]))
    logits, gradient, output, of_layer = (torch.cat(p) for p in zip(*parts, strict=True))
    return logits, gradient, output, of_layer


@pytest.mark.parametrize(("name", "layer"), [("mobilenet", "2.gate.0"), ("vit", "mix.0.1"), ("encoder", "layers.0")])
def test_gives_what_autograd_gives_sample_by_sample(name: str, layer: str) -> None:
    model = Model(net(name), CLASSES)
    found = one_pass(model, IMAGES, TARGET, [layer])
    expected = by_hand(model, layer, IMAGES, TARGET)

    assert found.repeated == frozenset()
    for a, b in zip((found.logits, found.gradient, *found.layers[layer]), expected, strict=True):
        assert close(a, b, 1e-5)
        assert not a.requires_grad


def test_several_layers_come_from_the_one_backward_pass() -> None:
    """Also where one lies inside the other, and the next works in place."""
    model = Model(net("resnet"), CLASSES)
    layers = ["stem", "layers.0", "layers", "layers.1.bn2"]
    together = one_pass(model, IMAGES, TARGET, layers)

    assert list(together.layers) == layers
    for layer in layers:
        alone = one_pass(model, IMAGES, TARGET, [layer]).layers[layer]
        assert all(torch.equal(a, b) for a, b in zip(alone, together.layers[layer], strict=True))
    assert float(together.layers["stem"][0].min()) < 0  # before the ReLU that comes next


def test_a_program_of_two_rows_at_once_gives_the_gradients_of_three() -> None:
    found = one_pass(program("resnet", "pt2, two rows"), IMAGES, TARGET, ["layers.0"])
    expected = one_pass(Model(net("resnet"), CLASSES), IMAGES, TARGET, ["layers.0"])

    assert close(found.gradient, expected.gradient, 1e-5)
    assert all(close(a, b, 1e-5) for a, b in zip(found.layers["layers.0"], expected.layers["layers.0"], strict=True))


class Twice(nn.Module):
    """One linear layer that runs twice, one beside the path to the logits, and one that nothing passes back through."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.again, self.beside, self.blind, self.never = (nn.Linear(6, 6) for _ in range(4))
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.beside(x)
        with torch.no_grad():
            gate = self.blind(x).sigmoid()
        return self.head(self.again(self.again(x).relu()) * gate)


def test_of_a_layer_that_runs_twice_the_last_run_is_taken_and_said() -> None:
    module = still(Twice())
    found = one_pass(Model(module, CLASSES), ROWS, TARGET, ["again", "beside", "blind"])
    output, gradient = found.layers["again"]

    assert found.repeated == {"again"}
    assert torch.allclose(output, module.again(module.again(ROWS).relu()))
    assert torch.allclose(gradient, module.head.weight[TARGET] * module.blind(ROWS).sigmoid(), atol=1e-6)
    assert not any(found.layers[name][1].any() for name in ("beside", "blind"))
    assert torch.equal(found.layers["blind"][0], module.blind(ROWS))


@pytest.mark.parametrize(("size", "why"), [(2e-3, "far below what half precision holds"), (20.0, "far above")])
def test_gradients_in_half_precision_are_those_of_single_precision(size: float, why: str) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3))
    for p in module.parameters():
        p.data = p.data.abs().clamp_min(0.05) * (size if p.ndim == 2 else 0.1)
    still(module.half())
    found = one_pass(Model(module, CLASSES), ROWS, TARGET, ["1"])
    expected = one_pass(Model(module.float(), CLASSES), ROWS, TARGET, ["1"])
    largest = float(expected.gradient.abs().max())

    assert largest < 6e-8 or largest * 2**15 > 65504, why
    assert found.gradient.dtype is found.layers["1"][0].dtype is found.layers["1"][1].dtype is torch.float32
    assert close(found.gradient, expected.gradient, 1e-2)
    assert close(found.layers["1"][1], expected.layers["1"][1], 1e-2)


# ---- what has no gradient ----------------------------------------------------------------------------------------
class Function(nn.Module):
    def __init__(self, f: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


def without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        return x[:, :3] * 2


@pytest.mark.parametrize(
    ("f", "x", "message"),
    [
        (without_gradient, ROWS, "the model gives no gradient to its input"),
        (lambda x: functional.one_hot(x[:, :3].argmax(1), 3), ROWS, "the model gives no gradient to its input"),
        (lambda x: x[:, :3], torch.where(ROWS > 1, torch.nan, ROWS), "2 of 3 inputs hold NaN or infinity; what is"),
        (lambda x: x[:, :3].log(), -ROWS.abs(), "the model gives NaN or infinity for 3 of 3 inputs"),
        (lambda x: x[:, :3].float(), ROWS.long(), "inputs of int64 have no gradient; embeddings of them have one"),
    ],
    ids=["no_grad", "argmax", "NaN input", "NaN output", "whole numbers"],
)
def test_is_said(f: Callable[[Tensor], Tensor], x: Tensor, message: str) -> None:
    with pytest.raises(NotApplicable, match=message):
        one_pass(Model(Function(f), CLASSES), x, TARGET)


def test_an_output_that_does_not_depend_on_the_input_has_a_gradient_of_zero() -> None:
    found = one_pass(Model(Function(lambda x: x[:, :3] * 0 + 1), CLASSES), ROWS, TARGET)

    assert found.gradient.shape == ROWS.shape and not found.gradient.any()


def test_a_layer_that_does_not_run_is_named() -> None:
    with pytest.raises(NotApplicable, match="the layer 'never' does not run for every input"):
        one_pass(Model(still(Twice()), CLASSES), ROWS, TARGET, ["never"])


def test_nothing_is_left_on_the_model_and_the_inputs() -> None:
    module, before = net("resnet"), IMAGES.clone()
    one_pass(Model(module, CLASSES), IMAGES, TARGET, ["stem"])

    assert not any(m._forward_hooks for m in module.modules())
    assert torch.equal(IMAGES, before) and not IMAGES.requires_grad
