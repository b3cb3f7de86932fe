"""What the first screen says of classes and groups: what chance does not explain, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from auditor.stats import auc, difference, measured, rate
from auditor.types import Audit, Measure, Outcome, Result, Table
from reports.standouts import standouts
from tests.reports.compared import outcome, record

GROUPS = "fairness.groups"


def gap(where: str, *counts: int, name: str = "demographic_parity_difference") -> Measure:
    return measured(name, where, "largest-gap", counts, n=sum(counts[1::2]))


def audit(*outcomes: Outcome) -> Audit:
    return record(*outcomes).audit


def recalls(*found: tuple[str, int, int], right: tuple[int, int]) -> Outcome:
    classes = (rate("recall", k, n, slice=f"class={name}") for name, k, n in found)
    return outcome("performance.accuracy", rate("accuracy", *right), *classes)


def test_a_class_that_is_found_less_often_than_the_model_is_right_is_named() -> None:
    found = audit(recalls(("rejected", 23, 68), ("approved", 520, 532), right=(543, 600)))
    (said,) = standouts(found)

    assert said.startswith("Class rejected is found in 0.34 of its 68 rows (0.24 to 0.46); of all rows 0.91 are called")


def test_the_most_certain_of_them_is_named_and_the_others_counted() -> None:
    found = audit(recalls(("a", 40, 100), ("b", 30, 100), ("c", 0, 1), ("d", 790, 800), right=(860, 1001)))
    (said,) = standouts(found)

    assert said.startswith("Class b ") and said.endswith("2 other classes are found less often than that too.")


def test_classes_that_chance_may_explain_are_left_out() -> None:
    assert standouts(audit(recalls(("a", 40, 50), ("b", 46, 50), right=(86, 100)))) == []


def test_gaps_that_chance_explains_are_left_out() -> None:
    even = gap("sex", 50, 100, 45, 100)

    assert standouts(audit(outcome(GROUPS, even))) == []


def test_the_gap_that_is_largest_for_certain_is_named_with_its_interval() -> None:
    certain, larger = gap("sex", 500, 1000, 300, 1000), gap("race", 9, 12, 3, 12)
    (said,) = standouts(audit(outcome(GROUPS, larger, certain)))

    assert said.startswith("By sex, the shares that get the favourable answer differ by 0.20 (difference 0.16 to 0.24)")


def test_a_gap_that_no_column_shows_alone_stands_beside_one_that_a_column_shows() -> None:
    measures = (
        gap("sex", 50, 100, 50, 100), gap("race", 50, 100, 50, 100), gap("age", 700, 1000, 400, 1000),
        gap("sex&race", 300, 500, 150, 500), gap("sex&age", 300, 500, 100, 500),
    )  # fmt: skip
    alone, crossed = standouts(audit(outcome(GROUPS, *measures)))

    assert alone.startswith("By age,")
    assert crossed.startswith("By sex and race,") and crossed.endswith("No one of these columns shows it alone.")


def test_a_gap_that_columns_show_alone_is_named_where_their_crossing_shows_more() -> None:
    measures = (gap("sex", 600, 1000, 400, 1000), gap("race", 50, 100, 50, 100), gap("sex&race", 450, 500, 100, 500))
    alone, crossed = standouts(audit(outcome(GROUPS, *measures)))

    assert alone.startswith("By sex,")
    assert crossed.startswith("By sex and race,")
    assert crossed.endswith("That is more than any of these columns shows alone.")


def test_that_no_column_shows_a_gap_alone_is_said_of_one_that_was_said() -> None:
    found = audit(outcome(GROUPS, gap("sex", 50, 100, 50, 100), gap("sex&race", 450, 500, 100, 500)))
    said = "By sex and race, the shares that get the favourable answer differ by 0.70."

    assert standouts(found, [said]) == ["By sex and race, as above: no one of these columns shows it alone."]


def test_a_gap_that_is_one_of_many_needs_more_than_its_own_interval() -> None:
    one = gap("sex", 60, 100, 45, 100)
    others = [gap(name, 50, 100, 50, 100) for name in ("race", "age", "region")]

    assert one.low is not None and one.low > 0
    assert standouts(audit(outcome(GROUPS, one))) and not standouts(audit(outcome(GROUPS, one, *others)))


def test_first_screens_of_data_without_a_gap_name_one_in_one_audit_of_twenty() -> None:
    random = np.random.default_rng(0)
    attributes = {"sex": 2, "race": 5, "age": 3}
    claimed = 0
    for _ in range(100):
        gaps = []
        for name, k in attributes.items():
            n = random.multinomial(600, np.full(k, 1 / k))
            gaps += [
                gap(name, *np.column_stack([random.binomial(n, 0.4), n]).ravel().tolist(), name=figure)
                for figure in ("demographic_parity_difference", "equalized_odds_difference")
            ]
        claimed += bool(standouts(audit(outcome(GROUPS, *gaps))))

    assert claimed <= 10  # 5 are expected at most; more than 10 in 2 % of such runs


def test_a_gap_in_errors_is_said_of_the_rate_that_it_lies_in() -> None:
    counts = ((80, 100), (78, 100), (60, 100), (20, 100))
    figures = [
        rate(name, *c, slice=f"sex={group}")
        for (name, group), c in zip(product(("tpr", "fpr"), "fm"), counts, strict=True)
    ]
    odds = measured(
        "equalized_odds_difference", "sex", "largest-of-two-gaps", (2, *(x for c in counts for x in c)), n=400
    )
    (said,) = standouts(audit(outcome(GROUPS, *figures, odds)))

    assert said.startswith("By sex, the shares of the others that are wrongly favoured differ by 0.40: 0.60 of f")


def test_a_gap_of_one_column_is_no_crossing_where_each_class_is_favourable_in_turn() -> None:
    alone, other = (gap(f"sex&class={c}", 700, 1000, few, 1000) for c, few in (("a", 400), ("b", 500)))
    crossed = [gap(f"sex&race&class={c}", 700, 1000, 200, 1000) for c in "ab"]
    said, more = standouts(audit(outcome(GROUPS, other, alone, *crossed)))

    assert said.startswith("By sex, favourable answer a,") and "alone" not in said
    assert more.endswith("That is more than any of these columns shows alone.")
    only = standouts(audit(outcome(GROUPS, other, crossed[0])))
    assert only[1].startswith("By sex and race, favourable answer a,") and only[1].endswith("shows it alone.")


def test_what_was_said_is_not_said_again() -> None:
    found = audit(outcome(GROUPS, gap("sex", 500, 1000, 300, 1000)))
    said = "By sex, the shares that get the favourable answer differ by 0.20."

    assert standouts(found) and not standouts(found, [said])


def test_proxies_are_named_with_the_column_that_tells_most() -> None:
    measures = (
        auc("attribute_auc", 0.99, 500, 500, slice="sex"),
        auc("attribute_auc_without_itself", 0.9, 500, 500, slice="sex"),
        auc("column_auc", 0.7, 500, 500, slice="sex&column=job"),
        auc("column_auc", 0.6, 500, 500, slice="sex&column=age"),
    )
    (said,) = standouts(audit(outcome("fairness.proxies", *measures)))

    assert said.startswith("The inputs tell sex: area 0.90 (0.88 to 0.92); job alone 0.70")
    assert not standouts(audit(outcome("fairness.proxies", auc("attribute_auc", 0.55, 500, 500, slice="sex"))))


def test_confirmed_slices_are_named() -> None:
    gaps = [difference("error_gap", (60, 100), (200, 1000), slice=s) for s in ("job=clerk", "job=cook")]
    rows = (("job=clerk", 100, True), ("job=cook", 100, False))
    result = Result(tuple(gaps), (Table("Slices found", ("slice", "rows", "confirmed"), rows),))
    (said,) = standouts(audit(replace(outcome("fairness.slices"), result=result)))

    assert said.startswith("Rows with job = clerk are wrong more often than the rest, by 0.40")
    assert said.endswith("1 slice confirmed on rows kept back.")


def test_a_slice_whose_interval_holds_0_is_not_named() -> None:
    found = difference("error_gap", (10, 40), (170, 1000), slice="job=clerk")
    assert found.low is not None and found.low < 0
    result = Result((found,), (Table("Slices found", ("slice", "rows", "confirmed"), (("job=clerk", 40, True),)),))

    assert standouts(audit(replace(outcome("fairness.slices"), result=result))) == []


def test_flips_are_named() -> None:
    (said,) = standouts(audit(outcome("fairness.flips", rate("flip_rate", 30, 500, slice="sex", better="lower"))))

    assert said.startswith("Changing sex alone turns 0.06 of the answers (0.04 to 0.08).")
