"""explain.sanity: maps that random weights leave as they are are found out."""

from __future__ import annotations

import torch
from torch import nn

from auditor.subject import Model
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.checks.liars import weightless

CHECK = "explain.sanity"
SIZE = {"samples": 8, "stages": 2, "draws": 2, "passes": 10_000}


def test_maps_that_do_not_need_the_weights_stay_the_same() -> None:
    result = result_of(weightless(), CHECK, **SIZE)

    for method, m in measures(result, "random_correlation").items():
        assert m.value > 0.99, method
        assert m.low > 0.9


def test_maps_of_weights_that_decide_are_gone_with_them() -> None:
    result = result_of(zoo.planted_patch(), CHECK, **SIZE)
    found = measures(result, "random_correlation")

    assert all(abs(found[f"method={m}"].value) < 0.3 for m in ("LRP", "Input x gradient", "Occlusion"))
    assert measures(result, "entropy_rise")["method=LRP"].low > 0  # the patch alone had relevance, now all has
    assert result.tables[0].columns == ("method", "50 % random", "100 % random", "low", "high", "entropy rise", "n")


def test_few_parts_have_no_histogram_and_texts_no_noise() -> None:
    for case in (zoo.linear_table(), zoo.texts()):
        result = result_of(case, CHECK, **SIZE)

        assert all(m.value is None for m in measures(result, "entropy_rise").values())
        assert measures(result, "random_correlation")["method=LRP"].n > 0


def test_the_audited_model_is_left_as_it_was() -> None:
    case = zoo.batch_norm()
    before = {n: t.clone() for n, t in case.model.module.state_dict().items()}

    result_of(case, CHECK, **SIZE)

    assert all(torch.equal(t, before[n]) for n, t in case.model.module.state_dict().items())


def test_a_model_that_cannot_be_copied_is_none_of_its_business() -> None:
    class Single(nn.Linear):
        def __deepcopy__(self, memo: object) -> None:
            raise RuntimeError("there is one of me")

    model = Model(Single(4, 3), ("a", "b", "c"), bounds=(torch.full((4,), -9.0), torch.full((4,), 9.0)))
    case = zoo.Case(model, zoo.labelled(model, torch.randn(12, 4)))
    assert "cannot be copied (RuntimeError)" in not_applicable(case, CHECK)
