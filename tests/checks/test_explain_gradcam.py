"""explain.gradcam: a map a row, with how far it agrees with HiResCAM; nothing for tables."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from auditor.subject import Model
from auditor.types import Status
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, outcome_of, result_of

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


# ---- variants, and layers by name --------------------------------------------------------------------------------
def test_the_variants_are_compared_with_hirescam_and_kept() -> None:
    case = looks_left()
    (table,) = result_of(case, CHECK, samples=6).tables
    arrays = arrays_of(case.model, case.data, CHECK, samples=6)
    by_method = {row[1]: row for row in table.rows}
    witness = arrays[f"{CHECK}/hirescam"].clip(0).reshape(6, -1)

    assert table.columns == ("layer", "method", "correlation with HiResCAM", "low", "high", "n")
    assert list(by_method) == ["Grad-CAM", "Grad-CAM++", "LayerCAM"]
    for method, (layer, _, value, low, high, n) in by_method.items():
        maps = arrays[f"{CHECK}/{method.lower()}"].reshape(6, -1)
        expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(maps, witness, strict=True) if a.any() and b.any()]
        assert layer == "1" and n == len(expected)
        assert value == pytest.approx(np.mean(expected), abs=1e-5)
        assert (low is None) == (high is None) == (n < 5)
    assert by_method["LayerCAM"][2] == pytest.approx(1)  # this model's gradients have the sign of its class everywhere
    assert arrays[f"{CHECK}/rows"].shape == (6,)


def test_each_layer_that_is_asked_for_has_a_picture_of_every_row() -> None:
    case = zoo.inplace_relu()
    result = result_of(case, CHECK, samples=3, layers=("3", "0", "3"))
    arrays = arrays_of(case.model, case.data, CHECK, samples=3, layers=("3", "0"))
    maps = [i for i in result.images if i.role == "map"]

    assert [arrays[i.array].shape for i in maps] == [(4, 4), (6, 6)] * 3
    assert all("on a grid of 6 by 6" in i.alt for i in maps[1::2])
    assert result.caveats[:2] == (
        "The maps are those of layer '3', a grid of 4 by 4 cells.",
        "The further maps are those of layer '0', a grid of 6 by 6 cells.",
    )
    assert [row[0] for row in result.tables[0].rows] == ["3"] * 3 + ["0"] * 3


def test_a_layer_that_does_not_exist_is_refused_in_one_line_that_names_some() -> None:
    outcome = outcome_of(zoo.inplace_relu(), CHECK, layers=("conv5",))

    assert outcome.status is Status.ERROR
    assert outcome.reason == (
        "UsageError: no layer 'conv5' with spatial extent runs in the model; the last that do: '0', '1', '2', '3'"
    )


# ---- what maps cannot show ---------------------------------------------------------------------------------------
def doubts(case: zoo.Case, **settings: object) -> str:
    return "\n".join(result_of(case, CHECK, **{"samples": 4, **settings}).caveats)


def test_a_layer_that_runs_several_times_is_named() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(1, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.conv(self.conv(x)).mean((2, 3)))

    assert "Layer 'conv' runs several times; the maps are those of its last run." in doubts(
        zoo.case(Twice(), zoo.images(), 3)
    )
    assert "runs several times" not in doubts(zoo.inplace_relu())


def test_rows_without_any_gradient_are_counted() -> None:
    """A probability that is rounded to 1 in two of four rows."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4, 2), nn.Softmax(1))
    for p in net.parameters():
        p.data.zero_()
    net[0].weight.data.fill_(1)
    net[3].weight.data[1] = 1
    x = zoo.images()[:4]
    x[2:] *= 1000
    model = Model(net, ("a", "b"), bounds=(0.0, 1000.0), output="probabilities")
    found = doubts(zoo.Case(model, zoo.labelled(model, x, wrong=1)))

    assert "In 2 of 4 rows the class has no gradient to the input at all (probabilities have none where" in found
    assert "2 of 4 maps are empty" in found


def test_constant_images_and_a_single_class_are_said() -> None:
    case = looks_left()
    x = 0.8 + 0.2 * case.data.read(np.arange(4))
    x[1:3] = 0.9
    flat = zoo.Case(case.model, zoo.labelled(case.model, x, wrong=1))

    assert "2 of 4 images have one value everywhere" in doubts(flat)
    assert "All 4 rows are called bright: no map shows what another class needs." in doubts(flat)
    varied = doubts(zoo.normalized(), samples=0)
    assert "one value everywhere" not in varied
    assert "All 24 rows" not in varied


def test_gradients_that_are_not_finite_give_no_map() -> None:
    """The root has an infinite slope at the zeros that one row holds."""

    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool, self.head = nn.AvgPool2d(2), nn.Linear(16, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.pool(x).sqrt().flatten(1))

    x = zoo.images()[:4]
    x[1, :, :2, :2] = 0
    result = result_of(zoo.case(Root(), x, 2), CHECK, samples=4)

    assert any("1 of 4 rows have no map: gradients of this layer are NaN or infinite." in c for c in result.caveats)
    assert len([i for i in result.images if i.role == "map"]) == 3
    assert sum(m.value is None for m in measures(result, "hirescam_correlation").values()) == 1
