"""Zip archives that are what their directory says: nothing twice, nothing hidden, nothing that unpacks beyond measure.

A reader and the program that follows it may otherwise see two different files, and a scanner's answer means nothing.
"""

from __future__ import annotations

import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO

from auditor.errors import LoadError

__all__ = ["need_members", "sound_archive"]

MOST_FILES = 20_000
LONGEST_NAME = 200
MOST_PACKED_RATIO = 200  # of source files, which alone may be compressed
MOST_SOURCE, MOST_SOURCES = 512 << 10, 4 << 20  # bytes of one, and of all: each may become a thousand when it is parsed
SYMLINK, KIND = 0o120000, 0o170000
LEGAL_FLAGS = 0x8 | 0x800 | 0x6  # sizes behind the data, UTF-8 names, compression level
LOCAL_HEADER = 30
BESIDE = r"byteorder|version|\.format_version|\.storage_alignment|\.data/(version|serialization_id)|extra/[\w./-]+"
# what each format has below its one folder; torch's own reader takes names in any case, so exactly these and no others
MEMBERS: Mapping[str, re.Pattern[str]] = {
    "state_dict": re.compile(rf"data\.pkl|data/\d+|{BESIDE}"),
    "torchscript": re.compile(rf"(data|constants|traced_inputs)(\.pkl|/\d+)|code/[\w./-]+\.py(\.debug_pkl)?|{BESIDE}"),
    "torch.export": re.compile(
        r"archive_(format|version)|models/model\.json|data/weights/(weight_\d+|model_weights_config\.json)|"
        rf"data/constants/(tensor_\d+|model_constants_config\.json)|data/sample_inputs/model\.pt|{BESIDE}"
    ),
}
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp", "Cn"}


def sound_archive(stream: IO[bytes], name: str) -> zipfile.ZipFile:
    """The archive in `stream`, opened, which messages call `name`; LoadError for what no well-meant checkpoint has."""
    try:
        z = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        msg = f"model file {name} is an incomplete or damaged archive; save it again"
        raise LoadError(msg) from None
    _need_sound(stream, name, z)
    return z


def need_members(z: zipfile.ZipFile, name: str, kind: str) -> str:
    """The one folder at the top of the archive; LoadError for a member that a file of that `kind` does not have."""
    tops = {n.partition("/")[0] for n in z.namelist()}
    if len(tops) != 1:
        raise _refused(name, f"has {len(tops)} folders at its top; torch.save writes one")
    (top,) = tops
    for member in z.namelist():
        if not MEMBERS[kind].fullmatch(member.partition("/")[2]):
            raise _refused(name, f"has a member that no {kind} file has ({member!r:.80})")
    return top


def _need_sound(stream: IO[bytes], name: str, z: zipfile.ZipFile) -> None:
    infos, seen, packed, sources = z.infolist(), set(), 0, 0
    if len(infos) > MOST_FILES:
        raise _refused(name, f"holds {len(infos):,} files; at most {MOST_FILES:,} are read")
    for info in infos:
        if info.filename.lower() in seen:
            raise _refused(name, f"holds the entry {info.filename!r:.80} twice")
        seen.add(info.filename.lower())
        _need_plain_entry(name, info)
        _need_same_header(name, stream, info)
        packed += info.compress_size
        sources += info.file_size if "/code/" in info.filename else 0
    if packed > stream.seek(0, 2):
        raise _refused(name, "declares more bytes than it has")
    if sources > MOST_SOURCES:
        raise _refused(name, f"holds {sources:,} bytes of source; at most {MOST_SOURCES:,} are read")
    try:
        damaged = z.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, zlib.error, NotImplementedError, RuntimeError):
        damaged = "some entry"
    if damaged:
        raise _refused(name, f"is damaged ({damaged!r:.80} is not what its checksum says)")


def _need_plain_entry(file: str, info: zipfile.ZipInfo) -> None:
    name = info.filename
    odd = any(unicodedata.category(c) in UNSEEN for c in name) or "\\" in name or ":" in name
    if odd or name.startswith("/") or ".." in name.split("/") or len(name) > LONGEST_NAME:
        raise _refused(file, f"has an entry with a forbidden name ({name!r:.80})")
    if (info.external_attr >> 16) & KIND == SYMLINK:
        raise _refused(file, f"has a symbolic link ({name!r:.80})")
    if info.flag_bits & ~LEGAL_FLAGS:
        raise _refused(file, "has entries marked as encrypted or patched")
    source = "/code/" in name
    if source and info.file_size > MOST_SOURCE:
        raise _refused(file, f"has a source file of {info.file_size:,} bytes; at most {MOST_SOURCE:,} are read")
    if info.compress_type == zipfile.ZIP_STORED:
        return
    small = info.file_size <= MOST_PACKED_RATIO * info.compress_size + 4096
    if info.compress_type != zipfile.ZIP_DEFLATED or not source or not small:
        raise _refused(file, f"has a compressed entry ({name!r:.80}); torch.save stores them as they are")


def _need_same_header(file: str, stream: IO[bytes], info: zipfile.ZipInfo) -> None:
    """The header in front of the data must name the same entry as the directory at the end."""
    try:
        stream.seek(info.header_offset)
        header = stream.read(LOCAL_HEADER)
        name = stream.read(struct.unpack("<H", header[26:28])[0]) if len(header) == LOCAL_HEADER else b""
    except (OSError, ValueError, OverflowError):
        header, name = b"", b""
    listed = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437", "replace")
    if header[:4] != b"PK\x03\x04" or name != listed:
        raise _refused(file, "has a directory that disagrees with its entries")


def _refused(name: str, what: str) -> LoadError:
    return LoadError(f"model file {name} {what}")
