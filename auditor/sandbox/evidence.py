"""What the child leaves in its folder for the parent: outcomes as JSON, arrays as .npz. Written here, and read here.

The reader trusts nothing: no links, no pickles, nothing compressed, sizes as announced, names as ours.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from auditor.errors import LoadError
from auditor.types import Outcome

__all__ = ["MOST_ARRAYS", "need_pictures", "read_arrays", "read_text", "write_arrays", "write_text"]

Array = np.ndarray[Any, Any]
MOST_TEXT = 16 << 20
MOST_ARRAYS = 1 << 30  # bytes of one audit
SHARED = "samples"  # what several checks show of one row
KEY = re.compile(r"(?!(file|allow_pickle)$)[\w.,=@&() +-]{1,200}")  # those are numpy's own arguments
LARGEST = 4096  # of a picture's sides
KINDS = "uifb"  # numbers and nothing else


def write_text(path: Path, text: bytes) -> None:
    """Write `text` to `path`, whole or not at all."""
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(text)
    fresh.rename(path)


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write the arrays by name (`CHECK/KEY`), uncompressed so that a reader knows their size."""
    np.savez(path, allow_pickle=False, **arrays)


def read_text(path: Path, most: int = MOST_TEXT) -> bytes:
    """The bytes of an ordinary file of at most `most` bytes; LoadError for anything else."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        msg = f"the audit's own process left no {path.name} ({e.strerror}); its audit is not used"
        raise LoadError(msg) from None
    found = os.fstat(opened)
    if not stat.S_ISREG(found.st_mode) or found.st_size > most:
        os.close(opened)
        msg = f"the audit's own process left a {path.name} of {found.st_size:,} bytes; at most {most:,} are read"
        raise LoadError(msg)
    with os.fdopen(opened, "rb") as f:
        return f.read(most)


def read_arrays(path: Path, check: str, most: int = MOST_ARRAYS) -> dict[str, Array]:
    """The arrays that `write_arrays` wrote for `check`, of at most `most` bytes; LoadError for anything else."""
    content = io.BytesIO(read_text(path, most))  # read once: what is looked at is what is used
    try:
        with zipfile.ZipFile(content) as z:
            if any(i.compress_type != zipfile.ZIP_STORED for i in z.infolist()):
                raise _refused(path, "compressed arrays")
            if sum(i.file_size for i in z.infolist()) > len(content.getbuffer()):
                raise _refused(path, "arrays larger than their file")
        content.seek(0)
        with np.load(content, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (ValueError, OSError, EOFError, KeyError, SyntaxError, MemoryError, zipfile.BadZipFile, OverflowError) as e:
        raise _refused(path, f"unreadable arrays ({type(e).__name__})") from None
    for name, array in arrays.items():
        folder, _, key = name.partition("/")
        named = folder in {check, SHARED} and KEY.fullmatch(key)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in KINDS or not named:
            raise _refused(path, f"an array {name!r:.80} that no check keeps")
    return arrays


def need_pictures(outcome: Outcome, arrays: Mapping[str, Array]) -> None:
    """LoadError unless each picture of `outcome` is an array that can be drawn: (H, W) or (H, W, 3), none too large."""
    for image in outcome.result.images if outcome.result else ():
        shape = arrays[image.array].shape if image.array in arrays else ()
        if len(shape) not in (2, 3) or not all(1 <= n <= LARGEST for n in shape[:2]) or shape[2:] not in ((), (3,)):
            msg = f"the audit's own process left a picture {image.array!r:.80} of shape {shape}; its audit is not used"
            raise LoadError(msg)


def _refused(path: Path, what: str) -> LoadError:
    return LoadError(f"the audit's own process left {what} in {path.name}; its audit is not used")
