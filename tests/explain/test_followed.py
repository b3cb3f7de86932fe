"""What programs do is followed, what cannot be is said, and nothing else of them changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import NotApplicable
from auditor.explain.followed import Followed, followed, how_followed
from auditor.explain.gradcam import gradcam
from auditor.explain.lrp import lrp
from auditor.explain.scripted import scripted_layers
from auditor.guard import Snapshot
from auditor.subject import Model
from tests.explain.nets import (
    CLASSES,
    IMAGES,
    LEDGER,
    ROWS,
    SHARES,
    TARGET,
    close,
    exported,
    net,
    program,
    still,
)


# ---- what programs do ---------------------------------------------------------------------------------------------
class Steps(nn.Module):
    """Loops, branches on data, lists, dicts, an attribute that is written, and an input that is written into."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head, self.seen = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3, 3), 0

    def forward(self, x: Tensor) -> Tensor:
        x *= 2
        found: list[Tensor] = []
        for i in range(1, 6, 2):
            x = torch.relu(self.conv(x))
            found.append(x * i)
            if float(x.sum()) > 0:
                x = x + 1
        while len(found) > 2:
            found.pop()
        self.seen += 1
        named = {"last": x, "sum": torch.stack(found).sum(0)}
        return self.head((named["last"] + named["sum"]).mean((2, 3)))


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True to a scalar:UserWarning")
def test_control_flow_runs_as_the_program_runs_it() -> None:
    torch.manual_seed(0)
    module = still(Steps().eval())
    expected = lrp(Model(module, CLASSES), IMAGES, TARGET)
    model = Model(torch.jit.script(module), CLASSES)
    before, seen = IMAGES.clone(), model.module.seen
    found = lrp(model, IMAGES, TARGET)
    cam = gradcam(model, IMAGES, TARGET)

    assert close(found.shares, expected.shares, SHARES)
    assert cam.layer == "conv"
    assert torch.equal(before, IMAGES)
    assert model.module.seen == seen + 2  # the two comparisons with the program itself, and nothing else


class Branches(nn.Module):
    """torch.cond, and a part without gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cond(x.sum() > 0, torch.relu, torch.neg, (self.conv(x),))
        with torch.no_grad():
            weight = torch.sigmoid(x)
        return self.head((x * weight).mean((2, 3)))


@pytest.mark.filterwarnings("ignore")
def test_branches_of_an_exported_program_are_followed() -> None:
    torch.manual_seed(0)
    module = still(Branches().eval())
    made = exported(module, IMAGES[:1], dynamic=False)
    found = lrp(Model(made, CLASSES, batch=1), IMAGES, TARGET)
    a = torch.relu(module.conv(IMAGES))
    leaf = IMAGES.clone().requires_grad_()
    y = module.head((torch.relu(module.conv(leaf)) * torch.sigmoid(a)).mean((2, 3)))
    (gradient,) = torch.autograd.grad(y.gather(1, TARGET[:, None]).sum(), leaf)

    assert close(found.shares, leaf.detach() * gradient, SHARES)
    assert float(found.ledger_error.max()) < LEDGER


# ---- what cannot be followed -------------------------------------------------------------------------------------
class Forked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.jit.wait(torch.jit.fork(torch.relu, x)))


class Noisy(Forked):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + torch.rand_like(x))


class Looping(Forked):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.while_loop(lambda v: v.sum() < 9, lambda v: (v.abs() + 1,), (x,))[0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.jit.script(Forked()), r"uses prim::fork, which cannot be followed; export .* \(.pt2\)"),
        (lambda: torch.jit.script(Noisy()), r"gives other outputs when .* one by one; export .* \(.pt2\)"),
        (lambda: exported(Looping(), ROWS, dynamic=False), r"uses while_loop, which cannot be followed; give its"),
    ],
    ids=["an operator", "other outputs", "a loop"],
)
@pytest.mark.parametrize("explain", [lrp, gradcam])
def test_what_cannot_be_followed_is_said_with_what_would_do(
    make: Callable[[], nn.Module], message: str, explain: Callable[[Model, Tensor, Tensor], object]
) -> None:
    with pytest.raises(NotApplicable, match=message):
        explain(Model(still(make()), CLASSES), ROWS, TARGET)


class Reads(Forked):
    def forward(self, x: Tensor) -> Tensor:
        return torch.from_file("never", False, 3) + x


def test_forbidden_operators_are_not_run() -> None:
    """They are refused before a file is loaded; nothing here would run them either."""
    with pytest.raises(NotApplicable, match="uses aten::from_file, which cannot be followed"):
        scripted_layers(torch.jit.script(Reads()))[1]((ROWS,), lambda _, output: output)


# ---- nothing else changes ----------------------------------------------------------------------------------------
def test_a_module_is_followed_as_it_is() -> None:
    model = Model(net("resnet"), CLASSES)

    assert followed(model, IMAGES) is model
    assert how_followed(model) == ()


@pytest.mark.parametrize("form", ["pt2, any batch", "scripted"])
def test_the_program_and_its_weights_stay_its_own(form: str) -> None:
    model = program("resnet", form)
    snapshot = Snapshot(model.module)
    found = followed(model, IMAGES)
    inner = Snapshot(found.module)
    lrp(model, IMAGES, TARGET)
    gradcam(model, IMAGES, TARGET)

    assert isinstance(found.module, Followed)
    assert torch.allclose(found(IMAGES), model(IMAGES), atol=1e-6)
    assert followed(found, IMAGES) is found
    assert "operators run one by one" in how_followed(model)[0]
    assert snapshot.restore() == [] and inner.restore() == []
    own, shown = dict(model.module.named_parameters()), dict(found.module.named_parameters())
    assert all(shown[name].data_ptr() == p.data_ptr() for name, p in own.items())
    with found.frozen():
        assert not any(p.requires_grad for p in found.module.parameters())


def test_weights_of_half_precision_are_given_half_precision() -> None:
    torch.manual_seed(0)
    half = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    model = Model(torch.jit.script(still(half.to(torch.bfloat16).eval())), CLASSES)

    assert gradcam(model, IMAGES, TARGET).layer == "1"
