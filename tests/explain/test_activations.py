"""Units that never move or are pinned to an end are counted exactly; what excites a unit is found as by brute force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.errors import NotApplicable, UsageError
from auditor.explain.activations import Activity, activity, feature_maps
from auditor.explain.units import MOST, Units, unit_layers
from auditor.feeds import Tokens
from auditor.subject import Batch, Data, Model
from tests import zoo
from tests.explain.nets import CLASSES, IMAGES, net, program, still
from tests.intake.zoo_packages import installed

X = torch.randn(23, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(23) % 3


def batches(x: Tensor, y: Tensor = Y, size: int = 5) -> Iterator[Batch]:
    data = Data.of(x, y[: len(x)])
    return replace(data, row_ids=np.arange(len(x)) * 10 + 3).batches(size)


def seen(module: nn.Module, x: Tensor = X, layers: tuple[str, ...] = (), **facts: object) -> tuple[Activity, ...]:
    model = Model(still(module.eval()), CLASSES, **facts)
    return activity(model, batches(x), unit_layers(model, x[:1], layers), classes=3)


def rows_to(function: nn.Module, scale: list[float], bias: list[float]) -> nn.Sequential:
    """Units that see scale * the first column + bias, through `function`, then a head."""
    first = nn.Linear(3, len(scale))
    first.weight.data.zero_()
    first.weight.data[:, 0] = torch.tensor(scale)
    first.bias.data[:] = torch.tensor(bias)
    return nn.Sequential(first, function, nn.Linear(len(scale), 3))


# ---- dead and saturated units, by hand ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("function", "scale", "bias", "dead", "saturated"),
    [
        (nn.ReLU(), [1, 1, 0, 0], [0, -50, -1, 2], [0, 1, 1, 1], [0, 0, 0, 0]),
        (nn.GELU(), [1, 1, 0], [0, -50, 1], [0, 1, 1], [0, 0, 0]),
        (nn.LeakyReLU(), [1, 1, 0], [0, -50, 1], [0, 0, 1], [0, 0, 0]),
        (nn.Sigmoid(), [1, 1, 1, 1, 0], [0, 50, -50, 20, 0], [0, 0, 0, 0, 1], [0, 1, 1, 1, 0]),
        (nn.Tanh(), [1, 1, 1, 0], [0, 50, -50, 0.5], [0, 0, 0, 1], [0, 1, 1, 0]),
        (nn.Hardsigmoid(), [1, 1, 1], [0, 50, -50], [0, 0, 0], [0, 1, 1]),
        (nn.Hardtanh(-2, 2), [1, 1, 1], [0, 50, -50], [0, 0, 0], [0, 1, 1]),
        (nn.ReLU6(), [1, 1, 1], [0, 50, -50], [0, 0, 1], [0, 1, 0]),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, nn.Module) else "",
)
def test_units_are_counted_exactly(
    function: nn.Module, scale: list[float], bias: list[float], dead: list[int], saturated: list[int]
) -> None:
    (found,) = seen(rows_to(function, scale, bias))

    assert found.units.layer == "1" and found.units.is_function
    assert found.dead.long().tolist() == dead
    assert found.saturated.long().tolist() == saturated
    assert found.samples == 23


@pytest.mark.parametrize(("near", "saturated"), [(22, True), (21, False)])
def test_saturated_is_ninety_five_percent_of_the_values(near: int, saturated: bool) -> None:
    """22 of 23 are 95.7 %, 21 of 23 are 91.3 %."""
    x = torch.zeros(23, 3)
    x[:near, 0] = 9
    (found,) = seen(rows_to(nn.Sigmoid(), [1.0], [0.0]), x)

    assert float(found.at_ends[0]) == pytest.approx(near / 23)
    assert bool(found.saturated[0]) is saturated


def test_a_unit_that_moves_in_a_single_place_of_a_single_sample_is_not_dead() -> None:
    x = torch.zeros(23, 1, 6, 6)
    x[17, 0, 5, 5] = 1
    conv = nn.Conv2d(1, 2, 1, bias=False)
    conv.weight.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    (found,) = seen(nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(72, 3)), x)

    assert found.dead.tolist() == found.silent.tolist() == [False, True]
    assert found.high.tolist() == [1, 0]


def test_nothing_depends_on_the_batches() -> None:
    model = Model(net("mobilenet"), CLASSES)
    x = torch.rand(23, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    layers = unit_layers(model, x[:1])
    one, other = (activity(model, batches(x, size=n), layers, classes=3) for n in (4, 23))

    assert [a.units.layer for a in one] == ["1", "2.act", "2.gate.1"]
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a.rows, b.rows)
        for name in ("low", "high", "at_ends", "peaks", "selectivity"):
            assert torch.allclose(getattr(a, name), getattr(b, name), atol=1e-5, equal_nan=True)


# ---- what excites a unit -----------------------------------------------------------------------------------------
def test_the_samples_that_excite_a_unit_most_are_those_of_brute_force() -> None:
    x = torch.rand(23, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    module = net("resnet")
    last = seen(module, x)[-1]
    outputs: list[Tensor] = []
    handle = module.get_submodule(last.units.layer).register_forward_hook(lambda _m, _i, o: outputs.append(o.clone()))
    with torch.no_grad():
        module(x)
    handle.remove()
    values = outputs[-1].amax((2, 3))
    order = torch.argsort(values, dim=0, descending=True, stable=True)[:5]

    assert last.units.layer == "layers.1.relu" and last.repeated
    assert torch.equal(last.rows, order * 10 + 3)  # as the rows are numbered
    assert torch.allclose(last.peaks, values.gather(0, order), atol=1e-5)


def test_selectivity_is_the_difference_of_means_in_standard_deviations() -> None:
    module = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 3))
    (found,) = seen(module)
    values, y = module[1](module[0](X)).double().numpy(), Y.numpy()
    expected = np.max([(values[y == c].mean(0) - values[y != c].mean(0)) / values.std(0) for c in range(3)], 0)

    assert found.selectivity.numpy() == pytest.approx(expected, abs=1e-6)


def test_selectivity_cannot_be_said_of_one_class_or_of_a_unit_that_rests() -> None:
    model = Model(still(rows_to(nn.ReLU(), [1, 0], [0, 0.1])), CLASSES)
    layers = unit_layers(model, X[:1])
    (one,) = activity(model, batches(X, torch.zeros(23, dtype=torch.long)), layers, classes=3)
    (three,) = activity(model, batches(X), layers, classes=3)

    assert bool(one.selectivity.isnan().all())
    assert three.selectivity.isnan().tolist() == [False, True]


# ---- where units stand -------------------------------------------------------------------------------------------
class Words(nn.Module):
    """Token ids through an embedding and a ReLU; the mean over the tokens that are there."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.act, self.head = nn.Embedding(10, 2), nn.ReLU(), nn.Linear(2, 3)
        self.tokens.weight.data = torch.stack([torch.arange(10.0), -torch.arange(10.0)], 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask[..., None]
        return self.head((self.act(self.tokens(input_ids)) * mask).sum(1) / mask.sum(1))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_places_without_a_token_do_not_count(size: int) -> None:
    """Padding is token 9, which would excite the first unit most."""
    x = torch.tensor([[1, 2, -1, -1], [3, -1, -1, -1], [0, 1, 2, -1], [4, 2, -1, -1]])
    model = Model(still(Words()), CLASSES, feed=Tokens(pad=9, names=("input_ids", "attention_mask")))
    (found,) = activity(model, batches(x, size=size), unit_layers(model, x[:1]), most=4, classes=3)

    assert found.units == Units("act", -1, 2, is_function=True)
    assert found.high.tolist() == [4, 0]
    assert found.dead.tolist() == [False, True]
    assert found.peaks[:, 0].tolist() == [4, 3, 2, 2]
    assert found.rows[:, 0].tolist() == [33, 13, 3, 23]


@pytest.mark.parametrize(
    ("module", "shape", "axis", "count"),
    [
        (nn.Sequential(nn.Conv1d(3, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(28, 3)), (3, 8), 1, 4),
        (nn.Sequential(nn.Linear(8, 5), nn.GELU(), nn.Flatten(), nn.Linear(15, 3)), (3, 8), -1, 5),
        (nn.Sequential(nn.Conv3d(1, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3)), (1, 4, 4, 4), 1, 4),
    ],
    ids=["sequence", "tokens", "volume"],
)
def test_units_stand_where_the_layer_before_has_them(
    module: nn.Module, shape: tuple[int, ...], axis: int, count: int
) -> None:
    (units,) = unit_layers(Model(still(module), CLASSES), torch.rand(1, *shape))

    assert (units.axis, units.count) == (axis, count)


def test_units_of_channels_that_come_last() -> None:
    installed("torchvision")
    import torchvision.models

    torch.manual_seed(0)
    model = Model(still(torchvision.models.swin_t(num_classes=3).eval()), CLASSES)
    found = unit_layers(model, torch.rand(1, 3, 32, 32))

    assert len(found) == MOST
    assert {(u.axis, u.count) for u in found} == {(-1, 384), (-1, 768), (-1, 1536), (-1, 3072)}


# ---- which layers ------------------------------------------------------------------------------------------------
def test_a_dozen_layers_are_spread_over_the_depth() -> None:
    deep = nn.Sequential(*[part for _ in range(30) for part in (nn.Linear(3, 3), nn.Tanh())], nn.Linear(3, 3))
    names = [u.layer for u in unit_layers(Model(still(deep), CLASSES), X[:1])]

    assert len(names) == MOST == 12
    assert names[0] == "1" and names[-1] == "59"
    assert np.ptp(np.diff([int(n) for n in names])) <= 2


def test_without_a_module_of_a_function_all_layers_but_the_last_are_seen() -> None:
    found = unit_layers(zoo.ZOO["residual"]().model, zoo.images()[:1])

    assert [(u.layer, u.axis, u.is_function) for u in found] == [("stem", 1, False), ("body", 1, False)]


class Block(nn.Module):
    """A residual block whose functions are no modules, and whose shortcut hands its input on."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.shortcut = nn.Conv2d(3, 3, 3, padding=1), nn.Sequential()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.conv(x) + self.shortcut(x))


def test_blocks_are_seen_where_their_functions_are_no_modules() -> None:
    """What ends a block is a ReLU: its dead units are seen though the ReLU is not. The body is its last block."""
    body = nn.Sequential(Block(), Block())
    body[1].conv.bias.data[1] = -99
    found = seen(nn.Sequential(body, nn.Flatten(), nn.Linear(3 * 256, 3)), torch.rand(23, 3, 16, 16))

    assert [a.units.layer for a in found] == ["0.0", "0.1"]
    assert found[1].dead.tolist() == [False, True, False]


def test_the_output_and_what_hands_on_the_input_are_no_units() -> None:
    """Of a classifier that ends in a softmax the logits are a layer like others."""
    linear, softmax = nn.Sequential(nn.Linear(3, 3)), nn.Sequential(nn.Linear(3, 3), nn.Softmax(1))
    model, other = (Model(still(nn.Sequential(nn.Flatten(), m, nn.Identity())), CLASSES) for m in (linear, softmax))

    assert [u.layer for u in unit_layers(other, X[:1])] == ["1.0"]
    with pytest.raises(NotApplicable, match="no layer of the model gives anything but its output"):
        unit_layers(model, X[:1])


def test_layers_by_name_and_what_is_refused() -> None:
    model = Model(net("mobilenet"), CLASSES)

    assert [u.layer for u in unit_layers(model, IMAGES[:1], ("4", "0", "4"))] == ["4", "0"]
    with pytest.raises(UsageError, match=r"no layer 'x' that gives numbers .* the last that do: .*'5'$"):
        unit_layers(model, IMAGES[:1], ("x",))


# ---- models of other kinds ---------------------------------------------------------------------------------------
def test_a_layer_that_runs_at_several_widths_counts_with_its_last_run() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.head, self.act = nn.Linear(3, 5), nn.Linear(5, 2), nn.Linear(2, 3), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.act(self.b(self.act(self.a(x)))))

    module = Shared()
    module.b.bias.data = torch.tensor([-99.0, 99.0])
    (found,) = seen(module)

    assert found.units.count == 2
    assert found.dead.tolist() == [True, False]


@pytest.mark.parametrize("form", ["pt2, two rows", "scripted"])
def test_a_program_is_seen_as_its_module_is(form: str) -> None:
    """A batch of two that is filled up with a row that is there twice."""
    model, plain = program("resnet", form), Model(net("resnet"), CLASSES)
    layers = unit_layers(plain, IMAGES[:1], ("layers.0.relu", "layers.1"))
    found = activity(model, batches(IMAGES), unit_layers(model, IMAGES[:1], ("layers.0.relu", "layers.1")))
    expected = activity(plain, batches(IMAGES), layers)

    for a, b in zip(found, expected, strict=True):
        assert (a.units.axis, a.units.count, a.samples) == (b.units.axis, b.units.count, 3)
        assert torch.allclose(a.high, b.high, atol=1e-5) and torch.allclose(a.low, b.low, atol=1e-5)
        assert a.rows[:, 0].tolist() == b.rows[:, 0].tolist()


def test_half_precision_and_values_beyond_it() -> None:
    """The second unit overflows in one row."""
    x = torch.zeros(23, 3)
    x[:, 0] = torch.linspace(0, 1, 23)
    x[4, 0] = 60000
    (found,) = seen(rows_to(nn.ReLU(), [1, 4, 0], [0, 0, 0]).half(), x)

    assert found.odd == 1
    assert found.dead.tolist() == [False, False, True]
    assert float(found.high[1]) == pytest.approx(4, abs=0.01)


def test_inputs_that_are_not_finite_are_refused_in_words() -> None:
    model = Model(still(rows_to(nn.ReLU(), [1.0], [0.0])), CLASSES)

    with pytest.raises(NotApplicable, match="23 of 23 inputs hold NaN or infinity"):
        activity(model, batches(X * torch.nan, size=23), unit_layers(model, X[:1]))


# ---- feature maps ------------------------------------------------------------------------------------------------
def test_feature_maps_are_the_mean_size_of_every_cell() -> None:
    module = net("mobilenet")
    found = feature_maps(Model(module, CLASSES), IMAGES, ["0", "2.deep", "2.gate.1", "4"])
    with torch.no_grad():
        first = module[0](IMAGES)
        second = module[2].deep(functional.relu6(first))

    assert list(found) == ["0", "2.deep"]  # the others have no grid
    assert torch.allclose(found["0"], first.abs().mean(1), atol=1e-6)
    assert torch.allclose(found["2.deep"], second.abs().mean(1), atol=1e-6)
