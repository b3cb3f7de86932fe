"""robustness.curve: counts that can be made by hand, beside random changes, with examples that are not counted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.errors import UsageError
from auditor.registry import CHECKS, Context
from auditor.subject import Data, Model
from auditor.types import Measure
from tests import zoo
from tests.attacks.test_curve import exact_linear
from tests.checks.audited import arrays_of, measures, not_applicable, result_of
from tests.shared import needs_shared, real

CHECK = "robustness.curve"
LADDER = [0.05, 0.1, 0.2, 0.4, 0.8]


def curve(measured: dict[str, Measure]) -> list[float]:
    return [m.value or 0.0 for m in measured.values()]


def test_a_linear_models_curve_is_counted_by_hand() -> None:
    case = zoo.linear_table()
    x, y = case.data.read(np.arange(24)), torch.from_numpy(case.data.y)
    right = case.model(x).argmax(1) == y
    expected = [int((right & (exact_linear(case, x) > e)).sum()) for e in (0, *LADDER)]

    result = result_of(case, CHECK, epsilons=LADDER, samples=0)

    assert [m.counts for m in measures(result, "robust_accuracy").values()] == [(k, 24) for k in expected]
    assert list(measures(result, "robust_accuracy")) == [
        "linf@0",
        "linf@0.05",
        "linf@0.1",
        "linf@0.2",
        "linf@0.4",
        "linf@0.8",
    ]


@pytest.mark.parametrize("name", ["inplace_relu", "batch_norm", "categories", "softmax_output"])
def test_never_rises_with_epsilon_and_lies_below_random_changes(name: str) -> None:
    result = result_of(zoo.ZOO[name](), CHECK, samples=0, steps=10)
    robust, noise = curve(measures(result, "robust_accuracy")), curve(measures(result, "noise_accuracy"))

    assert robust == sorted(robust, reverse=True)
    assert len(robust) == len(noise) + 1 == 9
    assert all(r <= n for r, n in zip(robust[1:], noise, strict=True))


def test_the_default_sizes_are_of_pixels_or_of_deviations() -> None:
    pixels = list(measures(result_of(zoo.inplace_relu(), CHECK, steps=2), "robust_accuracy"))
    table = list(measures(result_of(zoo.categories(), CHECK, steps=2), "robust_accuracy"))

    assert pixels[1:] == [f"linf@{e / 255:.3g}" for e in (0.5, 1, 2, 4, 8, 16, 32, 64)]
    assert table[1:] == ["linf@0.05", "linf@0.1", "linf@0.2", "linf@0.3", "linf@0.5", "linf@0.8", "linf@1", "linf@2"]


def test_below_a_deviation_only_numbers_are_changed() -> None:
    case = zoo.categories()
    case.model.module[0].weight.data[:, 0] *= 20
    case = zoo.Case(
        case.model, replace(zoo.labelled(case.model, case.data.read(np.arange(24))), columns=case.data.columns)
    )
    result = result_of(case, CHECK, samples=0, shown=6, epsilons=[0.5, 0.99])

    assert result.caveats[0].startswith("A category or flag that takes another value counts as 1 deviation")
    assert result.caveats[0].endswith("member, city.")
    assert result.tables[1:]
    for table in result.tables[1:]:
        assert {row[0] for row in table.rows} == {"age"}


def test_a_model_without_a_column_that_may_be_changed_does_not_apply() -> None:
    case = zoo.categories()
    model = Model(case.model.module, case.model.classes, bounds=case.model.bounds, unit=torch.zeros(5))
    held = replace(case.data, columns=tuple(replace(c, mutable=False) for c in case.data.columns))
    vectors = replace(case.data, columns=())

    assert "no column can be changed: age, member, city (not mutable)" in not_applicable(zoo.Case(model, held), CHECK)
    assert "no element of the input may be changed" in not_applicable(zoo.Case(model, vectors), CHECK)


def test_tables_are_attacked_in_one_norm() -> None:
    assert "norm = l2: rows of a table" in not_applicable(zoo.categories(), CHECK, norm="l2")


def test_examples_show_the_rows_measured_that_a_size_turns() -> None:
    """Of each size the rows turned by the least and by the most among those that the size before does not turn."""
    case, settings = zoo.inplace_relu(), {"samples": 12, "shown": 8, "steps": 10, "epsilons": [0.03, 0.08, 0.8]}
    result, arrays = result_of(case, CHECK, **settings), arrays_of(case.model, case.data, CHECK, **settings)
    distance, rows = arrays[f"{CHECK}/distance"], arrays[f"{CHECK}/rows"]
    titles = [t.partition(":")[0] + t.rpartition(";")[2] for t in dict.fromkeys(i.title for i in result.images)]

    expected = []
    for low, high in itertools.pairwise((0.0, 0.03, 0.08, 0.8)):
        turned = sorted((d, r) for d, r in zip(distance, rows, strict=True) if low < d <= high)
        named = {"easiest": turned[0], "hardest": turned[-1]} if len(turned) > 1 else {"only one": turned[0]}
        expected += [f"row {row} the {name} of linf@{high:.3g}" for name, (_, row) in named.items()]
    assert titles == expected
    assert all(m.n == 12 for m in measures(result, "robust_accuracy").values())


def test_pictures_show_the_input_the_change_and_the_sum() -> None:
    case, settings = zoo.inplace_relu(), {"samples": 5, "shown": 4, "steps": 10}
    result, arrays = result_of(case, CHECK, **settings), arrays_of(case.model, case.data, CHECK, **settings)
    titles = {i.title for i in result.images}

    assert titles
    for title in titles:
        by_role = {i.role: i for i in result.images if i.title == title}
        before, after = (arrays[by_role[r].array].astype(int) for r in ("original", "adversarial"))
        size = float(by_role["change"].alt.partition("of size ")[2].partition(",")[0])
        called = title.partition(": ")[2].split()[0]
        assert set(by_role) == {"original", "change", "adversarial"}
        assert size <= float(title.partition("@")[2]) * 1.01
        assert np.abs(after - before).max() <= size * 255 + 1
        assert np.abs(arrays[by_role["change"].array]).max() == pytest.approx(size, rel=0.02)
        assert by_role["original"].alt.startswith(f"The image as it is, called {called} (")
        assert not by_role["adversarial"].alt.startswith(f"After the change it is called {called} (")


def test_rows_are_drawn_not_taken_from_the_front() -> None:
    case = zoo.inplace_relu()
    rows = arrays_of(case.model, case.data, CHECK, samples=8, steps=1)[f"{CHECK}/rows"]

    assert rows.tolist() != list(range(8))


def linear_value() -> tuple[zoo.Case, Tensor]:
    """z = 2a - b + c / 2 + 1 / 4, and how far every row is from another value by `amount`: amount / 3.5."""
    table = zoo.linear_table()
    head = nn.Linear(3, 1)
    head.weight.data, head.bias.data = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([0.25])
    x = table.data.read(np.arange(24))
    model = Model(head, (), output="value", bounds=table.model.bounds)
    return zoo.Case(model, Data.of(x, head(x)[:, 0].detach(), columns=table.data.columns)), x


def test_a_models_values_are_stable_below_the_exact_distance() -> None:
    case, _ = linear_value()
    result = result_of(case, CHECK, samples=0, steps=5, moved_by=0.7, epsilons=[0.199, 0.201], shown=1)
    distance = arrays_of(case.model, case.data, CHECK, samples=0, steps=5, moved_by=0.7, epsilons=[0.3])

    assert [m.counts for m in measures(result, "stable_rate").values()] == [(24, 24), (24, 24), (0, 24)]
    assert not measures(result, "robust_accuracy")
    assert distance[f"{CHECK}/distance"].tolist() == pytest.approx([0.2] * 24, rel=0.01)
    assert "A row counts as moved when its value changes by more than 0.7." in result.caveats


def test_values_are_moved_by_half_a_deviation_where_nothing_is_said() -> None:
    case, _ = linear_value()
    said = f"{0.5 * np.std(case.data.y):.4g}"

    assert f"changes by more than {said}." in result_of(case, CHECK, samples=2, steps=2).caveats[-1]


def test_targets_without_a_spread_need_the_amount() -> None:
    case, x = linear_value()
    flat = Data.of(x, torch.ones(24), columns=case.data.columns)

    assert "give `moved_by`" in not_applicable(zoo.Case(case.model, flat), CHECK)
    assert result_of(zoo.Case(case.model, flat), CHECK, samples=2, steps=2, moved_by=1.0)


@needs_shared
def test_a_hardened_model_stands_more_than_a_plain_one() -> None:
    found = {}
    for name in ("mnist_small", "mnist_kw"):
        opened = real(name)
        result = result_of(opened, CHECK, samples=40, epsilons=[0.1, 0.3], steps=20)
        found[name] = curve(measures(result, "robust_accuracy"))

    assert found["mnist_kw"][1] > found["mnist_small"][1]
    assert found["mnist_small"][2] == found["mnist_kw"][2] == 0  # FMN would say .86 of the latter


class Rounded(nn.Module):
    """Sees its inputs rounded to ten levels, as a model with a quantising front does: no slope anywhere."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner((x * 10).round() / 10)
        return y


def test_sizes_that_agree_in_three_digits_are_one() -> None:
    result = result_of(zoo.linear_table(), CHECK, epsilons=[0.2, 0.1, 0.10001, 0.2], samples=4, steps=2)

    assert list(measures(result, "robust_accuracy")) == ["linf@0", "linf@0.1", "linf@0.2"]


def test_what_a_random_change_turns_is_broken_though_gradients_show_nothing() -> None:
    case = zoo.inplace_relu()
    model = replace(case.model, module=Rounded(case.model.module))
    result = result_of(zoo.Case(model, case.data), CHECK, samples=0, steps=2, epsilons=[0.05, 0.2, 0.6])
    robust, noise = measures(result, "robust_accuracy"), measures(result, "noise_accuracy")

    assert noise["linf@0.6"].counts[0] < robust["linf@0"].counts[0]  # random changes do turn some
    for e in ("linf@0.05", "linf@0.2", "linf@0.6"):
        assert robust[e].counts[0] <= noise[e].counts[0]
    distance = arrays_of(model, case.data, CHECK, samples=0, steps=2, epsilons=[0.05, 0.2, 0.6])[f"{CHECK}/distance"]
    right = robust["linf@0"].counts[0]
    assert int((distance > 0).sum()) == right - robust["linf@0.6"].counts[0]


def test_no_rows_shown_are_no_rows_attacked_for_a_picture() -> None:
    result = result_of(zoo.inplace_relu(), CHECK, samples=4, steps=2, shown=0)

    assert (len(result.tables), result.images) == (1, ())


def test_parts_are_attacked_as_the_whole_is() -> None:
    case = zoo.linear_table()
    settings = CHECKS[CHECK].params({"epsilons": LADDER, "samples": 0})
    with case.model.frozen():
        whole, parts = (
            CHECKS[CHECK].run(Context(case.model, case.data, batch_size=size).of_check(CHECK), **settings)
            for size in (100, 7)
        )

    assert measures(parts, "robust_accuracy") == measures(whole, "robust_accuracy")
    assert {m.n for m in parts.measures} == {24}


# ---- other norms, and what is said beside the figure -------------------------------------------------------------
def test_a_patchs_l2_curve_is_counted_by_hand() -> None:
    """The mean of nine pixels turns at .5: all of them moved by as much is a length of 3 |mean - .5|."""
    case, ladder = zoo.planted_patch(), [1.0, 1.05, 1.1, 1.2]
    x, y = case.data.read(np.arange(24)), torch.from_numpy(case.data.y)
    right = case.model(x).argmax(1) == y
    far = 3 * (x[:, 0, *zoo.PATCH].mean((1, 2)) - 0.5).abs()
    expected = {f"l2@{e:.3g}": (int((right & (far > e)).sum()), 24) for e in (0, *ladder)}

    result = result_of(case, CHECK, norm="l2", epsilons=ladder, samples=0, steps=10)

    assert {size: m.counts for size, m in measures(result, "robust_accuracy").items()} == expected
    assert len(set(expected.values())) > 3


def test_an_unknown_norm_is_named() -> None:
    with pytest.raises(UsageError, match=r"robustness\.curve\.norm = 'l7'.*'linf', 'l2', 'l1' or 'l0'"):
        CHECKS[CHECK].params({"norm": "l7"})


def said(case: zoo.Case, **settings: Any) -> tuple[str, ...]:
    return result_of(case, CHECK, **{"samples": 0, "steps": 2, "shown": 0, **settings}).caveats


def test_an_honest_model_has_no_caveat() -> None:
    assert said(zoo.inplace_relu()) == ()


def test_an_epsilon_in_255ths_is_doubted() -> None:
    (caveat,) = said(zoo.inplace_relu(), epsilons=[0.03, 8])

    assert caveat.startswith("An epsilon of 8 (linf) is more than any change can be, at most 1")
    assert "If it is meant in 255ths of the range, write 0.0314." in caveat


def test_deviations_of_a_column_may_be_more_than_1() -> None:
    assert not any("255ths" in caveat for caveat in said(zoo.linear_table(), epsilons=[2.0]))


def test_rows_outside_the_bounds_are_counted_aloud() -> None:
    case = zoo.inplace_relu()
    x = case.data.read(np.arange(24))
    x[:3, 0, 0, 0] = 1.5
    outside = zoo.Case(case.model, zoo.labelled(case.model, x))

    assert said(outside)[0].startswith("3 of 24 rows lie outside the input's bounds")


def test_a_model_that_is_right_no_more_than_by_chance_says_little() -> None:
    """Seven of eight rows are of class a, and the model always says a."""
    case = zoo.constant()
    named = int(case.model(case.data.read(np.arange(1))).argmax())
    y = np.full(24, named)
    y[:3] = (named + 1) % 3

    (caveat,) = said(zoo.Case(case.model, replace(case.data, y=y)), epsilons=[0.1])[-1:]

    assert caveat.startswith(
        "21 of 24 rows are right as they are, no more than if the commonest class were always named"
    )


def test_one_row_is_about_that_row() -> None:
    assert said(zoo.inplace_relu(), samples=1)[-1] == "One row was attacked: the figure is about that row alone."


class Front(nn.Module):
    """`inner` behind a function of its inputs."""

    def __init__(self, inner: nn.Module, front: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.front = inner, front

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner(self.front(x))
        return y


FRONTS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "rounded": (lambda x: (x * 10).round() / 10, "The model hides gradients (round): attacks went straight through"),
    "at random": (lambda x: x + 0.05 * torch.rand_like(x), "The model answers at random: what counts is the mean of"),
    "elsewhere": (
        lambda x: torch.from_numpy(x.detach().numpy().round(1)),
        "The model gives no gradient, so that it was attacked by answers alone",
    ),
}


@pytest.mark.parametrize("name", FRONTS)
def test_what_stood_in_the_way_of_attacks_is_said_and_they_found_a_way(name: str) -> None:
    case = zoo.inplace_relu()
    front, caveat = FRONTS[name]
    hidden = zoo.Case(replace(case.model, module=Front(case.model.module, front)), case.data)
    settings = {"samples": 6, "epsilons": [0.05, 0.3], "steps": 10, "shown": 0}
    result = result_of(hidden, CHECK, **settings)

    assert result.caveats[0].startswith(caveat)
    plain, found = (curve(measures(r, "robust_accuracy")) for r in (result_of(case, CHECK, **settings), result))
    assert found[2] <= plain[2] + 1 / 6


class Quantised(nn.Module):
    """A linear model of inputs in ten levels."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x.flatten(1) * 10).round() / 10)


def test_a_program_that_rounds_its_input_is_attacked_as_the_module_is() -> None:
    case, settings = zoo.case(Quantised(), zoo.images(), 3), {"samples": 8, "epsilons": [0.05, 0.1], "shown": 0}
    program = zoo.Case(replace(case.model, module=torch.jit.script(case.model.module)), case.data)
    module, script = (result_of(c, CHECK, **settings) for c in (case, program))

    assert script.caveats == module.caveats
    assert script.caveats[0].startswith("The model hides gradients (round)")
    assert script.measures == module.measures


class HalfOff(nn.Module):
    """The second pixel where the first is bright, elsewhere the third, which is looked at outside of torch."""

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = x.flatten(1)[:, :3].split(1, 1)
        found = torch.where(first > 0.4, second, torch.from_numpy(third.detach().numpy()))
        return torch.cat([found, 0 * found + 0.5], 1)


def test_rows_without_any_gradient_are_attacked_by_answers() -> None:
    model = Model(HalfOff(), ("a", "b"))
    caveats = said(zoo.Case(model, zoo.labelled(model, zoo.images())), samples=8, epsilons=[0.6])

    assert any("rows were attacked by answers alone (" in c for c in caveats)


def test_rows_turned_by_what_the_model_cannot_answer_are_told() -> None:
    class Picky(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            flat = x.flatten(1)
            if bool((flat[:, 0] > 0.9).any()):
                msg = "too bright"
                raise ValueError(msg)
            return torch.stack([flat[:, 1:].sum(1) + 40, 0 * flat[:, 0]], 1)

    x = torch.full((12, 1, 4, 4), 0.5)
    case = zoo.Case(Model(Picky(), ("a", "b")), Data.of(x, torch.zeros(12, dtype=torch.long)))
    result = result_of(case, CHECK, samples=0, steps=4, epsilons=[0.1, 0.5])

    # squares and random changes come upon the corner; who never does stands, and none is called broken at .1
    assert measures(result, "robust_accuracy")["linf@0.1"].counts[0] == 12
    turned = 12 - measures(result, "robust_accuracy")["linf@0.5"].counts[0]
    assert turned > 0
    said = f"{turned:.0f} of 12 rows were turned by an input inside the bounds for which the model raises an error"
    assert any(c.startswith(said) for c in result.caveats)
