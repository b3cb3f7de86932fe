"""Data read as an audit file says, for the tests of every reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from auditor.config import parse_audit_file
from auditor.data.read import Read, read_data
from auditor.subject import Data
from auditor.words import Words

__all__ = ["MODEL", "SPEC", "picture", "read", "rows", "texts", "words_in"]


MODEL = {"path": "m.pt", "architecture": "mlp:2-2"}


SPEC = {"path": "t.csv", "target": "y", "inputs": ["age", "member"]}


def read(folder: Path, data: dict[str, Any], **more: Any) -> Read:
    """The data of an audit file with these parts; `model=None` for predictions only."""
    given = {"data": data, "model": MODEL, **more}
    return read_data(parse_audit_file({k: v for k, v in given.items() if v is not None}), folder)


def rows(data: Data) -> np.ndarray[Any, Any]:
    return data.read(np.arange(len(data))).numpy()


def texts(data: Data, *positions: int) -> list[str]:
    """The texts of the rows at `positions`; fails where the data has none."""
    if data.texts is None:
        pytest.fail("the data has no texts")
    return data.texts(np.array(positions, np.int64))


def words_in(data: Data, *positions: int) -> list[Words]:
    """The words of the rows at `positions`; fails where the data has none."""
    if data.words is None:
        pytest.fail("the data has no words")
    return data.words(np.array(positions, np.int64))


def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (6, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
