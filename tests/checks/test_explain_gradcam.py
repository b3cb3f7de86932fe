"""explain.gradcam: a map a row, with how far it agrees with HiResCAM; nothing for tables."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from auditor.subject import Model
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, result_of

CHECK = "explain.gradcam"


def looks_left() -> zoo.Case:
    """The class is the brightness of the left half, after one convolution."""
    conv = nn.Conv2d(1, 1, 1)
    conv.weight.data.fill_(1)
    conv.bias.data.zero_()
    head = nn.Linear(64, 2)
    head.weight.data.zero_()
    head.bias.data = torch.tensor([0.25, 0.0])
    head.weight.data.view(2, 8, 8)[1, :, :4] = 1 / 32
    model = Model(nn.Sequential(conv, nn.ReLU(), nn.Flatten(), head), ("dark", "bright"))
    return zoo.Case(model, zoo.labelled(model, zoo.images()))


def test_every_row_has_a_map_where_the_model_looks_and_its_figure() -> None:
    case = looks_left()
    result = result_of(case, CHECK, samples=6)
    arrays = arrays_of(case.model, case.data, CHECK, samples=6)
    maps = [i for i in result.images if i.role == "map"]

    assert len(maps) == 6
    assert {i.title for i in maps} == {i.title for i in result.images if i.role == "original"}
    for image in maps:
        shares = arrays[image.array]
        left = shares[:, :4].sum() / max(shares.sum(), 1e-12)
        assert shares.shape == (8, 8)
        where = image.alt.rpartition("; ")[2]
        assert left > 0.56 or "left" not in where
        assert left < 0.44 or "right" not in where
    assert set(measures(result, "hirescam_correlation")) == {
        "",
        *(f"row={int(i.array.rpartition('-')[2])}" for i in maps),
    }


def test_its_own_figure_tells_where_averaging_has_moved_the_map() -> None:
    """The model looks at the left half alone; the averaged gradients of Grad-CAM do not know where."""
    moved = result_of(looks_left(), CHECK, samples=0)
    pooled = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    exact = result_of(zoo.case(pooled, zoo.images(), 3), CHECK, samples=0)

    assert measures(moved, "hirescam_correlation")[""].value < 0.8
    assert measures(exact, "hirescam_correlation")[""].value == pytest.approx(1, abs=1e-4)


def test_the_layer_and_its_grid_are_stated() -> None:
    assert (
        result_of(looks_left(), CHECK, samples=2).caveats[0]
        == "The maps are those of layer '1', a grid of 8 by 8 cells."
    )


def test_a_program_is_explained_and_the_report_says_how() -> None:
    case = looks_left()
    program = Model(torch.jit.script(case.model.module.eval()), case.model.classes)
    found, expected = result_of(zoo.Case(program, case.data), CHECK, samples=2), result_of(case, CHECK, samples=2)

    assert found.measures == expected.measures
    assert "TorchScript program: it was explained with its operators run one by one" in found.caveats[1]
    assert not any("one by one" in c for c in expected.caveats)


def test_empty_maps_are_counted_and_have_no_figure() -> None:
    case = zoo.inplace_relu()
    case.model.module[2].bias.data.fill_(-50)

    result = result_of(case, CHECK, samples=4)

    assert any("4 of 4 maps are empty" in c for c in result.caveats)
    assert all(m.value is None for m in measures(result, "hirescam_correlation").values())


def test_a_table_has_no_height_and_width() -> None:
    assert not_applicable(zoo.linear_table(), CHECK) == "Grad-CAM needs images; these inputs have no height and width"


@pytest.mark.parametrize("name", ["planted_patch", "dropout_left_on"])
def test_a_network_without_spatial_layers_says_so(name: str) -> None:
    assert "no layer of the model has spatial extent" in not_applicable(zoo.ZOO[name](), CHECK)
