"""Archives that are not what their directory says, or hold what torch does not write, are refused."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.intake.modelfiles import need_refused, rezipped, saved


def with_member(name: str) -> bytes:
    out = io.BytesIO(saved({"w": torch.ones(2)}))
    with zipfile.ZipFile(out, "a") as z, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there already
        z.writestr(name, b"x")
    return out.getvalue()


def flipped(content: bytes, at: bytes, by: int = 0) -> bytes:
    place = content.index(at) + by
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


GOOD = {"w": torch.full((3,), 7.5)}


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "an entry in another case": (lambda: with_member("archive/DATA.PKL"), "holds the entry 'archive/DATA.PKL' twice"),
    "an entry of no checkpoint": (lambda: with_member("archive/x.txt"), "has a member that no state_dict file has"),
    "two folders": (lambda: with_member("other/version"), "has 2 folders at its top"),
    "an entry of two": (lambda: with_member("archive/version"), "holds the entry 'archive/version' twice"),
    "an entry that leaves the folder": (lambda: with_member("archive/../x"), "forbidden name"),
    "an entry that turns its name round": (lambda: with_member("archive/\u202ex"), "forbidden name"),
    "compressed entries": (
        lambda: rezipped(saved(GOOD), lambda _, m: m, compression=zipfile.ZIP_DEFLATED), "has a compressed entry",
    ),
    "a wrong checksum": (lambda: flipped(saved(GOOD), struct.pack("<f", 7.5)), "is damaged"),
    "another name in front": (lambda: flipped(saved(GOOD), b"data.pkl"), "directory that disagrees"),
    "half a file": (lambda: saved(GOOD)[:200], "damaged archive"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_archives_that_are_not_what_they_say_are_refused(tmp_path: Path, name: str) -> None:
    make, message = REFUSED[name]

    need_refused(tmp_path, make(), message)
