"""Arrays to samples: pixels in [0, 1], channels first, at the size that was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import AuditError, LoadError
from tests.data.reading import read, rows


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3), (2, 3, 4, 5)),
        (np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5), (2, 1, 4, 5)),
        (np.random.default_rng(0).random((2, 3, 4, 5)), (2, 3, 4, 5)),
        (np.random.default_rng(0).random((2, 7)).astype(np.float32), (2, 7)),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_arrays_are_read_as_the_design_says(
    tmp_path: Path, x: np.ndarray[Any, Any], shape: tuple[int, ...], packed: bool
) -> None:
    (np.savez_compressed if packed else np.savez)(tmp_path / "d.npz", x=x, y=np.array([1, 0]))

    found = rows(read(tmp_path, {"path": "d.npz", "inputs": "x", "target": "y"}).data)

    assert found.shape == shape
    if x.dtype == np.uint8:
        pixels = x[..., None] if x.ndim == 3 else x
        assert found == pytest.approx(pixels.transpose(0, 3, 1, 2) / 255)
    else:
        assert found == pytest.approx(x)


def test_arrays_may_be_names_and_groups(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz",
        x=np.zeros((3, 2), np.float32),
        label=np.array(["cat", "dog", "cat"]),
        age=np.array([1.0, 2.0, 1.0]),
    )

    found = read(tmp_path, {"path": "d.npz", "target": "label", "sensitive": ["age"]})

    assert found.classes == ("cat", "dog")
    assert found.data.y.tolist() == [0, 1, 0]
    assert list(found.data.groups["age"]) == ["1", "2", "1"]


def test_pixels_are_resized_then_cut(tmp_path: Path) -> None:
    x = np.zeros((1, 20, 40, 3), np.uint8)
    x[:, :, 10:30] = 200
    np.savez(tmp_path / "d.npz", x=x, y=np.array([0]))

    whole = rows(read(tmp_path, {"path": "d.npz", "target": "y"}, input={"resize": 10, "size": [10, 10]}).data)
    squeezed = rows(read(tmp_path, {"path": "d.npz", "target": "y"}, input={"size": [10, 10]}).data)

    assert whole.shape == squeezed.shape == (1, 3, 10, 10)
    assert whole[0, 0, 5, 2:8] == pytest.approx(200 / 255, abs=0.02)  # the centre
    assert squeezed[0, 0, 5, 0] == pytest.approx(0, abs=0.02)  # the whole width
    with pytest.raises(LoadError, match="size is 12x12, larger than the 10x20"):
        rows(read(tmp_path, {"path": "d.npz", "target": "y"}, input={"resize": 10, "size": [12, 12]}).data)


@pytest.mark.parametrize(("w", "h"), [(322, 322), (347, 347), (322, 500), (389, 300)])
def test_the_short_side_has_the_length_that_was_asked_for(tmp_path: Path, w: int, h: int) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((1, h, w, 3), np.uint8), y=np.array([0]))
    given = {"resize": 256, "size": [256, 256]}

    assert rows(read(tmp_path, {"path": "d.npz"}, input=given).data).shape == (1, 3, 256, 256)
    assert min(rows(read(tmp_path, {"path": "d.npz"}, input={"resize": 256}).data).shape[2:]) == 256


@pytest.mark.parametrize(
    ("x", "kind", "needs"),
    [
        (np.zeros((2, 4, 4, 3), np.uint8), "table", r"\(N,F\) floats"),
        (np.zeros((2, 3)), "image", r"\(N,C,H,W\) floats"),
    ],
)
def test_an_array_that_is_not_of_the_declared_kind_is_refused(
    tmp_path: Path, x: np.ndarray[Any, Any], kind: str, needs: str
) -> None:
    np.savez(tmp_path / "d.npz", x=x, y=[0, 1])

    with pytest.raises(LoadError, match=f"kind = '{kind}' needs {needs}"):
        read(tmp_path, {"path": "d.npz"}, input={"kind": kind})


@pytest.mark.parametrize(
    ("arrays", "spec", "message"),
    [
        ({"x": np.zeros((0, 3), np.float32), "y": np.zeros(0)}, {}, "has no samples"),
        ({"a": np.zeros((2, 3)), "y": np.zeros(2)}, {}, "no column 'x', which is its inputs; it has: a, y"),
        ({"x": np.zeros((2, 3)), "y": np.zeros((2, 2))}, {}, r"array 'y' is \(2, 2\); expected \(2,\)"),
        ({"x": np.zeros((2, 3)), "y": np.zeros(3)}, {}, r"array 'y' is \(3,\); expected \(2,\)"),
        ({"x": np.zeros((2, 3), np.int64), "y": np.zeros(2)}, {}, "is int64.*expected uint8 pixels"),
        ({"x": np.zeros((2, 3)), "y": np.array([{}, 1])}, {}, "it holds Python objects"),
    ],
)
def test_arrays_that_do_not_fit_are_one_line(
    tmp_path: Path, arrays: dict[str, Any], spec: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "d.npz", **arrays)

    with pytest.raises(AuditError, match=message):
        read(tmp_path, {"path": "d.npz", "target": "y", **spec})
