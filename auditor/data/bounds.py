"""The legal range of a model's inputs, as the data show it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from auditor.columns import Column
from auditor.config import AuditFile
from auditor.data.source import Source
from auditor.subject import Data

__all__ = ["Bounds", "bounds_of"]

Bounds = tuple[Tensor | float, Tensor | float]


def bounds_of(file: AuditFile, source: Source, observed: Data) -> tuple[Bounds, Tensor | float]:
    """The legal range of each input element, and what an epsilon of 1 means for it.

    Pixels: [0, 1] and 1. Tables: the observed range of each column and its standard deviation, 0 where nobody may
    change it or only whole categories change. Tensors: the observed range, unless the audit file gives bounds.
    """
    if source.kind == "table" and source.features and file.model is not None:
        return _table_bounds(source.features, observed)
    if file.input.bounds is not None:
        return (float(file.input.bounds[0]), float(file.input.bounds[1])), 1.0
    if source.kind == "tensor":
        batches = [(float(b.x.min()), float(b.x.max())) for b in observed.batches(1024)]
        return (min(low for low, _ in batches), max(high for _, high in batches)), 1.0
    return (0.0, 1.0), 1.0


def _table_bounds(features: Sequence[Column], observed: Data) -> tuple[tuple[Tensor, Tensor], Tensor]:
    x = observed.read(np.arange(len(observed)))
    unit = x.double().std(0, correction=0).float()
    low, high = x.amin(0), x.amax(0)
    related = {i for relation in observed.relations for i, _ in relation.weights}
    for i, column in enumerate(features):
        if not column.continuous or i in related:  # attacks by pixels would not keep what is said of it
            unit[column.start : column.stop] = 0.0
        low[column.start] = max(float(low[column.start]), (column.low - column.mean) / column.std)
        high[column.start] = min(float(high[column.start]), (column.high - column.mean) / column.std)
    return (low, high), unit
