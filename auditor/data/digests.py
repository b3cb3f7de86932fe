"""Digests of what an audit reads of its rows, whatever type holds it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from auditor.columns import Labels
from auditor.integers import parts
from auditor.subject import Targets

__all__ = ["of_groups", "of_numbers"]


def of_numbers(values: Targets) -> str:
    """The hex sha256 of `values` (N,) as int64, or as float64 where they are no whole numbers, little-endian."""
    found = hashlib.sha256()
    wide = "<i8" if values.dtype.kind in "iub" else "<f8"
    for part in parts(len(values)):
        found.update(np.ascontiguousarray(values[part], wide).tobytes())
    return found.hexdigest()


def of_groups(groups: Mapping[str, Labels]) -> str:
    """The hex sha256 of a line for each sensitive column: the digest of its codes, then its name and groups as JSON."""
    lines = (f"{of_numbers(labels.codes)} {json.dumps([name, *labels.names])}\n" for name, labels in groups.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()
