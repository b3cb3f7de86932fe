"""An image processor's configuration becomes [input]: pixels come out as the package that wrote it makes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from auditor.config import InputSpec
from auditor.data.pixels import to_inputs, to_size
from auditor.errors import LoadError
from auditor.intake.image_processor import input_of
from auditor.subject import Normalize
from tests.intake.zoo_packages import installed

HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_normalize": True}
BYTES = {"do_rescale": True, "rescale_factor": 1 / 255}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ViT": (
        {
            "image_processor_type": "ViTImageProcessor", "size": {"height": 20, "width": 24}, "resample": 2,
            **HALF, **BYTES,
        },
        {"size": (20, 24), "resample": "bilinear", "mean": (0.5,) * 3, "std": (0.5,) * 3},
    ),
    "ViT of 2021": (
        {"feature_extractor_type": "ViTFeatureExtractor", "do_resize": True, "size": 24, "resample": 2, **HALF},
        {"size": (24, 24), "resample": "bilinear", "mean": (0.5,) * 3, "std": (0.5,) * 3},
    ),
    "DeiT": (
        {
            "image_processor_type": "DeiTImageProcessor", "size": {"height": 30, "width": 30}, "do_center_crop": True,
            "crop_size": {"height": 24, "width": 24}, "resample": 3, **HALF, **BYTES,
        },
        {"resize": (30, 30), "size": (24, 24), "resample": "bicubic", "mean": (0.5,) * 3, "std": (0.5,) * 3},
    ),
    "CLIP": (
        {
            "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 26}, "do_center_crop": True,
            "crop_size": {"height": 24, "width": 24}, "resample": 3, **HALF, **BYTES,
        },
        {"resize": 26, "size": (24, 24), "resample": "bicubic", "mean": (0.5,) * 3, "std": (0.5,) * 3},
    ),
    "ConvNext small": (
        {
            "image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 28}, "crop_pct": 0.875,
            "resample": 3, **HALF, **BYTES,
        },
        {"resize": 32, "size": (28, 28), "resample": "bicubic", "mean": (0.5,) * 3, "std": (0.5,) * 3},
    ),
    "ConvNext large": (
        {
            "image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}, "resample": 3,
            **HALF, **BYTES,
        },
        {"size": (384, 384), "resample": "bicubic", "mean": (0.5,) * 3, "std": (0.5,) * 3},
    ),
    "from -1 to 1": (
        {"size": {"height": 24, "width": 24}, "resample": 2, "rescale_factor": 2 / 255, "do_rescale": True,
         "do_normalize": True, "image_mean": [1.0, 1.0, 1.0], "image_std": [1.0, 1.0, 1.0],
         "image_processor_type": "ViTImageProcessor"},
        {"size": (24, 24), "resample": "bilinear", "mean": (0.5,) * 3, "std": (0.5,) * 3},
    ),
    "as they are": (
        {"do_resize": False, "do_normalize": False, "do_rescale": False, "image_processor_type": "ViTImageProcessor"},
        {"mean": (0.0,), "std": (1 / 255,)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_it_becomes_the_keys_of_input(name: str) -> None:
    given, expected = KINDS[name]

    found = input_of(given, "preprocessor_config.json")

    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key] == (pytest.approx(value) if key in {"mean", "std"} else value)


@pytest.mark.parametrize("name", KINDS)
def test_pixels_are_those_of_the_package(tmp_path: Path, name: str) -> None:
    """Resized by Pillow here and by torchvision there: less than two grey levels apart on average."""
    library = installed("transformers")
    given = dict(KINDS[name][0])
    spec = InputSpec(**input_of(given, "p"))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(given))
    smooth = np.linspace(0, 255, 40 * 50 * 3).reshape(40, 50, 3)
    picture = Image.fromarray((smooth + 20 * np.sin(smooth / 9)).clip(0, 255).astype(np.uint8))
    theirs = library.AutoImageProcessor.from_pretrained(tmp_path)(picture, return_tensors="pt")["pixel_values"]

    x = to_inputs(np.asarray(to_size(picture, spec))[None])
    mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
    ours = Normalize(mean, std)(x)

    assert ours.shape == theirs.shape
    assert float(((ours - theirs) * std.view(1, -1, 1, 1)).abs().mean()) < 2 / 255


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"do_pad": True}, "asks for do_pad = True, which is not done here"),
        ({"do_flip_channel_order": True}, "asks for do_flip_channel_order = True"),
        ({"include_top": True}, "asks for include_top"),
        ({"size": {"shortest_edge": 8, "longest_edge": 9}}, "asks for size"),
        ({"size": {"height": 8, "width": 8}, "crop_pct": 0.9}, "asks for crop_pct"),
        ({"do_resize": False, "do_center_crop": True, "crop_size": 8}, "asks for do_center_crop = 'true without"),
        ({"size": {"height": 10**9, "width": 8}}, "is no image processor's"),
        ({"size": {"height": "8", "width": 8}}, "is no image processor's"),
        ({"size": 8, "resample": 17}, "is no image processor's"),
        ({"do_normalize": True}, "is no image processor's"),
        ({"image_mean": ["a"], "image_std": [1.0]}, "is no image processor's"),
        ({"do_rescale": True, "rescale_factor": 0, **HALF}, "is no image processor's"),
    ],
)
def test_what_cannot_be_done_alike_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        input_of(given, "preprocessor_config.json")


@pytest.mark.parametrize("more", [{"do_convert_rgb": True}, {"do_pad": False}, {"processor_class": "AnyProcessor"}])
def test_what_changes_nothing_is_let_be(more: dict[str, Any]) -> None:
    given = KINDS["ViT"][0]

    assert input_of({**given, **more}, "p") == input_of(given, "p")
