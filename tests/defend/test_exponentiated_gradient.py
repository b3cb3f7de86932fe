"""Another last layer by the exponentiated gradient reduction."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from auditor.columns import Labels
from auditor.contingency import Criterion
from auditor.defend.exponentiated_gradient import exponentiated_gradient
from auditor.errors import NotApplicable, UsageError
from auditor.subject import Data, Model
from auditor.training.watch import Watch
from tests import zoo
from tests.defend.planted import figures, patient
from tests.defend.test_fairness_penalty import OF, widest

FOUND = re.compile(
    r"Of 300 rows held out: largest gap 0\.\d{3}, accuracy 0\.\d{3} before; gap (0\.\d{3}), .* after\. (.*)"
)


@pytest.mark.parametrize("criterion", list(OF))
@pytest.mark.parametrize(("positive", "outputs"), [(1, 2), (0, 2), (1, 1)])
def test_closes_more_than_half_of_a_planted_gap(criterion: Criterion, positive: int, outputs: int) -> None:
    model, data, unseen = patient(positive=positive, outputs=outputs)
    before = figures(model, unseen)

    made = exponentiated_gradient(model, data, 0, criterion=criterion)

    after = figures(model, unseen, made.module)
    assert widest(before, criterion) > 0.08
    assert widest(after, criterion) < widest(before, criterion) / 2
    assert after.accuracy > before.accuracy - 0.02
    assert FOUND.fullmatch(made.notes[-1])


def test_changes_the_last_layer_alone_and_nothing_of_the_given_model() -> None:
    model, data, _ = patient()
    before = {k: v.clone() for k, v in model.module.state_dict().items()}
    told: list[tuple[int, int]] = []

    first, again = (
        exponentiated_gradient(model, data, 0, Watch(lambda *n: told.append(n))).module.state_dict() for _ in range(2)
    )

    assert all(torch.equal(v, before[k]) for k, v in model.module.state_dict().items())
    assert {k for k, v in first.items() if not torch.equal(v, before[k])} == {"2.weight", "2.bias"}
    assert all(torch.equal(v, again[k]) for k, v in first.items())
    assert told == [(1, 1)] * 2
    assert first["2.weight"][0].tolist() == (-first["2.weight"][1]).tolist()


def test_says_what_is_lost_by_the_mean_of_the_layers() -> None:
    model, data, _ = patient()

    said = FOUND.fullmatch(exponentiated_gradient(model, data, 0).notes[-1])

    assert said is not None
    drawn = re.fullmatch(
        r"One of \d layers drawn for every answer would have gap (0\.\d{3}), accuracy 0\.\d{3}\.", said[2]
    )
    assert drawn is not None
    assert abs(float(said[1]) - float(drawn[1])) < 0.05


def test_says_that_it_was_too_short_and_that_rows_are_few() -> None:
    model, data, _ = patient()

    notes = exponentiated_gradient(
        model, data.take(45, 0), 0, iterations=1, bound=1e-4, criterion="equalized_odds"
    ).notes

    assert any(n.startswith("Not solved in 1 iterations: a duality gap of") for n in notes)
    assert notes[-1].startswith("There are too few reference rows to hold any out")


def test_rows_without_a_group_are_counted() -> None:
    model, data, _ = patient()
    names = np.array(list(data.groups["group"]), dtype=object)
    names[::3] = "(missing)"

    notes = exponentiated_gradient(model, replace(data, groups={"group": Labels.of(names.tolist())}), 0).notes

    assert notes[1] == "Of 1,000 rows the group is missing: they are under no constraint."


def test_takes_texts() -> None:
    patient = zoo.texts()
    model = patient.model
    assert len(model.classes) == 2

    found = exponentiated_gradient(model, patient.data, 0, bound=0.2).module.state_dict()

    before = model.module.state_dict()
    assert 1 <= sum(not torch.equal(v, before[k]) for k, v in found.items()) <= 2


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (zoo.inplace_relu, "the reduction is of two classes; the model has 3"),
        (zoo.sigmoid_output, "outputs are not those of a last linear layer"),
    ],
)
def test_does_not_apply(case: object, said: str) -> None:
    patient = case()

    with pytest.raises(NotApplicable, match=said):
        exponentiated_gradient(patient.model, patient.data, 0)


def test_does_not_apply_to_values_and_programs() -> None:
    _, data, _ = patient()
    program = torch.jit.script(nn.Linear(3, 2))

    with pytest.raises(NotApplicable, match="returns a value, not classes"):
        exponentiated_gradient(Model(nn.Linear(3, 1), (), output="value"), data, 0)
    with pytest.raises(NotApplicable, match="no weights that can be trained"):
        exponentiated_gradient(Model(program, ("a", "b")), data, 0)


def test_a_column_that_is_not_there_is_refused() -> None:
    model, data, _ = patient()

    with pytest.raises(UsageError, match="has no sensitive column 'sex'; it has: group"):
        exponentiated_gradient(model, data, 0, attribute="sex")
    with pytest.raises(UsageError, match="a mitigation needs groups"):
        exponentiated_gradient(model, Data.of(torch.randn(60, 3), torch.arange(60) % 2), 0)
