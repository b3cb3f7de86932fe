"""What the child leaves in its folder for the parent: outcomes as JSON, arrays as .npz. Written here, and read here.

The reader trusts nothing: no links, no pickles, nothing compressed, sizes as announced, names as ours.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from auditor.errors import LoadError

__all__ = ["MOST_ARRAYS", "MOST_TEXT", "read_arrays", "read_text", "write_arrays", "write_text"]

Array = np.ndarray[Any, Any]
MOST_TEXT = 64 << 20
MOST_ARRAYS = 1 << 30
NAME = re.compile(r"[a-z][a-z0-9_.-]{0,80}/[\w.,=@&() +-]{1,200}")
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
    with os.fdopen(opened, "rb") as f:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            msg = f"the audit's own process left a {path.name} of {found.st_size:,} bytes; at most {most:,} are read"
            raise LoadError(msg)
        return f.read(most)


def read_arrays(path: Path, most: int = MOST_ARRAYS) -> dict[str, Array]:
    """The arrays that `write_arrays` wrote, of at most `most` bytes; LoadError for anything else."""
    size = len(read_text(path, most))
    try:
        with path.open("rb") as f, zipfile.ZipFile(f) as z:
            if any(i.compress_type != zipfile.ZIP_STORED for i in z.infolist()):
                raise _refused(path, "compressed arrays")
            if sum(i.file_size for i in z.infolist()) > size:
                raise _refused(path, "arrays larger than their file")
            f.seek(0)
            with np.load(f, allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
    except (ValueError, OSError, EOFError, KeyError, SyntaxError, MemoryError, zipfile.BadZipFile, OverflowError) as e:
        raise _refused(path, f"unreadable arrays ({type(e).__name__})") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in KINDS or not NAME.fullmatch(name):
            raise _refused(path, f"an array {name!r:.80} that no check keeps")
    return arrays


def _refused(path: Path, what: str) -> LoadError:
    return LoadError(f"the audit's own process left {what} in {path.name}; its audit is not used")
