"""Which layers have a grid, and how their outputs are folded: convolutions, channels last, tokens; nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from auditor.explain.gradcam import gradcam
from auditor.explain.grids import Grid, grids
from auditor.subject import Model
from tests.explain.nets import still
from tests.intake.zoo_packages import installed

CLASSES = ("a", "b", "c")
SQUARE, WIDE = (3, 32, 32), (3, 32, 48)


class Tail(nn.Module):
    """What `f` makes of an image passes through `last`, and is read out from its mean."""

    def __init__(self, f: Callable[[Tensor], Tensor], last: nn.Module) -> None:
        super().__init__()
        self.f, self.last = f, last

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(self.f(x))
        return y.flatten(1).mean(1, keepdim=True) * torch.arange(1.0, 4.0) + 0 * x.sum()


def patches(side: int, extra: int) -> Callable[[Tensor], Tensor]:
    def made(x: Tensor) -> Tensor:
        """(N, extra + cells, 3): the mean colour of square patches, row by row, behind tokens of -1."""
        cells = nn.functional.avg_pool2d(x, side).flatten(2).transpose(1, 2)
        return torch.cat([torch.full((len(x), extra, 3), -1.0), cells], 1)

    return made


def grid_of(f: Callable[[Tensor], Tensor], last: nn.Module, shape: tuple[int, ...]) -> Grid | None:
    return grids(Model(still(Tail(f, last)), CLASSES), torch.rand(1, *shape)).get("last")


@pytest.mark.parametrize("extra", [0, 1, 2, 5])
@pytest.mark.parametrize(("shape", "side", "cells"), [(SQUARE, 4, (8, 8)), (WIDE, 8, (4, 6)), (WIDE, 16, (2, 3))])
def test_tokens_are_folded_as_they_were_cut(
    shape: tuple[int, ...], side: int, cells: tuple[int, int], extra: int
) -> None:
    grid = grid_of(patches(side, extra), nn.Identity(), shape)
    x = torch.rand(2, *shape)

    assert grid == Grid(*cells, "tokens", extra)
    assert torch.equal(grid.folded(patches(side, extra)(x)), nn.functional.avg_pool2d(x, side))


def test_patches_that_do_not_divide_the_image_are_found() -> None:
    assert grid_of(patches(7, 1), nn.Identity(), SQUARE) == Grid(4, 4, "tokens", 1)


@pytest.mark.parametrize("shape", [SQUARE, WIDE])
@pytest.mark.parametrize("last", [nn.LayerNorm(3), nn.Linear(3, 5), nn.Identity(), nn.GELU()])
def test_channels_that_come_last_are_seen(shape: tuple[int, ...], last: nn.Module) -> None:
    def f(x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 4).permute(0, 2, 3, 1)

    grid = grid_of(f, last, shape)
    output = last(f(torch.rand(2, *shape)))

    assert grid == Grid(shape[1] // 4, shape[2] // 4, "channels last")
    assert torch.equal(grid.folded(output), output.permute(0, 3, 1, 2))


@pytest.mark.parametrize("channels", [1, 8, 512])
@pytest.mark.parametrize("last", [nn.Identity(), nn.ReLU(), nn.Conv2d(1, 2, 1)])
def test_channels_come_first_where_both_would_fit(channels: int, last: nn.Module) -> None:
    def f(x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 4).mean(1, keepdim=True).expand(-1, channels, -1, -1)

    if isinstance(last, nn.Conv2d):
        last = nn.Conv2d(channels, 2, 1)

    assert grid_of(f, last, SQUARE) == Grid(8, 8)


class LayerNorm2d(nn.LayerNorm):
    """As ConvNeXt has it: over channels that come first."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_a_norm_over_channels_that_come_first_is_no_norm_over_the_last() -> None:
    assert grid_of(lambda x: nn.functional.avg_pool2d(x, 4), LayerNorm2d(3), SQUARE) == Grid(8, 8)


@pytest.mark.parametrize(
    ("f", "last"),
    [
        (lambda x: x.flatten(2)[:, :, :64].repeat(1, 3, 1)[:, :9], nn.Conv1d(9, 16, 1)),
        (lambda x: x.flatten(2)[:, :, :64], nn.MaxPool1d(4)),
        (lambda x: x.flatten(1)[:, :16], nn.Linear(16, 16)),
        (lambda x: x.mean((2, 3), keepdim=True), nn.ReLU()),
        (lambda x: x[:, :, :1], nn.ReLU()),
        (lambda x: x.reshape(len(x) * 4, 3, 16, 16), nn.ReLU()),
        (lambda x: x[:, :2, 0, :17].unsqueeze(-1).expand(-1, -1, -1, 5), nn.ReLU()),
        (lambda x: x.unsqueeze(1), nn.ReLU()),
    ],
    ids=["sequence", "pooled sequence", "vector", "one cell", "one row", "windows", "no aspect of it", "five axes"],
)
def test_what_is_no_grid_of_the_image(f: Callable[[Tensor], Tensor], last: nn.Module) -> None:
    class Read(Tail):
        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.f(x)).reshape(len(x), -1).mean(1, keepdim=True).expand(-1, 3)

    assert grids(Model(still(Read(f, last)), CLASSES), torch.rand(1, *SQUARE)) == {}


# ---- published architectures -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "arguments", "shape", "layer", "grid"),
    [
        ("resnet18", {}, (3, 64, 96), "layer4", Grid(2, 3)),
        ("swin_t", {}, (3, 64, 96), "norm", Grid(2, 3, "channels last")),
        ("swin_t", {}, (3, 64, 96), "permute", Grid(2, 3)),
        ("vit_b_16", {"image_size": 64}, (3, 64, 64), "encoder.layers.encoder_layer_11", Grid(4, 4, "tokens", 1)),
        ("convnext_tiny", {}, (3, 64, 96), "features.7.2.block.2", Grid(2, 3, "channels last")),
        ("convnext_tiny", {}, (3, 64, 96), "features.7.2", Grid(2, 3)),
        (
            "maxvit_t",
            {"input_size": (64, 64), "partition_size": 2},
            (3, 64, 64),
            "blocks.3.layers.1.layers.grid_attention",
            Grid(2, 2),
        ),
    ],
)
def test_published_architectures(
    name: str, arguments: dict[str, object], shape: tuple[int, ...], layer: str, grid: Grid
) -> None:
    installed("torchvision")
    import torchvision.models

    torch.manual_seed(0)
    build = getattr(torchvision.models, name)
    if name == "maxvit_t":
        from torchvision.models.maxvit import MaxVit

        build = lambda num_classes, **given: MaxVit(  # noqa: E731
            stem_channels=8, block_channels=[8, 8, 8, 8], block_layers=[1, 1, 1, 2], head_dim=4,
            stochastic_depth_prob=0.0, num_classes=num_classes, **given,
        )  # fmt: skip
    model = Model(still(build(num_classes=3, **arguments).eval()), CLASSES)

    assert grids(model, torch.rand(1, *shape))[layer] == grid


def test_a_vision_transformer_read_out_from_its_class_token_is_explained_where_patches_still_count() -> None:
    installed("torchvision")
    import torchvision.models

    torch.manual_seed(0)
    module = torchvision.models.vit_b_16(image_size=64, num_classes=3).eval()
    nn.init.normal_(module.heads.head.weight)  # it is zero until it is trained
    found = gradcam(Model(still(module), CLASSES), torch.rand(2, 3, 64, 64), torch.tensor([0, 1]))

    assert found.layer == "encoder.layers.encoder_layer_11.ln_1"
    assert found.maps.shape == (2, 4, 4)
    assert bool(found.variants["HiResCAM"].flatten(1).any(1).all())
