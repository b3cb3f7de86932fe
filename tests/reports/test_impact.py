"""Impact ratios in a report: the rule, a chart and the published table of each attribute, crossings folded."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from auditor.audit import run
from auditor.comparing.changes import changes
from auditor.policy import load_policy
from auditor.selection import Selection
from auditor.stats import measured
from auditor.store import Record
from auditor.types import Audit, Outcome
from reports.ci import exit_code
from reports.comparing.summary import summary
from reports.findings import findings
from reports.formats.junit import junit
from reports.html import render
from reports.parts import Chart, CheckHead, Facts, Folded, Grid
from reports.pillars.fairness import fairness
from reports.pillars.impact import impact, most_surely_behind
from reports.saying import say
from reports.verdict import why
from reports.words import figure
from tests.checks.predicted import answers, scores

CHECK = "fairness.impact_ratio"


def audited(data: Any, policy: str = "default", **settings: Any) -> Audit:
    return run(
        None,
        data,
        selection=Selection(only=(CHECK,), settings={CHECK: {"depth": 2} | settings}),
        policy=load_policy(policy),
    )


def crossed(favoured: float = 0.9, unlucky: float = 0.4) -> Audit:
    """Of four crossings of 100 rows each, one is selected less often; 40 rows miss their race."""
    sex, race = ["f"] * 200 + ["m"] * 200 + ["f"] * 40, (["a"] * 100 + ["b"] * 100) * 2 + ["(missing)"] * 40
    turn = np.arange(440) % 100 / 100
    few = np.array([(s, r) == ("f", "b") for s, r in zip(sex, race, strict=True)])
    return audited(
        scores(np.where(turn < np.where(few, unlucky, favoured), 0.8, 0.2), [0] * 440, {"sex": sex, "race": race})
    )


def ended(audit: Audit) -> Outcome:
    found = audit.outcome(CHECK)
    assert found is not None and found.result is not None
    return found


def test_an_attribute_has_a_chart_and_its_table_and_crossings_are_folded() -> None:
    blocks = impact(ended(crossed()))

    assert [type(b) for b in blocks[:4]] == [CheckHead, Facts, Chart, Grid]
    assert dict(blocks[1].rows)["source"].startswith("29 CFR 1607.4(D)")
    assert blocks[2].title == "Impact ratio by sex."
    assert [b.summary for b in blocks if isinstance(b, Folded)] == [
        "Scores by sex", "Scores by race", "By sex and race", "Scores by sex and race",
    ]  # fmt: skip


def test_the_table_is_laid_out_as_it_is_to_be_published() -> None:
    o = ended(crossed())
    (folded,) = [b for b in impact(o) if isinstance(b, Folded) and b.summary == "By sex and race"]
    chart, grid = folded.blocks

    assert grid.columns == (
        "sex", "race", "n", "selected", "selection rate", "impact ratio", "95 % interval", "role",
    )  # fmt: skip
    rows = {tuple(row[:2]): row[2:] for row in grid.rows}
    assert rows["f", "b"][:4] == ["100", "40", "0.400", "0.44"]
    assert " to " in rows["f", "b"][4]
    assert sorted(row[-1] for row in grid.rows) == ["compared"] * 3 + ["reference", "unknown"]
    assert rows["f", "(missing)"] == ["40", "40", "1.000", "", "", "unknown"]
    assert "f, b gets the favourable answer 0.44 times as often as the reference." in chart.answer


def test_a_finding_names_both_categories() -> None:
    audit = crossed()
    o = ended(audit)
    found = {m.slice: m for m in o.result.measures if m.name == "impact_ratio"}
    best = next(row for t in o.result.tables if t.title == "Impact ratio by sex and race" for row in t.rows
                if row[-7] == "reference")  # fmt: skip

    assert say(audit, CHECK, found["sex=f&race=b"]) == (
        f"Rows with sex = f, race = b get the favourable answer 0.44 times as often as rows with sex = {best[0]}, "
        f"race = {best[1]}."
    )
    assert most_surely_behind(o) == found["sex=f&race=b"]
    scored = next(m for m in o.result.measures if m.name == "scoring_impact_ratio")
    assert "score above the median" in say(audit, CHECK, scored)
    assert "sex = f, race = b get the favourable" in findings(audit)[0].sentence
    section = fairness(Record(audit))
    assert section is not None and re.search(
        r"race = .\ \(95 % interval 0\.\d\d to 0\.\d\d; n = 100 against 300 in all other groups\)\.$", section.answer
    )


def test_findings_of_one_kind_are_listed_by_how_far_they_are_beyond_their_limit() -> None:
    sizes, chosen = {"a": 500, "b": 400, "c": 100, "d": 300}, []
    for k in sizes.values():
        chosen += [1] * k + [0] * (1000 - k)
    audit = audited(answers(chosen, [0] * 4000, {"g": [g for g in sizes for _ in range(1000)]}))

    assert [f.sentence.split(" get ")[0] for f in findings(audit)][:2] == ["Rows with g = c", "Rows with g = d"]


def test_the_n_of_a_ratio_is_that_of_the_category_against_all_others() -> None:
    m = measured("impact_ratio", "g=a", "ratio-to-best", (10, 50, 20, 60, 30, 70), n=180)

    assert figure(m).endswith("n = 50 against 130 in all other groups)")


@pytest.mark.parametrize("groups", [{"role": ["x", "y"] * 100}, {"": ["x", "y"] * 100}])
def test_odd_names_of_attributes_do_no_harm(groups: dict[str, list[str]]) -> None:
    audit = audited(answers([1, 0, 1, 1] * 50, [0] * 200, groups))
    (m,) = [m for m in ended(audit).result.measures if m.name == "impact_ratio"]
    (name,) = groups

    assert say(audit, CHECK, m).endswith(f"as often as rows with {name} = x.")
    assert "Impact ratio" in render(Record(audit))


def test_a_suppressed_group_is_nowhere_on_the_page() -> None:
    groups = {"g": ["a"] * 100 + ["b"] * 60 + ["c"] * 7}
    audit = audited(answers([1, 0] * 83 + [1], [0] * 167, groups), suppress_below=10)
    (grid,) = [b for b in impact(ended(audit)) if isinstance(b, Grid)]

    assert [row[1:] for row in grid.rows if row[0] != "a"] == [
        ["", "", "", "", "", "not shown"], ["fewer than 10", "", "", "", "", "not shown"],
    ]  # fmt: skip


def test_an_audit_that_only_has_to_publish_says_so() -> None:
    data = answers([1, 0, 1, 1] * 50, [0] * 200, {"g": ["x", "y"] * 100})
    audit = audited(data, "nyc-ll144", profile="nyc-ll144")

    assert why(audit).startswith("No figure was judged: those that the policy asks for are there.")
    assert exit_code(audit) == 0 and findings(audit) == []
    assert "<error" not in junit(Record(audit))
    assert "Local Law 144" in render(Record(audit))


def test_an_audit_without_what_it_has_to_publish_is_incomplete_and_says_what() -> None:
    audit = audited(answers([1, 0] * 10, [0] * 20, {}), "nyc-ll144")
    sentences = [f.sentence for f in findings(audit)]

    assert exit_code(audit) == 2
    assert "The policy requires impact ratio (fairness.impact_ratio), and it was not measured." in sentences
    assert "<error" in junit(Record(audit))


def test_a_comparison_counts_the_ratios_of_attributes_not_of_all_crossings() -> None:
    before, after = Record(crossed()), Record(crossed(unlucky=0.8))
    found = changes(before, after)
    fairness = next(s for s in summary(found, before.audit, after.audit) if s.pillar.key == "fairness")
    named = {j.change.slice for j in fairness.figures if j.change.name == "impact_ratio"}

    assert named and all("&" not in about for about in named)
    moved = {c.slice: c for c in found if c.name == "impact_ratio"}["sex=f"]
    assert moved.value is not None and moved.value > 0 and moved.ends is not None
