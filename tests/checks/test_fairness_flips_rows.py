"""fairness.flips on rows of tables: which of them count, what their answers may be, and where it does not apply."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from auditor.audit import run
from auditor.columns import Column
from auditor.comparing.kept import scores_of
from auditor.contingency import MISSING
from auditor.progress import Finished, Listener
from auditor.selection import Selection
from auditor.store import Record
from auditor.subject import Data, Model
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.checks.flipped import CHECK, SEX, X, case, direct, spied, two_groups
from tests.checks.tables import Function, normal
from tests.zoo import Case


# ---- which rows and groups ---------------------------------------------------------------------------------------
def test_rows_without_a_group_and_small_groups_stay_out() -> None:
    sex = [0.0] * 30 + [1.0] * 30 + [0.0] * 10 + [1.0] * 5
    names = ["f"] * 30 + ["m"] * 30 + [MISSING] * 10 + ["x"] * 5
    found = result_of(case(lambda r: r[:, 0] - 0.5, {SEX: sex, X: np.linspace(-1, 1, 75)}, {"sex": names}), CHECK)

    assert measures(found, "flip_rate")["sex"].counts == (60, 60)
    assert set(measures(found, "flip_rate")) == {"sex", "sex=f", "sex=m"}
    assert found.tables[0].columns[:2] == ("from", "to") and {row[0] for row in found.tables[0].rows} == {"f", "m"}
    assert any(c.startswith("sex: 15 rows are left as they are") for c in found.caveats)
    smaller = result_of(
        case(lambda r: r[:, 0] - 0.5, {SEX: sex, X: np.linspace(-1, 1, 75)}, {"sex": names}), CHECK, smallest_group=5
    )
    assert measures(smaller, "flip_rate")["sex=x"].n == 5


@pytest.mark.parametrize("names", [["f"] * 40, ["f"] * 35 + ["m"] * 5, [MISSING] * 40])
def test_without_two_groups_there_is_no_figure(names: list[str]) -> None:
    sex = [0.0 if n == "f" else 1.0 for n in names]
    found = result_of(case(lambda r: r[:, 0] - 0.5, {SEX: sex, X: np.linspace(-1, 1, 40)}, {"sex": names}), CHECK)

    assert {(m.name, m.slice, m.value) for m in found.measures} == {
        ("flip_rate", "sex", None), ("flip_rate_with_proxies", "sex", None),
    }  # fmt: skip
    assert any("fewer than two groups of at least 10 rows" in c for c in found.caveats)


def test_of_very_many_groups_the_largest_are_taken() -> None:
    names = [f"g{i:02}" for i in range(25) for _ in range(10 + i)]
    found = result_of(case(lambda r: r[:, 0], {Column("x", 0, 1): normal(len(names), 1)[:, 0]}, {"g": names}), CHECK)
    groups = {m.slice for m in found.measures if "=" in m.slice}

    assert groups == {f"g=g{i:02}" for i in range(5, 25)}


def test_the_reference_says_how_groups_are_where_it_names_them() -> None:
    names, _, z = two_groups(200, 1.0)
    seen, held = spied(case(lambda r: r[:, 0], {Column("z", 0, 1): z}, {"sex": names}))
    others, _, far = two_groups(200, 50.0, seed=5)
    reference = Data.of(torch.from_numpy(far[:, None]).float(), torch.zeros(200, dtype=torch.long), {"sex": others})
    found = result_of(held, CHECK, reference=replace(reference, columns=held.data.columns), samples=0)

    made = np.concatenate(seen).ravel()
    assert np.isin(made, np.concatenate([z, far]).astype(np.float32)).all()
    assert (made > 40).sum() > 80  # women, as the reference has men
    assert any("taken from the reference data: sex." in c for c in found.caveats)
    other = result_of(
        held, CHECK, reference=Data.of(reference.read(np.arange(200)), torch.zeros(200).long()), samples=0
    )
    assert any("the audited data themselves" in c for c in other.caveats)


def test_no_measure_is_there_twice_where_columns_share_a_name() -> None:
    names, sex, x = two_groups(60, 0.0)
    columns = {SEX: sex, Column("sex", 1, 2, kind="flag"): sex, Column("x", 2, 3): x}
    found = result_of(case(lambda r: r[:, 0] + r[:, 1] - 1, columns, {"sex": names}), CHECK)

    assert measures(found, "flip_rate")["sex"].counts == (60, 60)  # both columns change
    assert len({(m.name, m.slice) for m in found.measures}) == len(found.measures)


def test_rows_with_holes_and_infinities_are_no_error() -> None:
    """A value that is missing or infinite stays, or comes from another row; what has no answer is left out."""
    names, sex, z = two_groups(200, 2.0)
    z[:20], z[20:25], holes = np.nan, np.inf, np.full(200, np.nan)
    columns = {SEX: sex, Column("z", 1, 2): z, Column("holes", 2, 3): holes}
    held = case(lambda r: r[:, 0] + r[:, 1].clamp(max=5) - 1, columns, {"sex": names})
    found = direct(held, 0)

    assert measures(found, "flip_rate")["sex"].n == 180
    assert any(c.startswith("20 of 200 rows have no finite answer as they are") for c in found.caveats)
    assert measures(found, "flip_rate_with_proxies")["sex"].value > 0


def test_a_group_in_brackets_is_a_group() -> None:
    names, sex, x = two_groups(60, 0.0)
    held = case(lambda r: r[:, 0] - 0.5, {SEX: sex, X: x}, {"sex": ["(other)" if n == "f" else n for n in names]})

    assert set(measures(result_of(held, CHECK), "flip_rate")) == {"sex", "sex=(other)", "sex=m"}


# ---- answers -----------------------------------------------------------------------------------------------------
def test_a_model_that_always_says_the_same_has_a_caveat() -> None:
    names, sex, x = two_groups(100, 1.0)
    found = result_of(case(lambda r: torch.ones(len(r)), {SEX: sex, X: x}, {"sex": names}), CHECK)

    assert measures(found, "flip_rate")["sex"].counts == (0, 100)
    assert any("one answer to all of these rows" in c for c in found.caveats)


def test_a_model_of_values_has_mean_changes_alone() -> None:
    names, sex, x = two_groups(100, 0.0)
    held = case(lambda r: r[:, 0], {SEX: sex, X: x}, {"sex": names})
    model = replace(held.model, module=Function(lambda r: 3 * r[:, 0] + r[:, 1]), classes=(), output="value")
    found = result_of(Case(model, replace(held.data, y=np.zeros(100), positive=None)), CHECK)

    assert not [m for m in found.measures if "flip" in m.name or "favourable" in m.name]
    assert measures(found, "score_change")["sex=f"].value == pytest.approx(3.0, abs=1e-6)
    assert measures(found, "score_change")["sex=m"].value == pytest.approx(-3.0, abs=1e-6)


def test_without_a_favourable_class_answers_are_counted_alone() -> None:
    names, sex, x = two_groups(100, 0.0)
    held = case(lambda r: r[:, 0] - 0.5, {SEX: sex, X: x}, {"sex": names})
    found = result_of(Case(held.model, replace(held.data, positive=None)), CHECK)

    assert measures(found, "flip_rate")["sex"].counts == (100, 100)
    assert {m.name for m in found.measures if "shift" in m.name or "score" in m.name} == set()
    assert any("No class is favourable" in c for c in found.caveats)


def test_rows_that_have_no_answer_after_a_change_are_left_out_and_counted() -> None:
    """Women between 0 and 1 are none, as men: the model gives NaN for them."""
    names, sex, x = two_groups(100, 0.0)
    x = np.where(sex == 1, -np.abs(x), x)
    held = case(lambda r: torch.where((r[:, 0] == 1) & (r[:, 1] > 0), torch.nan, r[:, 1]), {SEX: sex, X: x},
                {"sex": names})  # fmt: skip
    found = result_of(held, CHECK)
    lost = int(((sex == 0) & (x > 0)).sum())

    assert lost > 10
    assert measures(found, "flip_rate")["sex"].n == 100 - lost
    assert any(f"for {lost} of the changed rows the model has no finite answer" in c for c in found.caveats)


def test_answers_that_change_by_themselves_have_a_caveat() -> None:
    names, sex, x = two_groups(100, 0.0)
    held = case(lambda r: r[:, 1], {SEX: sex, X: x}, {"sex": names})
    model = replace(held.model, module=Function(lambda r: torch.randn(len(r), 2)))
    found = result_of(Case(model, held.data), CHECK)

    assert any("differ from one pass to the next with nothing changed at all" in c for c in found.caveats)
    steady = result_of(held, CHECK)
    assert not any("differ from one pass" in c for c in steady.caveats)


def test_what_rows_count_is_kept_and_adds_up() -> None:
    names, sex, z = two_groups(300, 1.0)
    names[:20] = [MISSING] * 20
    held = case(lambda r: r[:, 0] + r[:, 1] - 1, {SEX: sex, Column("z", 1, 2): z}, {"sex": names})
    seen: list[Finished] = []
    audit = run(held.model, held.data, selection=Selection("quick", (CHECK,)), tell=Listener(finished=seen.append))
    result = audit.outcome(CHECK).result
    record = Record(audit, seen[-1].arrays)

    for name in ("flip_rate", "flip_rate_with_proxies"):
        m = measures(result, name)["sex"]
        scores = scores_of(record, CHECK, m)
        assert scores is not None and (scores.values.sum(), len(scores.values)) == m.counts


# ---- where it does not apply -------------------------------------------------------------------------------------
def test_pictures_have_no_attribute_to_change() -> None:
    found = not_applicable(zoo.inplace_relu(), CHECK)

    assert (
        found == "an attribute cannot be changed in a picture; fairness.groups compares the groups of a metadata column"
    )


def test_without_sensitive_columns_it_does_not_apply() -> None:
    held = zoo.linear_table()

    assert not_applicable(Case(held.model, replace(held.data, groups={})), CHECK) == (
        "the audit file names no sensitive columns"
    )


def test_predictions_alone_cannot_be_asked_again() -> None:
    data = Data.of(torch.zeros(4, 1), torch.zeros(4, dtype=torch.long), {"g": ["a", "b"] * 2})
    outcome = run(None, data, selection=Selection(only=(CHECK,))).outcome(CHECK)

    assert outcome.reason == "the audit has predictions only; this needs the model"


def test_inputs_that_are_no_rows_do_not_apply() -> None:
    data = Data.of(torch.zeros(4, 2, 3), torch.zeros(4, dtype=torch.long), {"g": ["a", "b"] * 2})
    model = Model(Function(lambda x: x[:, 0, :2]), ("no", "yes"))

    assert not_applicable(Case(model, data), CHECK).startswith("inputs of shape 2 x 3 are neither rows of columns")
