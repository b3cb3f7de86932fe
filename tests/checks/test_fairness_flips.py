"""fairness.flips on rows of tables: hand counts of models that read the attribute, its proxies, or neither."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from auditor.columns import Column, Labels, Relation
from auditor.stats import newcombe_paired, wilson
from auditor.types import Result
from tests import zoo
from tests.checks.audited import measures, result_of
from tests.checks.flipped import CHECK, SEX, X, case, direct, mixed, spied, two_groups
from tests.checks.tables import classifier, normal
from tests.zoo import Case


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


def test_moved_rows_stay_legal_and_columns_that_attacks_must_leave_move_too() -> None:
    seen, spy = spied(mixed())
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
