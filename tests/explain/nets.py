"""Networks of many kinds, and the same networks as programs of every form."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.subject import Model

__all__ = [
    "CLASSES", "FORMS", "IMAGES", "LEDGER", "MAPS", "NETS", "ROWS", "SHARES", "TARGET", "close", "exported", "inputs",
    "net", "program", "reloaded", "still", "traced",
]  # fmt: skip

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
