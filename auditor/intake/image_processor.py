"""The preprocessing that a Hugging Face directory asks for, as the keys of [input]. What cannot be kept is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.errors import LoadError

__all__ = ["input_of"]

RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's numbers
DONE = {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"}
READ = DONE | {"size", "crop_size", "crop_pct", "resample", "rescale_factor", "image_mean", "image_std"}
SAYS_NOTHING = {
    "image_processor_type", "feature_extractor_type", "processor_class", "_processor_class", "data_format",
    "input_data_format", "default_to_square", "return_tensors", "device", "disable_grouping", "use_square_size",
    "_valid_processor_keys", "transformers_version",
}  # fmt: skip
CONVNEXT_PART, CONVNEXT_WHOLE = 224 / 256, 384


def input_of(given: Mapping[str, Any], file: str) -> dict[str, Any]:
    """`resize`, `size`, `resample`, `mean` and `std` of [input] that do what the image processor `given` does.

    LoadError that names what it does beside that.
    """
    odd = next((k for k, v in given.items() if k not in READ | SAYS_NOTHING and v not in (None, False, 0)), None)
    if odd is not None:
        raise _beyond(file, odd, given[odd])
    try:
        return {**_sizes(given, file), **_scale(given)}
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ZeroDivisionError) as e:
        msg = f"{file!r} is no image processor's ({type(e).__name__}); say [input] resize, size, mean and std"
        raise LoadError(msg) from None


def _sizes(given: Mapping[str, Any], file: str) -> dict[str, Any]:
    kind = str(given.get("image_processor_type") or given.get("feature_extractor_type"))
    crops = bool(given.get("do_center_crop", "crop_size" in given))
    if not given.get("do_resize", "size" in given):
        if crops:
            raise _beyond(file, "do_center_crop", "true without do_resize")
        return {}
    found: dict[str, Any] = {"resample": RESAMPLE[int(given.get("resample", 2))]}
    size = given["size"]
    if kind.startswith("ConvNext"):
        edge = _whole(size["shortest_edge"] if isinstance(size, Mapping) else size)
        part = float(given.get("crop_pct") or CONVNEXT_PART)
        return found | ({"resize": int(edge / part)} if edge < CONVNEXT_WHOLE else {}) | {"size": (edge, edge)}
    if given.get("crop_pct"):
        raise _beyond(file, "crop_pct", given["crop_pct"])
    shortest = isinstance(size, Mapping) and set(size) == {"shortest_edge"}
    if shortest or (crops and not isinstance(size, Mapping)):
        edge = _whole(size["shortest_edge"] if isinstance(size, Mapping) else size)
        found["resize"] = int(256 / 224 * edge) if kind.startswith("Levit") else edge
    elif isinstance(size, Mapping) and set(size) != {"height", "width"}:
        raise _beyond(file, "size", size)
    else:
        found["resize" if crops else "size"] = _pair(size)
    return found | ({"size": _pair(given["crop_size"])} if crops else {})


def _scale(given: Mapping[str, Any]) -> dict[str, Any]:
    """Mean and deviation of pixels in [0, 1] that stand for rescaling and normalising together."""
    white = 255 * float(given.get("rescale_factor", 1 / 255)) if given.get("do_rescale", True) else 255.0
    white = 1.0 if abs(white - 1) < 1e-6 else white  # the decimals of 1 / 255
    if not given.get("do_normalize", "image_mean" in given):
        return {} if white == 1 else {"mean": (0.0,), "std": (1 / white,)}
    mean, std = (given[k] if isinstance(given[k], list) else [given[k]] for k in ("image_mean", "image_std"))
    return {"mean": tuple(float(m) / white for m in mean), "std": tuple(float(s) / white for s in std)}


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping):
        return _whole(size["height"]), _whole(size["width"])
    return _whole(size), _whole(size)


def _whole(size: Any) -> int:
    if type(size) is not int or not 0 < size < 1 << 16:
        raise ValueError(size)
    return size


def _beyond(file: str, key: str, value: object) -> LoadError:
    asked = f"{key} = {value!r:.40}"
    return LoadError(f"{file!r} asks for {asked}, which is not done here; say [input] resize, size, mean and std")
