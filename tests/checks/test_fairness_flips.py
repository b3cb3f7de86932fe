"""fairness.flips on rows of tables: hand counts of models that read the attribute, its proxies, or neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from auditor.audit import run
from auditor.comparing.kept import scores_of
from auditor.contingency import MISSING
from auditor.progress import Finished, Listener
from auditor.registry import CHECKS, Context
from auditor.selection import Selection
from auditor.stats import newcombe_paired, wilson
from auditor.store import Record
from auditor.subject import Column, Data, Labels, Model, Relation
from auditor.types import Result
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.checks.tables import Function, classifier, normal
from tests.zoo import Case

CHECK = "fairness.flips"
SEX, X = Column("sex", 0, 1, kind="flag"), Column("x", 1, 2)


def case(logit: Callable[[Tensor], Tensor], columns: dict[Column, Any], groups: dict[str, list[str]]) -> Case:
    """Rows of plain columns under a model that says yes where the logit is above 0."""
    x = torch.tensor([list(row) for row in zip(*columns.values(), strict=True)], dtype=torch.float32)
    found = classifier(logit, x, tuple(columns))
    labels = {name: Labels.of(values) for name, values in groups.items()}
    return Case(found.model, replace(found.data, groups=labels))


def two_groups(n: int, shift: float, seed: int = 0) -> tuple[list[str], Any, Any]:
    """n rows of two groups, as names and as 0 and 1, and a number that is `shift` larger for the second."""
    random = np.random.default_rng(seed)
    second = random.integers(0, 2, n)
    return [("f", "m")[i] for i in second], second.astype(float), random.normal(size=n) + shift * second


# ---- the attribute alone -----------------------------------------------------------------------------------------
def test_a_hand_count_of_a_model_that_reads_the_attribute() -> None:
    """Yes where sex + x > 0: of the other sex, women at -.5 get yes, and men at -.5 lose it."""
    x = [-2.0, -0.5, 0.5, 1.0] * 10
    sex = [0.0] * 20 + [1.0] * 20
    found = result_of(case(lambda r: r[:, 0] + r[:, 1], {SEX: sex, X: x}, {"sex": ["f"] * 20 + ["m"] * 20}), CHECK)
    rates, shifts = measures(found, "flip_rate"), measures(found, "favourable_shift")

    assert {where: m.counts for where, m in rates.items()} == {"sex": (10, 40), "sex=f": (5, 20), "sex=m": (5, 20)}
    assert (rates["sex"].low, rates["sex"].high) == (wilson(10, 40).low, wilson(10, 40).high)
    assert shifts["sex=f"].value == pytest.approx(0.25) and shifts["sex=m"].value == pytest.approx(-0.25)
    assert shifts["sex=f"].counts == (15, 10, 10, 20)  # yes as men, as they are, both
    ends = newcombe_paired(15, 10, 10, 20)
    assert (shifts["sex=f"].low, shifts["sex=f"].high) == (ends.low, ends.high)
    table = found.tables[0]
    assert table.title == "sex changed, everything else the same"
    assert [row[:3] + row[6:8] for row in table.rows] == [("f", "m", 20, 5, 0), ("m", "f", 20, 0, 5)]


def test_the_score_moves_by_what_the_probability_does() -> None:
    names, sex, x = two_groups(200, 0.0)
    found = result_of(case(lambda r: r[:, 0] / 2 + r[:, 1] / 2, {SEX: sex, X: x}, {"sex": names}), CHECK)
    p = [1 / (1 + np.exp(-(s + x))) for s in (0, 1)]  # logits are -z and z

    women = (p[1] - p[0])[sex == 0]
    m = measures(found, "score_change")["sex=f"]
    assert m.value == pytest.approx(women.mean(), abs=1e-6) and m.n == len(women)
    assert measures(found, "score_change")["sex=m"].value == pytest.approx(-(p[1] - p[0])[sex == 1].mean(), abs=1e-6)


def test_of_three_groups_a_row_counts_that_any_other_turns() -> None:
    """One-hot: only c gets yes. Rows of a and b flip as c, those of c as a or b; a as b does not."""
    columns = (Column("race", 0, 3, kind="category", values=("a", "b", "c")), Column("x", 3, 4))
    race = np.repeat([0, 1, 2], 20)
    x = torch.cat([torch.eye(3)[race], normal(60, 1)], 1)
    made = classifier(lambda r: r[:, 2] - 0.5, x, columns)
    data = replace(made.data, groups={"race": Labels.of(["abc"[i] for i in race])})
    found = result_of(Case(made.model, data), CHECK)

    assert measures(found, "flip_rate")["race"].counts == (60, 60)
    assert measures(found, "favourable_shift")["race=a"].value == pytest.approx(0.5)  # as c, not as b
    assert measures(found, "favourable_shift")["race=c"].value == pytest.approx(-1.0)
    pairs = {(row[0], row[1]): row[3] for row in found.tables[0].rows}
    assert pairs == {("a", "b"): 0, ("a", "c"): 1, ("b", "a"): 0, ("b", "c"): 1, ("c", "a"): 1, ("c", "b"): 1}


def test_the_zoos_planted_bias_is_found() -> None:
    found = result_of(zoo.biased_table(), CHECK)

    assert measures(found, "flip_rate")["group"].counts == (120, 120)
    assert measures(found, "favourable_shift")["group=a"].value == -1.0
    assert measures(found, "favourable_shift")["group=b"].value == 1.0


def test_an_age_moves_to_the_same_quantile_of_the_other_range() -> None:
    """Ranges of a number that is itself an input: who is youngest of the old becomes the youngest of the young."""
    age = np.arange(20.0, 60.0)
    names = ["up to 39" if a < 40 else "over 39" for a in age]
    seen, model = spied(case(lambda r: r[:, 0] - 50, {Column("age", 0, 1): age, X: np.zeros(40)}, {"age": names}))
    found = result_of(model, CHECK, samples=0)

    assert measures(found, "flip_rate")["age=up to 39"].counts == (9, 20)  # to 40..59, of which 51 on get yes
    assert measures(found, "flip_rate")["age=over 39"].counts == (9, 20)
    moved = [x[:, 0] for x in seen if len(x) == 20]
    assert any(m.tolist() == list(range(40, 60)) for m in moved) and any(
        m.tolist() == list(range(20, 40)) for m in moved
    )


# ---- with proxies ------------------------------------------------------------------------------------------------
def test_a_proxy_is_found_where_the_attribute_is_no_input() -> None:
    names, _, z = two_groups(600, 2.0)
    found = result_of(
        case(lambda r: r[:, 0] - 1, {Column("z", 0, 1): z, X: normal(600, 1)[:, 0]}, {"sex": names}), CHECK
    )
    with_proxies = measures(found, "flip_rate_with_proxies")["sex"]

    assert not measures(found, "flip_rate")
    assert with_proxies.low > 0.5
    assert measures(found, "flips_above_chance")["sex"].low > 0.5
    assert measures(found, "flip_rate_by_chance")["sex"].high < 0.12
    assert measures(found, "favourable_shift_with_proxies")["sex=f"].low > 0.5
    assert any(c.startswith("No input of the model") and c.endswith(": sex.") for c in found.caveats)
    (table,) = [t for t in found.tables if t.title == "Columns that go with sex"]
    assert [row[0] for row in table.rows] == ["z"]
    assert table.rows[0][5] == pytest.approx(2 / np.std(z), abs=0.2)


def test_a_model_that_reads_a_proxy_does_not_flip_with_the_attribute_alone() -> None:
    names, sex, z = two_groups(600, 2.0)
    found = result_of(case(lambda r: r[:, 1] - 1, {SEX: sex, Column("z", 1, 2): z}, {"sex": names}), CHECK)
    alone = measures(found, "flip_rate")["sex"]

    assert alone.counts == (0, 500) and alone.high == wilson(0, 500).high < 0.01
    assert measures(found, "flip_rate_with_proxies")["sex"].low > 0.5


def test_moved_rows_are_where_the_other_group_is() -> None:
    """As men, women get yes as often as men do: the very same values come out."""
    names, sex, z = two_groups(400, 1.0)
    found = result_of(case(lambda r: r[:, 0], {Column("z", 0, 1): z}, {"sex": names}), CHECK, samples=0)
    women, men = z[sex == 0], z[sex == 1]
    m = measures(found, "favourable_shift_with_proxies")["sex=f"]

    assert m.value == pytest.approx((men > 0).mean() - (women > 0).mean(), abs=2 / len(women))


def test_neither_attribute_nor_proxy_read_is_no_flip() -> None:
    names, sex, z = two_groups(600, 2.0)
    held = case(lambda r: r[:, 2], {SEX: sex, Column("z", 1, 2): z, Column("x", 2, 3): normal(600, 1)[:, 0]},
                {"sex": names})  # fmt: skip
    found = result_of(held, CHECK)

    for name in ("flip_rate", "flip_rate_with_proxies"):
        assert measures(found, name)["sex"].counts == (0, 500)
        assert measures(found, name)["sex"].high < 0.01
    above = measures(found, "flips_above_chance")["sex"]
    assert above.value == 0 and above.low < 0 < above.high


def test_where_no_column_goes_with_the_attribute_none_is_moved() -> None:
    names, _, x = two_groups(400, 0.0, seed=3)
    found = result_of(case(lambda r: r[:, 0], {Column("x", 0, 1): x}, {"sex": names}), CHECK)

    assert measures(found, "flip_rate_with_proxies")["sex"].counts == (0, 400)
    assert "None of 1 input columns that vary goes with sex beyond chance: none is moved." in found.caveats
    assert not measures(found, "flip_rate_by_chance")


def test_what_is_above_chance_is_counted_on_the_same_rows() -> None:
    names, _, z = two_groups(300, 0.5)
    found = result_of(case(lambda r: r[:, 0], {Column("z", 0, 1): z}, {"sex": names}), CHECK, samples=0)
    real, chance = (measures(found, n)["sex"] for n in ("flip_rate_with_proxies", "flip_rate_by_chance"))
    above = measures(found, "flips_above_chance")["sex"]

    assert above.counts[:2] == (real.counts[0], chance.counts[0]) and above.n == 300
    assert above.value == pytest.approx(real.value - chance.value)


def spied(held: Case) -> tuple[list[np.ndarray[Any, Any]], Case]:
    """The case, and what its model is given."""
    seen: list[np.ndarray[Any, Any]] = []
    inner = held.model.module

    def function(x: Tensor) -> Tensor:
        seen.append(x.numpy().copy())
        return inner(x)

    return seen, Case(replace(held.model, module=Function(function)), held.data)


def mixed(n: int = 300) -> tuple[Case, Any]:
    """A whole number, a category and a flag that all go with the group; and the rows."""
    random = np.random.default_rng(1)
    second = random.integers(0, 2, n)
    children = np.clip(random.poisson(1 + 2 * second), 0, 6)
    job = np.where(random.random(n) < 0.3 + 0.5 * second, 2, random.integers(0, 2, n))
    owns = (random.random(n) < 0.2 + 0.6 * second).astype(float)
    x = torch.from_numpy(np.concatenate([children[:, None], np.eye(3)[job], owns[:, None]], 1).astype(np.float32))
    columns = (
        Column("children", 0, 1, integer=True, low=0, high=6, mutable=False),
        Column("job", 1, 4, kind="category", values=("p", "q", "r")),
        Column("owns", 4, 5, kind="flag"),
    )
    made = classifier(lambda r: r[:, 0] - 2 * r[:, 1] + r[:, 4] - 1, x, columns)
    return Case(made.model, replace(made.data, groups={"g": Labels.of(["ab"[i] for i in second])})), second


def test_moved_rows_stay_legal_and_columns_that_attacks_must_leave_move_too() -> None:
    held, _ = mixed()
    seen, spy = spied(held)
    found = result_of(spy, CHECK, samples=0)
    rows = np.concatenate(seen)

    assert (rows[:, 0] == rows[:, 0].round()).all() and rows[:, 0].min() >= 0 and rows[:, 0].max() <= 6
    assert (rows[:, 1:4].sum(1) == 1).all() and np.isin(rows[:, 1:], (0, 1)).all()
    (table,) = [t for t in found.tables if t.title == "Columns that go with g"]
    moved = {row[0]: row[4] for row in table.rows}
    assert set(moved) == {"children", "job", "owns"} and all(0.2 < share < 0.95 for share in moved.values())
    assert {row[0]: row[5] is None for row in table.rows} == {"children": False, "job": True, "owns": True}


def test_relations_that_moved_rows_break_are_counted() -> None:
    names, second, _ = two_groups(200, 1.0)
    a = np.random.default_rng(2).permutation(200) + 100.0 * second
    columns = {Column("a", 0, 1): a, Column("b", 1, 2): 2 * a, Column("x", 2, 3): np.arange(200.0)}
    held = case(lambda r: r[:, 0], columns, {"sex": names})

    def found(*relations: Relation) -> Result:
        return result_of(Case(held.model, replace(held.data, relations=relations)), CHECK)

    twice = Relation(((0, 2.0), (1, -1.0)), equals=0.0)
    assert not any("relations" in c for c in found(twice).caveats)  # both columns keep their ranks
    related = Relation(((0, 1.0), (2, 1.0)), at_most=float((a + np.arange(200.0)).max()))
    assert not any("relations" in c for c in found(related, Relation(((2, 1.0),), equals=-1.0)).caveats)  # x stays
    never = Relation(((0, 1.0),), equals=-50.0)
    assert any("200 rows no longer keep the relations" in c for c in found(twice, never).caveats)


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


def test_no_measure_is_there_twice_where_columns_share_a_name() -> None:
    names, sex, x = two_groups(60, 0.0)
    columns = {SEX: sex, Column("sex", 1, 2, kind="flag"): sex, Column("x", 2, 3): x}
    found = result_of(case(lambda r: r[:, 0] + r[:, 1] - 1, columns, {"sex": names}), CHECK)

    assert measures(found, "flip_rate")["sex"].counts == (60, 60)  # both columns change
    assert len({(m.name, m.slice) for m in found.measures}) == len(found.measures)


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_a_column_that_goes_with_the_group_and_is_not_read_turns_no_more_than_chance(shift: float) -> None:
    """Of 20 audits whose model reads columns that do not go with the group, hardly any shows flips above chance."""
    above = 0
    for seed in range(20):
        names, _, z = two_groups(300, shift, seed)
        other = np.random.default_rng(100 + seed).normal(size=300)
        held = case(lambda r: r[:, 1], {Column("z", 0, 1): z, X: other}, {"sex": names})
        above += any(m.low > 0 for m in measures(direct(held, seed), "flips_above_chance").values())

    assert above <= 3


def direct(held: Case, seed: int) -> Result:
    """The result without an audit around it, which would run the preflight."""
    ctx = Context(held.model, held.data, root_seed=seed).of_check(CHECK)
    return CHECKS[CHECK].run(ctx, samples=0, smallest_group=10, templates=())


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
