"""explain.counterfactuals: rates by hand, rows without a way counted, robustness where there is some and where not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.columns import Column, Relation
from auditor.subject import Data, Model
from auditor.types import Result, Status
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, outcome_of, result_of

CHECK = "explain.counterfactuals"
COUNTED = "How often each column is changed"


def with_columns(case: zoo.Case, **said: object) -> zoo.Case:
    """The same case with more said of its first column."""
    first, *rest = case.data.columns
    return zoo.Case(case.model, replace(case.data, columns=(replace(first, **said), *rest)))


def value(result: Result, name: str) -> float | None:
    return measures(result, name)[""].value


# ---- figures by hand ---------------------------------------------------------------------------------------------
def test_every_row_that_hangs_on_a_flag_is_turned_by_it() -> None:
    result = result_of(zoo.biased_table(), CHECK, samples=0)

    assert measures(result, "validity")[""].counts == (120, 120)
    assert measures(result, "recourse")[""].counts == (60, 60)
    assert (value(result, "changed_columns"), value(result, "distance")) == (1, 1)
    assert value(result, "robustness") == 1  # 4 x 1 - 2 is far from 0
    # two have a skill next to the other group's; group and skill go together, and one is further out than real rows
    assert measures(result, "plausibility")[""].counts == (1, 120)
    (counted,) = [t for t in result.tables if t.title == COUNTED]
    assert [row[0::2] for row in counted.rows] == [("group", 120), ("skill", 0)]
    assert [row[1] for row in counted.rows] == ["yes", "-1 to 1"]


def test_a_decision_by_what_nobody_can_change_leaves_no_way() -> None:
    result = result_of(with_columns(zoo.biased_table(), mutable=False), CHECK, samples=6)

    assert measures(result, "validity")[""].counts == (0, 6)
    assert measures(result, "recourse")[""].counts == (0, 50)  # at least 50 of the 60 that are denied
    assert all(value(result, name) is None for name in ("changed_columns", "distance", "plausibility", "robustness"))
    assert {m.value for m in measures(result, "distance").values()} == {None}
    assert result.caveats[0].startswith("For 6 of 6 rows no admissible change was found, from 120 rows of the audited")
    tables = [t for t in result.tables if t.title != COUNTED]
    assert len(tables) == 6
    assert all(t.rows == () for t in tables)
    assert not any("of no column" in c for c in result.caveats)


def test_up_only_is_a_way_for_one_group_alone() -> None:
    result = result_of(with_columns(zoo.biased_table(), increasing_only=True), CHECK, samples=0)

    assert measures(result, "validity")[""].counts == (60, 120)
    assert measures(result, "recourse")[""].counts == (60, 60)  # from 0 to 1 it may go
    assert "For 60 of 120 rows" in result.caveats[0]


def test_a_row_tells_each_way_now_and_then() -> None:
    case = zoo.linear_table()
    result = result_of(case, CHECK, samples=4, ways=2)
    by_title = {t.title: t for t in result.tables}

    for row in (int(m.slice.removeprefix("row=")) for m in result.measures if m.slice):
        (title,) = [t for t in by_title if t.startswith(f"row {row}:")]
        table, x = by_title[title], case.data.read(np.array([row]))[0]
        assert table.columns == ("way", "called", "column", "now", "would be", "distance")
        assert {r[0] for r in table.rows} in ({1}, {1, 2})
        for number in {r[0] for r in table.rows}:
            changed = x.clone()
            for _, called, column, now, then, _ in (r for r in table.rows if r[0] == number):  # noqa: B007
                place = int(str(column)[1:])
                assert float(now or 0) == pytest.approx(float(x[place]), abs=1e-6)
                changed[place] = float(then or 0)
            with torch.no_grad():  # what is printed turns the answer, not only what was computed
                assert case.model.classes[int(case.model(changed[None]).argmax())] == called
                assert case.model.classes[int(case.model(x[None]).argmax())] != called


def test_changed_rows_are_kept_as_evidence() -> None:
    case = zoo.linear_table()
    arrays = arrays_of(case.model, case.data, CHECK, samples=3)
    rows, changed = arrays[f"{CHECK}/rows"], torch.from_numpy(arrays[f"{CHECK}/changed"])

    with torch.no_grad():
        before, after = (case.model(x).argmax(1) for x in (case.data.read(rows), changed))
    assert len(rows) == 3
    assert bool((before != after).all())


def test_a_named_class_is_sought_by_those_who_do_not_get_it() -> None:
    case = zoo.ZOO["gelu"]()
    named = result_of(case, CHECK, samples=0, target="b")
    with torch.no_grad():
        already = int((case.model(case.data.read(np.arange(zoo.ROWS))).argmax(1) == 1).sum())

    assert measures(named, "validity")[""].n == zoo.ROWS - already
    assert {r[1] for t in named.tables if t.title != COUNTED for r in t.rows} == {"b"}
    assert "recourse" not in {m.name for m in named.measures}  # of three classes none is favourable
    refused = outcome_of(case, CHECK, target="z")
    assert refused.status is Status.ERROR
    assert "target = 'z' is no class; the classes are: a, b, c" in refused.reason


# ---- plausibility and robustness ---------------------------------------------------------------------------------
def boundary(gap: float) -> zoo.Case:
    """Yes above 0; rows lie anywhere but within `gap` of it."""
    x = torch.cat([torch.linspace(-3, -gap, 30), torch.linspace(gap, 3, 30)])[:, None]
    head = nn.Linear(1, 2)
    head.weight.data, head.bias.data = torch.tensor([[-1.0], [1.0]]), torch.zeros(2)
    model = Model(head, ("no", "yes"), bounds=(-5.0, 5.0))
    return zoo.Case(model, replace(zoo.labelled(model, x), columns=(Column("a", 0, 1),)))


def test_a_change_into_an_empty_region_is_not_plausible() -> None:
    assert value(result_of(boundary(0.01), CHECK, samples=10), "plausibility") == 1
    assert value(result_of(boundary(1.5), CHECK, samples=10), "plausibility") == 0


def test_a_row_does_not_make_its_own_change_plausible() -> None:
    far = boundary(1.5)
    x = far.data.read(np.arange(59))
    alone = torch.cat([torch.tensor([[-0.002]]), x])  # a step from the boundary, and far from all others
    case = zoo.Case(far.model, replace(zoo.labelled(far.model, alone), columns=far.data.columns))
    both = Data.of(alone, torch.from_numpy(case.data.y), columns=case.data.columns)

    without, with_it = (result_of(case, CHECK, r, samples=0) for r in (None, both))

    def plausible(result: Result) -> int:
        return int(measures(result, "plausibility")[""].counts[0])

    assert plausible(without) == 59  # all end beside it, and so have a neighbour; it has none
    assert plausible(with_it) == 60  # a row of the reference is another's, whatever it holds


def test_a_change_that_just_crosses_the_boundary_is_as_good_as_chance_under_noise() -> None:
    head = nn.Linear(3, 2)
    head.weight.data, head.bias.data = torch.tensor([[0.0, 0, 0], [2, -1, 0.5]]), torch.tensor([0.0, 0.25])
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    model = Model(head, ("no", "yes"), bounds=(-50.0, 50.0))
    result = result_of(zoo.Case(model, zoo.labelled(model, x)), CHECK, samples=0)

    assert 0.3 < value(result, "robustness") < 0.8
    assert value(result, "robustness_before") > 0.97


def test_a_model_that_shows_no_weights_has_no_robustness_and_says_why() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([-x[:, 0], x[:, 0]], 1)

    case = boundary(0.1)
    result = result_of(zoo.Case(Model(Fixed(), ("no", "yes")), case.data), CHECK)

    assert (value(result, "validity"), value(result, "robustness")) == (1, None)
    assert measures(result, "robustness")[""].n == 0
    assert "Robustness to noise on the weights is not measured: the model shows no weights." in result.caveats


def test_the_model_is_as_it_was() -> None:
    case = zoo.linear_table()
    were = [p.clone() for p in case.model.module.parameters()]
    result = result_of(case, CHECK)

    assert all(torch.equal(p, was) for p, was in zip(case.model.module.parameters(), were, strict=True))
    assert measures(result, "robustness")[""].n > 0  # noised copies were made


# ---- what it draws on, and what it is not for --------------------------------------------------------------------
def test_changes_stay_within_the_reference_where_there_is_one() -> None:
    case = zoo.linear_table()
    narrow = Data.of(
        case.data.read(np.arange(zoo.ROWS)) * 0.01, torch.from_numpy(case.data.y), columns=case.data.columns
    )
    result = result_of(case, CHECK, narrow, samples=0)

    assert value(result, "validity") < 0.9
    assert any("from 24 rows of the reference data" in c for c in result.caveats)
    assert not any("no reference was given" in c for c in result.caveats)


def test_relations_of_the_data_are_kept() -> None:
    case = zoo.linear_table()
    still = Relation(((0, 1.0), (1, 1.0), (2, 1.0)), at_most=-100.0)  # no change of any column keeps it
    result = result_of(zoo.Case(case.model, replace(case.data, relations=(still,))), CHECK)

    assert value(result, "validity") == 0
    (counted,) = [t for t in result.tables if t.title == COUNTED]
    assert all(str(row[1]).endswith("in a relation") for row in counted.rows)


def test_reference_rows_that_are_no_numbers_are_left_out_and_counted() -> None:
    case = zoo.linear_table()
    x = case.data.read(np.arange(zoo.ROWS)).clone()
    odd = x.clone()
    odd[:5, 1] = torch.nan
    y = torch.from_numpy(case.data.y)

    result = result_of(case, CHECK, Data.of(odd, y, columns=case.data.columns))

    assert "5 reference rows with NaN or infinity were left out." in result.caveats
    assert value(result, "validity") == 1
    odd[:23, 1] = torch.inf
    refused = outcome_of(case, CHECK, Data.of(odd, y, columns=case.data.columns))
    assert refused.status is Status.NOT_APPLICABLE
    assert refused.reason == "1 of the 24 rows of the reference data have finite inputs; at least 2 are needed"


def test_it_is_for_classes_of_rows_of_columns() -> None:
    constant = zoo.linear_table()
    constant.model.module.weight.data.zero_()
    regression = replace(zoo.linear_table().model, module=nn.Linear(3, 1), output="value", classes=())
    values = Data.of(torch.randn(24, 3), torch.randn(24))
    everyone = zoo.linear_table()
    everyone.model.module.bias.data[1] = 1e6

    assert "inputs of shape 1 x 8 x 8 are no rows of columns" in not_applicable(zoo.planted_patch(), CHECK)
    assert "inputs of shape 6 are no rows of columns" in not_applicable(zoo.texts(), CHECK)
    assert "returns a value, not classes" in not_applicable(zoo.Case(regression, values), CHECK)
    assert "no admissible change gets another answer" in not_applicable(constant, CHECK)
    assert "all 4 rows are called yes already" in not_applicable(everyone, CHECK, target="yes")
