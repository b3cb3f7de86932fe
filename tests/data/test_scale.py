"""Many rows of predictions: few bytes a row, whatever a file's parts are, and no overflow in what counts them."""

from __future__ import annotations

import hashlib
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.metrics import brier_score_loss

from auditor.alternatives import better_order
from auditor.audit import run
from auditor.by_group import codes_of
from auditor.columns import Labels
from auditor.counting.crossings import crossing_of
from auditor.counting.tally import Rows, tally
from auditor.data import files
from auditor.errors import LoadError
from auditor.given import Given
from auditor.progress import Finished, Listener
from auditor.registry import Context
from auditor.scores import SCORED_ROWS, grouped
from auditor.selection import Selection
from auditor.subject import Data
from tests.checks.audited import measures
from tests.data.reading import read

ROWS = 300_000
SPEC = {"path": "t.parquet", "target": "y", "score": "p", "sensitive": ["sex", "race"]}


def frame(n: int, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    p = draw.random(n)
    return pd.DataFrame({
        "sex": draw.choice(["f", "m"], n), "race": draw.choice(list("abcde"), n), "p": p,
        "y": (draw.random(n) < p).astype(int),
    })  # fmt: skip


def test_a_row_of_predictions_takes_few_bytes_while_it_is_read_and_fewer_after(tmp_path: Path) -> None:
    """The parser's own memory is not in it, which does not grow with the rows; objects and int64 were 300 bytes."""
    frame(ROWS).to_parquet(tmp_path / "t.parquet")
    frame(10).to_parquet(tmp_path / "warm.parquet")
    read(tmp_path, {**SPEC, "path": "warm.parquet"}, model=None)
    tracemalloc.start()
    try:
        data = read(tmp_path, SPEC, model=None).data
        kept, peak = (size / ROWS for size in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()

    assert kept < 16 and peak < 48  # 2 + 1 + 1 + 4 + 4 bytes, and the scores in float64 while they are judged
    given = data.given
    kinds = {a.dtype.name for a in (data.y, given.predicted, *(g.codes for g in data.groups.values()))}
    assert (kinds, data.row_ids.dtype.name, given.scores.nbytes) == ({"int8"}, "int32", 4 * ROWS)


def test_rows_and_groups_are_the_same_in_one_part_and_in_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = frame(1000)
    table.loc[990:, "race"] = "new"  # in the last part alone
    table.loc[3, "sex"] = None
    pq.write_table(pa.Table.from_pandas(table), tmp_path / "t.parquet", row_group_size=130)
    specs = {**SPEC, "where": {"race": "a"}, "sensitive": ["sex"]}, SPEC
    whole = [read(tmp_path, s, model=None) for s in specs]
    monkeypatch.setattr(files, "PART", 64)
    parts = [read(tmp_path, s, model=None) for s in specs]

    for one, other in zip(whole, parts, strict=True):
        assert one.facts == other.facts and one.data.caveats == other.data.caveats
        np.testing.assert_array_equal(one.data.given.scores, other.data.given.scores)
        np.testing.assert_array_equal(one.data.row_ids, other.data.row_ids)
        assert {n: list(g) for n, g in one.data.groups.items()} == {n: list(g) for n, g in other.data.groups.items()}
    assert list(parts[1].data.groups["race"]) == list(table["race"])
    assert parts[0].data.row_ids.tolist() == np.flatnonzero(table["race"] == "a").tolist()
    rows = hashlib.sha256(parts[0].data.row_ids.astype(np.int64).tobytes()).hexdigest()
    assert parts[0].facts["rows_sha256"] == rows


def test_a_cell_that_no_table_has_is_found_in_any_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PART", 64)
    table = frame(300)
    table.loc[200, "race"] = "a\0b"
    table.to_parquet(tmp_path / "t.parquet")

    with pytest.raises(LoadError, match=r"column 'race' holds a NUL byte in row 200"):
        read(tmp_path, SPEC, model=None)


def test_a_model_has_indices_and_row_numbers_that_torch_takes(tmp_path: Path) -> None:
    frame(50).to_parquet(tmp_path / "t.parquet")

    data = read(tmp_path, {"path": "t.parquet", "target": "y", "inputs": ["p"]}).data

    (batch,) = data.batches(50)
    assert batch.y.dtype == torch.int64 and data.row_ids.dtype == np.int64


# ---- small types in what counts them -----------------------------------------------------------------------------
def narrow(k: int, n: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and answers of k classes in int8, of which products do not fit."""
    y, predicted = np.random.default_rng(seed).integers(0, k, (2, n))
    return y.astype(np.int8), np.where(np.arange(n) % 3, y, predicted).astype(np.int8)


def test_crossings_of_many_groups_do_not_overflow() -> None:
    draw = np.random.default_rng(0)
    first, second = (Labels.of([f"g{i:03}" for i in draw.integers(0, 90, 3000)]) for _ in range(2))
    yes, actual = draw.random((2, 3000)) > 0.5

    rows = Rows(3000, {"a": first, "b": second}, lambda at: yes[at], lambda at: actual[at])
    table = dict(tally(rows, crossing_of(("a", "b"), rows.groups)))

    assert first.codes.dtype == np.int8
    pairs = list(zip(first, second, strict=True))
    assert all(cell.n == pairs.count(group) for group, cell in list(table.items())[:50])
    assert sum(cell.n for cell in table.values()) == 3000


def test_groups_and_outcomes_of_more_than_64_groups_do_not_overflow() -> None:
    codes = np.arange(100, dtype=np.int8)
    outcome, about = codes % 2 == 0, codes != 3

    found = grouped(codes, outcome, about)

    assert found.dtype == np.int32
    assert found.tolist() == [2 * c + (c % 2 == 0) if c != 3 else -1 for c in range(100)]


def test_confusions_of_many_classes_in_few_bytes_are_those_in_many() -> None:
    y, predicted = narrow(100)
    order = np.random.default_rng(1).permutation(100).astype(np.int8)
    wide = better_order(order[y].astype(np.int64), y.astype(np.int64), 100)

    assert wide is not None and better_order(order[y], y, 100) == wide
    data = Data(lambda r: torch.zeros(len(r), 0), y, np.arange(len(y), dtype=np.int16))
    assert int(Context(None, data).data.y.astype(int).sum()) == int(y.sum(dtype=int))
    labels = Labels(tuple("abc"), np.array([2, 0, 1], np.int8))
    assert codes_of(np.array([1, 2]), np.array([2, 1, 0], np.int8), labels).tolist() == [0, 2]
    assert (predicted == y).mean() > 0.6


@pytest.mark.parametrize("k", [2, 100])
def test_accuracy_of_small_types_is_that_of_large_ones(k: int) -> None:
    y, predicted = narrow(k)
    names = tuple(f"c{i}" for i in range(k))
    found = [_figures(names, y.astype(kind), predicted.astype(kind)) for kind in (np.int8, np.int64)]

    assert found[0] == found[1]
    assert found[0]["accuracy", ""] == (predicted == y).mean()


def _figures(names: tuple[str, ...], y: np.ndarray, predicted: np.ndarray) -> dict[tuple[str, str], float | None]:
    given = Given(names, predicted, None)
    data = Data(lambda r: torch.zeros(len(r), 0), y, np.arange(len(y)), given=given)
    audit = run(None, data, selection=Selection(only=("performance.accuracy", "intake.preflight")))
    results = [o.result for o in audit.outcomes if o.result]
    return {(m.name, m.slice): m.value for r in results for m in r.measures}


# ---- what single rows count --------------------------------------------------------------------------------------
def test_of_very_many_rows_no_single_one_is_kept_and_the_figures_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = frame(400)
    table.to_parquet(tmp_path / "t.parquet")
    data = replace(read(tmp_path, SPEC, model=None).data, positive=1)
    kept, values = {}, {}
    for most in (400, 399):
        monkeypatch.setattr("auditor.registry.MOST_SCORED_ROWS", most)
        monkeypatch.setattr("auditor.integers.PART", most // 3)
        seen = list[Finished]()
        run(None, data, selection=Selection(only=("performance.accuracy",)), tell=Listener(finished=seen.append))
        last = next(f for f in seen if f.outcome.check == "performance.accuracy")
        kept[most], values[most] = last.arrays, measures(last.outcome.result, "brier")[""]

    assert f"performance.accuracy/{SCORED_ROWS}" in kept[400] and not kept[399]
    assert values[400].value == pytest.approx(values[399].value, abs=1e-12)
    assert values[399].value == pytest.approx(
        brier_score_loss(table["y"], np.stack([1 - table["p"], table["p"]], 1), scale_by_half=False), abs=1e-6
    )
