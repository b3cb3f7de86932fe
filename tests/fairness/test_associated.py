"""Which columns go with a group: p-values by hand, three groups, and columns that tell nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, false_discovery_control, ks_2samp

from auditor.columns import Column
from auditor.fairness.associated import associations

COLUMNS = (Column("shifted", 0, 1), Column("same", 1, 2), Column("flag", 2, 3, kind="flag"), Column("still", 3, 4))


def rows(n: int, shift: float, share: float, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    random = np.random.default_rng(seed)
    parts = random.normal(shift, 1, n), random.normal(0, 1, n), (random.random(n) < share).astype(float), np.ones(n)
    return np.stack(parts, 1)


def test_p_values_are_those_of_the_tests_after_benjamini_and_hochberg() -> None:
    a, b = rows(300, 0.6, 0.2, 0), rows(200, 0.0, 0.5, 1)
    found = {COLUMNS[f.column].name: f for f in associations(COLUMNS, [0, 1, 2, 3], [a, b])}
    counts = [[(g[:, 2] == v).sum() for v in (0, 1)] for g in (a, b)]
    p = [ks_2samp(a[:, 0], b[:, 0])[1], ks_2samp(a[:, 1], b[:, 1])[1], chi2_contingency(counts, correction=False)[1]]

    assert set(found) == {"shifted", "same", "flag"}  # a column that never varies has none
    for name, expected in zip(("shifted", "same", "flag"), false_discovery_control(p), strict=True):
        assert found[name].p == pytest.approx(expected, rel=1e-9)
    assert found["shifted"].found and found["flag"].found and not found["same"].found
    assert found["shifted"].distance == pytest.approx(ks_2samp(a[:, 0], b[:, 0])[0])


def test_one_group_of_three_apart_is_enough() -> None:
    groups = [rows(200, 0.0, 0.5, 0), rows(200, 0.0, 0.5, 1), rows(200, 0.8, 0.5, 2)]
    found = {COLUMNS[f.column].name: f for f in associations(COLUMNS, [0, 1, 2], groups)}
    by_hand = [ks_2samp(g[:, 0], np.concatenate([o[:, 0] for o in groups if o is not g]))[1] for g in groups]

    assert found["shifted"].found and not found["same"].found and not found["flag"].found
    assert found["shifted"].p == pytest.approx(min(by_hand) * 3 * 3, rel=1e-9)  # Bonferroni, and the first of three


def test_of_columns_that_go_with_no_group_few_are_found() -> None:
    """Benjamini-Hochberg at .1: where nothing goes with the groups, one audit in ten finds anything."""
    audits = [
        any(f.found for f in associations(COLUMNS, [0, 1, 2], [rows(100, 0, 0.4, 2 * s), rows(100, 0, 0.4, 2 * s + 1)]))
        for s in range(200)
    ]

    assert 0.02 < np.mean(audits) < 0.16


def test_without_a_column_that_varies_there_is_nothing() -> None:
    assert associations(COLUMNS, [3], [rows(20, 0, 0.5, 0), rows(20, 0, 0.5, 1)]) == []
    assert associations(COLUMNS, [], [rows(20, 0, 0.5, 0), rows(20, 0, 0.5, 1)]) == []
