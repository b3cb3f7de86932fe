"""robustness.certified of smoothed models: certificates by draws, in L2, never above what attacks leave."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from auditor.attacked.smoothed import _need_agreement
from auditor.defend.randomised_smoothing import randomised_smoothing
from auditor.types import Result
from auditor.wrapped.wrapping import wrapped
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.zoo import Case

CHECK = "robustness.certified"
EPSILONS = [0.1, 0.3, 0.6]


def smoothed(case: Case, **settings: float) -> Case:
    return Case(wrapped(case.model, randomised_smoothing(case.model, case.data, 0, **settings)), case.data)


def sandwich(result: Result) -> tuple[list[float], list[float]]:
    certified, attacked = (
        [m.counts[0] for m in measures(result, name).values()] for name in ("certified_accuracy", "attacked_accuracy")
    )
    return certified, attacked


def test_a_linear_model_stands_as_far_as_its_border_is() -> None:
    case = zoo.linear_table()
    result = result_of(smoothed(case, sigma=0.4, draws=201), CHECK, samples=0, epsilons=EPSILONS, samples_per_row=5000)
    certified, attacked = sandwich(result)
    head = case.model.module
    x = case.data.read(torch.arange(24).numpy())
    distance = (x @ head.weight[1] + head.bias[1]) / head.weight[1].norm()
    signed = torch.where(torch.from_numpy(case.data.y) == 1, distance, -distance)
    true = [int((signed > e).sum()) for e in (0.0, *EPSILONS)]

    assert list(measures(result, "certified_accuracy")) == ["l2@0", "l2@0.1", "l2@0.3", "l2@0.6"]
    assert all(c <= t for c, t in zip(certified, true, strict=True))
    assert sum(true) - sum(certified) <= 4
    assert all(t - 2 <= a <= t + 2 for t, a in zip(true[1:], attacked, strict=True))
    assert "each holds with a confidence of 0.999" in result.caveats[0]
    assert result.tables[0].title == "Proved and attacked accuracy by length of change"


@pytest.mark.parametrize("name", ["inplace_relu", "normalized", "single_logit", "softmax_output", "categories"])
def test_certified_never_exceeds_attacked(name: str) -> None:
    case = smoothed(zoo.ZOO[name](), sigma=0.3, draws=9)
    certified, attacked = sandwich(result_of(case, CHECK, samples=12, steps=5, epsilons=EPSILONS, samples_per_row=400))

    assert certified == sorted(certified, reverse=True)
    assert all(c <= a for c, a in zip(certified[1:], attacked, strict=True))


def test_what_few_draws_lose_is_told_apart_from_what_is_certified() -> None:
    """With one draw the model answers as it does for one shifted input: attacks break it well inside the radius."""
    result = result_of(
        smoothed(zoo.linear_table(), sigma=1.0, draws=1), CHECK, samples=0, steps=10, epsilons=[0.02, 0.1],
        samples_per_row=3000,
    )  # fmt: skip
    certified, attacked = sandwich(result)

    assert "rows are broken inside their certificate because the model makes only 1 draws" in " ".join(result.caveats)
    assert all(c <= a for c, a in zip(certified[1:], attacked, strict=True))


def test_more_false_certificates_than_chance_allows_are_an_error() -> None:
    _need_agreement(1, 100, 0.001)  # of a hundred, one in ten times
    with pytest.raises(ArithmeticError, match="3 of 100 certificates are disproved"):
        _need_agreement(3, 100, 0.001)


def test_what_it_does_not_apply_to() -> None:
    case = zoo.linear_table()
    held = Case(replace(case.model, unit=torch.zeros(3)), case.data)

    assert "no element of the input" in not_applicable(smoothed(held), CHECK)
