"""explain.activations: units that rest or are pinned are counted with intervals, and shown with what excites them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from auditor.checks.explain_activations import explain_activations
from auditor.errors import NotApplicable
from auditor.intervals import wilson
from auditor.registry import Context
from auditor.subject import Data, Model
from auditor.types import Status
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, outcome_of, result_of

CHECK = "explain.activations"


def resting(dead: int = 3, pinned: int = 2) -> zoo.Case:
    """Eight ReLU units of which `dead` never fire, then five sigmoids of which `pinned` stay at an end."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 5), nn.Sigmoid(), nn.Linear(5, 3))
    net[0].bias.data[:] = torch.tensor([-99.0] * dead + [99.0] * (8 - dead))
    net[2].weight.data[:] = torch.eye(5, 8).roll(3, 1) * 0.5
    net[2].bias.data[:] = torch.tensor([99.0] * pinned + [-49.5] * (5 - pinned))
    model = Model(net, ("a", "b", "c"), bounds=(-9.0, 9.0))
    return zoo.Case(model, zoo.labelled(model, torch.randn(24, 4, generator=torch.Generator().manual_seed(1))))


def test_dead_and_saturated_units_are_counted_with_the_interval_of_wilson() -> None:
    result = result_of(resting(), CHECK)
    dead, saturated = measures(result, "dead_units"), measures(result, "saturated_units")

    assert {k: m.counts for k, m in dead.items()} == {"": (3, 13), "layer=1": (3, 8), "layer=3": (0, 5)}
    assert {k: m.counts for k, m in saturated.items()} == {"": (2, 5), "layer=3": (2, 5)}
    for m in (*dead.values(), *saturated.values()):
        expected = wilson(*m.counts)
        assert (m.value, m.low, m.high) == (expected.value, expected.low, expected.high)
        assert m.better == "lower"
    assert [row[:3] for row in result.tables[0].rows] == [("1", 8, 3), ("3", 5, 0)]
    assert [row[6:] for row in result.tables[0].rows] == [(None, 3), (2, 0)]


def test_a_network_whose_units_all_move_has_none() -> None:
    result = result_of(zoo.ZOO["gelu"](), CHECK)

    assert measures(result, "dead_units")[""].value == 0
    assert measures(result, "saturated_units")[""].value is None  # GELU has no ends


def test_what_a_rest_over_all_rows_says_of_others_is_stated() -> None:
    """After 24 rows without an event, at most 1 - .05^(1/24) = 11.73 % have one."""
    assert "Counted over 24 rows: a unit that moved in none moves in at most 11.73 % of such rows (95 %)." in (
        result_of(resting(), CHECK).caveats
    )


def test_functions_that_are_no_modules_are_said_to_be_unseen() -> None:
    said = "Not all of these layers are activation functions"

    assert any(c.startswith(said) for c in result_of(zoo.ZOO["residual"](), CHECK).caveats)
    assert not any(c.startswith(said) for c in result_of(resting(), CHECK).caveats)


# ---- what excites a unit -----------------------------------------------------------------------------------------
def detectors() -> zoo.Case:
    """Each unit is the brightness of one quarter; the class is the brightest quarter."""
    net = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    for layer, size in ((net[2], 1), (net[4], 2)):
        layer.weight.data[:] = size * torch.eye(4)
        layer.bias.data.zero_()
    model = Model(net, ("nw", "ne", "sw", "se"))
    x = zoo.images() * 0.2
    for i in range(24):
        x[i, :, (i % 4) // 2 * 4 :, i % 2 * 4 :][:, :4, :4] += 0.5 + 0.01 * i
    return zoo.Case(model, zoo.labelled(model, x, wrong=0))


def test_units_are_shown_with_their_class_and_the_rows_that_excite_them() -> None:
    case = detectors()
    result = result_of(case, CHECK, units=4)
    _, table = result.tables
    x = case.data.read(np.arange(24))
    quarters = nn.functional.avg_pool2d(x, 4).flatten(1)

    assert table.title == "Units of 3"
    assert {row[0]: row[1] for row in table.rows} == {i: f"{c} (5 of 5)" for i, c in enumerate(case.model.classes)}
    found = [float(row[2] or 0) for row in table.rows]
    for unit, _, _, listed in table.rows:
        best = quarters[:, unit].topk(5)
        expected = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        assert listed == ", ".join(f"{row} ({value:.3g})" for row, value in expected)
    assert min(found) > 1
    assert sorted(found, reverse=True) == found


def test_those_rows_are_shown_as_pictures() -> None:
    case = detectors()
    result, arrays = result_of(case, CHECK, units=2), arrays_of(case.model, case.data, CHECK, units=2)
    shown = [i for i in result.images if i.title.startswith("unit ")]

    assert len(shown) == 2 * 3
    for image in shown:
        row = int(image.array.rpartition("-")[2])
        assert f"row {row} (" in image.title and image.role == "original"
        assert arrays[image.array].shape == (8, 8, 3)
        grey = (case.data.read(np.array([row]))[0, 0] * 255).round()
        assert np.abs(arrays[image.array][..., 0] - grey.numpy()).max() <= 1


def test_without_units_asked_for_there_is_no_table_of_them() -> None:
    result = result_of(detectors(), CHECK, units=0)

    assert [t.title for t in result.tables] == ["Units by layer"]
    assert not any(i.title.startswith("unit ") for i in result.images)


def test_rows_of_one_class_prefer_none() -> None:
    case = detectors()
    one = case.data.at(np.arange(0, 24, 4))
    result = result_of(zoo.Case(case.model, one), CHECK)

    assert all(row[2] is None for row in result.tables[1].rows)
    assert any(c.startswith("No unit can be said to prefer a class: too few rows") for c in result.caveats)


# ---- feature maps ------------------------------------------------------------------------------------------------
def test_two_rows_are_shown_with_a_map_of_every_layer_that_has_a_grid() -> None:
    case = zoo.inplace_relu()
    result, arrays = result_of(case, CHECK), arrays_of(case.model, case.data, CHECK)
    maps = [i for i in result.images if i.role == "features"]
    originals = {i.title for i in result.images if i.role == "original"}

    assert [arrays[i.array].shape for i in maps] == [(6, 6), (4, 4)] * 2
    assert len({i.title for i in maps}) == 2
    assert {i.title for i in maps} <= originals
    assert maps[0].alt.startswith("1: mean size of what the layer gives, on a grid of 6 by 6")
    assert all(arrays[i.array].min() >= 0 for i in maps)


def test_rows_of_columns_and_texts_have_no_pictures() -> None:
    assert result_of(resting(), CHECK).images == ()
    assert result_of(zoo.texts(), CHECK).images == ()


# ---- which rows, which layers ------------------------------------------------------------------------------------
def test_each_class_is_drawn_in_its_share() -> None:
    case = resting()
    x = torch.randn(100, 4, generator=torch.Generator().manual_seed(3))
    y = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    result = result_of(zoo.Case(case.model, Data.of(x, y)), CHECK, samples=20, units=6)
    everything = result_of(zoo.Case(case.model, Data.of(x, y)), CHECK, samples=0)

    assert any("Counted over 20 rows" in c for c in result.caveats)
    assert any("Counted over 100 rows" in c for c in everything.caveats)
    rows = {int(r.partition(" (")[0]) for row in result.tables[1].rows for r in row[3].split(", ")}
    assert {int(y[r]) for r in rows} <= {0, 1, 2} and len(rows & set(range(90, 100))) <= 2


def test_layers_by_name_and_a_refusal_in_one_line() -> None:
    result = result_of(resting(), CHECK, layers=("2", "1"))
    outcome = outcome_of(resting(), CHECK, layers=("conv5",))

    assert [row[0] for row in result.tables[0].rows] == ["2", "1"]
    assert outcome.status is Status.ERROR
    assert outcome.reason == (
        "UsageError: no layer 'conv5' that gives numbers for each sample runs in the model; the last that do: "
        "'0', '1', '2', '3', '4'"
    )


def test_a_regression_has_dead_units_and_no_classes() -> None:
    case = resting()
    net = nn.Sequential(*list(case.model.module)[:-1], nn.Linear(5, 1))
    x = case.data.read(np.arange(24))
    model = Model(net, (), bounds=(-9.0, 9.0), output="value")
    result = result_of(zoo.Case(model, Data.of(x, torch.randn(24))), CHECK)

    assert measures(result, "dead_units")["layer=1"].counts == (3, 8)
    assert all(row[1] is None and row[2] is None for row in result.tables[1].rows)
    assert not any("prefer a class" in c for c in result.caveats)


def test_a_layer_that_runs_several_times_is_named() -> None:
    said = "Counted with their last run, as they run several times: first."

    assert said in result_of(zoo.ZOO["shared_weights"](), CHECK).caveats


@pytest.mark.parametrize("name", ["linear_table", "planted_patch"])
def test_a_model_of_one_layer_has_no_units(name: str) -> None:
    assert not_applicable(zoo.ZOO[name](), CHECK) == "no layer of the model gives anything but its output"


def test_predictions_alone_have_no_units() -> None:
    with pytest.raises(NotApplicable, match="the audit has predictions only; this needs the model"):
        explain_activations(Context(None, resting().data))
