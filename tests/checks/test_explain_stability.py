"""explain.stability: gradients of fine ripples jump with the input, hiding columns does not."""

from __future__ import annotations

from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.checks.liars import rippled

CHECK = "explain.stability"
SIZE = {"samples": 10, "draws": 4, "passes": 10_000}


def test_gradients_of_ripples_are_unsteady_and_hiding_columns_is_steady() -> None:
    result = result_of(rippled(), CHECK, **SIZE)
    largest, steady = (measures(result, name) for name in ("max_sensitivity", "steady"))

    assert largest["method=Input x gradient"].value > 1
    assert steady["method=Input x gradient"].high < 0.95
    assert largest["method=Occlusion"].value < 0.2
    assert steady["method=Occlusion"].value == 1


def test_a_linear_model_is_steady_in_proportion_to_the_radius() -> None:
    small, large = (result_of(zoo.planted_patch(), CHECK, **SIZE, radius=r) for r in (0.005, 0.05))
    for method in ("LRP", "Input x gradient"):
        a, b = (measures(r, "max_sensitivity")[f"method={method}"].value for r in (small, large))

        assert 0 < a < b < 0.5
        assert 5 < b / a < 15


def test_texts_have_no_small_change() -> None:
    assert "texts have no small change" in not_applicable(zoo.texts(), CHECK)
