"""Samples from a folder of images: a folder a class, or a labels csv beside them. Decoded when read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from auditor.config import DataSpec, InputSpec
from auditor.data.columns import ArrowColumns, need
from auditor.data.files import read_all
from auditor.data.pixels import to_inputs, to_size
from auditor.data.source import Source
from auditor.errors import LoadError, UsageError
from auditor.intake.located import locate
from auditor.intake.recognise import sha256
from auditor.integers import Integers

__all__ = ["read_images"]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
NOT_READ = (".svg", ".gif", ".tif", ".tiff", ".heic", ".avif", ".ico", ".jxl", ".jp2", ".psd", ".raw", ".dng")
ORIENTATION = 0x0112  # in EXIF
MOST_PIXELS = 20_000_000


def read_images(path: Path, spec: DataSpec, given: InputSpec, *, folder: Path, uploaded: bool) -> Source:
    """The images of `path`, labelled by `spec.labels` (a csv with a `file` column) or by the folder each lies in."""
    columns, files, classes = (
        _from_csv(path, spec, folder, uploaded=uploaded) if spec.labels else _from_folders(path, spec)
    )

    def inputs(rows: Integers) -> Tensor:
        pictures = [_decode(files[i], given) for i in rows]
        if len({p.shape for p in pictures}) > 1:
            msg = f"the images of {path.name!r} differ in size; bring them to one with [input] size = [height, width]"
            raise LoadError(msg)
        return to_inputs(np.stack(pictures))

    def digest(rows: Integers) -> str:
        total = hashlib.sha256()
        for i in rows:
            total.update(f"{files[i].name} {sha256(files[i])}\n".encode())
        return total.hexdigest()

    return Source(
        path.name, columns, inputs, np.arange(len(files)), "image",
        classes=classes, caveats=tuple(_conversions(files)), sha256=digest,
    )  # fmt: skip


def _conversions(files: Sequence[Path]) -> Iterator[str]:
    """What is changed in pictures before a model sees them, counted; from their headers alone."""
    found: Counter[str] = Counter()
    for file in files:
        try:
            with Image.open(file, formats=FORMATS) as picture:
                found.update(_changes(picture))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
            continue  # it is refused where it is decoded
    for what, n in found.items():
        yield f"{n:,} of {len(files):,} images {what}."


def _changes(picture: Image.Image) -> Iterator[str]:
    if picture.mode.startswith("I"):
        yield "have 16 bits a channel and were scaled to 8"
    elif picture.mode in {"CMYK", "YCbCr", "LAB", "HSV"}:
        yield f"are {picture.mode} and were converted to RGB"
    elif picture.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in picture.info:
        yield "have transparent parts, which were drawn as if not"
    if picture.getexif().get(ORIENTATION, 1) != 1:
        yield "say in their EXIF data that they are to be turned, and were not, as in most training"


def _from_csv(
    path: Path, spec: DataSpec, folder: Path, *, uploaded: bool
) -> tuple[ArrowColumns, list[Path], tuple[str, ...] | None]:
    table = locate(spec.labels or "", folder, "labels file", uploaded=uploaded)
    columns = read_all(table, spec)
    need(columns.names, "file", "file names", table.name)
    names = columns.table.column("file").to_pylist()
    if not names:
        msg = f"{table.name!r} lists no images"
        raise LoadError(msg)
    files = []
    for row, name in enumerate(names):
        file = path / str(name)
        if Path(str(name)).is_absolute() or ".." in Path(str(name)).parts:
            msg = f"{table.name!r}, row {row}: {name!r} lies outside {path.name!r}"
            raise UsageError(msg)
        if not file.is_file():
            msg = f"{table.name!r}, row {row}: there is no image {name!r} in {path.name!r}"
            raise LoadError(msg)
        files.append(file)
    return columns, files, None


def _from_folders(path: Path, spec: DataSpec) -> tuple[ArrowColumns, list[Path], tuple[str, ...] | None]:
    classes = tuple(sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")))
    files = [(f, c) for c in classes for f in sorted((path / c).iterdir())]
    other = next((f"{c}/{f.name}" for f, c in files if f.suffix.lower() in NOT_READ), None)
    if other is not None:
        msg = f"image {other!r:.200} in {path.name!r} is of a kind that is not read; expected PNG, JPEG, WebP or BMP"
        raise LoadError(msg)
    found = [(f, c) for f, c in files if f.suffix.lower() in ENDINGS]
    if not found:
        msg = (
            f"{path.name!r} has no images ({', '.join(ENDINGS)}) in class folders; give [data] labels for a flat folder"
        )
        raise LoadError(msg)
    target = spec.target or "class"
    table = pa.table({target: [c for _, c in found], "file": [f.name for f, _ in found]})
    return ArrowColumns(table, ()), [f for f, _ in found], classes


def _decode(file: Path, given: InputSpec) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    name = f"{file.parent.name}/{file.name}"
    try:
        with Image.open(file, formats=FORMATS) as picture:
            w, h = picture.size
            if w * h > MOST_PIXELS:
                msg = f"image {name!r} has {w} x {h} pixels; at most {MOST_PIXELS:,} are read"
                raise LoadError(msg)
            return np.asarray(to_size(_rgb(picture), given))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as e:
        msg = f"image {name!r} cannot be read ({type(e).__name__}); expected PNG, JPEG, WebP or BMP"
        raise LoadError(msg) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        msg = f"image {name!r} is far too large; at most {MOST_PIXELS:,} pixels are read"
        raise LoadError(msg) from None


def _rgb(picture: Image.Image) -> Image.Image:
    """Eight bits a channel. Pillow alone would cut 16 bits off at 255 instead of scaling them."""
    if picture.mode.startswith("I"):
        eight = np.asarray(picture).astype(np.uint16) >> 8
        picture = Image.fromarray(eight.astype(np.uint8))
    return picture.convert("RGB")
