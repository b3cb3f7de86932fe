"""robustness.curve of tables: every rule of the audit file kept, counts by hand, and what the report says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from auditor.attacks.tables.curve import ATTACKS, GRADIENTS, SEARCHES, table_curve
from auditor.columns import Column, Relation
from auditor.config import load_audit_file
from auditor.errors import NotApplicable
from auditor.opening import open_audit
from auditor.registry import CHECKS, Context
from auditor.subject import Data, Model
from auditor.tables.ball import ball_of
from tests import zoo
from tests.attacks.small_tables import apart, illegal, in_file_units
from tests.checks.audited import arrays_of, measures, not_applicable, result_of
from tests.shared import SHARED, model_of, needs_shared

CHECK = "robustness.curve"
AGE, MEMBER = Column("age", 0, 1, mean=40.0, std=10.0, integer=True), Column("member", 1, 2, kind="flag")


def table(
    columns: tuple[Column, ...] = (AGE, MEMBER),
    weights: Sequence[float] = (1.0, 0.0),
    rows: Sequence[Sequence[float]] | None = None,
    relations: tuple[Relation, ...] = (),
) -> zoo.Case:
    """Called "yes" where the weighted sum of the inputs is above 0; 20 people from 21 to 59, every second a member."""
    x = torch.tensor(rows if rows is not None else [((21 + 2 * i - 40) / 10, i % 2) for i in range(20)])
    head = nn.Linear(x.shape[1], 2)
    head.weight.data = torch.stack([torch.zeros(x.shape[1]), torch.tensor(weights)])
    head.bias.data = torch.zeros(2)
    model = Model(head, ("no", "yes"), bounds=(x.amin(0), x.amax(0)), unit=torch.zeros(x.shape[1]))
    with torch.no_grad():
        y = model(x).argmax(1)
    return zoo.Case(model, replace(Data.of(x, y, columns=columns), relations=relations))


def counts(case: zoo.Case, name: str = "robust_accuracy", **settings: object) -> list[int]:
    result = result_of(case, CHECK, samples=0, **settings)
    return [int(m.counts[0]) for m in measures(result, name).values()]


# ---- by hand -----------------------------------------------------------------------------------------------------
def test_whole_ages_break_at_whole_years_by_hand() -> None:
    ages = np.arange(21, 60, 2)
    spread, ladder = ages.std(), (0.1, 0.5, 1.0)
    # above 40 is yes: the nearest whole age of the other answer is 40 from above, 41 from below, within 21 to 59
    years = np.where(ages > 40, ages - 40, 41 - ages)
    expected = [20, *(int((years > e * spread).sum()) for e in ladder)]

    assert counts(table(), epsilons=list(ladder)) == expected


def test_what_may_only_rise_or_not_change_at_all_stands() -> None:
    rising = table((replace(AGE, increasing_only=True), MEMBER))
    held = table((replace(AGE, mutable=False), MEMBER))

    assert counts(rising, epsilons=[9.0]) == [20, 10]  # the ten above 40 can only get older
    assert counts(held, epsilons=[9.0]) == [20, 20]


def test_a_flag_counts_as_one_deviation() -> None:
    case = table(weights=(0.0, 1.0))

    assert counts(case, epsilons=[0.99, 1.0]) == [20, 20, 0]


def test_columns_of_a_relation_move_together() -> None:
    """b = 1 - a. What is called by a + b stands, since the relation holds that at 1; what is called by a does not."""
    columns = (Column("a", 0, 1), Column("b", 1, 2))
    rows = [(float(i) - 4.5, 5.5 - float(i)) for i in range(10)]
    tied = (Relation(((0, 1.0), (1, 1.0)), equals=1.0),)

    together = table(columns, (1.0, 1.0), rows, tied)
    alone = table(columns, (1.0, 0.0), rows, tied)

    assert counts(together, epsilons=[5.0]) == [10, 10]
    assert counts(alone, epsilons=[0.1, 5.0]) == [10, 10, 0]
    assert "its unit is 0" in not_applicable(table(columns, (1.0, 1.0), rows), CHECK)  # nobody may change them


def test_a_model_without_gradients_is_attacked_by_search_and_it_is_said() -> None:
    class Steps(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            over = torch.from_numpy((x.numpy()[:, 0] > 0).astype(np.float32))
            return torch.stack([1 - over, over], 1)

    rows = [((21 + 2 * i - 40) / 10, i % 2, i % 3) for i in range(20)]
    case = table((AGE, MEMBER, Column("other", 2, 3, mutable=False)), (1.0, 0.0, 0.0), rows)
    blind = zoo.Case(replace(case.model, module=Steps()), case.data)

    assert counts(blind, epsilons=[0.1, 0.5, 1.0]) == counts(case, epsilons=[0.1, 0.5, 1.0])
    (said,) = [c for c in result_of(blind, CHECK, samples=0).caveats if "gradient" in c]
    assert said.startswith("At 20 of 20 rows the gradient is exactly zero, so that only search and random changes")
    assert not [c for c in result_of(case, CHECK, samples=0).caveats if "gradient" in c]


def test_random_changes_count_among_the_attacks_and_are_legal() -> None:
    for case in (zoo.categories(), zoo.linear_table(), zoo.biased_table(12), table()):
        robust, noise = counts(case), counts(case, "noise_accuracy")
        assert robust == sorted(robust, reverse=True)
        assert all(r <= n for r, n in zip(robust[1:], noise, strict=True))
    held = table((replace(AGE, increasing_only=True), MEMBER))
    assert counts(held, "noise_accuracy", epsilons=[9.0])[0] >= 10


# ---- what is shown -----------------------------------------------------------------------------------------------
def test_the_easiest_and_the_hardest_row_of_every_epsilon_are_shown() -> None:
    case = table()
    settings = {"samples": 0, "epsilons": [0.5, 1.0], "shown": 2}
    arrays, result = arrays_of(case.model, case.data, CHECK, **settings), result_of(case, CHECK, **settings)
    distance, rows = arrays[f"{CHECK}/distance"], arrays[f"{CHECK}/rows"]
    examples = result.tables[1:]

    assert [t.title.partition("; ")[2] for t in examples] == [
        f"the {word} of linf@{e}" for e in ("0.5", "1") for word in ("easiest", "hardest")
    ]
    for k, (low, high) in enumerate(((0, 0.5), (0.5, 1.0))):
        inside = np.flatnonzero((distance > low) & (distance <= high))
        shown = [int(t.title.split("row ")[1].split(":")[0]) for t in examples[2 * k : 2 * k + 2]]
        assert distance[list(rows).index(shown[0])] == distance[inside].min()
        assert distance[list(rows).index(shown[1])] == distance[inside].max()
    for t in examples:
        assert t.columns == ("column", "before", "after")
        assert [r[0] for r in t.rows] == ["age"]
        assert (int(t.rows[0][1]) > 40) != (int(t.rows[0][2]) > 40)
        assert ("yes (" in t.title) and ("no (" in t.title)


@pytest.mark.parametrize(("shown", "tables"), [(0, 1), (1, 2), (2, 3), (8, 3)])
def test_so_many_rows_of_an_epsilon_are_shown(shown: int, tables: int) -> None:
    assert len(result_of(table(), CHECK, samples=0, epsilons=[1.0], shown=shown).tables) == tables


def test_evidence_holds_the_distance_of_every_row() -> None:
    case = zoo.linear_table()
    arrays = arrays_of(case.model, case.data, CHECK, samples=0, epsilons=[0.1, 0.4])
    robust = counts(case, epsilons=[0.1, 0.4])
    distance = arrays[f"{CHECK}/distance"]

    assert arrays[f"{CHECK}/epsilons"].tolist() == [0.1, 0.4]
    assert arrays[f"{CHECK}/rows"].tolist() == list(range(24))
    assert int(((distance > 0) & (distance <= 0.1)).sum()) == robust[0] - robust[1]
    assert int((distance > 0).sum()) == robust[0] - robust[2]


def test_the_same_seed_gives_the_same_figures_bit_for_bit() -> None:
    first, again = (result_of(zoo.categories(), CHECK, samples=0) for _ in range(2))

    assert first == again


# ---- bad input ---------------------------------------------------------------------------------------------------
def caveats(case: zoo.Case, reference: Data | None = None, **settings: object) -> str:
    return " ".join(result_of(case, CHECK, reference, samples=0, **settings).caveats)


def test_columns_that_cannot_move_are_named_with_the_reason() -> None:
    still, sex = Column("still", 2, 3, integer=True), Column("sex", 3, 4, kind="flag", mutable=False)
    rows = [((21 + 2 * i - 40) / 10, i % 2, 7.0, i % 2) for i in range(20)]
    said = caveats(table((AGE, MEMBER, still, sex), (1.0, 0, 0, 0), rows))

    assert "not attacked: still (the same in every row of the data, or its unit is 0); sex (not mutable)." in said
    assert "stays as it is below epsilon 1: member." in said
    assert "those of the audited data, as no reference was given" in said


def test_ranges_and_spreads_are_those_of_the_reference() -> None:
    case = table()
    reference = Data.of(case.data.read(np.arange(20)) * torch.tensor([3.0, 1.0]), torch.zeros(20).long())

    assert "no reference" not in caveats(case, replace(reference, columns=case.data.columns))
    wide = result_of(case, CHECK, replace(reference, columns=case.data.columns), samples=0, epsilons=[0.5])
    assert measures(wide, "robust_accuracy")["linf@0.5"].counts[0] < counts(case, epsilons=[0.5])[1]


def test_rows_that_break_a_relation_or_a_range_are_counted() -> None:
    limit = Relation(((0, 1.0),), at_most=50.0)
    case = table((replace(AGE, low=30), MEMBER), relations=(limit,))

    assert "5 of 20 rows break a relation as they are" in caveats(case)  # 51, 53, ..., 59
    assert "5 of 20 rows lie outside a column's range as they are (age)" in caveats(case)  # 21, 23, ..., 29


def test_epsilons_at_which_nothing_can_change_are_said() -> None:
    assert "At epsilon 0.01, 0.05 no row can be changed" in caveats(table(), epsilons=[0.01, 0.05, 0.5])
    said = not_applicable(table(), CHECK, epsilons=[0.01])
    assert said.startswith("no row can be changed within epsilon 0.01: whole numbers move by whole steps")


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        ((AGE,), [[0.5]], "no column can be changed: age (the same in every row of the data, or its unit is 0)"),
        ((replace(AGE, mutable=False),), None, "no column can be changed: age (not mutable)"),
        ((replace(AGE, low=90),), None, "no column can be changed: age (no value of its range occurs)"),
    ],
    ids=["one row", "immutable", "no range"],
)  # fmt: skip
def test_where_nothing_can_change_it_does_not_apply(
    columns: tuple[Column, ...], rows: list[list[float]] | None, said: str
) -> None:
    case = table(columns, (1.0,), rows or [[i / 10] for i in range(-9, 10)])

    assert said in not_applicable(case, CHECK)


def test_rows_with_nan_are_left_out_and_counted() -> None:
    """Loading refuses NaN in the first rows, and no other."""
    case = table()
    x = case.data.read(np.arange(20))
    x[19, 0] = torch.nan
    settings = CHECKS[CHECK].params({"samples": 0, "epsilons": [0.5]})
    nothing = replace(case.data, read=lambda rows: x[19:].expand(len(rows), -1))
    with case.model.frozen():
        result = CHECKS[CHECK].run(Context(case.model, replace(case.data, read=lambda rows: x[rows])), **settings)
        with pytest.raises(NotApplicable, match="every row drawn holds NaN or infinity"):
            CHECKS[CHECK].run(Context(case.model, nothing), **settings)

    assert {m.n for m in result.measures} == {19}
    assert "1 of 20 rows hold NaN or infinity and are left out." in result.caveats


def test_of_a_model_that_gives_values_numbers_are_moved() -> None:
    case, head, sizes = table(), nn.Linear(2, 1), (0.1, 0.5, 1.0)
    head.weight.data = torch.tensor([[0.5, 3.0]])  # the second column is a flag, which is left alone
    model = replace(case.model, module=head, classes=(), output="value", unit=torch.tensor([1.0, 0.0]))
    found = result_of(zoo.Case(model, case.data), CHECK, samples=0, moved_by=0.3, epsilons=sizes)

    stable = [int(m.counts[0]) for m in found.measures if m.name == "stable_rate"]
    assert stable == [20, *(20 * (0.5 * e <= 0.3) for e in sizes)]  # the ages leave room for a deviation either way
    assert "A row counts as moved when its value changes by more than 0.3." in found.caveats


def test_hostile_names_are_printed_as_they_are_and_break_nothing() -> None:
    column = replace(AGE, name="<script>{0}%s\n", low=30)

    assert "<script>{0}%s" in caveats(table((column, MEMBER)))


# ---- real tables -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Real:
    """A table of ../shared/data, and what its audit file says of the columns."""

    file: str
    target: str
    numbers: dict[str, str]
    categories: dict[str, str]
    rows: int


Audited = tuple[zoo.Case, Data]  # and its reference
WHOLE = "integer = true\n"
REAL = {
    "adult": Real("adult.csv", "income",
                  {"age": WHOLE + "increasing_only = true\n", "education_num": WHOLE, "capital_gain": WHOLE,
                   "capital_loss": WHOLE, "hours_per_week": WHOLE + "max = 80\n"},
                  {"workclass": "", "marital_status": "", "occupation": "", "sex": "mutable = false\n"}, 3000),
    "german": Real("german_credit.csv", "credit_risk",
                   {"duration_months": WHOLE, "credit_amount": WHOLE, "age": WHOLE + "increasing_only = true\n",
                    "existing_credits": WHOLE},
                   {"checking_status": "", "credit_history": "", "purpose": "", "savings": "",
                    "personal_status_sex": "mutable = false\n", "housing": ""}, 1000),
}  # fmt: skip


@pytest.fixture(scope="module", params=REAL)
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Audited]:
    """A network trained on half of the rows, audited on the others: as the audit file says, or without its rules."""
    of, folder = REAL[request.param], tmp_path_factory.mktemp(request.param)
    rows = pd.read_csv(SHARED / "tabular" / of.file, keep_default_na=False).sample(of.rows, random_state=0)
    rows = rows[[*of.numbers, *of.categories, of.target]]
    half = len(rows) // 2
    rows.head(half).to_csv(folder / "train.csv", index=False)
    rows.tail(half).to_csv(folder / "test.csv", index=False)
    values = {c: sorted(rows[c].unique()) for c in of.categories}
    weights: dict[str, Tensor] = {}

    def opened(*, rules: bool) -> Audited:
        said = [f'[[columns]]\nname = "{n}"\nmean = {rows[n].mean()}\nstd = {rows[n].std()}\n{rule if rules else ""}'
                for n, rule in of.numbers.items()]  # fmt: skip
        said += [f'[[columns]]\nname = "{c}"\nkind = "category"\nvalues = {values[c]}\n{rule if rules else ""}'
                 for c, rule in of.categories.items()]  # fmt: skip
        width = len(of.numbers) + sum(map(len, values.values()))
        (folder / "audit.toml").write_text(
            f'[model]\npath = "w.safetensors"\narchitecture = "mlp:{width}-32-16-2"\n[data]\npath = "test.csv"\n'
            f'reference = "train.csv"\ntarget = "{of.target}"\n' + "\n".join(said)
        )
        blank = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2))
        save_file(weights or blank.state_dict(), folder / "w.safetensors")
        found = open_audit(load_audit_file(folder / "audit.toml"), folder)
        assert found.reference is not None
        if not weights:
            trained(model_of(found), found.reference)
            weights.update(model_of(found).module.state_dict())
        return zoo.Case(model_of(found), found.data), found.reference

    opened(rules=True)
    return lambda rules: opened(rules=rules)


def trained(model: Model, data: Data) -> None:
    x, y = data.read(np.arange(len(data))), torch.from_numpy(data.y)
    torch.manual_seed(0)
    for layer in model.module.modules():
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    optimiser = torch.optim.Adam(model.module.parameters(), lr=0.01)
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@needs_shared
def test_rules_of_the_audit_file_leave_more_standing_than_none(real: Callable[[bool], Audited]) -> None:
    standing = []
    for rules in (True, False):
        case, reference = real(rules)
        result = result_of(case, CHECK, reference, samples=100, epsilons=[0.1, 0.5, 1.0, 2.0], steps=5)
        standing.append([int(m.counts[0]) for m in measures(result, "robust_accuracy").values()])
    ruled, free = standing

    assert ruled[0] == free[0]
    assert all(r >= f for r, f in zip(ruled, free, strict=True))
    assert sum(ruled) > sum(free)
    assert ruled[2] < ruled[0]  # and yet the attack is one


@needs_shared
def test_every_change_of_a_real_row_keeps_what_its_audit_file_says(real: Callable[[bool], Audited]) -> None:
    (case, reference), epsilons = real(True), (0.1, 0.5, 1.0, 2.0)
    columns, batch = case.data.columns, next(case.data.take(60, 0).batches(60))
    seen = np.array(in_file_units(reference.read(np.arange(len(reference))), columns)).round(3)
    ball = ball_of(case.model, columns, (), reference)
    with case.model.frozen():
        both, *alone = (
            table_curve(case.model, batch.x, batch.y, epsilons, ball, attacks=a, steps=5)
            for a in (ATTACKS, GRADIENTS, SEARCHES)
        )
        answers = case.model(both.witness).argmax(1)
    before, after = (np.array(in_file_units(x, columns)).round(3).tolist() for x in (batch.x, both.witness))

    for i, (b, a) in enumerate(zip(before, after, strict=True)):
        assert illegal(b, a, columns, (), seen) == []
        assert apart(b, a, columns, seen.std(0).tolist()) <= max(float(both.distance[i]), 0) + 1e-3
        assert (int(answers[i]) != int(batch.y[i])) == (int(both.index[i]) < len(epsilons))
    for other in alone:
        assert all((both.index > k).sum() <= (other.index > k).sum() for k in range(len(epsilons)))
