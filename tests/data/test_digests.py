"""Digests of targets and sensitive columns: by hand, whatever type holds the values."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from auditor.columns import Labels
from auditor.data.digests import of_groups, of_numbers
from tests.data.reading import read

TABLE = "a,sex,y\n1,f,1\n2,m,0\n3,f,1\n4,,0\n"


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int64, np.uint8])
def test_whole_numbers_have_one_digest_in_every_type(kind: type[np.integer]) -> None:
    by_hand = hashlib.sha256(struct.pack("<4q", 1, 0, 1, 2)).hexdigest()

    assert of_numbers(np.array([1, 0, 1, 2], kind)) == by_hand
    assert of_numbers(np.array([1, 0, 1, 2, 9] * 2, kind)[[0, 1, 2, 3]]) == by_hand


def test_values_are_read_as_doubles() -> None:
    assert of_numbers(np.array([0.5, -1], np.float32)) == hashlib.sha256(struct.pack("<2d", 0.5, -1)).hexdigest()


def test_a_group_more_or_a_row_moved_is_another_digest() -> None:
    first = of_groups({"sex": Labels.of(["f", "m", "f"])})

    assert first == of_groups({"sex": Labels.of(np.array(["f", "m", "f"]))})
    others = [
        {"sex": Labels.of(["m", "f", "f"])},
        {"sex": Labels.of(["f", "x", "f"])},
        {"s": Labels.of(["f", "m", "f"])},
    ]
    assert len({first, *map(of_groups, others)}) == 4


def test_an_audit_records_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    spec = {"path": "t.csv", "target": "y", "inputs": ["a"], "sensitive": ["sex"]}
    facts = read(tmp_path, spec).facts
    line = f'{of_numbers(np.array([0, 1, 0, 2]))} ["sex", "f", "m", "(missing)"]\n'

    assert facts["target_sha256"] == of_numbers(np.array([1, 0, 1, 0]))
    assert facts["sensitive_sha256"] == hashlib.sha256(line.encode()).hexdigest()
    assert "sensitive_sha256" not in read(tmp_path, {**spec, "sensitive": []}).facts
