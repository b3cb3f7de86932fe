"""Feature squeezing as a wrapper: the answers are those of the model for inputs that were squeezed by hand."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from auditor.defend.feature_squeezing import feature_squeezing
from auditor.errors import NotApplicable, UsageError
from auditor.intake.outputs import settle
from auditor.subject import Model
from auditor.wrapped.wrapping import Wrapping, wrapped
from tests import zoo

CASES = [name for name in zoo.ZOO if name != "texts"]


def squeezed(case: zoo.Case, **settings: object) -> Model:
    model, _ = settle(case.model, case.data)
    return wrapped(model, feature_squeezing(case.model, case.data, 0, **settings))


def by_hand(case: zoo.Case, bits: int, median: bool) -> torch.Tensor:
    """The inputs rounded element by element, then scipy's median."""
    from scipy.ndimage import median_filter

    x, steps = case.data.read(np.arange(len(case.data))).numpy(), 2**bits - 1
    coarse = np.round(x * steps) / steps
    if median:
        coarse = np.stack([[median_filter(c, size=2, mode="reflect") for c in picture] for picture in coarse])
    return torch.from_numpy(coarse)


@pytest.mark.parametrize(("bits", "median"), [(1, False), (3, False), (4, True)])
@pytest.mark.parametrize("name", ["inplace_relu", "batch_norm", "normalized"])
def test_answers_are_those_for_what_is_squeezed_by_hand(name: str, bits: int, median: bool) -> None:
    case = zoo.ZOO[name]()
    around = squeezed(case, bits=bits, median=median)
    x = case.data.read(np.arange(len(case.data)))

    with torch.no_grad(), case.model.frozen():
        assert torch.allclose(around(x), case.model(by_hand(case, bits, median)), atol=1e-5)
        assert not torch.allclose(around(x), case.model(x), atol=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_every_model_keeps_its_classes_bounds_and_kind_of_answer(name: str) -> None:
    case = zoo.ZOO[name]()
    around = squeezed(case, bits=16, median=False)
    model, _ = settle(case.model, case.data)
    x = case.data.read(np.arange(8))

    assert (around.classes, around.output) == (model.classes, "logits")
    with torch.no_grad(), around.frozen():
        assert torch.allclose(around(x), model(x), atol=2e-2)  # 65,536 values an element
    assert next(iter(around.module.children())) is case.model.module


def test_the_given_model_is_not_touched() -> None:
    case = zoo.batch_norm()
    before = copy.deepcopy(case.model.module.state_dict())

    squeezed(case)

    assert all(torch.equal(v, before[k]) for k, v in case.model.module.state_dict().items())


def test_of_a_table_numbers_are_rounded_and_categories_stay() -> None:
    case = zoo.categories()
    found = feature_squeezing(case.model, case.data, 0, bits=1)

    assert found.settings["low"] == [-3.0, 0.0, 0.0, 0.0, 0.0]
    assert found.settings["high"] == [3.0, 0.0, 0.0, 0.0, 0.0]
    assert found.settings["median"] is False
    x = case.data.read(np.arange(6))
    ends = x.clone()
    ends[:, 0] = torch.where(x[:, 0] > 0, 3.0, -3.0)
    with torch.no_grad():
        assert torch.allclose(wrapped(case.model, found)(x), case.model(ends), atol=1e-5)


def test_endless_bounds_are_those_of_the_data() -> None:
    case = zoo.linear_table()
    endless = replace(case.model, bounds=(float("-inf"), float("inf")))
    x = case.data.read(np.arange(len(case.data)))

    found = feature_squeezing(endless, case.data, 0)

    assert found.settings["low"] == pytest.approx(x.amin(0).tolist())
    assert found.settings["high"] == pytest.approx(x.amax(0).tolist())


def test_gradients_pass_the_rounding() -> None:
    case = zoo.inplace_relu()
    around = squeezed(case, bits=2, median=False)
    x = case.data.read(np.arange(4)).requires_grad_()
    coarse = by_hand(case, 2, median=False)[:4].requires_grad_()

    for at, model in ((x, around), (coarse, case.model)):
        model(at).square().sum().backward()

    assert torch.allclose(x.grad, coarse.grad, atol=1e-5)


def test_a_program_can_be_squeezed() -> None:
    case = zoo.inplace_relu()
    x = case.data.read(np.arange(len(case.data)))
    with torch.no_grad():
        traced = torch.jit.trace(case.model.module, x[:2])
    program = zoo.Case(replace(case.model, module=traced), case.data)

    with torch.no_grad():
        assert torch.allclose(squeezed(program)(x), squeezed(case)(x), atol=1e-5)


def test_texts_and_settings_that_do_not_fit_are_refused() -> None:
    case = zoo.texts()
    plain = zoo.linear_table().model

    with pytest.raises(NotApplicable, match="the inputs are texts"):
        feature_squeezing(case.model, case.data, 0)
    for settings, message in (
        ({"bits": 4, "median": False, "low": [0.0]}, "needs 'high'"),
        ({"bits": 40, "median": False, "low": [0.0], "high": [1.0]}, "bits = 40"),
        ({"bits": 4, "median": False, "low": [0.0, 2.0], "high": [1.0]}, "expected as many"),
        ({"bits": 4, "median": False, "low": [2.0], "high": [1.0]}, "none above the other"),
        ({"bits": 4, "median": False, "low": [0.0], "high": [1.0], "magic": 1}, "has no setting 'magic'"),
    ):
        with pytest.raises(UsageError, match=message):
            wrapped(plain, Wrapping("feature_squeezing", settings))
    with pytest.raises(UsageError, match="no wrapper 'os'; known: feature_squeezing"):
        wrapped(plain, Wrapping("os", {}))
