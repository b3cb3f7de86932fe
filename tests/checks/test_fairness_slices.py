"""fairness.slices on models that are wrong for some rows, for none in particular, for all and for nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from auditor.audit import run
from auditor.columns import Column, Labels
from auditor.given import Given
from auditor.policy import judge
from auditor.selection import Selection
from auditor.stats import newcombe, wilson
from auditor.subject import Data, Model
from auditor.types import Audit, Limit, Outcome, Policy, Result, Status
from reports.words import groups_of
from tests import zoo
from tests.checks.audited import measures, not_applicable, outcome_of, result_of
from tests.checks.tables import Function, classifier, normal, regression
from tests.shared import SHARED, needs_shared

CHECK = "fairness.slices"
ROWS = 4000
PLANTED = "age=over 40 to 60&member=1"


def table(planted: bool, rows: int = ROWS) -> zoo.Case:
    """Ages, a flag and a kind of work; a tenth of the answers wrong, of members over 40 to 60 half where `planted`."""
    random = np.random.default_rng(0)
    age = random.permutation(np.arange(rows) % 80) + 1
    member, work = random.integers(0, 2, rows), random.integers(0, 3, rows)
    x = torch.from_numpy(np.column_stack([(age - 40) / 20, member, np.eye(3)[work]])).float()
    columns = (
        Column("age", 0, 1, mean=40.0, std=20.0),
        Column("member", 1, 2, kind="flag"),
        Column("work", 2, 5, kind="category", values=("office", "shop", "site")),
    )
    chance = np.where(planted & (age > 40) & (age <= 60) & (member == 1), 0.5, 0.1)
    case = classifier(lambda x: x[:, 0] + x[:, 1] - 0.5, x, columns)
    wrong = random.random(rows) < chance
    y = np.where(wrong, 1 - case.data.y, case.data.y)
    groups = {"sex": Labels.of(random.choice(["f", "m"], rows).tolist())}
    return zoo.Case(case.model, replace(case.data, y=y, groups=groups))


def predicted(
    wrong: np.ndarray, groups: dict[str, list[str]] | None = None, others: Mapping[str, Any] | None = None
) -> Audit:
    """The audit of predictions that came as data, wrong as said."""
    n = len(wrong)
    data = Data.of(torch.zeros(n, 0), torch.zeros(n, dtype=torch.long), groups, positive=1)
    given = Given(("no", "yes"), wrong.astype(np.int64), None)
    data = replace(data, given=given, others=None if others is None else lambda: others)
    return run(None, data, selection=Selection(only=(CHECK,)))


def outcome(audit: Audit) -> Outcome:
    found = audit.outcome(CHECK)
    assert found is not None
    return found


def result(audit: Audit) -> Result:
    found = outcome(audit)
    assert found.result is not None, found.reason
    return found.result


def test_a_planted_slice_is_found_first_and_confirmed() -> None:
    case = table(planted=True)
    found = result_of(case, CHECK)
    slices, searched = found.tables

    name, rows, there, tested, *_, p, confirmed = slices.rows[0]
    assert name == PLANTED
    assert confirmed and p < 1e-6 and there > 0.4
    inside = measures(found, "error_rate")[name]
    age = np.rint(case.data.read(np.arange(ROWS))[:, 0].numpy() * 20 + 40)
    member = case.data.read(np.arange(ROWS))[:, 1].numpy()
    at = (age > 40) & (age <= 60) & (member == 1)
    assert rows + tested == at.sum()
    assert inside.counts[0] + round(there * rows) == wrong_of(case)[at].sum()
    assert [row[0] for row in searched.rows] == ["sex", "age", "member", "work"]
    assert measures(found, "confirmed_slices")[""].value == [row[-1] for row in slices.rows].count(True)


def wrong_of(case: zoo.Case) -> np.ndarray:
    with torch.no_grad():
        said = case.model(case.data.read(np.arange(len(case.data)))).argmax(1).numpy()
    return said != case.data.y


def test_every_figure_is_of_the_half_that_was_not_searched_and_carries_its_interval() -> None:
    found = result_of(table(planted=True), CHECK)
    whole = measures(found, "error_rate")[""]
    names = [row[0] for row in found.tables[0].rows]

    assert ROWS / 2 <= whole.n <= ROWS / 2 + 1 and set(measures(found, "error_gap")) == set(names)
    for row in found.tables[0].rows:
        inside, gap = (measures(found, name)[row[0]] for name in ("error_rate", "error_gap"))
        k1, n1, k2, n2 = gap.counts
        assert (k1, n1) == inside.counts and (k1 + k2, n1 + n2) == whole.counts
        assert (inside.low, inside.high) == (wilson(k1, n1).low, wilson(k1, n1).high) == tuple(row[5:7])
        assert (gap.low, gap.high) == (newcombe(k1, n1, k2, n2).low, newcombe(k1, n1, k2, n2).high)
        assert row[3:5] == (n1, inside.value) and row[7] == pytest.approx(k2 / n2)
    assert "not to be quoted" in found.caveats[0]


def test_where_errors_fall_anywhere_nothing_is_confirmed() -> None:
    found = result_of(table(planted=False), CHECK)

    assert measures(found, "confirmed_slices")[""].value == 0
    assert not any(row[-1] for row in found.tables[0].rows)


def test_the_same_seed_gives_the_same_and_settings_hold() -> None:
    case = table(planted=True)
    found = result_of(case, CHECK)

    assert result_of(case, CHECK) == found
    one = result_of(case, CHECK, depth=1, top=1).tables[0].rows
    assert len(one) == 1 and "&" not in one[0][0]
    small = result_of(case, CHECK, alpha=0.99)
    assert len(small.tables[0].rows) >= len(found.tables[0].rows)


def test_the_policy_judges_how_many_are_confirmed_and_by_how_much() -> None:
    limits = (Limit(CHECK, "confirmed_slices", fail_above=0), Limit(CHECK, "error_gap", fail_above=0.1))
    for planted, status in ((True, Status.FAIL), (False, Status.PASS)):
        case = table(planted)
        audit = run(case.model, case.data, selection=Selection(only=(CHECK,)))
        judgements = outcome(judge(audit, Policy("mine", limits))).judgements
        assert judgements[0].measure == "confirmed_slices" and judgements[0].status is status
        assert (Status.FAIL in [j.status for j in judgements if j.measure == "error_gap"]) is planted


# ---- predictions alone -------------------------------------------------------------------------------------------
def test_predictions_are_sliced_by_every_other_column_of_their_table() -> None:
    random = np.random.default_rng(0)
    pay, work = random.normal(size=3000).round(3), random.choice(["a", "b", "c"], 3000)
    pay[::50] = np.nan
    wrong = random.random(3000) < np.where((pay > 0) & (work == "b"), 0.6, 0.1)
    others = {"pay": pay, "work": Labels.of(work.tolist()), "id": Labels.of([f"n{i}" for i in range(3000)])}
    found = result(predicted(wrong, {"sex": random.choice(["f", "m"], 3000).tolist()}, others))

    confirmed = [dict(groups_of(row[0])) for row in found.tables[0].rows if row[-1]]
    assert any(set(slice_) == {"pay", "work"} and slice_["work"] == "b" for slice_ in confirmed)
    assert all(set(slice_) <= {"pay", "work"} and slice_.get("work", "b") == "b" for slice_ in confirmed)
    known = {row[0]: row[1:3] for row in found.tables[1].rows}
    assert known == {"sex": (2, 2), "pay": (5, 4), "work": (3, 3), "id": (3000, 0)}  # pay has a missing value, too
    assert len(found.caveats) == 1


def test_without_other_columns_the_sensitive_ones_are_searched_and_it_says_so() -> None:
    random = np.random.default_rng(1)
    sex, race = random.choice(["f", "m"], 2000), random.choice(["a", "b"], 2000)
    wrong = random.random(2000) < np.where((sex == "f") == (race == "a"), 0.4, 0.1)
    found = result(predicted(wrong, {"sex": sex.tolist(), "race": race.tolist()}))

    assert {row[0] for row in found.tables[0].rows if row[-1]} == {"sex=f&race=a", "sex=m&race=b"}
    said = "Only sensitive columns are searched: the audit has predictions only, without further columns."
    assert found.caveats[-1] == said


def test_missing_values_of_a_sensitive_column_are_no_slice() -> None:
    sex = np.array(["f", "m", "(missing)"])[np.arange(3000) % 3]
    wrong = np.random.default_rng(0).random(3000) < np.where(sex == "(missing)", 0.5, 0.1)
    found = result(predicted(wrong, {"sex": sex.tolist()}))

    assert not any("(missing)" in row[0] for row in found.tables[0].rows)
    assert found.tables[1].rows == (("sex", 2, 2, "f, m"),)


# ---- what it says nothing about ----------------------------------------------------------------------------------
def test_too_few_rows_are_refused() -> None:
    case = table(planted=True, rows=127)
    few = "the data has 127 rows; at least 128 are needed to search one half of them and test the other"

    assert not_applicable(case, CHECK) == few
    assert outcome_of(table(planted=True, rows=128), CHECK).status is Status.MEASURED


def many_images(groups: dict[str, list[str]] | None) -> zoo.Case:
    x = torch.rand(400, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    model = Model(Function(lambda x: torch.stack([x.mean((1, 2, 3)), 0.5 + 0 * x.mean((1, 2, 3))], 1)), ("a", "b"))
    return zoo.Case(model, Data.of(x, torch.arange(400) % 2, groups))


def test_images_are_sliced_by_sensitive_columns_alone() -> None:
    said = "the inputs are images, and the audit file names no sensitive columns: there is nothing to slice rows by"
    assert not_applicable(many_images(None), CHECK) == said

    found = result_of(many_images({"sex": ["f", "m"] * 200}), CHECK)
    assert found.caveats[-1] == "Only sensitive columns are searched: the inputs are images."


def test_predictions_without_any_column_are_refused() -> None:
    said = outcome(predicted(np.arange(200) % 5 == 0))

    assert said.status is Status.NOT_APPLICABLE
    assert said.reason.startswith(
        "the audit has predictions only, without further columns, and the audit file names no"
    )


def test_columns_that_divide_nothing_are_refused() -> None:
    others = {"same": Labels.of(["x"] * 6000), "id": Labels.of([f"n{i % 5000}" for i in range(6000)])}
    said = outcome(predicted(np.arange(6000) % 5 == 0, None, others))

    assert said.status is Status.NOT_APPLICABLE
    assert said.reason == "no column has a value that 64 rows or more have and others have not: there are no slices"


@pytest.mark.parametrize(("wrong", "word"), [(0, "right"), (1, "wrong")])
def test_a_model_that_is_always_right_or_always_wrong_has_no_slice(wrong: int, word: str) -> None:
    found = result(predicted(np.full(400, wrong), {"sex": ["f", "m"] * 200}))

    assert found.tables[0].rows == () and measures(found, "confirmed_slices")[""].value == 0
    assert measures(found, "error_rate")[""].value == wrong
    assert found.caveats[0] == f"The model is {word} in every row: no slice differs from the rest."


# ---- values ------------------------------------------------------------------------------------------------------
def test_of_a_value_the_fifth_of_the_rows_furthest_off_counts_as_wrong() -> None:
    x = normal(3000, 3)
    x[:, 2] = (torch.arange(3000) % 4).float()
    case = regression(lambda x: x[:, 0], x)
    noise = torch.randn(3000, generator=torch.Generator().manual_seed(1)).numpy()
    spread = np.where((x[:, 2].numpy() == 3) & (x[:, 1].numpy() > 0), 3.0, 1.0)
    case = zoo.Case(case.model, replace(case.data, y=case.data.y + (noise * spread).astype(np.float32)))
    found = result_of(case, CHECK)

    off = np.abs(noise * spread)
    limit = np.sort(off)[int(0.8 * 2999)]
    assert found.caveats[0] == f"An answer counts as wrong where it is more than {limit:.4g} off: 20 % of them are."
    assert measures(found, "error_rate")[""].value == pytest.approx(0.2, abs=0.001)
    confirmed = [dict(groups_of(row[0])) for row in found.tables[0].rows if row[-1]]
    assert any(slice_.get("c2") == "3" and "c1" in slice_ for slice_ in confirmed)
    assert all(slice_.get("c2") == "3" or "c1" in slice_ for slice_ in confirmed)


def test_values_that_are_all_exact_have_no_slice() -> None:
    found = result_of(regression(lambda x: x[:, 0], normal(300, 2)), CHECK)

    assert measures(found, "error_rate")[""].value == 0
    assert "The model is right in every row: no slice differs from the rest." in found.caveats


# ---- real data ---------------------------------------------------------------------------------------------------
@needs_shared
def test_on_adult_married_people_are_called_wrongly_most_often() -> None:
    """A logistic regression on numbers alone, tested on the other part of the file: half B's figures are recounted."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = pd.read_csv(SHARED / "tabular" / "adult.csv", keep_default_na=False)
    numbers = ["age", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    train, test = (rows[rows["split"] == part] for part in ("train", "test"))
    model.fit(train[numbers], train["income"])
    wrong = model.predict(test[numbers]) != test["income"].to_numpy()
    texts = ["workclass", "education", "marital_status", "occupation", "relationship", "native_country"]
    others = {n: test[n].to_numpy(np.float64) for n in [*numbers, "fnlwgt"]}
    others |= {n: Labels.of(test[n].tolist()) for n in texts}
    found = result(predicted(wrong, {"sex": test["sex"].tolist(), "race": test["race"].tolist()}, others))

    confirmed = [row[0] for row in found.tables[0].rows if row[-1]]
    assert "marital_status=Married-civ-spouse" in confirmed
    assert not any("fnlwgt" in name for name in confirmed)  # a weight of the sample, which tells nothing of a person
    married = (test["marital_status"] == "Married-civ-spouse").to_numpy()
    k, n = measures(found, "error_rate")["marital_status=Married-civ-spouse"].counts
    assert k / n == pytest.approx(wrong[married].mean(), abs=0.03) and n == pytest.approx(married.sum() / 2, rel=0.05)
