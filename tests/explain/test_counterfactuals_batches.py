"""Counterfactuals of many rows, and of models that are only called: all constraints kept, the same in any batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from auditor.columns import Column, Relation
from auditor.explain.counterfactual.trials import nearest
from auditor.subject import Model
from auditor.tables.file_units import decoded
from tests.explain.searched import A, B, Score, grid, only, search


def mixed_case(seed: int, *, integer: bool, rising: bool, tied: bool) -> tuple[Model, Tensor, tuple[Column, ...]]:
    """A network on a whole number, two numbers, a flag and a category, with 60 rows."""
    g = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(7, 8), nn.Tanh(), nn.Linear(8, 3))
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn(p.shape, generator=g))
    whole = torch.randint(0, 9, (60, 1), generator=g).float()
    numbers = torch.randn(60, 2, generator=g)
    flag = torch.randint(0, 2, (60, 1), generator=g).float()
    category = torch.eye(3)[torch.randint(0, 3, (60,), generator=g)]
    columns = (
        Column("whole", 0, 1, mean=4.0, std=2.5, integer=integer, high=7.0),
        Column("first", 1, 2, increasing_only=rising, mutable=not tied or rising),
        Column("second", 2, 3, low=-1.0),
        Column("flag", 3, 4, "flag", increasing_only=rising),
        Column("city", 4, 7, "category", ("x", "y", "z"), mutable=integer),
    )
    return Model(module, ("a", "b", "c")), torch.cat([(whole - 4) / 2.5, numbers, flag, category], 1), columns


RELATION = Relation(((0, 0.5), (1, 1.0), (2, 1.0)), at_most=2.5)
EQUAL = Relation(((1, 1.0), (2, -2.0)), equals=0.25)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_every_way_keeps_every_constraint_and_is_answered_otherwise(
    seed: int, integer: bool, rising: bool, tied: bool, equal: bool
) -> None:
    model, x, columns = mixed_case(seed, integer=integer, rising=rising, tied=tied)
    relations = [*([RELATION] if tied else []), *([EQUAL] if equal else [])]
    own = decoded(x, columns)

    found = search(model, x[:12], x, columns, relations, ways=3)

    for row, ways in enumerate(found):
        with torch.no_grad():
            now = int(model(x[row : row + 1]).argmax())
            then = [int(model(way.x[None]).argmax()) for way in ways]
        assert all(answer != now for answer in then)
        assert [way.answer for way in ways] == then
        for way in ways:
            before, after = own[row], way.values
            changed = tuple(np.flatnonzero(before != after).tolist())
            assert way.changed == changed
            assert np.allclose(decoded(way.x[None], columns)[0], after, atol=1e-5)
            for i, c in enumerate(columns):
                if i not in changed:
                    assert torch.equal(way.x[c.start : c.stop], x[row, c.start : c.stop])
                    continue
                assert c.mutable
                assert own[:, i].min() <= after[i] <= own[:, i].max()
                assert c.low <= after[i] <= c.high
                assert not c.integer or after[i] == round(after[i])
                assert not c.increasing_only or after[i] >= before[i]
                if c.kind != "number":
                    assert float(way.x[c.start : c.stop].sum()) in (0.0, 1.0)
            for r in relations:
                total = sum(weight * after[i] for i, weight in r.weights)
                if not any(i in changed for i, _ in r.weights):
                    continue
                if r.equals is not None:
                    assert total == pytest.approx(r.equals, abs=1e-6)
                else:
                    assert total <= r.at_most + 1e-6


def test_rows_in_one_batch_get_what_each_gets_alone() -> None:
    model, x, columns = mixed_case(3, integer=True, rising=True, tied=True)

    together = search(model, x[:20], x, columns, [RELATION], ways=3, size=64)
    alone = [search(model, x[i : i + 1], x, columns, [RELATION], ways=3, size=7)[0] for i in range(20)]

    assert sum(map(bool, together)) > 10
    for some, same in zip(together, alone, strict=True):
        assert [(w.changed, w.values.tolist()) for w in some] == [(w.changed, w.values.tolist()) for w in same]


def test_a_few_rows_at_once_get_what_all_get(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, columns = mixed_case(3, integer=True, rising=True, tied=True)
    together = search(model, x[:20], x, columns, [RELATION], ways=3)
    monkeypatch.setattr("auditor.explain.counterfactual.counterfactuals.HELD", 3 * len(columns))

    apart = search(model, x[:20], x, columns, [RELATION], ways=3)

    assert [[w.values.tolist() for w in ways] for ways in apart] == [
        [w.values.tolist() for w in ways] for ways in together
    ]


def test_of_each_row_the_nearest_candidates_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.explain.counterfactual.trials.MOST", 2)

    kept = nearest(np.array([4, 1, 4, 4, 1, 9]), np.array([3.0, 1.0, 2.0, 1.0, 5.0, 7.0]))

    assert kept.tolist() == [1, 2, 3, 4, 5]
    assert nearest(np.zeros(0, np.int64), np.zeros(0)).tolist() == []


def test_never_more_inputs_at_once_than_asked_for() -> None:
    module = Score(lambda x: 3 * x[:, 0] + x[:, 1])

    search(Model(module, ("no", "yes")), grid(), grid(), (A, B), size=100)

    assert module.largest == 100


def test_a_program_is_searched_as_its_module() -> None:
    model, x, columns = mixed_case(5, integer=False, rising=False, tied=False)
    program = replace(model, module=torch.jit.script(model.module))

    found = [[w.values.tolist() for w in ways] for ways in search(model, x[:8], x, columns)]
    as_program = [[w.values.tolist() for w in ways] for ways in search(program, x[:8], x, columns)]

    assert as_program == found
    assert any(found)


def test_one_column_and_many() -> None:
    narrow = only(search(Model(Score(lambda x: x[:, 0]), ("no", "yes")), -torch.ones(1, 1), grid()[:, :1], (A,)))
    columns = [Column(f"c{i}", i, i + 1) for i in range(500)]
    x = torch.randn(80, 500, generator=torch.Generator().manual_seed(0))
    weights = torch.randn(500, generator=torch.Generator().manual_seed(1)).numpy()
    wide = search(Model(Score(lambda x: x @ weights), ("no", "yes")), x[:2], x, columns, size=4096)

    assert narrow.values[0] == pytest.approx(0, abs=0.02)
    assert all(1 <= len(way.changed) < 40 for (way,) in wide)
