"""Arrays and texts that another process left are read when they are what ours writes, and refused otherwise."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auditor.errors import LoadError
from auditor.sandbox.evidence import read_arrays, read_text, write_arrays, write_text

GOOD = {
    "robustness.curve/distance": np.arange(6, dtype=np.float32).reshape(2, 3),
    "samples/row-7": np.zeros((2, 2, 3), np.uint8),
    "robustness.curve/row-7": np.array([[np.nan, np.inf]]),
    "robustness.curve/rows": np.array([], np.int64),
    "robustness.curve/kept": np.array(True),
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", GOOD)
    write_text(tmp_path / "a.json", b"{}")

    found = read_arrays(tmp_path / "a.npz", "robustness.curve")

    assert found.keys() == GOOD.keys()
    assert all(np.array_equal(found[k], v, equal_nan=True) and found[k].dtype == v.dtype for k, v in GOOD.items())
    assert read_text(tmp_path / "a.json") == b"{}" and sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.npz"]


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, content in members.items():
            z.writestr(name, content)
    return out.getvalue()


def npy(array: object) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(array), allow_pickle=True)
    return out.getvalue()


def compressed(**arrays: object) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


HUGE = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }".ljust(127) + b"\n"
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "objects": (lambda: zipped(**{"robustness.curve/x.npy": npy([{}])}), "unreadable arrays (ValueError)"),
    "text": (lambda: zipped(**{"robustness.curve/x.npy": npy(["x"])}), "that no check keeps"),
    "times": (lambda: zipped(**{"robustness.curve/x.npy": npy(np.array([0], "M8[s]"))}), "that no check keeps"),
    "complex numbers": (lambda: zipped(**{"robustness.curve/x.npy": npy([1j])}), "that no check keeps"),
    "compressed": (lambda: compressed(**{"robustness.curve/x": np.zeros(9)}), "compressed arrays"),
    "a name that leads out": (lambda: zipped(**{"../x.npy": npy([1])}), "an array '../x' that no check keeps"),
    "a name that leads out below": (lambda: zipped(**{"robustness.curve/../x.npy": npy([1])}), "that no check keeps"),
    "an absolute name": (lambda: zipped(**{"/etc/x.npy": npy([1])}), "that no check keeps"),
    "another check's": (
        lambda: zipped(**{"explain.lrp/x.npy": npy([1])}),
        "an array 'explain.lrp/x' that no check keeps",
    ),
    "a name that numpy would take": (lambda: zipped(**{"samples/file.npy": npy([1])}), "that no check keeps"),
    "a name of one part": (lambda: zipped(**{"x.npy": npy([1])}), "that no check keeps"),
    "no array": (lambda: zipped(**{"robustness.curve/x": b"hello"}), "that no check keeps"),
    "an array without its numbers": (lambda: zipped(**{"robustness.curve/x.npy": HUGE}), "unreadable arrays"),
    "cut": (lambda: zipped(**{"robustness.curve/x.npy": npy([1])})[:-9], "unreadable arrays"),
    "nothing": (lambda: b"", "unreadable arrays"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_arrays_are_refused(tmp_path: Path, name: str) -> None:
    make, message = REFUSED[name]
    (tmp_path / "a.npz").write_bytes(make())

    with pytest.raises(LoadError) as e:
        read_arrays(tmp_path / "a.npz", "robustness.curve")
    assert message in str(e.value) and "its audit is not used" in str(e.value)


def test_links_folders_pipes_and_too_much_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(bytes(11))
    os.mkfifo(tmp_path / "pipe")

    for name in ("link", "folder", "pipe", "large", "nothing"):
        with pytest.raises(LoadError, match=f"left (no|a) {name}"):
            read_text(tmp_path / name, 10)
    assert read_text(tmp_path / "secret", 10) == b"x"
