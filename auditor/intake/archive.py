"""Zip archives that are what their directory says: nothing twice, nothing hidden, nothing that unpacks beyond measure.

A reader and the program that follows it may otherwise see two different files, and a scanner's answer means nothing.
"""

from __future__ import annotations

import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path
from typing import IO

from auditor.errors import LoadError

__all__ = ["sound_archive"]

MOST_FILES = 20_000
LONGEST_NAME = 200
MOST_PACKED_RATIO, MOST_UNPACKED = 200, 8 << 20  # of source files, which alone may be compressed
SYMLINK, KIND = 0o120000, 0o170000
LEGAL_FLAGS = 0x8 | 0x800 | 0x6  # sizes behind the data, UTF-8 names, compression level
LOCAL_HEADER = 30
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp", "Cn"}


def sound_archive(path: Path) -> zipfile.ZipFile:
    """The opened archive at `path`; LoadError for what no well-meant checkpoint has."""
    try:
        z = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        msg = f"model file {path.name!r} is an incomplete or damaged archive; save it again"
        raise LoadError(msg) from None
    try:
        _need_sound(path, z)
    except LoadError:
        z.close()
        raise
    return z


def _need_sound(path: Path, z: zipfile.ZipFile) -> None:
    infos, seen, total = z.infolist(), set(), 0
    if len(infos) > MOST_FILES:
        raise _refused(path, f"holds {len(infos):,} files; at most {MOST_FILES:,} are read")
    with path.open("rb") as f:
        for info in infos:
            if info.filename in seen:
                raise _refused(path, f"holds the entry {info.filename!r:.80} twice")
            seen.add(info.filename)
            _need_plain_entry(path, info)
            _need_same_header(path, f, info)
            total += info.compress_size
    if total > path.stat().st_size:
        raise _refused(path, "declares more bytes than it has")
    try:
        damaged = z.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, zlib.error, NotImplementedError):
        damaged = "some entry"
    if damaged:
        raise _refused(path, f"is damaged ({damaged!r:.80} is not what its checksum says)")


def _need_plain_entry(path: Path, info: zipfile.ZipInfo) -> None:
    name = info.filename
    odd = any(unicodedata.category(c) in UNSEEN for c in name) or "\\" in name or ":" in name
    if odd or name.startswith("/") or ".." in name.split("/") or len(name) > LONGEST_NAME:
        raise _refused(path, f"has an entry with a forbidden name ({name!r:.80})")
    if (info.external_attr >> 16) & KIND == SYMLINK:
        raise _refused(path, f"has a symbolic link ({name!r:.80})")
    if info.flag_bits & ~LEGAL_FLAGS:
        raise _refused(path, "has entries marked as encrypted or patched")
    if info.compress_type == zipfile.ZIP_STORED:
        return
    small = info.file_size <= min(MOST_UNPACKED, MOST_PACKED_RATIO * info.compress_size + 4096)
    if info.compress_type != zipfile.ZIP_DEFLATED or "/code/" not in name or not small:
        raise _refused(path, f"has a compressed entry ({name!r:.80}); torch.save stores them as they are")


def _need_same_header(path: Path, f: IO[bytes], info: zipfile.ZipInfo) -> None:
    """The header in front of the data must name the same entry as the directory at the end."""
    try:
        f.seek(info.header_offset)
        header = f.read(LOCAL_HEADER)
        name = f.read(struct.unpack("<H", header[26:28])[0]) if len(header) == LOCAL_HEADER else b""
    except (OSError, ValueError):
        header, name = b"", b""
    listed = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437", "replace")
    if header[:4] != b"PK\x03\x04" or name != listed:
        raise _refused(path, "has a directory that disagrees with its entries")


def _refused(path: Path, what: str) -> LoadError:
    return LoadError(f"model file {path.name!r} {what}")
