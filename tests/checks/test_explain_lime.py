"""explain.lime: weights with their fit; where the fit is poor, that is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.subject import Column, Data, Model
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, result_of

CHECK = "explain.lime"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Probability(nn.Module):
    """Gives what a function of its input says as the probability of class 1."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        p = self.function(x).clamp(0.01, 0.99)
        return torch.stack([(1 - p).log(), p.log()], 1)


def case(function: object) -> zoo.Case:
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    model = Model(Probability(function), ("no", "yes"), bounds=(torch.full((3,), -5.0), torch.full((3,), 5.0)))
    data = zoo.labelled(model, x)
    columns = (Column("a", 0, 1), Column("b", 1, 2), Column("c", 2, 3))
    return zoo.Case(model, Data(data.read, data.y, data.row_ids, {}, columns, 1))


def test_a_classifier_that_is_linear_is_fitted_and_weighed() -> None:
    found = case(lambda x: 0.5 + 0.08 * x[:, 0] - 0.04 * x[:, 1])
    result = result_of(found, CHECK, samples=2, neighbours=2000)
    spread = found.data.read(np.arange(60)).std(0, correction=0)

    assert all(m.value > 0.99 for m in measures(result, "fidelity").values())
    assert result.caveats == ()
    for table in result.tables:
        sign = 1 if table.title.rpartition(" (")[0].endswith("yes") else -1
        weights = {r[0]: float(r[2] or 0) for r in table.rows}
        assert weights["a"] == pytest.approx(sign * 0.08 * float(spread[0]), rel=0.1)
        assert weights["b"] == pytest.approx(-sign * 0.04 * float(spread[1]), rel=0.1)
        assert weights["c"] == pytest.approx(0, abs=0.005)


def test_a_classifier_that_is_not_linear_here_is_not_to_be_read() -> None:
    result = result_of(case(lambda x: 0.5 + 0.4 * torch.sin(9 * x[:, 0])), CHECK, samples=2, neighbours=500)

    assert measures(result, "fidelity")[""].value < 0.5
    assert "In 2 of 2 rows the fidelity is below .5" in result.caveats[0]


def test_parts_of_an_image_are_weighed_in_grey_and_in_colour() -> None:
    for found in (zoo.planted_patch(), zoo.normalized()):
        result = result_of(found, CHECK, samples=2, neighbours=300, superpixels=16)
        arrays = arrays_of(found.model, found.data, CHECK, samples=2, neighbours=300, superpixels=16)

        assert len([i for i in result.images if i.role == "map"]) == 2
        assert all(a.shape == (8, 8) for n, a in arrays.items() if n.startswith(CHECK))
    patch = arrays_of(
        zoo.planted_patch().model, zoo.planted_patch().data, CHECK, samples=1, neighbours=600, superpixels=64
    )
    (shares,) = (a for n, a in patch.items() if n.startswith(CHECK))
    inside = np.zeros((8, 8), bool)
    inside[zoo.PATCH] = True
    assert np.abs(shares[inside]).min() > np.abs(shares[~inside]).max()


def test_inputs_that_are_neither_pictures_nor_columns_are_none_of_its_business() -> None:
    model = Model(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), ("a", "b"))

    assert "neither images nor rows of columns" in not_applicable(
        zoo.Case(model, Data.of(torch.rand(6, 3, 4), torch.zeros(6).long())), CHECK
    )
