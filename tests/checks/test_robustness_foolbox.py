"""Foolbox's attacks by name: counted by hand, against foolbox itself and against the curve; what fails is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.curve import robust_curve
from auditor.attacks.foolbox_attacks import foolbox_frontiers
from auditor.attacks.foolbox_named import OWN_STEPS, REFUSED, attack_named
from auditor.attacks.in_units import InUnits
from auditor.columns import Column
from auditor.errors import NotApplicable, UsageError
from auditor.selection import Selection, choose
from auditor.subject import Data, Model
from auditor.types import Status
from reports.words import epsilons, slice_words
from tests import zoo
from tests.attacks.test_curve import exact_linear
from tests.checks.audited import arrays_of, measures, not_applicable, outcome_of, result_of
from tests.shared import needs_shared, real

CHECK = "robustness.foolbox"
LADDER = [0.05, 0.1, 0.2, 0.4, 0.8]
USUAL = ["LinfPGD", "LinfBasicIterativeAttack", "LInfFMNAttack", "L2BasicIterativeAttack", "DDNAttack"]


# ---- figures -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("attack", "norm", "dual"),
    [
        ("LinfFastGradientAttack", "linf", 1),
        ("LinfDeepFoolAttack(overshoot=0.0001)", "linf", 1),
        ("L2FastGradientAttack", "l2", 2),
        ("DDNAttack(steps=100)", "l2", 2),
        ("SparseL1DescentAttack", "l1", float("inf")),
    ],
)
def test_a_linear_models_figures_are_counted_by_hand(attack: str, norm: str, dual: float) -> None:
    """The distance to the boundary of two linear logits is the margin over the dual norm of the weights."""
    case = zoo.linear_table()
    x, y = case.data.read(np.arange(24)), torch.from_numpy(case.data.y)
    right = case.model(x).argmax(1) == y
    weight = (case.model.module.weight[1] - case.model.module.weight[0]).detach()
    distance = exact_linear(case, x) * weight.norm(1) / weight.norm(dual)
    sizes = [e for e in LADDER if float((distance - e).abs().min()) > 1e-3]
    expected = [int((right & (distance > e)).sum()) for e in (0, *sizes)]

    found = measures(result_of(case, CHECK, attacks=[attack], epsilons=sizes, samples=0), "robust_accuracy")

    together = {s: m for s, m in found.items() if "attack=" not in s}
    assert len(sizes) >= 4
    assert [m.counts for m in together.values()] == [(k, 24) for k in expected]
    assert list(together) == [f"{norm}@{e:.3g}" for e in (0, *sizes)]
    alone = [m.counts for s, m in found.items() if s.startswith("attack=")]
    assert alone == [(k, 24) for k in expected[1:]]


def test_together_is_the_row_by_row_minimum() -> None:
    case = zoo.inplace_relu()
    named = ["LinfPGD", "LInfFMNAttack", "LinfAdditiveUniformNoiseAttack"]
    sizes = [0.02, 0.05, 0.1, 0.2]
    batch = next(case.data.batches(24))
    found = measures(result_of(case, CHECK, attacks=named, epsilons=sizes, samples=0), "robust_accuracy")
    lone = [measures(result_of(case, CHECK, attacks=[n], epsilons=sizes, samples=0), "robust_accuracy") for n in named]
    right = int((case.model(batch.x).argmax(1) == batch.y).sum())

    for e in sizes:
        each = [found[f"attack={n}&linf@{e:.3g}"].counts[0] for n in named]
        assert each == [only[f"linf@{e:.3g}"].counts[0] for only in lone]  # whatever others are named
        assert max(0, sum(each) - 2 * right) <= found[f"linf@{e:.3g}"].counts[0] <= min(each)
    assert [found[f"linf@{e:.3g}"].counts[0] for e in sizes] == sorted(
        (found[f"linf@{e:.3g}"].counts[0] for e in sizes), reverse=True
    )


def test_two_attacks_that_break_different_rows_leave_neither() -> None:
    """One turns rows by a column that goes up, the other by one that goes down: together nothing stands."""

    class Either(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z = torch.where(x[:, :1] > 0, x[:, 1:2] - 0.5, 0.5 - x[:, 1:2])
            return torch.cat([z, -z], 1)

    x = torch.tensor([[1.0, 0.4], [-1.0, 0.6]] * 4)
    bounds = torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 1.0])
    model = Model(Either(), ("a", "b"), bounds=bounds, unit=torch.tensor([0.0, 1.0]))
    case = zoo.Case(model, Data.of(x, torch.ones(8).long(), columns=(Column("s", 0, 1), Column("v", 1, 2))))
    found = measures(result_of(case, CHECK, attacks=["LinfFastGradientAttack"], epsilons=[0.2], samples=0),
                     "robust_accuracy")  # fmt: skip

    assert found["linf@0"].counts == (8, 8)
    assert found["linf@0.2"].counts == (0, 8)


def test_default_sizes_are_of_pixels_or_of_deviations() -> None:
    pixels = result_of(zoo.inplace_relu(), CHECK, attacks=USUAL, samples=2, steps=2)
    table = result_of(zoo.categories(), CHECK, attacks=USUAL, samples=2, steps=2)

    assert {s for s in measures(pixels, "robust_accuracy") if "attack=" not in s} == {
        "linf@0", "linf@0.00784", "linf@0.0314", "linf@0.125", "l2@0", "l2@0.25", "l2@0.5", "l2@2",
    }  # fmt: skip
    assert {s for s in measures(table, "robust_accuracy") if "attack=" not in s} == {
        "linf@0", "linf@0.1", "linf@0.3", "linf@1", "l2@0", "l2@0.1", "l2@0.3", "l2@1",
    }  # fmt: skip


def test_reports_read_the_slices_and_the_exact_sizes() -> None:
    outcome = outcome_of(zoo.inplace_relu(), CHECK, samples=2, steps=2, attacks=["LinfPGD(steps=3)"])
    slices = measures(outcome.result, "robust_accuracy")

    assert epsilons(outcome)["attack=LinfPGD(steps=3)&linf@0.0314"] == 8 / 255
    assert slice_words("attack=LinfPGD(steps=3)&linf@0.0314") == "attack = LinfPGD(steps=3), changes up to 0.0314"
    assert len(slices) == 7
    assert outcome.result.tables[0].columns[:3] == ("epsilon", "norm", "attack")
    assert {row[3] for row in outcome.result.tables[0].rows if row[2] == "LinfPGD(steps=3)"} == {"steps=3"}


def test_rows_that_are_wrong_as_they_are_are_broken_at_nothing() -> None:
    case = zoo.constant()
    found = measures(result_of(case, CHECK, attacks=USUAL, samples=0), "robust_accuracy")
    hopeless = zoo.Case(case.model, replace(case.data, y=(case.data.y + 1) % 3).at(np.arange(4, 24)))
    lost = measures(result_of(hopeless, CHECK, attacks=USUAL, samples=0), "robust_accuracy")

    assert {m.counts for m in found.values()} == {(20, 24)}  # nothing turns a constant
    assert {m.counts for m in lost.values()} == {(0, 20)}


def test_one_row_has_an_interval_of_one() -> None:
    case = zoo.linear_table()
    one = zoo.Case(case.model, case.data.at(np.array([9])))
    found = measures(result_of(one, CHECK, attacks=USUAL, samples=0), "robust_accuracy")

    assert {m.n for m in found.values()} == {1}
    assert all(m.high - m.low > 0.7 for m in found.values())


@pytest.mark.parametrize("name", ["softmax_output", "single_logit", "sigmoid_output"])
def test_other_outputs_are_attacked_as_the_curve_attacks_them(name: str) -> None:
    sizes = [0.05, 0.2, 0.5]
    case = zoo.ZOO[name]()
    case = zoo.Case(case.model, replace(case.data, columns=()))  # as vectors: tables have rules that foolbox knows not
    theirs = measures(result_of(case, CHECK, attacks=["LinfPGD", "LInfFMNAttack"], epsilons=sizes, samples=0),
                      "robust_accuracy")  # fmt: skip
    ours = measures(result_of(case, "robustness.curve", epsilons=sizes, samples=0, steps=40), "robust_accuracy")

    assert theirs["linf@0"].counts == ours["linf@0"].counts
    assert theirs["linf@0.5"].counts[0] < theirs["linf@0"].counts[0]
    for e in ("linf@0.05", "linf@0.2", "linf@0.5"):
        assert ours[e].counts[0] <= theirs[e].counts[0]


# ---- units and bounds --------------------------------------------------------------------------------------------
def test_columns_that_may_not_change_do_not_and_units_are_deviations() -> None:
    case = zoo.linear_table()
    unit = torch.tensor([2.0, 0.0, 1.0])
    x, y = case.data.read(np.arange(24)), torch.from_numpy(case.data.y)
    model = Model(case.model.module, case.model.classes, bounds=(x.amin(0) - 9, x.amax(0) + 9), unit=unit)
    weight = (model.module.weight[1] - model.module.weight[0]).detach() * unit
    distance = exact_linear(case, x) * (model.module.weight[1] - model.module.weight[0]).detach().norm(1)
    with model.frozen():
        attacks = {"LinfFastGradientAttack": 1, "L2FastGradientAttack": 2, "SparseL1DescentAttack": np.inf}
        for name, dual in attacks.items():
            found = foolbox_frontiers(model, x, y, LADDER, attack_named(name, 10)).frontiers
            expected = ((distance / weight.norm(dual))[:, None] > torch.tensor(LADDER)).sum(1)
            assert found.index[4:].tolist() == expected[4:].tolist()
            assert not bool((found.witness - x)[:, 1].any())

    caveats = result_of(zoo.categories(), CHECK, attacks=USUAL, samples=4, steps=2).caveats
    assert caveats == ("Only numbers that may change either way are attacked; these columns are not: member, city.",)


@pytest.mark.parametrize("attack", ["LinfPGD", "L2PGD", "SaltAndPepperNoiseAttack(steps=50)", "L1FMNAttack"])
def test_every_break_is_confirmed_inside_the_bounds_and_the_ball(attack: str) -> None:
    case = zoo.inplace_relu()
    batch = next(case.data.batches(24))
    model = replace(case.model, bounds=(-1.0, 1.0), normalize=lambda x: (x + 1) / 2)
    named = attack_named(attack, 20)
    x = 2 * batch.x - 1
    sizes = [0.1, 0.4, 1.0, 4.0]
    with model.frozen():
        found = foolbox_frontiers(model, x, batch.y, sizes, named).frontiers
        wrong = model(found.witness).argmax(1) != batch.y
    order = {"linf": float("inf"), "l2": 2, "l1": 1}[named.norm]
    size = torch.linalg.vector_norm((found.witness - x).flatten(1), order, dim=1)
    broken = found.index < 4

    assert int((found.distance > 0).sum()) > 2
    assert bool(wrong[broken].all())
    assert bool((size[broken] <= torch.tensor(sizes)[found.index[broken]] + 1e-5).all())
    assert found.witness.min() >= -1 and found.witness.max() <= 1


def test_samples_beyond_the_bounds_may_stay_there() -> None:
    case = zoo.linear_table()
    x, y = case.data.read(np.arange(24)), torch.from_numpy(case.data.y)
    model = Model(case.model.module, case.model.classes, bounds=(-1.0, 1.0))
    with model.frozen():
        found = foolbox_frontiers(model, x, y, LADDER, attack_named("LinfPGD", 10)).frontiers

    assert bool((found.witness >= torch.minimum(x, torch.tensor(-1.0)) - 1e-6).all())
    assert bool((found.witness <= torch.maximum(x, torch.tensor(1.0)) + 1e-6).all())
    assert int((found.distance > 0).sum()) > 0


def test_an_epsilon_beyond_the_range_is_said() -> None:
    caveats = result_of(zoo.inplace_relu(), CHECK, attacks=["LinfPGD"], epsilons=[8.0], samples=2, steps=2).caveats

    assert len(caveats) == 1
    assert "epsilon of 8 (linf) is more than any change can be, at most 1:" in caveats[0]
    assert "in 255ths of the range, write 0.0314" in caveats[0]


def test_z_is_the_image_itself_and_leaves_out_what_may_not_change() -> None:
    image, table = zoo.inplace_relu(), zoo.categories()
    x, rows = image.data.read(np.arange(3)), table.data.read(np.arange(3))
    of_image, of_table = InUnits(image.model, x), InUnits(table.model, rows)

    assert torch.equal(of_image.encode(x), x)
    assert torch.equal(of_table.encode(rows), rows[:, :1] + 3)
    assert torch.allclose(of_table.decode(of_table.encode(rows)), rows)
    assert of_table.decode(torch.full((3, 1), 99.0))[:, 0].tolist() == [3, 3, 3]
    with pytest.raises(NotApplicable, match="infinite"):
        InUnits(replace(image.model, bounds=(-np.inf, np.inf)), x)


# ---- names -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("LinfPDG", "foolbox has no attack 'LinfPDG'; close to it: LinfPGD"),
        ("__import__('os').system('x')", "cannot be read; give NAME or NAME"),
        ("LinfPGD(steps=__import__('os'))", "cannot be read"),
        ("LinfPGD(steps=40) or 1", "cannot be read"),
        ("LinfPGD(steps=1+1)", "cannot be read"),
        ("LinfPGD(**{})", "cannot be read"),
        ("LinfPGD(steps=40,)", "cannot be read"),
        ("foolbox.attacks.LinfPGD", "cannot be read"),
        ("LinfPGD\x1b[31m\n(steps=1)", "cannot be read"),
        ("", "cannot be read"),
        ("BoundaryAttack(tensorboard=true)", "takes no number 'tensorboard'; it takes: steps, spherical_step"),
        ("HopSkipJumpAttack(constraint=1)", "takes no number 'constraint'"),
        ("LinfPGD(eps=0.1)", "takes no number 'eps'; it takes: rel_stepsize, abs_stepsize, steps, random_start"),
        ("LinfPGD(steps=0)", "cannot take steps=0; expected a whole number from 1 to 100,000"),
        ("LinfPGD(steps=1000000)", "cannot take steps=1000000"),
        ("LinfPGD(steps=4.5)", "cannot take steps=4.5"),
        ("LinfPGD(steps=true)", "cannot take steps=true"),
        ("LinfPGD(random_start=1)", "cannot take random_start=1; expected true or false"),
        ("L2CarliniWagnerAttack(stepsize=true)", "cannot take stepsize=true; expected a number"),
        ("LinfFastGradientAttack(steps=3)", "takes no number 'steps'; it takes: random_start"),
        *((name, f"foolbox's {name} cannot be run here") for name in REFUSED),
    ],
)
def test_what_is_no_attack_is_refused_before_anything_runs(text: str, said: str) -> None:
    with pytest.raises(UsageError) as e:
        choose(Selection("quick", (CHECK,), (), {CHECK: {"attacks": [text]}}))

    assert said in str(e.value)
    assert str(e.value).isprintable() and len(str(e.value)) < 400


def test_without_a_named_attack_nothing_is_measured() -> None:
    assert "no attacks are named; give some of foolbox's" in not_applicable(zoo.inplace_relu(), CHECK)


def test_arguments_reach_the_attack_and_the_rest_is_foolboxes_own() -> None:
    named = attack_named(" LinfPGD( rel_stepsize = 0.1 , random_start=false ) ", 7)
    own = attack_named("BoundaryAttack", 7)
    flexible = attack_named("LinearSearchContrastReductionAttack(steps=9)", 7)

    assert (named.run.steps, named.run.rel_stepsize, named.run.random_start) == (7, 0.1, False)
    assert named.text == "LinfPGD(random_start=false, rel_stepsize=0.1)"
    assert named.budget == "random_start=false, rel_stepsize=0.1, steps=7"
    assert (own.run.steps, own.norm, own.budget) == (25_000, "l2", "steps=25000, update_stats_every_k=10")
    assert (flexible.run.steps, flexible.norm) == (9, "l2")
    assert attack_named("VirtualAdversarialAttack", 7).run.steps == 7
    assert {n for n in OWN_STEPS if "Brendel" not in n and attack_named(n, 7).run.steps == 7} == set()
    assert "LinfinityBrendelBethgeAttack" in OWN_STEPS  # they are compiled when they are made, which takes a minute


def test_epsilons_are_of_one_norm() -> None:
    outcome = outcome_of(zoo.linear_table(), CHECK, attacks=["LinfPGD", "DDNAttack"], epsilons=[0.1])

    assert outcome.status is Status.ERROR
    assert "epsilons are of one norm, and these attacks measure by linf and l2" in outcome.reason


# ---- what it does not apply to -----------------------------------------------------------------------------------
def test_texts_values_and_tables_that_may_not_change_are_not_attacked() -> None:
    table = zoo.categories()
    held = Model(table.model.module, table.model.classes, bounds=table.model.bounds, unit=torch.zeros(5))
    value = Model(nn.Linear(3, 1), (), output="value", bounds=(torch.full((3,), -5.0), torch.full((3,), 5.0)))
    rows = Data.of(torch.randn(24, 3), torch.rand(24), columns=(Column("a", 0, 1),))

    assert "a text has no small changes of numbers" in not_applicable(zoo.texts(), CHECK)
    assert "no column is a number that may be changed" in not_applicable(zoo.Case(held, table.data), CHECK)
    assert not_applicable(zoo.Case(value, rows), CHECK) == "the model returns a value, not classes"


# ---- the same again ----------------------------------------------------------------------------------------------
def test_same_seed_same_figures_and_nobody_elses_random_numbers() -> None:
    case = zoo.inplace_relu()
    batch = next(case.data.batches(24))
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    with case.model.frozen():
        first, again = (
            foolbox_frontiers(case.model, batch.x, batch.y, [0.05, 0.1], attack_named("LinfPGD", 5), seed=3)
            for _ in range(2)
        )
    after = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002

    assert torch.equal(first.frontiers.witness, again.frontiers.witness)
    assert torch.equal(before[0], after[0]) and before[1] == after[1]
    assert arrays_of(case.model, case.data, CHECK, attacks=USUAL, samples=5, steps=2)[f"{CHECK}/rows"].shape == (5,)


# ---- real models -------------------------------------------------------------------------------------------------
@needs_shared
def test_figures_are_those_of_foolbox_called_directly_and_the_curve_lies_at_or_below() -> None:
    import foolbox

    opened = real("mnist_small")
    rows = np.random.default_rng(1).permutation(len(opened.data))[:40]
    batch = next(opened.data.at(rows).batches(40))
    sizes = [0.05, 0.1, 0.15, 0.2]
    with opened.model.frozen():
        handle = foolbox.models.PyTorchModel(
            opened.model.module, bounds=(0, 1), preprocessing={"mean": [0.1307], "std": [0.3081], "axis": -3}
        )
        right = opened.model(batch.x).argmax(1) == batch.y
        for name in ("LinfBasicIterativeAttack(steps=40)", "LInfFMNAttack(steps=100)", "LinfDeepFoolAttack(steps=50)"):
            attack = attack_named(name, 1)
            _, _, success = attack.run(handle, batch.x[right], batch.y[right], epsilons=sizes)
            theirs = [int((~s).sum()) for s in success]
            found = foolbox_frontiers(opened.model, batch.x, batch.y, sizes, attack)
            ours = [int((found.frontiers.index > k).sum()) for k in range(4)]
            assert found.unconfirmed == 0
            assert all(abs(a - b) <= 1 for a, b in zip(ours, theirs, strict=True)), (name, ours, theirs)
        walked = robust_curve(opened.model, batch.x, batch.y, sizes)
        pgd = foolbox_frontiers(opened.model, batch.x, batch.y, sizes, attack_named("LinfPGD(steps=40)", 1)).frontiers

    for k in range(4):
        assert int((walked.index > k).sum()) <= int((pgd.index > k).sum())


@needs_shared
def test_a_hardened_model_stands_more_than_a_plain_one() -> None:
    found = {
        name: measures(result_of(real(name), CHECK, samples=20, epsilons=[0.1], attacks=["LinfPGD", "LInfFMNAttack"],
                                 steps=20), "robust_accuracy")["linf@0.1"].counts[0]
        for name in ("mnist_small", "mnist_kw")
    }  # fmt: skip

    assert found["mnist_kw"] > found["mnist_small"]
