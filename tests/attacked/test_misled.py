"""What may mislead an attack: hidden gradients, randomness and failures, in tables, texts and every norm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.in_units import right_rows
from auditor.attacks.min_norm import min_norm_frontiers
from auditor.attacks.seen import seen_by_search
from auditor.columns import Column
from auditor.subject import Data, Model
from tests import zoo
from tests.attacks.patients import Behind, patient
from tests.attacks.worded import bag, worded
from tests.checks.audited import measures, not_applicable, outcome_of, result_of
from tests.zoo import Case

CURVE, TRUST, FOOLBOX = "robustness.curve", "robustness.trust", "robustness.foolbox"
WIDTH = 12
LADDER = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8)


def vectors(
    asked: Callable[[nn.Module, Tensor], Tensor] = lambda net, x: net(x),
    *,
    columns: bool = False,
    output: str = "logits",
) -> Case:
    """48 rows of numbers that a network of three classes has right by itself, as a table or as vectors."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Linear(32, 3)).requires_grad_(requires_grad=False)
        for p in net.parameters():
            p.copy_(torch.randn_like(p) / 2)
        x = torch.randn(48, WIDTH)
    named = tuple(Column(f"c{i}", i, i + 1) for i in range(WIDTH)) if columns else ()
    model = Model(
        Behind(net, asked), ("a", "b", "c"), (torch.full((WIDTH,), -4.0), torch.full((WIDTH,), 4.0)),
        unit=torch.ones(WIDTH), output="probabilities" if output == "probabilities" else "logits",
    )  # fmt: skip
    return Case(model, Data.of(x, net(x).argmax(1), columns=named))


def robust(case: Case, check: str = CURVE, **settings: Any) -> list[int]:
    """How many rows are right, and stand at each size."""
    given = {"samples": 0, "epsilons": LADDER, "steps": 20, **({"shown": 0} if check == CURVE else {}), **settings}
    found = measures(result_of(case, check, **given), "robust_accuracy")
    return [int(m.counts[0]) for at, m in found.items() if "&" not in at]


def said(case: Case, check: str = CURVE, **settings: Any) -> str:
    return " ".join(result_of(case, check, **settings).caveats)


# ---- hidden gradients --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("columns", [True, False])
def test_saturated_probabilities_of_tables_and_vectors_break_as_the_logits_do(columns: bool) -> None:
    saturated = vectors(lambda net, x: (300 * net(x)).softmax(1), columns=columns, output="probabilities")

    open_, hidden = robust(vectors(columns=columns)), robust(saturated)

    assert max(h - o for h, o in zip(hidden, open_, strict=True)) <= 1
    assert hidden[-1] <= 3


@pytest.mark.parametrize("columns", [True, False])
def test_what_answers_at_random_is_no_more_robust_for_it(columns: bool) -> None:
    noisy = vectors(lambda net, x: net(x + 0.3 * torch.randn_like(x)), columns=columns)
    found = robust(noisy)

    assert found == sorted(found, reverse=True)
    assert found[-1] <= 12  # of 48; 29 of a table whose attacks did not see past the noise
    assert "answers at random" in said(noisy, samples=0, epsilons=[0.1], shown=0)


def test_a_detached_input_of_some_rows_alone_is_met_wherever_they_stand_in_the_file() -> None:
    """Rows of which the first number is negative hide their gradient: those behind the first 16."""

    def asked(net: nn.Module, x: Tensor) -> Tensor:
        y: Tensor = net(torch.where(x[:, :1] > 0, x, x.detach()))
        return y

    case = vectors(asked)
    order = np.argsort(case.data.read(np.arange(48))[:, 0].numpy() < 0, kind="stable")
    held = replace(case.model, unit=torch.tensor([0.0] + [1.0] * (WIDTH - 1)))  # so that nobody crosses over
    ordered = Case(held, case.data.at(order))
    plain = Case(replace(held, module=vectors().model.module), ordered.data)

    assert max(h - o for h, o in zip(robust(ordered), robust(plain), strict=True)) <= 1
    assert "went straight through" in said(ordered, samples=0, epsilons=[0.1], shown=0)


@pytest.mark.parametrize(("norm", "sizes"), [("l1", (2.0, 4.0, 8.0)), ("l0", (4.0, 16.0))])
def test_rounding_hides_nothing_from_sparse_attacks(norm: str, sizes: tuple[float, ...]) -> None:
    settings = {"norm": norm, "epsilons": sizes, "samples": 24, "steps": 20}

    hidden, plain = (robust(patient(name).case, **settings) for name in ("rounded input", "plain"))

    # rounded inputs are another function, whose frontiers are not the plain one's
    assert max(h - o for h, o in zip(hidden, plain, strict=True)) <= 3


def test_l0_attacks_break_everything_that_all_elements_break() -> None:
    found = robust(patient("plain").case, norm="l0", epsilons=(32.0, 64.0), samples=24, steps=10)

    assert found[1:] == [0, 0]  # with 20 steps of FMN alone every second row stands however many pixels change


def test_random_answers_that_are_broken_in_l1_are_so_in_the_mean_of_many() -> None:
    p = patient("noisy input")
    x, y = p.x[:24], p.y[:24]
    with torch.random.fork_rng(), p.model.frozen():
        torch.manual_seed(0)
        seen = seen_by_search(p.model, x, y)
        found = min_norm_frontiers(seen.plain, x, y, (32.0,), steps=80, judge=seen.model, least=seen.least)
        with torch.no_grad():
            again = torch.stack([seen.model(found.witness).argmax(1) != y for _ in range(10)]).float().mean(0)
    broken = found.index == 0

    assert int(broken.sum()) >= 8
    assert float(again[broken].mean()) > 0.7  # a fifteenth where one answer is believed


# ---- answers that fail -------------------------------------------------------------------------------------------
def nan_beyond(first: int) -> Case:
    """Always class `first`, but NaN as soon as the mean of the input is above .5."""

    def asked(_: nn.Module, x: Tensor) -> Tensor:
        beyond = x.mean(1) - 0.5
        ways = [0 * beyond, beyond - 0.2] if first == 0 else [beyond - 0.2, 0 * beyond]
        return torch.where((beyond > 0)[:, None], torch.nan, torch.stack(ways, 1))

    x = torch.rand(24, 6, generator=torch.Generator().manual_seed(0)) * 0.4
    return Case(Model(Behind(nn.Identity(), asked), ("a", "b")), Data.of(x, torch.full((24,), first)))


@pytest.mark.parametrize("first", [0, 1])
def test_no_number_is_no_right_answer_whichever_class_comes_first(first: int) -> None:
    case = nan_beyond(first)

    assert robust(case, epsilons=(0.6,)) == [24, 0]
    assert not bool(right_rows(case.model, torch.full((4, 6), 0.9), torch.full((4,), first)).any())


def fails(kind: str, columns: bool) -> Case:
    """Always right, but without an answer where the third number is above 1.5, which every row may reach."""

    def asked(_: nn.Module, x: Tensor) -> Tensor:
        if kind == "raises" and bool((x[:, 2] > 1.5).any()):
            msg = "the third is too large"
            raise ValueError(msg)
        y = torch.stack([0 * x[:, 2], 0 * x[:, 2] + 1], 1)
        return torch.where(x[:, 2:] > 1.5, torch.nan, y) if kind == "nan" else y

    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)).clamp_max(1.4)
    named = tuple(Column(c, i, i + 1) for i, c in enumerate("abc")) if columns else ()
    model = Model(
        Behind(nn.Identity(), asked), ("no", "yes"), (torch.full((3,), -4.0), torch.full((3,), 4.0)),
        unit=torch.ones(3),
    )  # fmt: skip
    return Case(model, Data.of(x, torch.ones(40, dtype=torch.long), columns=named))


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("kind", ["nan", "raises"])
def test_rows_that_the_model_can_be_made_to_fail_for_are_broken(kind: str, columns: bool) -> None:
    case = fails(kind, columns)
    settings = {"samples": 0, "epsilons": (4.0, 8.0), "steps": 10, "shown": 0}
    result = result_of(case, CURVE, **settings)

    assert measures(result, "robust_accuracy")["linf@8"].value == 0
    assert any("raises an error or gives NaN" in c for c in result.caveats)


@pytest.mark.parametrize("kind", ["nan", "raises"])
def test_trust_finds_the_failing_that_a_gradient_of_zero_does_not_show(kind: str) -> None:
    """No gradient leads beyond 1.5, and random changes of up to 4 get every row there."""
    case = fails(kind, columns=False)
    assert float(case.data.read(np.arange(40))[:, 2].min()) > 1.5 - 4
    found = result_of(case, TRUST, samples=12, steps=8, epsilons=[4.0])
    fired = {row[0] for table in found.tables for row in table.rows if row[-1] == "fired"}

    assert fired >= {"R1", "R6"} and measures(found, "rules_fired")[""].value == len(fired)
    assert measures(found, "adapted_accuracy")["linf@4"].counts == (0, 12)
    naive = measures(found, "naive_accuracy")["linf@4"]
    assert naive.counts[0] > 0 and measures(found, "naive_gap")["linf@4"].counts == naive.counts


@pytest.mark.parametrize("kind", ["nan", "raises"])
def test_texts_that_the_model_can_be_made_to_fail_for_are_broken(kind: str) -> None:
    words = {"good": 1, "fine": 2, "nice": 3, "bad": 4, "poor": 5}
    inner = bag([[0.0], [1.0], [0.9], [0.8], [-1.0], [-0.9]], [4.0])

    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = inner, inner.head

        def get_input_embeddings(self) -> nn.Module:
            return inner.tokens

        def forward(
            self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None,
            inputs_embeds: Tensor | None = None,
        ) -> Tensor:  # fmt: skip
            y: Tensor = self.inner(input_ids, attention_mask, inputs_embeds)
            if input_ids is None:
                return y
            poor = (input_ids == words["poor"]).any(1, keepdim=True)
            if kind == "raises" and bool(poor.any()):
                msg = "poor"
                raise ValueError(msg)
            return torch.where(poor, torch.nan, y)

    texts = ["bad bad bad", "bad bad", "bad", "good good good", "fine good", "nice"]
    case = worded(Failing(), words, texts)
    result = result_of(case, CURVE, samples=0, shown=2, epsilons=[1], similarity=0.5)

    # "bad" has "poor" for a neighbour in three of six texts
    assert measures(result, "robust_accuracy")["words@1"].counts[0] <= 3
    assert any("raises an error or gives NaN" in c for c in result.caveats)


# ---- honest tables, programs and scales --------------------------------------------------------------------------
def age_and_city() -> Case:
    """A logistic regression on a number and a category, which stays where the number alone may move."""
    g = torch.Generator().manual_seed(0)
    columns = (Column("age", 0, 1, mean=40.0, std=10.0), Column("city", 1, 4, kind="category", values=("x", "y", "z")))
    x = torch.cat([torch.randn(120, 1, generator=g), torch.eye(3)[torch.randint(0, 3, (120,), generator=g)]], 1)
    head = nn.Linear(4, 2).requires_grad_(requires_grad=False)
    head.weight.copy_(torch.tensor([[0.0, 0, 0, 0], [0.5, 4.0, -4.0, 0.2]]))
    head.bias.zero_()
    bounds = (torch.full((4,), -3.0), torch.full((4,), 3.0))
    model = Model(head, ("a", "b"), bounds, unit=torch.tensor([1.0, 0, 0, 0]))
    return Case(model, Data.of(x, head(x).argmax(1), columns=columns))


def test_an_honest_table_whose_categories_hold_rows_where_they_are_is_not_flagged() -> None:
    result = result_of(age_and_city(), TRUST, samples=64, steps=10, epsilons=[0.1, 0.3, 1.0])
    third = next(row for row in result.tables[0].rows if row[0] == "R3")

    assert measures(result, "rules_fired")[""].value == 0
    assert third[3] == "undecided"
    assert "columns that may not change" in str(third[2])
    assert any("these columns are not: city" in c for c in result.caveats)


@pytest.mark.parametrize("kind", ["script", "trace"])
def test_trust_of_a_program_is_that_of_the_model(kind: str) -> None:
    p = patient("plain")
    made = torch.jit.script(p.model.module) if kind == "script" else torch.jit.trace(p.model.module, p.x[:2])
    settings = {"samples": 16, "steps": 10, "epsilons": [0.1]}

    program, plain = (
        result_of(c, TRUST, **settings) for c in (Case(replace(p.model, module=made), p.case.data), p.case)
    )

    assert measures(program, "rules_fired")[""].value == 0
    naive = [next(iter(measures(r, "naive_accuracy").values())).value for r in (program, plain)]
    assert naive[0] == naive[1]


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_the_unit_of_a_value_moves_no_figure(scale: float) -> None:
    head = nn.Linear(3, 1).requires_grad_(requires_grad=False)
    head.weight.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
    x = torch.randn(24, 3, generator=torch.Generator().manual_seed(1))
    module = Behind(head, lambda net, z: scale * net(z + 0.3 * torch.randn_like(z))[:, 0])
    model = Model(module, (), (-4.0, 4.0), output="value")
    case = Case(model, Data.of(x, scale * head(x)[:, 0]))
    result = result_of(case, CURVE, samples=0, steps=10, epsilons=[0.1, 1.0], shown=0)

    assert any("answers at random" in c for c in result.caveats)
    assert not any("no gradient" in c for c in result.caveats)
    assert float(measures(result, "stable_rate")["linf@0.1"].value or 0) > 0.5


# ---- what was asked for ------------------------------------------------------------------------------------------
def test_half_an_element_is_refused() -> None:
    outcome = outcome_of(zoo.inplace_relu(), CURVE, norm="l0", epsilons=[0.5, 4.0])

    assert "epsilons = 0.5: of l0 they are numbers of changed elements" in outcome.reason


@pytest.mark.parametrize(
    ("check", "settings"),
    [
        (CURVE, {"norm": "l2", "epsilons": [8.1]}),  # 64 pixels
        (CURVE, {"norm": "l1", "epsilons": [64.1]}),
        (CURVE, {"norm": "l0", "epsilons": [65.0]}),
        (TRUST, {"epsilons": [8.0]}),
        (FOOLBOX, {"epsilons": [8.0], "attacks": ("LinfPGD",)}),
    ],
)
def test_a_size_that_no_change_can_have_is_said(check: str, settings: dict[str, Any]) -> None:
    assert "is more than any change can be" in said(zoo.inplace_relu(), check, samples=0, **settings)


def test_a_table_at_chance_and_a_single_row_are_said() -> None:
    case = vectors(columns=True)
    chance = Case(case.model, replace(case.data, y=np.roll(case.data.y, 1)))
    one = Case(case.model, case.data.at(np.arange(1)))

    assert "no more than if the commonest class were always named" in said(chance, samples=0, shown=0)
    assert "One row was attacked" in said(one, samples=0, shown=0)
    assert "is more than any change can be" in said(case, samples=0, shown=0, epsilons=[255.0])


def test_a_value_that_never_moves_is_said_to_say_nothing() -> None:
    head = nn.Linear(3, 1)
    x = torch.randn(24, 3, generator=torch.Generator().manual_seed(1))
    model = Model(Behind(head, lambda net, z: 0 * net(z)[:, 0] + 1), (), (-3.0, 3.0), output="value")

    assert "the same value for every row" in said(Case(model, Data.of(x, x[:, 0])), samples=0, shown=0, epsilons=[6.0])


def test_endless_bounds_need_sizes() -> None:
    case = zoo.inplace_relu()
    endless = Case(replace(case.model, bounds=(-np.inf, np.inf)), case.data)

    assert "give `epsilons`" in not_applicable(endless, CURVE)


def test_the_rules_need_eight_rows() -> None:
    assert "samples = 2: the rules need at least 8 rows" in outcome_of(zoo.inplace_relu(), TRUST, samples=2).reason


def test_sizes_at_which_nothing_breaks_are_said_to_compare_nothing() -> None:
    assert "Nothing breaks within" in said(zoo.inplace_relu(), TRUST, samples=8, epsilons=[1e-7])
