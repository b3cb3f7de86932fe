"""What a folder of pictures holds, from their headers alone: how many of which class, and how large."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from auditor.config import DataSpec, InputSpec
from auditor.data.columns import ArrowColumns
from auditor.data.images import FORMATS, MOST_PIXELS, read_images
from auditor.errors import LoadError

__all__ = ["Pictures", "pictures_in"]

MOST_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class Pictures:
    """`sizes` (height, width) of the pictures looked at, `classes` of those in class folders, each with how many."""

    sizes: Counter[tuple[int, int]]
    classes: Counter[str]


def pictures_in(path: Path, labels: Path | None) -> Pictures:
    """The pictures of `path`, in class folders or listed in `labels`; LoadError for what an audit would refuse."""
    spec = DataSpec(path=str(path), labels=None if labels is None else str(labels.absolute()))
    columns = read_images(path, spec, InputSpec(), folder=path.parent, uploaded=False).columns
    if not isinstance(columns, ArrowColumns):  # what every reader of folders gives
        raise TypeError(columns)
    names = [str(n) for n in columns.table.column("file").to_pylist()]
    classes = [] if labels else [str(n) for n in columns.table.column("class").to_pylist()]
    files = [path / c / n for c, n in zip(classes, names, strict=True)] if classes else [path / n for n in names]
    looked_at = np.unique(np.linspace(0, len(files) - 1, min(len(files), MOST_LOOKED_AT)).astype(int))
    return Pictures(Counter(_size(files[i]) for i in looked_at.tolist()), Counter(classes))


def _size(file: Path) -> tuple[int, int]:
    name = f"{file.parent.name}/{file.name}"
    try:
        with Image.open(file, formats=FORMATS) as picture:
            width, height = picture.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as e:
        msg = f"image {name!r} cannot be read ({type(e).__name__}); expected PNG, JPEG, WebP or BMP"
        raise LoadError(msg) from None
    if width * height > MOST_PIXELS:
        msg = f"image {name!r} has {width} x {height} pixels; at most {MOST_PIXELS:,} are read"
        raise LoadError(msg)
    return height, width
