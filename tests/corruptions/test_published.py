"""Against the `imagecorruptions` package, for the families that draw nothing, and for the sizes of what the others do.

Skipped where the package is absent (`pip install imagecorruptions-imaug`, which needs OpenCV and numba).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from auditor.corruptions.images import FAMILIES, corrupted
from tests.corruptions.test_images import pictures

published = pytest.importorskip("imagecorruptions", reason="imagecorruptions is not installed", exc_type=ImportError)
SIDE = 224
# in 255ths, mean and largest, found on two photographs: the package cuts to whole bytes (at most 1, on average half)
EXACT = {
    "defocus_blur": (1.0, 3.0),  # and cuts the smoothed rim of its disc at the edge of a 17 x 17 kernel
    "zoom_blur": (0.6, 1.1),
    "brightness": (0.6, 1.1),
    "contrast": (0.6, 1.1),
    "pixelate": (0.6, 1.1),
    "jpeg_compression": (0.0, 0.01),
}
DRAWN = ["gaussian_noise", "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "snow", "elastic_transform"]


def both(name: str, severity: int, rows: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """The image (3, H, W), ours (rows, 3, H, W), theirs (rows, 3, H, W), in 255ths."""
    pixels = (pictures(1, 3, SIDE, SIDE)[0] * 255).round().byte()
    x = (pixels.float() / 255).expand(rows, -1, -1, -1)
    ours = corrupted(FAMILIES[name], severity, x, (0.0, 1.0), rows=range(rows), seed=0) * 255
    np.random.seed(0)  # noqa: NPY002 - what the package draws from
    image = pixels.permute(1, 2, 0).contiguous().numpy()
    theirs = [published.corrupt(image, corruption_name=name, severity=severity) for _ in range(rows)]
    return pixels.float(), ours, torch.from_numpy(np.stack(theirs)).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_families_without_draws_are_the_published_ones(name: str, severity: int) -> None:
    _, ours, theirs = both(name, severity)
    mean, largest = EXACT[name]

    assert float((ours - theirs).abs().mean()) <= mean
    assert float((ours - theirs).abs().max()) <= largest


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_families_with_draws_change_as_much_as_the_published_ones(name: str, severity: int) -> None:
    x, ours, theirs = both(name, severity, rows=6)
    change = [float((t - x).abs().mean()) for t in (ours, theirs)]

    # glass: all pixels look at their neighbours at once, where the package passes one on to the next
    assert change[0] == pytest.approx(change[1], rel=0.25 if name == "glass_blur" else 0.1)


@pytest.mark.parametrize("severity", [1, 5])
def test_fog_has_the_published_brightness_and_unevenness(severity: int) -> None:
    _, ours, theirs = both("fog", severity, rows=12)
    means, spreads = ([float(f(t)) for t in (ours, theirs)] for f in (torch.mean, torch.std))

    assert means[0] == pytest.approx(means[1], rel=0.2)
    assert spreads[0] == pytest.approx(spreads[1], rel=0.25)


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_drawn_frost_is_about_as_bright_as_photographed_frost(severity: int) -> None:
    _, ours, theirs = both("frost", severity, rows=12)

    assert float(ours.mean()) == pytest.approx(float(theirs.mean()), rel=0.2)
