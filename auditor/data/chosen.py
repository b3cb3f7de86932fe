"""Which rows of a file are audited: what `where` and `limit` leave."""

from __future__ import annotations

import numpy as np

from auditor.config import DataSpec
from auditor.data.columns import matching, need
from auditor.data.source import Source
from auditor.integers import Codes, Integers

__all__ = ["chosen"]


def chosen(source: Source, spec: DataSpec, by: str | None, seed: int) -> Source:
    """The rows of `source` that `where` and `limit` leave, drawn by `seed`; stratified by the column `by`, if any."""
    for name in spec.where:
        need(source.columns.names, name, "where column", source.file)
    rows = matching(source.columns, spec.where) if spec.where else np.arange(0)
    left = len(rows) if spec.where else len(source.columns)
    if spec.limit is not None and spec.limit < left:
        draw = np.random.default_rng(seed)
        rows = rows if spec.where else np.arange(left)
        if by is None:
            return source.at(np.sort(draw.permutation(rows)[: spec.limit]))
        return source.at(_stratified(rows, source.columns.labels(by).codes[rows], spec.limit, draw))
    return source.at(rows) if left < len(source.columns) else source


def _stratified(rows: Integers, codes: Codes, limit: int, draw: np.random.Generator) -> Integers:
    """`limit` of the rows, each of `codes` in its share (largest remainders first, ties by lot), in file order."""
    values, counts = np.unique(codes, return_counts=True)
    shares = counts * limit / len(rows)
    take = np.floor(shares).astype(np.int64)
    lots = draw.permutation(len(values))
    for i in lots[np.argsort((take - shares)[lots], kind="stable")][: limit - int(take.sum())]:
        take[i] += 1
    parts = [draw.permutation(rows[codes == v])[:n] for v, n in zip(values, take, strict=True)]
    return np.sort(np.concatenate(parts))
