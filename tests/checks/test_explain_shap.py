"""explain.shap: exact values on small tables, the planted patch on images, error bars where there is an error."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.columns import Column
from auditor.registry import derive_seed
from auditor.subject import Data, Model
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, outcome_of, result_of

CHECK = "explain.shap"


def table(module: nn.Module, columns: int, rows: int = 60, seed: int = 1) -> zoo.Case:
    """A model of columns around 0 and the rows it labels itself."""
    x = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    limits = torch.full((columns,), -9.0), torch.full((columns,), 9.0)
    model = Model(module, ("no", "yes"), bounds=limits, unit=torch.ones(columns))
    return zoo.Case(model, zoo.labelled(model, x))


class Probability(nn.Module):
    """Gives what a function of its input says as the probability of class 1."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        p = self.function(x).clamp(1e-6, 1 - 1e-6)
        return torch.stack([(1 - p).log(), p.log()], 1)


# ---- rows of columns ---------------------------------------------------------------------------------------------
def test_values_add_up_to_the_probability_over_the_background() -> None:
    case = zoo.linear_table()
    result = result_of(case, CHECK, samples=4, background=24)
    with torch.no_grad():
        p = case.model(case.data.read(np.arange(24))).softmax(1)

    for table_ in result.tables:
        row = int(table_.title.removeprefix("row ").partition(":")[0])
        label = int(p[row].argmax())
        total = sum(float(r[2] or 0) for r in table_.rows)
        assert total == pytest.approx(float(p[row, label] - p[:, label].mean()), abs=1e-5)
        assert all(r[2] == r[3] == r[4] for r in table_.rows)  # all coalitions were counted
    assert measures(result, "standard_error")[""].value == 0
    assert measures(result, "coalitions")[""].value == 8
    assert measures(result, "certain_top")[""].value == 1


def test_an_odd_background_counts_every_row_alike() -> None:
    case = zoo.linear_table()
    (found,) = result_of(case, CHECK, samples=1, background=13).tables
    row = int(found.title.removeprefix("row ").partition(":")[0])
    drawn = case.data.take(13, derive_seed(0, CHECK)).read(np.arange(13))
    with torch.no_grad():
        own, base = (case.model(x).softmax(1) for x in (case.data.read(np.array([row])), drawn))
    label = int(own[0].argmax())

    assert sum(float(r[2] or 0) for r in found.rows) == pytest.approx(float(own[0, label] - base[:, label].mean()))


def test_a_column_that_does_nothing_gets_nothing() -> None:
    for found in result_of(zoo.biased_table(), CHECK, samples=2).tables:
        effects = {r[0]: r[2] for r in found.rows}

        assert effects["skill"] == pytest.approx(0, abs=1e-6)
        assert abs(float(effects["group"] or 0)) > 0.3


def test_many_columns_have_error_bars_that_cover_nothing_for_a_dummy() -> None:
    """Twenty columns with interactions; the last three do nothing."""
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(17, 16), nn.Tanh(), nn.Linear(16, 1))

    class First(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z = 3 * inner(x[:, :17])
            return torch.cat([-z, z], 1)

    result = result_of(table(First(), 20), CHECK, samples=3, budget=256, background=20)

    assert 0 < measures(result, "standard_error")[""].value < 0.2
    for found in result.tables:
        named = {r[0]: r for r in found.rows}
        for dummy in ("c17", "c18", "c19"):
            if dummy in named:
                assert named[dummy][3] <= 0 <= named[dummy][4]
        assert all(r[3] <= r[2] <= r[4] for r in found.rows if r[3] is not None)
        rest = found.rows[-1]
        assert rest[0] == "8 further columns" and rest[3:] == (None, None)


def test_too_few_coalitions_show_as_wide_bars_and_a_caveat() -> None:
    parity = Probability(lambda x: 0.5 + 0.4 * torch.sign(x[:, :5].prod(1)))
    case = table(parity, 24)

    result = result_of(case, CHECK, samples=3, budget=64, background=8)

    assert measures(result, "standard_error")[""].value > 0.05
    assert any("above 5 % of the largest bar after 64 coalitions: raise `budget`" in c for c in result.caveats)
    assert measures(result, "certain_top")[""].value < 1


def test_columns_that_move_together_can_be_one_player() -> None:
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    x = torch.cat([x, x[:, :1]], 1)
    model = Model(
        Probability(lambda x: torch.sigmoid(x[:, 0] + x[:, 2])), ("no", "yes"),
        bounds=(torch.full((3,), -9.0), torch.full((3,), 9.0)),
    )  # fmt: skip
    case = zoo.Case(model, zoo.labelled(model, x))

    (joined,) = result_of(case, CHECK, samples=1, joined_above=0.9).tables
    (alone,) = result_of(case, CHECK, samples=1).tables

    assert {r[0] for r in joined.rows} == {"c0 + c2", "c1"}
    together = {r[0]: float(r[2] or 0) for r in joined.rows}["c0 + c2"]
    apart = {r[0]: float(r[2] or 0) for r in alone.rows}
    assert apart["c0"] + apart["c2"] == pytest.approx(together, abs=1e-6)


def test_the_reference_is_the_background_where_there_is_one_and_its_choice_is_measured() -> None:
    case = zoo.linear_table()
    reference = Data.of(case.data.read(np.arange(24)) + 3, torch.from_numpy(case.data.y))

    with_it, without = (result_of(case, CHECK, r, samples=1) for r in (reference, None))

    assert "24 rows of the reference data" in with_it.caveats[0]
    assert "24 rows of the audited data, as no reference was given" in without.caveats[0]
    assert with_it.tables[0].rows != without.tables[0].rows
    effect = measures(without, "background_effect")[""]
    assert effect.value is not None and 0 < effect.value < 1


def test_a_background_of_two_rows_that_differ_decides_and_one_row_has_no_halves() -> None:
    case = zoo.linear_table()
    two = Data.of(torch.tensor([[5.0, 0, 0], [-5.0, 0, 0]]), torch.tensor([0, 1]))
    one = two.at(np.array([0]))

    halves, whole = (result_of(case, CHECK, r, samples=2) for r in (two, one))

    assert any("The background decides too" in c for c in halves.caveats)
    assert "from 1 row of the reference data" in whole.caveats[0]
    assert measures(whole, "background_effect")[""].value is None


# ---- images and texts --------------------------------------------------------------------------------------------
def test_parts_outside_the_planted_patch_get_nothing() -> None:
    case = zoo.planted_patch()
    arrays = arrays_of(case.model, case.data, CHECK, samples=2, budget=400, superpixels=16)
    patch = np.zeros((8, 8), bool)
    patch[zoo.PATCH] = True
    touched = np.kron(patch.reshape(4, 2, 4, 2).any((1, 3)), np.ones((2, 2), bool))  # squares of 2 that hold some of it

    for name, shares in arrays.items():
        if name.startswith(CHECK) and not name.endswith("interval"):
            # hidden parts show the mean colour, which moves with nothing else
            assert np.abs(shares[~touched]).max() < 0.05 * np.abs(shares).max()


def test_words_add_up_to_the_answer_less_that_to_nothing() -> None:
    case = zoo.texts()
    result = result_of(case, CHECK, samples=5)

    for found in result.tables:
        row = int(found.title.removeprefix("row ").partition(":")[0])
        ids = case.data.read(np.array([row]))
        nothing = torch.full_like(ids, -1)
        nothing[0, 0] = 0
        with torch.no_grad():
            p, base = (case.model(t).softmax(1)[0] for t in (ids, nothing))
        label = int(p.argmax())
        assert found.columns == ("word", "effect", "low", "high")
        assert sum(float(r[1] or 0) for r in found.rows) == pytest.approx(float(p[label] - base[label]), abs=1e-5)
    assert result.caveats[0] == "An absent word is taken out of the text."


def test_values_are_explained_without_classes() -> None:
    model = Model(nn.Linear(4, 1), (), output="value")
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        result = result_of(zoo.Case(model, Data.of(x, model(x) + 0.1)), CHECK, samples=1)
    (found,) = result.tables
    row = int(found.title.removeprefix("row ").partition(":")[0])

    w = model.module.weight[0].detach()
    expected = dict(zip((f"x[{i}]" for i in range(4)), (w * (x[row] - x.mean(0))).tolist(), strict=True))
    assert {r[0]: r[2] for r in found.rows} == pytest.approx(expected, abs=1e-5)


# ---- what it does not apply to -----------------------------------------------------------------------------------
def test_a_model_that_looks_at_nothing_has_no_bars() -> None:
    assert "the answer change, whatever is hidden" in not_applicable(zoo.constant(), CHECK)


def test_one_column_gets_all_and_constant_columns_nothing() -> None:
    one = table(Probability(lambda x: torch.sigmoid(x[:, 0])), 1)
    (found, *_) = result_of(one, CHECK, samples=1).tables
    assert [r[0] for r in found.rows] == ["c0"]

    x = torch.cat([torch.randn(30, 1), torch.ones(30, 1)], 1)
    model = Model(Probability(lambda x: torch.sigmoid(x.sum(1))), ("no", "yes"), bounds=(-9.0, 9.0))
    columns = (Column("moves", 0, 1), Column("stays", 1, 2))
    data = zoo.labelled(model, x)
    case = zoo.Case(model, Data(data.read, data.y, data.row_ids, {}, columns, 1))
    (both, *_) = result_of(case, CHECK, samples=1).tables
    assert {r[0]: r[2] for r in both.rows}["stays"] == pytest.approx(0, abs=1e-7)


def test_a_black_box_is_explained_and_missing_numbers_are_not() -> None:
    class Box(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                return torch.stack([-x[:, 0], x[:, 0]], 1)

    (found, *_) = result_of(table(Box(), 3), CHECK, samples=1).tables
    assert found.rows[0][0] == "c0"

    case = table(Box(), 3)
    broken = case.data.read(np.arange(60)).clone()
    broken[::2, 0] = torch.nan
    some = Data.of(broken, torch.from_numpy(case.data.y))
    assert "from 30 rows of the reference data; 30 more hold NaN" in result_of(case, CHECK, some, samples=1).caveats[0]
    outcome = outcome_of(case, CHECK, some.at(np.arange(0, 60, 2)), samples=1)
    assert outcome.reason == "all 30 rows of the reference data hold NaN or infinity; expected one without"


def test_inputs_that_are_neither_pictures_nor_columns_nor_texts_are_none_of_its_business() -> None:
    model = Model(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), ("a", "b"))
    data = Data.of(torch.rand(6, 3, 4), torch.zeros(6).long())

    assert "neither images nor rows of columns" in not_applicable(zoo.Case(model, data), CHECK)
    wide = table(Probability(lambda x: torch.sigmoid(x[:, 0])), 1001, rows=20)
    assert "1,001 columns play; at most 1,000 do" in not_applicable(wide, CHECK)
