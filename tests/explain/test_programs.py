"""Programs are explained as the modules that they were made from: the same layers, maps and shares."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.explain.followed import Followed, followed, how_followed
from auditor.explain.gradcam import gradcam
from auditor.explain.layers import layer_outputs
from auditor.explain.lrp import lrp
from auditor.explain.scripted import scripted_layers
from auditor.guard import Snapshot
from auditor.subject import Model
from tests.shared import needs_shared, real

CLASSES = ("a", "b", "c")
IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
ROWS = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 1, 2])
MAPS, SHARES, LEDGER = 1e-4, 1e-5, 1e-4  # of the largest; the ledger's own limit


class Block(nn.Module):
    """A residual block; its ReLU works in place, and runs twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x
        return self.relu(y)


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.layers, self.head = nn.Conv2d(3, 6, 3, 2), nn.Sequential(Block(6), Block(6)), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.stem(x)), 2, stride=1)
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(self.layers(x), 1), 1))


class SqueezeExcite(nn.Module):
    """Depthwise convolution, a gate for every channel, hard swish."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.deep, self.norm, self.act = (
            nn.Conv2d(width, width, 3, 2, 1, groups=width),
            nn.BatchNorm2d(width),
            nn.Hardswish(inplace=True),
        )
        self.gate, self.point = nn.Sequential(nn.Conv2d(width, width, 1), nn.Hardsigmoid()), nn.Conv2d(width, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.deep(x)))
        return self.point(x * self.gate(x.mean((2, 3), keepdim=True)))


def mobile_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU6(), SqueezeExcite(6), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)
    )


class Attention(nn.Module):
    """Self-attention by its own matrix products, or by torch's function."""

    def __init__(self, width: int, *, fused: bool) -> None:
        super().__init__()
        self.qkv, self.out, self.fused = nn.Linear(width, 3 * width), nn.Linear(width, width), fused

    def forward(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, 2, d // 2).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            y = functional.scaled_dot_product_attention(q, k, v)
        else:
            y = (q @ k.transpose(-2, -1) * (d // 2) ** -0.5).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(n, t, d))


class ViT(nn.Module):
    """Square tokens and a class token; two blocks."""

    def __init__(self, *, fused: bool) -> None:
        super().__init__()
        self.patch, self.token = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.randn(1, 1, 8))
        self.norms = nn.ModuleList([nn.LayerNorm(8) for _ in range(2)])
        self.attend = nn.ModuleList([Attention(8, fused=fused) for _ in range(2)])
        self.mix = nn.ModuleList([nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)) for _ in range(2)])
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        for norm, attend, mix in zip(self.norms, self.attend, self.mix):  # noqa: B905 - TorchScript has no strict
            x = x + attend(norm(x))
            x = x + mix(x)
        return self.head(x.mean(1))


class Encoder(nn.Module):
    """torch's own transformer layers, for which it has fused kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.layers = nn.Sequential(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, activation="gelu"),
        )
        self.attend, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.patch(x).flatten(2).transpose(1, 2))
        return self.head((x + self.attend(x, x, x)[0]).mean(1))


def table() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.Dropout(0.3), nn.Linear(8, 3))


NETS: dict[str, Callable[[], nn.Module]] = {
    "resnet": ResNet,
    "mobilenet": mobile_net,
    "vit": lambda: ViT(fused=True),
    "vit by hand": lambda: ViT(fused=False),
    "encoder": Encoder,
    "table": table,
}


@cache
def net(name: str) -> nn.Module:
    """A net of random weights, with statistics that are not those it was born with."""
    torch.manual_seed(0)
    module = NETS[name]()
    with torch.no_grad():
        for _ in range(3):
            module(inputs(name))
        for p in module.parameters():
            p.add_(torch.randn_like(p) * 0.4)
    return still(module.eval())


def inputs(name: str) -> Tensor:
    return ROWS if name == "table" else IMAGES


def still(module: nn.Module) -> nn.Module:
    """The module with weights that take no gradients; TorchScript has no requires_grad_, programs have no eval."""
    for p in module.parameters():
        p.requires_grad_(False)
    return module


def exported(module: nn.Module, x: Tensor, dynamic: bool) -> nn.Module:
    shapes = ({0: torch.export.Dim.AUTO},) if dynamic else None
    out = io.BytesIO()
    torch.export.save(torch.export.export(module, (x,), dynamic_shapes=shapes), out)
    return torch.export.load(io.BytesIO(out.getvalue())).module()


def reloaded(program: torch.jit.ScriptModule) -> nn.Module:
    out = io.BytesIO()
    torch.jit.save(program, out)
    return torch.jit.load(io.BytesIO(out.getvalue())).eval()


def traced(module: nn.Module, x: Tensor) -> nn.Module:
    with torch.no_grad():
        return reloaded(torch.jit.trace(module, x))


# a program, and the only number of rows that it takes at once
FORMS: dict[str, Callable[[nn.Module, Tensor], tuple[nn.Module, int | None]]] = {
    "pt2, any batch": lambda m, x: (exported(m, x, dynamic=True), None),
    "pt2, two rows": lambda m, x: (exported(m, x[:2], dynamic=False), 2),
    "scripted": lambda m, x: (reloaded(torch.jit.script(m)), None),
    "traced": lambda m, x: (traced(m, x[:2]), None),
}


@cache
def program(name: str, form: str) -> Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, batch = FORMS[form](net(name), inputs(name))
    return Model(still(made), CLASSES, batch=batch)


def close(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    return found.shape == expected.shape and float((found - expected).abs().max() / expected.abs().max()) <= tolerance


# ---- as on the module --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name in NETS if name != "table"])
def test_grad_cam_finds_the_same_layer_and_map(name: str, form: str) -> None:
    expected = gradcam(Model(net(name), CLASSES), IMAGES, TARGET)
    found = gradcam(program(name, form), IMAGES, TARGET)

    assert found.layer == expected.layer
    assert float(expected.maps.abs().max()) > 0
    assert close(found.maps, expected.maps, MAPS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETS)
def test_lrp_closes_its_ledger_and_shares_alike(name: str, form: str) -> None:
    expected = lrp(Model(net(name), CLASSES), inputs(name), TARGET, gamma=1.0)
    found = lrp(program(name, form), inputs(name), TARGET, gamma=1.0)

    assert float(found.ledger_error.max()) < LEDGER
    assert found.unknown == ()
    assert close(found.shares, expected.shares, SHARES)
    assert close(found.constants, expected.constants, SHARES)


@pytest.mark.parametrize("form", FORMS)
def test_every_layer_of_the_program_gives_what_it_gave_in_the_module(form: str) -> None:
    expected = layer_outputs(Model(net("resnet"), CLASSES), IMAGES)
    found = layer_outputs(program("resnet", form), IMAGES)

    assert list(found) == list(expected)
    assert "layers.1.bn2" in found and "layers.0.relu" in found
    assert all(close(found[layer], expected[layer], SHARES) for layer in expected)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.parametrize("name", ["resnet", "vit", "encoder", "table"])
def test_decomposed_programs_are_followed(name: str) -> None:
    """Other operators for the same functions; those of these nets have the same rules."""
    ep = torch.export.export(net(name), (inputs(name),)).run_decompositions()
    model = Model(still(ep.module()), CLASSES)
    expected = lrp(Model(net(name), CLASSES), inputs(name), TARGET)
    found = lrp(replace(model, batch=3), inputs(name), TARGET)

    assert float(found.ledger_error.max()) < LEDGER
    assert found.unknown == ()
    assert close(found.shares, expected.shares, SHARES)


@pytest.mark.parametrize("name", ["resnet", "encoder"])
def test_a_frozen_program_has_no_layers_left_and_its_operators_are_taken(name: str) -> None:
    frozen = Model(reloaded(torch.jit.freeze(torch.jit.script(net(name)))), CLASSES)
    found = gradcam(frozen, IMAGES, TARGET)
    explained = lrp(frozen, IMAGES, TARGET)

    assert found.layer.rpartition("_")[0] in {"relu", "add"}
    assert found.maps.shape[1:] == {"resnet": (6, 6), "encoder": (4, 4)}[name]
    assert close(explained.shares, lrp(Model(net(name), CLASSES), IMAGES, TARGET).shares, 1e-4)


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10_resnet20", "cifar10_vit_ibp", "mnist_kw"])
def test_real_models_are_explained_alike_once_exported(name: str) -> None:
    case = real(name)
    x = case.data.take(3, 0).read(np.arange(3))
    with case.model.frozen():
        target = case.model(x).argmax(1)
        expected, cam = lrp(case.model, x, target, gamma=1.0), gradcam(case.model, x, target)
        made = still(exported(case.model.module, case.model.normalize(x[:1]), dynamic=False))
    model = replace(case.model, module=made, batch=1)
    found, again = lrp(model, x, target, gamma=1.0), gradcam(model, x, target)

    assert float(found.ledger_error.max()) < LEDGER
    assert close(found.shares, expected.shares, SHARES)
    assert again.layer == cam.layer
    assert close(again.maps, cam.maps, MAPS)


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
