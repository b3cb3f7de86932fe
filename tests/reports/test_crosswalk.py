"""The crosswalk: each state of a requirement by an audit made for it, and the section that shows them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from auditor.policy import judge, load_policy
from auditor.requirements import catalogue, requirement
from auditor.store import Record
from auditor.types import SCHEMA, Audit, Limit, Measure, Outcome, Policy, Result, Setting, Status, Verdict
from reports.crosswalk import (
    COUNTED,
    Row,
    State,
    counted_of,
    coverage,
    coverage_words,
    crosswalk,
    named,
    row_of,
    states_of,
)
from reports.findings import findings
from reports.html import render
from reports.requirements import requirements
from tests.reports.records import HOSTILE, hostile, record, with_policy

ACCURACY, CURVE, CORRUPTION = "performance.accuracy", "robustness.curve", "robustness.corruption"
LEVELS = requirement("EU-AIA:15(1)")
RESULT = Result((Measure("accuracy", "", 0.9, 10),))


def outcome(check: str, status: Status = Status.MEASURED, **params: Setting) -> Outcome:
    """An outcome of `check`, with a result where one that ended with `status` has one."""
    without = {Status.NOT_APPLICABLE, Status.SKIPPED, Status.ERROR}
    return Outcome(check, check, "", status, "why not", params, result=None if status in without else RESULT)


def audit(*outcomes: Outcome, **statements: str) -> Audit:
    return Audit(SCHEMA, {}, statements, {}, 0, Policy("p"), Verdict.CONDITIONS, outcomes)


def levels(*statuses: Status) -> Row:
    """How far accuracy, the curve and corruption that ended so are evidence for Article 15(1)."""
    checks = zip((ACCURACY, CURVE, CORRUPTION), statuses, strict=True)
    return row_of(audit(*(outcome(check, status) for check, status in checks)), LEVELS)


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ((Status.PASS, Status.MEASURED, Status.MEASURED), State.EVIDENCED),
        ((Status.FAIL, Status.WARN, Status.INCONCLUSIVE), State.EVIDENCED),  # evidence that speaks against, too
        ((Status.PASS, Status.SKIPPED, Status.MEASURED), State.PARTLY),
        ((Status.PASS, Status.NOT_APPLICABLE, Status.MEASURED), State.PARTLY),
        ((Status.ERROR, Status.NOT_APPLICABLE, Status.MEASURED), State.PARTLY),
        ((Status.ERROR, Status.SKIPPED, Status.NOT_APPLICABLE), State.NOT_EVIDENCED),
        ((Status.SKIPPED, Status.SKIPPED, Status.SKIPPED), State.NOT_EVIDENCED),
    ],
)
def test_the_state_follows_from_how_the_checks_ended(statuses: tuple[Status, ...], state: State) -> None:
    assert levels(*statuses).state is state


def test_what_is_missing_is_named_with_its_reason() -> None:
    row = levels(Status.PASS, Status.ERROR, Status.NOT_APPLICABLE)

    assert [o.check for o in row.found] == [ACCURACY]
    assert row.missing == {CURVE: "error: why not", CORRUPTION: "not applicable: why not"}


def test_checks_that_an_older_audit_does_not_list_are_missing() -> None:
    row = row_of(audit(outcome(ACCURACY)), LEVELS)

    assert (row.state, row.missing[CURVE]) == (State.PARTLY, "not in this audit")
    assert row_of(audit(), LEVELS).state is State.NOT_EVIDENCED


def test_no_check_applies_only_where_each_that_is_named_ended_so() -> None:
    every = (*LEVELS.checks, *LEVELS.further)
    none = audit(*(outcome(check, Status.NOT_APPLICABLE) for check in every))

    assert row_of(none, LEVELS).state is State.NOT_APPLICABLE
    assert set(row_of(none, LEVELS).missing) == set(LEVELS.checks)
    for check in every:
        assert row_of(none.with_outcome(outcome(check, Status.SKIPPED)), LEVELS).state is State.NOT_EVIDENCED
        assert row_of(none.with_outcome(outcome(check)), LEVELS).state is State.PARTLY


def test_a_result_of_a_further_check_is_evidence_and_never_all_of_it() -> None:
    further = row_of(audit(*(outcome(check) for check in LEVELS.further)), LEVELS)
    needed = row_of(audit(*(outcome(check) for check in LEVELS.checks)), LEVELS)

    assert further.state is State.PARTLY and needed.state is State.EVIDENCED


@pytest.mark.parametrize("profile", ["nyc-ll144", "four-fifths"])
def test_a_figure_by_another_rule_is_no_evidence_for_new_yorks(profile: str) -> None:
    counted = audit(outcome("fairness.impact_ratio", profile=profile))
    row = row_of(counted, requirement("NYC-LL144:5-301(b)(3)"))

    assert row.state is (State.EVIDENCED if profile == "nyc-ll144" else State.NOT_EVIDENCED)
    assert ("ran with profile = four-fifths" in row.missing.get("fairness.impact_ratio", "")) is (
        profile == "four-fifths"
    )
    assert row_of(counted, requirement("UGESP:1607.4(D)")).state is State.EVIDENCED


def test_only_people_can_say_some_and_what_they_say_is_stated_not_evidenced() -> None:
    stop, outside = requirement("EU-AIA:14(4)(e)"), requirement("EU-AIA:19")

    assert row_of(audit(), stop).state is State.NEEDS_STATEMENT
    assert row_of(audit(**{stop.id: "  "}), stop).state is State.NEEDS_STATEMENT
    said = row_of(audit(**{stop.id: "a switch"}), stop)
    assert (said.state, said.statement) == (State.STATED, "a switch")
    assert row_of(audit(), outside).state is State.OUTSIDE
    assert row_of(audit(**{outside.id: "kept for a year"}), outside).state is State.STATED


def test_a_statement_makes_nothing_evidenced_that_checks_must_show() -> None:
    row = row_of(audit(**{LEVELS.id: "it is robust"}), LEVELS)

    assert (row.state, row.statement) == (State.NOT_EVIDENCED, "it is robust")


# ---- counts ------------------------------------------------------------------------------------------------------
def limited(found: Audit, *ids: str) -> Audit:
    return replace(found, policy=Policy("p", (Limit(ACCURACY, required=True, requirement=ids),)))


def test_the_counts_are_those_of_the_frameworks_that_the_policy_names() -> None:
    found = audit(outcome("fairness.impact_ratio", profile="nyc-ll144"))

    assert sum(coverage(found).values()) == len(catalogue().requirement)
    assert coverage(limited(found, "UGESP:1607.4(D)")) == {State.EVIDENCED: 1}
    assert [f.id for f in named(limited(found, "UGESP:1607.4(D)", "NIST:MEASURE2.7", "X:1"))] == ["NIST", "UGESP"]
    city = coverage(limited(found, "NYC-LL144:5-301(b)(1)"))
    assert city == {State.EVIDENCED: 7, State.NEEDS_STATEMENT: 4, State.OUTSIDE: 1}
    assert list(city) == [s for s in State if s in city]


def test_whose_requirements_are_counted_is_said() -> None:
    found = audit(outcome("fairness.impact_ratio", profile="nyc-ll144"))

    assert counted_of(found) == f"all {len(catalogue().framework)} frameworks"
    of_two = counted_of(limited(found, "UGESP:1607.4(D)", "NIST:MEASURE2.7"))
    assert of_two == "NIST AI Risk Management Framework, Uniform Guidelines on Employee Selection Procedures"
    assert counted_of(limited(found, "EU-AIA:15(1)")) == "EU AI Act"


def test_the_first_screen_says_whose_requirements_it_counts() -> None:
    found = record("linear_table")
    page = render(found)

    assert f"Requirements</a> of all {len(catalogue().framework)} frameworks: " in page


def test_counts_in_words() -> None:
    states = {State.EVIDENCED: 22, State.PARTLY: 5, State.NEEDS_STATEMENT: 6}

    assert coverage_words(states) == "22 evidenced, 5 partly, 6 need a human statement"
    assert coverage_words({State.NEEDS_STATEMENT: 1}) == "1 needs a human statement"
    assert set(COUNTED) == set(State)


# ---- the section -------------------------------------------------------------------------------------------------
def section(found: Record) -> str:
    html = render(found)
    start = html.index('<section id="requirements"')
    return html[start : html.index("</section>", start)]


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_section_stands_after_the_pillars_and_before_what_was_not_measured() -> None:
    keys = re.findall(r'<section id="([a-z]+)"', render(record()))

    assert keys.index("fairness") < keys.index("requirements") == keys.index("gaps") - 1


def test_it_begins_with_the_catalogue_and_what_it_is_not() -> None:
    said = words(section(record()))

    assert f"by catalogue {catalogue().version} of 22 Nov 2026. It is no finding of conformity" in said
    assert said.index("not legal advice") < said.index("EU AI Act")


def test_every_requirement_is_there_with_title_state_source_and_date() -> None:
    found = record()
    html = section(found)
    rows = dict(re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', html))

    assert list(rows) == [r.id for r in catalogue().requirement]
    for f in catalogue().framework:
        for row in crosswalk(found.audit, f):
            cell = words(rows[row.requirement.id]).replace("&#39;", "'")
            assert cell.startswith(row.requirement.title) and cell.endswith(f"{row.requirement.source}; 22 Nov 2026")
            assert rows[row.requirement.id].count(f'<svg class="i {row.state}"') == 1
        assert f"{f.title}. {len(catalogue().of(f.id))} requirement" in words(html)


def test_frameworks_that_the_policy_names_come_first_and_open() -> None:
    found = record()
    html = section(replace(found, audit=judge(found.audit, load_policy("nist-ai-rmf"))))
    own, rest = html[: html.index("<details>")], html[html.index("<details>") :]

    assert re.findall(r'<th scope="row">([A-Z0-9]+)', own.replace("-", "")) == ["NIST"] * len(catalogue().of("NIST"))
    assert rest.count("<details>") == len(catalogue().framework) - 1 and "NIST:" not in rest
    assert "<details>" not in own and section(found).count("<details>") == len(catalogue().framework)


def test_every_link_of_the_page_leads_somewhere() -> None:
    for found in (record(), with_policy(record(), Limit(ACCURACY, "accuracy", slice="", fail_below=0.99))):
        html = render(found)
        ids = set(re.findall(r' id="([^"]+)"', html))

        assert set(re.findall(r'href="#([^"]+)"', html)) <= ids
        assert 'href="#robustness">robustness.curve</a>' in section(found)


def test_findings_of_the_checks_stand_in_the_row_and_those_of_others_do_not() -> None:
    found = with_policy(record(), Limit(ACCURACY, "accuracy", slice="", fail_below=0.99))
    rows = dict(re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', section(found)))

    assert [f.key for f in findings(found.audit)] == ["F1"]
    assert 'Findings: <a href="#findings">F1</a>' in rows["EU-AIA:15(3)"]
    assert "Failed: <a" in rows["EU-AIA:15(3)"]
    assert "Findings" not in rows["EU-AIA:15(5)"]


def test_text_of_others_stays_text() -> None:
    found = hostile()
    said = replace(found.audit, statements={"EU-AIA:14(4)(e)": HOSTILE[0], "EU-AIA:15(5)": HOSTILE[1]})
    o = replace(said.outcomes[0], status=Status.ERROR, reason=HOSTILE[1], result=None, judgements=())
    html = section(replace(found, audit=said.with_outcome(o)))

    assert "<script" not in html and "<img" not in html
    assert "Declared, not checked: &lt;script&gt;" in html
    assert html.count("Declared, not checked") == 2


def test_states_are_counted_over_what_the_section_shows() -> None:
    found = record().audit
    shown = requirements(found, [])

    for f, block in zip(catalogue().framework, shown.blocks[1:], strict=True):
        assert block.summary.endswith(coverage_words(states_of(crosswalk(found, f))))
