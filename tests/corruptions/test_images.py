"""Properties of the fifteen families: what they move, what they keep, and that a row's corruption is its own."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from auditor.corruptions.images import FAMILIES, corrupted, need_range
from auditor.corruptions.spatial import CORNERS, Place, grid, moved
from auditor.errors import NotApplicable

UNIT = (0.0, 1.0)
SIZES = [(1, 8, 8), (3, 32, 32), (3, 24, 40), (1, 64, 48)]
every_family = pytest.mark.parametrize("name", FAMILIES)


def pictures(n: int, channels: int, high: int, wide: int, seed: int = 0) -> Tensor:
    """Smooth random pictures: edges and areas, as photographs have."""
    coarse = torch.rand(n, channels, high // 4, wide // 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(high, wide), mode="bicubic").clamp(0, 1)


def at(name: str, x: Tensor, severity: int, seed: int = 0) -> Tensor:
    return corrupted(FAMILIES[name], severity, x, UNIT, rows=range(len(x)), seed=seed)


@every_family
@pytest.mark.parametrize("size", SIZES)
def test_a_row_comes_out_the_same_whatever_its_batch_bit_for_bit(name: str, size: tuple[int, int, int]) -> None:
    x = pictures(5, *size)
    whole = at(name, x, 4)
    alone = [corrupted(FAMILIES[name], 4, x[i : i + 1], UNIT, rows=[i], seed=0) for i in range(5)]

    assert torch.equal(whole, torch.cat(alone))
    assert torch.equal(whole, at(name, x, 4))


@every_family
@pytest.mark.parametrize("size", SIZES)
def test_shape_and_bounds_are_held(name: str, size: tuple[int, int, int]) -> None:
    x = pictures(3, *size) * 6 - 3
    for severity in (1, 5):
        found = corrupted(FAMILIES[name], severity, x, (-3.0, 3.0), rows=range(3), seed=1)
        assert found.shape == x.shape
        assert found.dtype == x.dtype
        assert float(found.min()) >= -3.0
        assert float(found.max()) <= 3.0


@every_family
def test_the_range_of_the_model_is_scaled_and_back(name: str) -> None:
    x = pictures(2, 3, 32, 32)
    scaled = corrupted(FAMILIES[name], 3, x * 4 - 1, (-1.0, 3.0), rows=range(2), seed=0)

    # a value that rounding moves across a byte may come out one step of JPEG further
    assert float(((scaled + 1) / 4 - at(name, x, 3)).abs().mean()) < 1e-3


@every_family
@pytest.mark.parametrize("side", [32, 96, 224])
def test_the_fifth_severity_changes_more_than_the_first(name: str, side: int) -> None:
    if name == "elastic_transform" and side < 224:
        pytest.skip("CIFAR-10-C's mildest elastic transform shears the whole image, its hardest small regions")
    x = pictures(4, 3, side, side)
    mild, hard = ((at(name, x, s) - x).abs().mean() for s in (1, 5))

    assert hard > mild > 0


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "snow",
                                  "frost", "fog", "elastic_transform"])  # fmt: skip
def test_other_seeds_and_rows_are_other_draws(name: str) -> None:
    x = pictures(1, 3, 32, 32).expand(2, -1, -1, -1)
    first = at(name, x, 5)

    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, at(name, x, 5, seed=1))


@pytest.mark.parametrize("name", ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "contrast", "pixelate",
                                  "elastic_transform"])  # fmt: skip
@pytest.mark.parametrize("side", [8, 32, 224])
def test_what_only_moves_and_mixes_pixels_keeps_a_constant_image(name: str, side: int) -> None:
    x = torch.full((1, 3, side, side), 0.37)
    for severity in (1, 3, 5):
        assert float((at(name, x, severity) - x).abs().max()) < 1e-5


@pytest.mark.parametrize(("severity", "more"), [(1, 0.05), (3, 0.15), (5, 0.3)])
def test_brightness_raises_the_mean_by_what_is_published(severity: int, more: float) -> None:
    x = pictures(2, 1, 32, 32) * 0.6  # nothing is cut at 1

    assert torch.allclose(at("brightness", x, severity), x + more, atol=1e-6)


def test_brightness_keeps_hue_and_saturation() -> None:
    import colorsys

    x = pictures(1, 3, 8, 8)
    before, after = (t[0].flatten(1).T.tolist() for t in (x, at("brightness", x, 2)))
    for old, new in zip(before, after, strict=True):
        (h, s, v), (h2, s2, v2) = colorsys.rgb_to_hsv(*old), colorsys.rgb_to_hsv(*new)
        assert v2 == pytest.approx(min(1, v + 0.1), abs=1e-5)
        if v > 0.01:
            assert s2 == pytest.approx(s, abs=1e-4)
            assert s < 0.01 or h2 == pytest.approx(h, abs=1e-3)


def test_contrast_moves_towards_the_mean_of_each_channel() -> None:
    x = pictures(2, 3, 224, 224)
    mean = x.mean((2, 3), keepdim=True)

    assert torch.allclose(at("contrast", x, 5), mean + 0.05 * (x - mean), atol=1e-5)


def test_pixelate_has_constant_blocks() -> None:
    x = pictures(1, 3, 224, 224)
    found = at("pixelate", x, 5)  # a quarter of the pixels a side
    blocks = found.view(1, 3, 56, 4, 56, 4)

    assert torch.equal(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks))
    assert torch.allclose(blocks[:, :, :, 0, :, 0], torch.nn.functional.avg_pool2d(x, 4), atol=1e-5)


@pytest.mark.parametrize(("side", "quality"), [(32, 40), (224, 7)])
def test_jpeg_is_pillows(side: int, quality: int) -> None:
    x = pictures(1, 3, side, side)
    file = io.BytesIO()
    Image.fromarray((x[0] * 255).round().byte().permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
    expected = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255

    assert torch.allclose(at("jpeg_compression", x, 5)[0], expected, atol=1e-6)


def test_noise_has_the_published_strength() -> None:
    x = torch.full((8, 3, 64, 64), 0.5)
    gaussian = corrupted(FAMILIES["gaussian_noise"], 1, x[:, :, :32, :32], UNIT, rows=range(8), seed=0)
    impulse = corrupted(FAMILIES["impulse_noise"], 5, x[:, :, :32, :32], UNIT, rows=range(8), seed=0)

    assert float((gaussian - 0.5).std()) == pytest.approx(0.04, rel=0.05)
    assert float((impulse != 0.5).float().mean()) == pytest.approx(0.07, abs=0.01)
    assert float((impulse == 1).float().mean()) == pytest.approx(0.035, abs=0.007)


def test_shot_noise_is_poisson() -> None:
    x = torch.full((8, 3, 32, 32), 0.3)
    counts = at("shot_noise", x, 5) * 50  # photons at full brightness
    assert torch.allclose(counts, counts.round(), atol=1e-4)
    assert float(counts.mean()) == pytest.approx(15, rel=0.02)
    assert float(counts.var()) == pytest.approx(15, rel=0.05)


@pytest.mark.parametrize("shape", [(2, 32, 32), (3, 7, 32), (12,), (3, 4, 8, 8)])
def test_other_shapes_are_not_applicable(shape: tuple[int, ...]) -> None:
    with pytest.raises(NotApplicable, match=f"shape {' x '.join(map(str, shape))}"):
        need_range(shape, UNIT)


def test_endless_bounds_are_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="endless or equal"):
        need_range((1, 8, 8), (-torch.inf, torch.inf))


# ---- rotations and shifts ----------------------------------------------------------------------------------------
def test_shifts_by_whole_pixels_are_shifts() -> None:
    x = pictures(2, 1, 20, 20)
    found = moved(x, Place(0.0, 0.1, -0.1), UNIT)  # two pixels down, two to the left

    assert torch.allclose(found[..., 2:, :-2], x[..., :-2, 2:], atol=1e-5)
    assert float(found[..., :2, :].abs().max()) < 1e-5
    assert float(found[..., -2:].abs().max()) < 1e-5


@pytest.mark.parametrize("degrees", [90.0, -90.0, 180.0])
def test_quarter_turns_are_rot90(degrees: float) -> None:
    x = pictures(1, 3, 16, 16)

    assert torch.allclose(moved(x, Place(degrees, 0, 0), UNIT), x.rot90(round(degrees / 90), (2, 3)), atol=1e-4)


def test_rotations_are_scipys() -> None:
    from scipy.ndimage import rotate

    x = pictures(1, 1, 33, 33)
    ours = moved(x, Place(30.0, 0, 0), UNIT)[0, 0].numpy()
    theirs = rotate(x[0, 0].numpy(), 30, reshape=False, order=1)

    assert float(np.abs(ours - theirs)[6:-6, 6:-6].max()) < 1e-4


def test_nothing_is_the_lower_bound() -> None:
    found = moved(torch.ones(1, 1, 10, 10), Place(0.0, 0.1, 0.0), (-2.0, 1.0))

    assert torch.allclose(found[0, 0, 0], torch.tensor(-2.0))
    assert torch.allclose(found[0, 0, 1:], torch.tensor(1.0))


def test_grids_hold_their_ends_and_not_the_image_itself() -> None:
    places = grid(5, 3)

    assert len(places) == len(set(places)) == 5 * 9 - 1
    assert {p.degrees for p in places} == {-30, -15, 0, 15, 30}
    assert {p.down for p in places} == {p.right for p in places} == {-0.1, 0, 0.1}
    assert Place(0.0, 0.0, 0.0) not in places
    assert len(grid(7, 5)) == 174
    assert set(CORNERS) < set(places)
