"""Folders of images to samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from auditor.errors import AuditError, LoadError
from tests.data.reading import picture, read, rows


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    for name, colour in (("red/1.png", (255, 0, 0)), ("red/2.bmp", (255, 0, 0)), ("blue/1.png", (0, 0, 255))):
        picture(tmp_path / "d" / name, colour)
    (tmp_path / "d" / "red" / "notes.txt").write_text("x")

    found = read(tmp_path, {"path": "d"})

    assert found.classes == ("blue", "red")
    assert found.data.y.tolist() == [0, 1, 1]
    assert rows(found.data)[:, :, 0, 0].tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 0]]


def test_a_folder_with_a_labels_csv(tmp_path: Path) -> None:
    for i in range(3):
        picture(tmp_path / "d" / f"{i}.png", (i * 100, 0, 0))
    (tmp_path / "labels.csv").write_text("file,what,light\n2.png,dog,dark\n0.png,cat,bright\n")
    (tmp_path / "names.csv").write_text("index,name\n0,cat\n1,dog\n")

    found = read(
        tmp_path,
        {"path": "d", "labels": "labels.csv", "target": "what", "classes": "names.csv", "sensitive": ["light"]},
    )

    assert found.classes == ("cat", "dog")
    assert found.data.y.tolist() == [1, 0]
    assert rows(found.data)[:, 0, 0, 0] == pytest.approx([200 / 255, 0])
    assert list(found.data.groups["light"]) == ["dark", "bright"]


def test_sixteen_bits_a_channel_are_scaled_not_cut(tmp_path: Path) -> None:
    """Pillow's own conversion makes 255 of every value above 255."""
    (tmp_path / "d" / "a").mkdir(parents=True)
    levels = np.array([[0, 0x4000], [0x8000, 0xFFFF]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "d" / "a" / "1.png")

    found = rows(read(tmp_path, {"path": "d"}).data)

    assert found[0, 0].tolist() == pytest.approx(np.array([[0, 64], [128, 255]]) / 255)


def test_a_picture_of_very_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    picture(tmp_path / "d" / "a" / "1.png", (0, 0, 0), (21_000, 1_000))

    with pytest.raises(LoadError, match=r"'a/1.png' has 21000 x 1000 pixels; at most 20,000,000 are read"):
        rows(read(tmp_path, {"path": "d"}).data)


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("file,y\n9.png,0\n", "row 0: there is no image '9.png'"),
        ("file,y\n../secret.png,0\n", "lies outside"),
        ("file,y\n/etc/passwd,0\n", "lies outside"),
        ("name,y\n0.png,0\n", "no column 'file'"),
        ("file,y\n", "lists no images"),
        ("file,y\nbad.png,0\n", "'d/bad.png' cannot be read"),
        ("file,y\n0.png,0\nbig.png,1\n", "differ in size"),
    ],
)
def test_images_that_cannot_be_read_are_named(tmp_path: Path, csv: str, message: str) -> None:
    picture(tmp_path / "d" / "0.png", (1, 2, 3))
    picture(tmp_path / "d" / "big.png", (1, 2, 3), (9, 9))
    (tmp_path / "d" / "bad.png").write_text("no picture")
    (tmp_path / "secret.png").write_text("x")
    (tmp_path / "l.csv").write_text(csv)

    with pytest.raises(AuditError, match=message):
        rows(read(tmp_path, {"path": "d", "labels": "l.csv", "target": "y"}).data)
