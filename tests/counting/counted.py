"""Rows to count, made by hand or at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from auditor.columns import Labels
from auditor.counting.tally import Rows


def rows_of(groups: Mapping[str, Sequence[str]], predicted: Any, actual: Any, score: Any = None) -> Rows:
    """Rows of plain lists."""
    answers, labels = np.asarray(predicted, np.bool_), np.asarray(actual, np.bool_)
    named = {name: Labels.of(values) for name, values in groups.items()}
    scores = None if score is None else np.asarray(score, np.float32)
    return Rows(len(labels), named, lambda at: answers[at], lambda at: labels[at], scores)


def random_rows(n: int, seed: int = 0, *, distinct: int = 0) -> Rows:
    """n rows in 3 x 2 x 4 groups with scores that go with the labels; `distinct` different scores, any where 0."""
    random = np.random.default_rng(seed)
    groups = {name: random.choice(list(of), n).tolist() for name, of in (("a", "xyz"), ("b", "pq"), ("c", "klmn"))}
    score = random.random(n).astype(np.float32)
    if distinct:
        score = (np.floor(score * distinct) / distinct).astype(np.float32)
    return rows_of(groups, score > 0.5, random.random(n) < score, score)


def masks(rows: Rows, attributes: Sequence[str]) -> dict[tuple[str, ...], np.ndarray[Any, Any]]:
    """The rows of every group of crossed attributes that has any, by a loop over the names."""
    columns = [np.array(list(rows.groups[a])) for a in attributes]
    names = sorted(set(zip(*(c.tolist() for c in columns), strict=True)))
    return {g: np.logical_and.reduce([c == v for c, v in zip(columns, g, strict=True)]) for g in names}
