"""robustness.missing: a model that hangs on one column is told from one that does not, and silence from a warning."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from auditor.audit import run
from auditor.columns import Relation
from auditor.errors import NotApplicable
from auditor.given import Given
from auditor.registry import CHECKS, Context
from auditor.scores import SCORED_ROWS, score_key
from auditor.selection import Selection
from auditor.subject import Data, Model
from auditor.types import Result
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, outcome_of, result_of
from tests.checks.tables import classifier, normal, regression

CHECK = "robustness.missing"
SHARES = ("0.05", "0.1", "0.2", "0.4")
GROUPS = {"sex": ["female", "male"] * 150, "race": ["a"] * 290 + ["b"] * 10}


def hangs_on_one() -> zoo.Case:
    """Decides by its first column alone, of five."""
    return classifier(lambda x: x[:, 0] - 0.5, normal(300, 5), groups=GROUPS)


def told_many_times() -> zoo.Case:
    """Decides by the mean of twenty columns that say the same."""
    return classifier(lambda x: x.mean(1), normal(300, 1).sign() + 0.1 * normal(300, 20))


@cache
def hanging() -> Result:
    one = hangs_on_one()
    return result_of(one, CHECK, one.data)


def rows_of(result: Result, title: str) -> list[tuple[object, ...]]:
    return list(next(t for t in result.tables if t.title.startswith(title)).rows)


# ---- a known answer ----------------------------------------------------------------------------------------------
def test_the_column_that_decides_costs_as_much_as_it_is_missing() -> None:
    falls = measures(hanging(), "accuracy_fall")
    table = rows_of(hanging(), "One column missing")

    # filled with the median, about 0, all rows without it are called no: those that are yes are wrong
    yes = float((normal(300, 5)[:, 0] > 0.5).float().mean())
    assert falls["column=c0&share=1"].value == pytest.approx(yes)
    assert falls["column=c0&share=0.4"].value == pytest.approx(0.4 * yes, abs=0.06)
    assert falls["column=c0&share=0.4"].low > 0.05
    assert all(falls[f"column={c}&share={s}"].value == 0 for c in ("c1", "c4") for s in (*SHARES, "1"))
    assert table[0][0] == "c0"
    assert float(str(table[0][1])) == pytest.approx(float(normal(300, 5)[:, 0].median()), abs=0.01)


def test_accuracies_and_falls_are_of_the_same_rows() -> None:
    clean = measures(hanging(), "clean_accuracy")[""]
    left, falls = measures(hanging(), "missing_accuracy"), measures(hanging(), "accuracy_fall")

    assert (clean.value, clean.n) == (1, 300)
    for kind in ("random", "column-block", "row-block"):
        values = [left[f"missing={kind}&share={s}"].counts[0] for s in SHARES]
        assert values == sorted(values, reverse=True)  # what is missing stays so, and each row was right
        for s in SHARES:
            fall = falls[f"missing={kind}&share={s}"]
            assert fall.value == pytest.approx(1 - left[f"missing={kind}&share={s}"].value)
            assert fall.method == "newcombe-paired"
    assert falls["missing=random&share=0.4"].low > 0.1


def test_a_model_that_is_told_many_times_stands() -> None:
    result = result_of(told_many_times(), CHECK)
    falls = measures(result, "accuracy_fall")

    assert falls["missing=random&share=0.2"].value == 0
    assert falls["missing=random&share=0.2"].high < 0.03
    assert falls["missing=row-block&share=0.4"].value > 0.1  # nothing is left of such rows
    assert all(m.value == 0 for at, m in falls.items() if at.startswith("column="))


def test_a_group_whose_values_are_missing_is_counted_alone() -> None:
    left, falls = measures(hanging(), "missing_accuracy"), measures(hanging(), "accuracy_fall")
    everybody = left["missing=random&share=0.4"]
    halves = [left[f"missing=group&sex={g}&share=0.4"] for g in ("female", "male")]

    assert [m.n for m in halves] == [150, 150]
    assert sum(m.counts[0] for m in halves) == everybody.counts[0]  # the same values are missing
    assert falls["missing=group&sex=male&share=0.4"].low > 0
    assert left["missing=group&race=b&share=0.4"].n == 10
    assert {row[0] for row in rows_of(hanging(), "Accuracy of one group")} == {"sex=female", "sex=male", "race=a",
                                                                              "race=b"}  # fmt: skip


def test_without_groups_there_is_no_such_table() -> None:
    titles = [t.title for t in result_of(told_many_times(), CHECK).tables]

    assert len(titles) == 3
    assert not any("group" in t for t in titles)


def test_of_a_value_errors_rise() -> None:
    one = regression(lambda x: x[:, 0], normal(200, 3))
    result = result_of(one, CHECK)
    x = normal(200, 3)[:, 0]

    assert measures(result, "clean_error")[""].value == 0
    rise = measures(result, "error_rise")["column=c0&share=1"]
    assert rise.value == pytest.approx(float((x - x.median()).abs().mean()), abs=0.01)
    assert rise.low > 0.5
    assert not measures(result, "accuracy_fall")
    assert result.tables[0].columns[1] == "error"


# ---- NaN ---------------------------------------------------------------------------------------------------------
def test_nan_that_comes_out_is_told_from_nan_that_is_swallowed() -> None:
    loud = result_of(hangs_on_one(), CHECK)
    x = normal(100, 5)
    silent = result_of(classifier(lambda x: x.nan_to_num().mean(1), x), CHECK)

    answered, out = measures(loud, "nan_answered"), measures(loud, "nan_out")
    assert out["nan=all"].value == 1  # NaN in the first column is NaN in the logit
    assert 0.6 < answered["nan=one"].value < 0.95  # four of five columns do not matter
    assert any("NaN in these columns is answered as if nothing were missing: c1, c2, c3, c4." in c
               for c in loud.caveats)  # fmt: skip
    assert measures(silent, "nan_answered")["nan=all"].value == 1
    assert any("NaN in all values of each row the model gives a class for 100 of 100 rows" in c for c in silent.caveats)
    by = {row[0]: row for row in rows_of(loud, "What NaN in gives out")}
    assert by["c0"][1] == 0
    assert by["c0"][5] == 1


def test_a_plain_network_gives_nan_out_and_no_caveat() -> None:
    result = result_of(zoo.linear_table(), CHECK)

    assert measures(result, "nan_answered")["nan=one"].value == 0
    assert measures(result, "nan_out")["nan=one"].value == 1
    assert not any("NaN" in c for c in result.caveats)


def test_a_model_that_raises_for_nan_says_so() -> None:
    def picky(x: Tensor) -> Tensor:
        if not x.isfinite().all():
            msg = "no NaN, please"
            raise ValueError(msg)
        return x[:, 0]

    result = result_of(classifier(picky, normal(40, 3)), CHECK)

    assert measures(result, "nan_raises")["nan=all"].value == 1
    assert measures(result, "nan_out")["nan=all"].value == 0


# ---- what is put in ----------------------------------------------------------------------------------------------
def test_the_reference_says_what_is_filled_in() -> None:
    one = hangs_on_one()
    moved = Data.of(normal(50, 5) + 3, torch.zeros(50, dtype=torch.long), columns=one.data.columns)
    result, own = result_of(one, CHECK, moved), result_of(one, CHECK)

    assert float(str(rows_of(result, "One column missing")[0][1])) > 2.5
    assert any(
        "numbers with the median and others with the commonest value of 50 reference rows" in c for c in result.caveats
    )
    assert any("There is no reference data" in c for c in own.caveats)


def test_the_mean_is_taken_where_it_is_asked_for() -> None:
    x = torch.cat([normal(99, 2), torch.full((1, 2), 1000.0)])
    one = classifier(lambda x: x[:, 0], x)
    median, mean = (rows_of(result_of(one, CHECK, fill=how), "One column missing") for how in ("median", "mean"))

    assert abs(float(str(median[0][1]))) < 1
    assert float(str(mean[0][1])) > 9


def test_categories_and_flags_go_missing_too() -> None:
    result = result_of(zoo.categories(), CHECK)
    table = rows_of(result, "One column missing")

    assert {row[0] for row in table} == {"age", "member", "city"}
    assert next(row[1] for row in table if row[0] == "city") in ("x", "y", "z")


# ---- what is odd -------------------------------------------------------------------------------------------------
def test_one_row_one_class_and_a_constant_model() -> None:
    single = classifier(lambda x: x[:, 0], normal(1, 3))
    result = result_of(single, CHECK)
    assert measures(result, "missing_accuracy")["missing=random&share=0.4"].n == 1
    assert any("no more than if the commonest class were always named" in c for c in result.caveats)
    assert any("With fewer than 30 rows (1)" in c for c in result.caveats)

    always = result_of(classifier(lambda x: 1 + 0 * x[:, 0], normal(60, 3)), CHECK)
    assert all(m.value == 0 for m in measures(always, "accuracy_fall").values())
    assert any("no more than if the commonest class" in c for c in always.caveats)


def test_rows_without_an_answer_are_counted_and_a_model_without_any_does_not_apply() -> None:
    x = normal(40, 3)
    x[:5, 0] = torch.nan
    one = classifier(lambda x: x[:, 0], x)
    result = CHECKS[CHECK].run(Context(one.model, one.data), samples=0, columns=0)
    assert any("5 rows have no finite answer" in c for c in result.caveats)
    assert measures(result, "nan_answered")["nan=all"].n == 35

    values = regression(lambda x: x[:, 0], x)
    found = CHECKS[CHECK].run(Context(values.model, values.data), samples=0, columns=0)
    assert measures(found, "clean_error")[""].value is None
    assert measures(found, "error_rise")["missing=random&share=0.1"].value is None
    assert any("figures with them are not known" in c for c in found.caveats)

    x[:, 0] = torch.nan
    one = classifier(lambda x: x[:, 0], x)
    with pytest.raises(NotApplicable, match="a finite answer to none of 40 rows"):
        CHECKS[CHECK].run(Context(one.model, one.data), samples=0, columns=0)


def test_many_columns_are_drawn_and_said() -> None:
    one = classifier(lambda x: x[:, 0], normal(30, 60))
    result = result_of(one, CHECK, columns=7)

    assert len(rows_of(result, "One column missing")) == 7
    assert any("7 of 60 columns were made to be missing alone" in c for c in result.caveats)
    assert len(rows_of(result_of(one, CHECK, columns=0), "One column missing")) == 60


def test_columns_of_one_name_are_told_apart_and_relations_mentioned() -> None:
    one = classifier(lambda x: x[:, 0], normal(30, 2))
    twins = tuple(replace(c, name="c") for c in one.data.columns)
    data = replace(one.data, columns=twins, relations=(Relation(((0, 1.0), (1, 1.0)), at_most=99),))
    result = result_of(zoo.Case(one.model, data), CHECK)

    assert {row[0] for row in rows_of(result, "One column missing")} == {"c (0)", "c (1)"}
    assert any("relations of the audit file" in c for c in result.caveats)


def test_pictures_texts_and_predictions_alone_do_not_apply() -> None:
    assert "the inputs are images" in not_applicable(zoo.batch_norm(), CHECK)
    assert "the inputs are texts" in not_applicable(zoo.texts(), CHECK)
    one = hangs_on_one().data
    given = replace(one, given=Given(("no", "yes"), one.y, None))
    audit = run(None, given, selection=Selection("quick", (CHECK,)))
    assert "needs the model" in audit.outcome(CHECK).reason


# ---- the same again ----------------------------------------------------------------------------------------------
def test_every_row_is_kept_and_the_same_seed_says_the_same() -> None:
    one = hangs_on_one()
    first, again = (arrays_of(one.model, one.data, CHECK, samples=60) for _ in range(2))
    result = result_of(one, CHECK, samples=60)

    assert set(first) == set(again)
    assert len(first) == 1 + 1 + 3 * 4  # the rows; none missing; three kinds at four shares
    assert all(np.array_equal(first[k], again[k]) for k in first)
    assert first[f"{CHECK}/{SCORED_ROWS}"].shape == (60,)
    left = measures(result, "missing_accuracy")
    for kind in ("random", "column-block", "row-block"):
        for share in SHARES:
            where = f"missing={kind}&share={share}"
            scores = first[f"{CHECK}/{score_key('missing_accuracy', where)}"]
            assert set(np.unique(scores)) <= {0.0, 1.0}
            assert left[where].counts == (int(scores.sum()), 60)
    assert first[f"{CHECK}/{score_key('clean_accuracy', '')}"].all()
    values = regression(lambda x: x[:, 0], normal(20, 2))
    assert not arrays_of(values.model, values.data, CHECK)


def test_no_more_rows_than_a_batch_are_asked_at_once() -> None:
    one, seen = hangs_on_one(), list[int]()
    model = Model(one.model.module, one.model.classes, one.model.bounds)
    model.module.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    with model.frozen():
        CHECKS[CHECK].run(Context(model, one.data, batch_size=16), samples=100, columns=2)

    assert max(seen) == 16


def test_hostile_names_are_text() -> None:
    one = classifier(lambda x: x[:, 0], normal(40, 1), groups={"<b>": ["<script>"] * 40})
    outcome = outcome_of(one, CHECK)

    assert "<b>=<script>" in {row[0] for row in rows_of(outcome.result, "Accuracy of one group")}
