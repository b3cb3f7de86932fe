"""Whose answers changed between two models, against a hand count, scikit-learn's tables and real audits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from auditor.audit import run
from auditor.comparing.churn import Churn, churn
from auditor.intervals import student, wilson
from auditor.progress import Finished, Listener
from auditor.scores import ANSWERS, LABELS, SCORED_ROWS
from auditor.selection import Selection
from auditor.store import Record
from auditor.subject import Data, Model
from auditor.types import Measure
from tests.reports.compared import record

ABC = ("a", "b", "c")


def answered(
    said: Sequence[int], true: Sequence[int], classes: Sequence[str] = ABC, ids: Sequence[int] = (), **rest: Any
) -> Record:
    """An audit that kept what its model says of rows."""
    kept = {
        f"performance.accuracy/{SCORED_ROWS}": np.array(ids or range(len(said))),
        f"performance.accuracy/{ANSWERS}": np.array(said, np.int32),
        f"performance.accuracy/{LABELS}": np.array(true, np.int32),
    }
    found = record(arrays=kept, **rest)
    subject = {**found.audit.subject, "data": {**found.audit.subject["data"], "classes": list(classes)}}
    return replace(found, audit=replace(found.audit, subject=subject))


def counts(measures: Sequence[Measure]) -> dict[tuple[str, str], tuple[float, ...]]:
    return {(m.name, m.slice): m.counts for m in measures}


def of(first: Record, second: Record) -> Churn:
    found = churn(first, second)
    assert found is not None
    return found


TRUE = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
FIRST = [0, 0, 0, 1, 1, 1, 0, 2, 0, 1]  # wrong: rows 3, 6, 8, 9
SECOND = [0, 1, 2, 2, 1, 1, 1, 2, 0, 2]  # rows 1 and 2 are lost, 3 is wrong otherwise, 6 and 9 are gained


def test_ten_rows_counted_by_hand() -> None:
    found = of(answered(FIRST, TRUE), answered(SECOND, TRUE))

    assert counts(found.whole) == {
        ("answer_changed", ""): (5, 10), ("right_to_wrong", ""): (2, 10),
        ("wrong_to_right", ""): (2, 10), ("wrong_to_other_wrong", ""): (1, 10),
    }  # fmt: skip
    assert [m.counts for m in found.by_class if m.name == "answer_changed"] == [(3, 4), (1, 3), (1, 3)]
    assert counts(found.by_class)["right_to_wrong", "class=a"] == (2, 4)
    i = wilson(5, 10)
    assert (found.whole[0].value, found.whole[0].low, found.whole[0].high) == (0.5, i.low, i.high)


def test_the_flows_are_those_of_confusion_tables_and_add_up_to_the_change_of_accuracy() -> None:
    draw = np.random.default_rng(3)
    true, first, second = draw.integers(0, 5, (3, 400))
    found = of(*(answered(s, true, "abcde") for s in (first, second)))

    own = confusion_matrix(first, second, labels=range(5))
    right = confusion_matrix(first == true, second == true)
    whole = {m.name: m.counts[0] for m in found.whole}
    assert whole["answer_changed"] == own.sum() - np.trace(own)
    assert (whole["right_to_wrong"], whole["wrong_to_right"]) == (right[1, 0], right[0, 1])
    assert whole["answer_changed"] == sum(k for name, k in whole.items() if name != "answer_changed")
    assert whole["wrong_to_right"] - whole["right_to_wrong"] == (second == true).sum() - (first == true).sum()
    for name, k in whole.items():
        assert sum(m.counts[0] for m in found.by_class if m.name == name) == k


def test_rows_are_matched_by_their_ids_and_classes_by_their_names() -> None:
    turned = dict(zip(ABC, (2, 0, 1), strict=True))  # the second audit has the classes in the order b, c, a
    order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
    second = answered(
        [turned[ABC[SECOND[i]]] for i in order], [turned[ABC[TRUE[i]]] for i in order], ("b", "c", "a"), order
    )

    assert of(answered(FIRST, TRUE), second).whole == of(answered(FIRST, TRUE), answered(SECOND, TRUE)).whole


def test_a_class_that_only_the_second_model_has_is_another_answer() -> None:
    rejecting = answered([0, 0, 3, 3, 1, 1, 0, 2, 0, 1], TRUE, (*ABC, "(rejected)"))

    assert counts(of(answered(FIRST, TRUE), rejecting).whole)["right_to_wrong", ""] == (1, 10)


def test_with_two_classes_there_is_no_other_wrong_answer() -> None:
    found = of(answered([0, 1, 1], [0, 0, 1], "ab"), answered([1, 0, 1], [0, 0, 1], "ab"))

    assert [(m.name, m.counts) for m in found.whole] == [
        ("answer_changed", (2, 3)), ("right_to_wrong", (1, 3)), ("wrong_to_right", (1, 3)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "second",
    [
        answered(SECOND, TRUE, rows="others"),
        answered(SECOND, TRUE, ids=range(1, 11)),
        answered(SECOND, [0] * 10),
        answered(SECOND, TRUE, ("x", "y", "z")),
        answered([9, *SECOND[1:]], TRUE),
        answered([-1, *SECOND[1:]], TRUE),
        record(),
    ],
)
def test_nothing_is_said_of_other_rows_labels_or_classes_or_where_nothing_was_kept(second: Record) -> None:
    assert churn(answered(FIRST, TRUE), second) is None
    assert churn(second, answered(FIRST, TRUE)) is None


# ---- values ------------------------------------------------------------------------------------------------------
def valued(values: Sequence[float]) -> Record:
    kept = {f"intake.preflight/{SCORED_ROWS}": np.arange(len(values)), f"intake.preflight/{ANSWERS}": np.array(values)}
    return record(arrays=kept)


def test_values_have_the_mean_of_their_changes_and_quantiles() -> None:
    before, after = [1.0, 2.0, 3.0, 4.0], [1.0, 2.5, 1.0, 4.25]  # changes 0, .5, 2, .25
    found = of(valued(before), valued(after))

    mean, *quantiles = found.whole
    i = student(4, 0.6875, float(np.std([0, 0.5, 2, 0.25], ddof=1)))
    assert (mean.name, mean.value, mean.low, mean.high) == pytest.approx(
        ("mean_absolute_change", 0.6875, i.low, i.high)
    )
    assert [(m.slice, m.value) for m in quantiles] == [
        ("quantile=0.5", 0.25), ("quantile=0.9", 2.0), ("quantile=0.99", 2.0), ("quantile=1", 2.0),
    ]  # fmt: skip
    assert found.by_class == found.by_group == ()
    assert churn(valued(before), valued([*after[:3], float("nan")])) is None


# ---- what an audit keeps -----------------------------------------------------------------------------------------
def linear(weights: Sequence[Sequence[float]], output: str, classes: Sequence[str] = ()) -> Model:
    layer = torch.nn.Linear(len(weights[0]), len(weights), bias=False)
    layer.weight.data = torch.tensor(weights)
    return Model(layer, tuple(classes), bounds=(-9.0, 9.0), output=output)


def audited(model: Model, data: Data, only: Sequence[str]) -> Record:
    seen = list[Finished]()
    subject = {
        "data": {"sha256": "d", "rows_sha256": "r", "classes": list(model.classes), "sensitive": list(data.groups)}
    }
    audit = run(
        model, data, selection=Selection("quick", tuple(only)), subject=subject, tell=Listener(finished=seen.append)
    )
    return Record(audit, {name: a for f in seen for name, a in f.arrays.items()})


def test_two_real_audits_by_class_and_by_group() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(300, 4), torch.randint(0, 3, (300,))
    sex = ["(missing)" if i % 7 == 0 else "few" if i in (1, 2) else "mf"[i % 2] for i in range(300)]
    data = Data.of(x, y, {"sex": sex})
    weights = torch.randn(2, 3, 4)
    first, second = (
        audited(linear(w.tolist(), "logits", ABC), data, ("performance.accuracy", "fairness.groups")) for w in weights
    )

    found = of(first, second)

    a, b = ((x @ w.T).argmax(1).numpy() for w in weights)
    want: Mapping[str, np.ndarray[Any, Any]] = {
        "answer_changed": a != b,
        "right_to_wrong": (a == y.numpy()) & (b != y.numpy()),
        "wrong_to_right": (a != y.numpy()) & (b == y.numpy()),
        "wrong_to_other_wrong": (a != y.numpy()) & (b != y.numpy()) & (a != b),
    }
    masks = {"sex=f": np.array(sex) == "f", "sex=m": np.array(sex) == "m"}
    assert counts(found.by_group) == {
        (name, about): (int((flags & inside).sum()), int(inside.sum()))
        for about, inside in masks.items()
        for name, flags in want.items()
    }
    of_class = {f"class={c}": y.numpy() == i for i, c in enumerate(ABC)}
    assert counts(found.by_class) == {
        (name, about): (int((flags & inside).sum()), int(inside.sum()))
        for about, inside in of_class.items()
        for name, flags in want.items()
    }
    assert first.arrays[f"performance.accuracy/{ANSWERS}"].dtype == np.int32


def test_two_real_audits_of_a_regression() -> None:
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
    data = Data.of(x, x.sum(1))
    first, second = (audited(linear([w], "value"), data, ("intake.preflight",)) for w in ([1.0, 1.0], [1.0, 0.5]))

    found = of(first, second)

    moved = (0.5 * x[:, 1]).abs().double()
    assert found.whole[0].value == pytest.approx(float(moved.mean()), abs=1e-6)
    assert found.whole[-1].value == pytest.approx(float(moved.max()), abs=1e-6)
    assert found.whole[0].n == 40
