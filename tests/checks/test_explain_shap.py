"""explain.shap: exact values on small tables, the planted patch on images, the error where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from auditor.subject import Data, Model
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, result_of

CHECK = "explain.shap"
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::DeprecationWarning")


def test_values_add_up_to_the_probability_over_the_background() -> None:
    case = zoo.linear_table()
    result = result_of(case, CHECK, samples=4, budget=64, background=24)
    with torch.no_grad():
        p = case.model(case.data.read(np.arange(24))).softmax(1)

    for table in result.tables:
        row = int(table.title.removeprefix("row ").partition(":")[0])
        label = int(p[row].argmax())
        total = sum(float(r[2] or 0) for r in table.rows)
        assert total == pytest.approx(float(p[row, label] - p[:, label].mean()), abs=1e-5)
        assert [r[3] for r in table.rows] == pytest.approx([r[4] for r in table.rows], abs=1e-5)  # both runs are exact
    assert measures(result, "repeat_error")[""].value < 1e-5


def test_a_column_that_does_nothing_gets_nothing() -> None:
    for table in result_of(zoo.biased_table(), CHECK, samples=2, budget=64).tables:
        effects = {r[0]: r[2] for r in table.rows}

        assert effects["skill"] == pytest.approx(0, abs=1e-6)
        assert abs(float(effects["group"] or 0)) > 0.3


def test_the_reference_is_the_background_where_there_is_one() -> None:
    case = zoo.linear_table()
    reference = Data.of(case.data.read(np.arange(24)) + 3, torch.from_numpy(case.data.y))

    with_it, without = (result_of(case, CHECK, r, samples=1, budget=64) for r in (reference, None))

    assert "24 rows of the reference data" in with_it.caveats[0]
    assert "24 rows of the audited data, as no reference was given" in without.caveats[0]
    assert with_it.tables[0].rows != without.tables[0].rows


def test_parts_outside_the_planted_patch_get_nothing() -> None:
    case = zoo.planted_patch()
    arrays = arrays_of(case.model, case.data, CHECK, samples=2, budget=400, superpixels=16)
    patch = np.zeros((8, 8), bool)
    patch[zoo.PATCH] = True
    touched = np.kron(patch.reshape(4, 2, 4, 2).any((1, 3)), np.ones((2, 2), bool))  # squares of 2 that hold some of it

    for name, shares in arrays.items():
        if name.startswith(CHECK):
            # hidden parts show the mean colour, which moves with nothing else
            assert np.abs(shares[~touched]).max() < 0.05 * np.abs(shares).max()


def test_too_few_coalitions_show_as_an_error_and_a_caveat() -> None:
    result = result_of(zoo.ZOO["residual"](), CHECK, samples=2, budget=40, superpixels=30)

    assert measures(result, "repeat_error")[""].value > 0.2
    assert any("two runs differ by more than .2" in c for c in result.caveats)


def test_inputs_that_are_neither_pictures_nor_columns_are_none_of_its_business() -> None:
    model = Model(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), ("a", "b"))

    assert "neither images nor rows of columns" in not_applicable(
        zoo.Case(model, Data.of(torch.rand(6, 3, 4), torch.zeros(6).long())), CHECK
    )
