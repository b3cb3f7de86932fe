"""performance.accuracy against a hand count and scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, brier_score_loss, precision_score, recall_score

from auditor.audit import run
from auditor.given import Given
from auditor.selection import Selection
from auditor.subject import Data, Model
from auditor.types import Result, Status
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of

CHECK = "performance.accuracy"


class Says(torch.nn.Module):
    """Gives the class that stands in the input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(x[:, 0].long(), 4).float() * 5


def case(predicted: list[int], actual: list[int]) -> zoo.Case:
    x = torch.tensor(predicted, dtype=torch.float32)[:, None]
    return zoo.Case(Model(Says(), ("a", "b", "c", "d"), bounds=(0.0, 3.0)), Data.of(x, torch.tensor(actual)))


def test_a_hand_count() -> None:
    result = result_of(case([0, 0, 1, 1, 2, 0], [0, 1, 1, 1, 2, 2]), CHECK)

    assert measures(result, "accuracy")[""].counts == (4, 6)
    assert measures(result, "majority_share")[""].value == 0.5
    assert {s: m.counts for s, m in measures(result, "recall").items()} == {
        "class=a": (1, 1), "class=b": (2, 3), "class=c": (1, 2),
    }  # fmt: skip
    assert {s: m.counts for s, m in measures(result, "precision").items()} == {
        "class=a": (1, 3), "class=b": (2, 2), "class=c": (1, 1),
    }  # fmt: skip


def test_is_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    predicted, actual = generator.integers(0, 4, 300).tolist(), generator.integers(0, 4, 300).tolist()
    result = result_of(case(predicted, actual), CHECK)

    assert measures(result, "accuracy")[""].value == pytest.approx(accuracy_score(actual, predicted), abs=1e-12)
    for name, reference in (("recall", recall_score), ("precision", precision_score)):
        found = [m.value for m in measures(result, name).values()]
        assert found == pytest.approx(list(reference(actual, predicted, average=None)), abs=1e-12)


def test_a_class_that_is_never_named_or_never_there_has_no_figure() -> None:
    result = result_of(case([0, 0, 0], [0, 0, 1]), CHECK)

    assert measures(result, "precision")["class=b"].value is None
    assert measures(result, "recall")["class=b"].value == 0.0
    assert "class=c" not in measures(result, "recall")


def test_brier_is_the_squared_error_of_every_class_by_hand_and_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([1.0, 1.0, 1.0], 50).astype(np.float32)
    probabilities[:3] = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0.25, 0.25]])
    y = torch.tensor([0, 0, 0, *generator.integers(0, 3, 47)])
    given = Given(("a", "b", "c"), probabilities.argmax(1), probabilities)
    data = replace(Data.of(torch.zeros(50, 1), y), given=given)
    (found,) = measures(result_of_given(data), "brier").values()
    three = replace(data.at(np.arange(3)), given=Given(given.classes, given.predicted[:3], probabilities[:3]))
    (hand,) = measures(result_of_given(three), "brier").values()

    assert found.value == pytest.approx(brier_score_loss(y.numpy(), probabilities, scale_by_half=False), abs=1e-6)
    assert hand.value == pytest.approx((0 + 2 + (0.25 + 0.0625 + 0.0625)) / 3)
    assert (hand.better, hand.n, hand.low) == ("lower", 3, None)


def test_decisions_without_probabilities_have_no_brier() -> None:
    data = Data.of(torch.zeros(4, 1), torch.tensor([0, 1, 0, 1]))
    given = Given(("a", "b"), np.array([0, 1, 1, 1]), None)

    assert measures(result_of_given(replace(data, given=given)), "brier") == {}


def result_of_given(data: Data) -> Result:
    result = run(None, data, selection=Selection(only=(CHECK,))).outcome(CHECK).result
    assert result is not None
    return result


def test_the_table_names_the_commonest_confusion() -> None:
    rows = result_of(case([1, 1, 2, 0], [0, 0, 0, 0]), CHECK).tables[0].rows

    assert rows[0][0] == "a"
    assert rows[0][-1] == "b (2)"


@pytest.mark.parametrize(
    ("predicted", "status"), [([0, 1] * 60, Status.PASS), ([0] * 120, Status.INCONCLUSIVE), ([1, 0] * 60, Status.WARN)]
)
def test_a_healthy_an_unskilled_and_a_sick_model(predicted: list[int], status: Status) -> None:
    found = case(predicted, [0, 1] * 60)
    outcome = run(found.model, found.data, selection=Selection(only=(CHECK,))).outcome(CHECK)

    assert outcome.status is status


def test_regression_has_no_accuracy() -> None:
    found = zoo.linear_table()
    model = Model(torch.nn.Linear(3, 1), (), output="value", bounds=found.model.bounds)
    data = Data.of(found.data.read(np.arange(24)), torch.rand(24))

    assert not_applicable(zoo.Case(model, data), CHECK) == "the model returns a value, not classes"


def test_data_of_one_class_have_no_majority_to_beat() -> None:
    given = case([0] * 95 + [1] * 5, [0] * 100)
    result = result_of(given, CHECK)
    outcome = run(given.model, given.data, selection=Selection(only=(CHECK,))).outcome(CHECK)

    assert measures(result, "majority_share")[""].value is None
    assert outcome.status is Status.INCONCLUSIVE
