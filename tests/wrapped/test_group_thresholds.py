"""Group thresholds as a wrapper: who is answered how is counted by hand, and nobody's group may be changed."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.pgd import pgd
from auditor.columns import Labels
from auditor.defend.group_thresholds import group_thresholds
from auditor.errors import NotApplicable, UsageError
from auditor.intake.outputs import settle
from auditor.subject import Data, Model
from auditor.wrapped.group_thresholds import Thresholded, of_no_group, with_groups
from auditor.wrapped.wrapping import Wrapping, wrapped
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.wrapped.grouped import apart, skewed
from tests.zoo import Case

GIVEN: dict[str, Any] = {"attribute": "sex", "groups": ["f", "m"], "thresholds": [-5.0, 3.0], "positive": 1}


def thresholded(case: Case, **given: Any) -> Case:
    """The case as an audit of its wrapper sees it."""
    settings = GIVEN | given
    model = wrapped(settle(case.model, case.data)[0], Wrapping("group_thresholds", settings))
    return Case(model, with_groups(case.data, settings["attribute"], settings["groups"]))


def answers(case: Case) -> Tensor:
    x = case.data.read(np.arange(len(case.data)))
    with torch.no_grad(), case.model.frozen():
        return case.model(x)


def hardened(case: Case, **settings: Any) -> Wrapping:
    return group_thresholds(case.model, case.data, 0, **settings)


# ---- what it answers ---------------------------------------------------------------------------------------------
def test_each_group_has_the_threshold_that_is_always_right() -> None:
    case = apart()
    around = hardened(case, criterion="equalized_odds")

    assert around.settings == GIVEN
    assert answers(thresholded(case)).argmax(1).tolist() == case.data.y.tolist()
    assert (answers(case).argmax(1).numpy() == case.data.y).sum() == 64


def test_logits_are_lowered_by_what_the_group_asks_for() -> None:
    case = apart()
    plain, after = answers(case), answers(thresholded(case))
    asked = torch.tensor([-5.0] * 40 + [3.0] * 40)

    assert torch.equal(after[:, 0], plain[:, 0])
    assert torch.allclose(plain[:, 1] - after[:, 1], asked)


def test_within_a_group_the_order_of_the_rows_stays() -> None:
    case = skewed()
    plain, after = (answers(c).softmax(1)[:, 1].numpy() for c in (case, thresholded(case, thresholds=[-1.1, 0.7])))

    for code in (0, 1):
        rows = case.data.groups["sex"].codes == code
        assert (np.argsort(plain[rows], kind="stable") == np.argsort(after[rows], kind="stable")).all()


@pytest.mark.parametrize("name", ["linear_table", "single_logit", "sigmoid_output", "categories", "several_inputs"])
def test_every_kind_of_output_is_shifted_by_the_same_odds(name: str) -> None:
    plain = zoo.ZOO[name]()
    n, width = len(plain.data), plain.data.shape[0]
    columns = plain.data.columns or zoo.linear_table().data.columns
    bounds = tuple(torch.as_tensor(b).expand(width) for b in plain.model.bounds)
    groups = {"sex": Labels.of([("f", "m", "x")[i % 3] for i in range(n)])}
    columns = columns or tuple(zoo.Column(f"c{i}", i, i + 1) for i in range(width))
    case = Case(replace(plain.model, bounds=bounds), replace(plain.data, groups=groups, columns=columns))
    around = thresholded(case, thresholds=[0.5, -0.25])
    model, _ = settle(case.model, case.data)
    with torch.no_grad(), model.frozen():
        before = model(case.data.read(np.arange(n))).softmax(1)
    after = answers(around).softmax(1)

    odds = (after[:, 1] / after[:, 0] / (before[:, 1] / before[:, 0])).log()
    assert odds.tolist() == pytest.approx([(-0.5, 0.25, 0.0)[i % 3] for i in range(n)], abs=1e-4)
    assert (around.model.classes, around.model.output) == (model.classes, "logits")


def test_a_row_of_no_group_has_the_plain_threshold() -> None:
    case = apart()
    labels = Labels.of(["f"] * 20 + ["(missing)"] * 10 + ["x"] * 10 + ["m"] * 40)
    case = Case(case.model, replace(case.data, groups={"sex": labels}))
    around = thresholded(case)

    assert of_no_group(labels, ("f", "m")) == 20
    assert torch.equal(answers(around)[20:40], answers(case)[20:40])
    assert torch.equal(answers(around)[:20, 1], answers(case)[:20, 1] + 5)


def test_the_given_model_is_not_touched() -> None:
    case = apart()
    before, data = copy.deepcopy(case.model.module.state_dict()), case.data.read(np.arange(5))

    hardened(case)
    answers(thresholded(case))

    assert all(torch.equal(v, before[k]) for k, v in case.model.module.state_dict().items())
    assert torch.equal(case.data.read(np.arange(5)), data) and case.data.shape == (2,)


# ---- the group as a part of the input ----------------------------------------------------------------------------
def test_the_group_is_a_category_that_nobody_may_change() -> None:
    around = thresholded(apart())
    column = around.data.columns[-1]

    assert (column.name, column.kind, column.values, column.start, column.stop) == ("sex", "category", ("f", "m"), 2, 4)
    assert not column.mutable
    assert around.data.read(np.array([0, 40]))[:, 2:].tolist() == [[1, 0], [0, 1]]
    assert around.data.at(np.array([40, 0])).read(np.array([0]))[:, 2:].tolist() == [[0, 1]]
    assert [b[2:].tolist() for b in around.model.bounds] == [[0, 0], [1, 1]]
    assert around.model.unit.tolist() == pytest.approx([3.0, 0.7, 0.0, 0.0])


def test_a_column_of_that_name_among_the_inputs_stays_beside_it() -> None:
    """The wrapper never reads it there: there is one way in which it learns the group."""
    case = zoo.biased_table()
    around = thresholded(case, attribute="group", groups=["a", "b"], thresholds=[1.0, -1.0])

    assert [c.name for c in around.data.columns] == ["group", "skill", "group"]


def test_attacks_leave_the_group_alone() -> None:
    around = thresholded(skewed(), thresholds=[-1.0, 1.0])
    batch = next(around.data.batches(200))
    with around.model.frozen():
        worst = pgd(around.model, batch.x, batch.y, 0.3, steps=5, generator=torch.Generator().manual_seed(0))

    assert torch.equal(worst[:, 2:], batch.x[:, 2:])
    assert float((worst[:, :2] - batch.x[:, :2]).abs().amax()) > 0.5


def test_no_counterfactual_changes_the_group() -> None:
    around = thresholded(skewed(), thresholds=[-1.0, 1.0])
    result = result_of(around, "explain.counterfactuals")
    (often,) = [t for t in result.tables if t.columns[0] == "column"]
    rows = {row[0]: row for row in often.rows}

    assert rows["sex"][1:3] == ("no", 0)
    assert rows["score"][2] == rows["score"][3] > 0


def test_explanations_count_the_group_as_what_it_is_a_column_the_answer_depends_on() -> None:
    """Reading it is what the wrapper is there for, and whoever signs must see it."""
    plain = skewed()
    around = thresholded(plain, thresholds=[1.5, -1.5])
    right = Case(around.model, replace(around.data, y=answers(around).argmax(1).numpy()))
    relied, without = (measures(result_of(c, "explain.global"), "permutation_importance") for c in (right, plain))

    assert relied["column=sex"].low > 0
    assert "column=sex" not in without


def test_gradients_of_the_columns_are_those_of_the_model_behind() -> None:
    case = zoo.categories()
    groups = {"sex": Labels.of(["f", "m"] * (len(case.data) // 2))}
    case = Case(case.model, replace(case.data, groups=groups))
    around = thresholded(case)
    x = case.data.read(np.arange(8)).requires_grad_()
    y = around.data.read(np.arange(8)).requires_grad_()

    case.model(x)[:, 1].sum().backward()
    around.model(y)[:, 1].sum().backward()

    assert torch.allclose(x.grad, y.grad[:, :5], atol=1e-6)
    assert torch.allclose(y.grad[:, 5:], torch.tensor([5.0, -3.0]).expand(8, 2))


# ---- fairness as an audit finds it -------------------------------------------------------------------------------
def test_the_gap_is_found_before_and_not_after() -> None:
    """Found on one half of the rows, measured on others."""
    case, other = skewed(3000, seed=1), skewed(3000, seed=2)
    around = hardened(other, criterion="demographic_parity")
    after = thresholded(case, **around.settings)

    gaps = [measures(result_of(c, "fairness.groups"), "demographic_parity_difference")["sex"] for c in (case, after)]

    assert gaps[0].low > 0.3
    assert gaps[1].low <= 0.0 or gaps[1].value < 0.05
    assert gaps[1].high < 0.1


def test_areas_under_curves_by_group_stay() -> None:
    from sklearn.metrics import roc_auc_score

    case = skewed(1000)
    after = thresholded(case, **hardened(case).settings)
    sex = case.data.groups["sex"].codes
    for code in (0, 1):
        rows = sex == code
        areas = [roc_auc_score(case.data.y[rows], answers(c).softmax(1)[rows, 1]) for c in (case, after)]
        assert areas[0] == pytest.approx(areas[1], abs=1e-6)


def test_the_notes_say_what_must_be_known() -> None:
    case = apart()
    reads, asked, effects = hardened(case, criterion="equalized_odds").notes

    assert "reads the column 'sex' of each row to decide" in reads and "for people to decide" in reads
    assert asked == "The answer is 'yes' above a probability of: 'f' 0.00669, 'm' 0.953; of 0.5 for all before."
    assert "gap in true positive rates and false positive rates goes from 0.333 to 0.000" in effects
    assert "accuracy from 0.800 to 1.000" in effects and "would have 0.000 and 1.000 there" in effects


def test_groups_that_stay_as_they_are_are_named() -> None:
    case = apart()
    labels = Labels.of([*[*case.data.groups["sex"]][:-3], "x", "x", "(missing)"])
    around = hardened(Case(case.model, replace(case.data, groups={"sex": labels})))

    assert around.settings["groups"] == ["f", "m"]
    assert "of 0.5 for all before, and still for '(missing)', 'x', of too few rows." in around.notes[1]


def test_that_nobody_gets_the_favourable_answer_is_said() -> None:
    """Where nobody deserves it but by chance, accuracy asks for nobody."""
    draw = np.random.default_rng(9)
    case = skewed(600)
    y = (draw.random(600) < 0.08).astype(np.int64)
    around = hardened(Case(case.model, replace(case.data, y=y)))

    assert "Nobody among these rows gets the favourable answer then." in around.notes


# ---- what it does not apply to -----------------------------------------------------------------------------------
def test_what_cannot_have_thresholds_is_refused_in_one_line() -> None:
    case, pictures = apart(), zoo.inplace_relu()
    with_sex = {"sex": Labels.of(["f", "m"] * (len(pictures.data) // 2))}
    values = Model(nn.Linear(2, 1), (), output="value")
    for model, data, settings, kind, message in (
        (values, case.data, {}, NotApplicable, "a value, not classes; a threshold of each group needs classes"),
        (pictures.model, replace(pictures.data, groups=with_sex, positive=1), {}, NotApplicable, "no rows of a table"),
        (case.model, replace(case.data, positive=None), {}, NotApplicable, "name one with \\[data\\] positive"),
        (case.model, replace(case.data, groups={}), {}, UsageError, "a sensitive column was asked for; .* has: none"),
        (case.model, case.data, {"attribute": "race"}, UsageError, "attribute = 'race' was asked for; .* has: 'sex'"),
        (case.model, case.data.at(np.arange(40)), {}, NotApplicable, "1 of 1 groups have 10 favourable"),
    ):
        with pytest.raises(kind, match=message):
            group_thresholds(model, data, 0, **settings)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"thresholds": [1.0, 2.0, 3.0]}, "has 3 thresholds for 2 groups"),
        ({"groups": ["f", "f"]}, "2 thresholds for 2 groups, 1 of them different"),
        ({"positive": 2}, "of class 2; expected .* one of 2 classes"),
        ({"positive": -1}, "positive = -1"),
        ({"positive": True}, "positive = True"),
        ({"positive": 1.5}, "positive = 1.5"),
        ({"attribute": 3}, "attribute = 3"),
        ({"attribute": ""}, "attribute = ''"),
        ({"groups": "fm"}, "expected a list"),
        ({"groups": ["f", 2]}, "groups = \\['f', 2\\]"),
        ({"groups": ["f"], "thresholds": [0.0]}, "groups = \\['f'\\]"),
        ({"thresholds": ["a", 1.0]}, "thresholds = "),
        ({"thresholds": [float("nan"), 1.0]}, "thresholds = "),
        ({"thresholds": [1e31, 1.0]}, "thresholds = "),
        ({"groups": [str(i) for i in range(10**5)]}, "groups = .*at most 100"),
        ({"magic": 1}, "has no setting 'magic'"),
    ],
)
def test_hostile_settings_are_refused_in_one_short_line(given: dict[str, Any], message: str) -> None:
    case = apart()

    with pytest.raises(UsageError, match=message) as raised:
        wrapped(case.model, Wrapping("group_thresholds", GIVEN | given))
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 500


@pytest.mark.parametrize("left_out", list(GIVEN))
def test_no_setting_may_be_left_out(left_out: str) -> None:
    settings = {k: v for k, v in GIVEN.items() if k != left_out}

    with pytest.raises(UsageError, match=f"the wrapper group_thresholds needs '{left_out}'"):
        wrapped(apart().model, Wrapping("group_thresholds", settings))


def test_data_without_the_column_is_refused() -> None:
    case = apart()

    with pytest.raises(UsageError, match="reads the column 'race' of each row, which \\[data\\] sensitive must name"):
        with_groups(case.data, "race", ("f", "m"))
    with pytest.raises(NotApplicable, match="no rows of a table"):
        with_groups(Data.of(torch.rand(4, 1, 8, 8), torch.zeros(4).long(), {"sex": ["f"] * 4}), "sex", ("f", "m"))
    with pytest.raises(NotApplicable, match="no rows of a table"):
        wrapped(zoo.inplace_relu().model, Wrapping("group_thresholds", GIVEN))
    assert isinstance(thresholded(case).model.module, Thresholded)
    assert "no bounds are known" in not_applicable(thresholded(case), "robustness.certified")
