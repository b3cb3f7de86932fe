"""Accepted findings and a baseline in the report, the terminal's lines and the verdict's reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from auditor.comparing.baseline import against
from auditor.policy import judge
from auditor.stats import mean
from auditor.store import Record
from auditor.types import Acceptance, Limit, Policy, Status
from reports.findings import findings, in_a_line
from reports.html import render
from reports.parts import Folded, Grid
from reports.sections.decisions import decisions
from reports.since import State, fixed, state_of
from reports.verdict import why
from tests.reports.compared import ACCURACY, outcome, record, right

DAY = date(2026, 11, 23)
ID = f"{ACCURACY}/accuracy"
FLOOR = Limit(ACCURACY, "accuracy", fail_below=0.9)


def accepting(expires: date) -> Policy:
    return Policy("p", (FLOOR,), (Acceptance(ID, "Ann <b>", "retraining | *soon*", expires),))


def judged(policy: Policy, good: int) -> Record:
    found = right([1.0] * good + [0.0] * (200 - good))
    return replace(found, audit=judge(found.audit, policy, on=DAY))


def test_an_accepted_finding_says_who_answers_for_it_and_until_when() -> None:
    record = judged(accepting(date(2027, 1, 31)), 120)

    (found,) = findings(record.audit)
    assert (found.id, found.key, found.limit_of) == (ID, "F1", FLOOR)
    assert (
        found.accepted
        == "Accepted by Ann <b> until 31 Jan 2027 (counts as a warning while accepted): retraining | *soon*"
    )
    assert in_a_line(found).endswith(found.accepted)
    assert why(record.audit) == "Of 1 judgement 1 gave a warning. 1 finding is accepted for now."
    page = render(record)
    assert "Accepted by Ann &lt;b&gt; until 31 Jan 2027" in page
    assert f"<code>{ID}</code>" in page


def test_an_accepted_finding_among_many_says_what_it_counts_as() -> None:
    (found,) = findings(judged(accepting(date(2027, 1, 31)), 120).audit)
    section = decisions(judged(accepting(date(2027, 1, 31)), 120).audit, [*[replace(found, accepted="")] * 20, found])

    folded = section.blocks[-1]
    assert isinstance(folded, Folded) and isinstance(folded.blocks[0], Grid)
    assert folded.blocks[0].rows[0][1] == "Failed, counts as a warning while accepted"


def test_an_undecided_finding_says_why_and_how_many_rows_would_decide_it_in_a_line() -> None:
    limits = tuple(Limit(ACCURACY, "accuracy", slice="", fail_below=0.895 - i * 1e-6) for i in range(4))
    (alone,) = findings(judged(Policy("p", limits[:1]), 185).audit)
    of_several = findings(judged(Policy("p", limits), 188).audit)[0]

    assert alone.status is of_several.status is Status.INCONCLUSIVE
    line = in_a_line(alone)
    assert "; limit at least 0.895. About " in line and line.endswith("would decide it")
    assert line.count("would decide it") == 1
    holm = "The interval alone would decide it, but not as one of 4 judgements of this check (Holm). About "
    assert holm in in_a_line(of_several)


def test_an_expired_acceptance_is_named() -> None:
    record = judged(accepting(date(2026, 11, 22)), 120)

    (found,) = findings(record.audit)
    assert found.expired
    assert "accepted it until 22 Nov 2026, which has passed" in found.accepted
    assert why(record.audit) == "Of 1 judgement 1 failed. 1 acceptance has expired."


@pytest.mark.parametrize(
    ("before", "now", "state"),
    [(195, 120, State.NEW), (120, 120, State.UNCHANGED), (150, 90, State.WORSE), (90, 150, State.BETTER)],
)
def test_what_became_of_a_finding_since_the_baseline(before: int, now: int, state: State) -> None:
    policy = Policy("p", (FLOOR,))

    record = against(judged(policy, before), judged(policy, now))

    (found,) = findings(record.audit)
    assert found.state == str(state)
    assert found.since.startswith(f"was {before / 200:.2f} in the baseline, a change of ")
    assert state_of(judged(policy, now).audit, ACCURACY, record.audit.outcomes[0].measures[0]) is State.NONE
    assert found.since in render(record).replace("&#39;", "'")


def test_a_finding_whose_figures_differ_by_their_rounding_is_unchanged() -> None:
    limit = Limit("explain.lrp", "ledger_error", fail_above=0.2)
    before, now = (
        record(outcome("explain.lrp", mean("ledger_error", [v] * 3, better="lower"))) for v in (0.3, 0.1 + 0.2)
    )
    before, now = (replace(r, audit=judge(r.audit, Policy("p", (limit,)), on=DAY)) for r in (before, now))

    (found,) = findings(against(before, now).audit)

    assert found.state == str(State.UNCHANGED)
    assert found.since == "was 0.30 in the baseline, a change of +0.00; no interval"


def test_a_finding_that_is_none_any_more_is_fixed() -> None:
    policy = Policy("p", (FLOOR,))

    record = against(judged(policy, 120), judged(policy, 195))

    assert findings(record.audit) == []
    assert [(s.check, s.before) for s in fixed(record.audit)] == [(ACCURACY, 0.6)]


def test_how_far_a_figure_may_get_worse_is_drawn_as_its_change() -> None:
    policy = Policy("p", (Limit(ACCURACY, "accuracy", fail_worse_by=0.05),))

    (found,) = findings(against(judged(policy, 195), judged(policy, 120)).audit)

    assert found.limit == "at most 0.05 worse than the baseline"
    assert "limit -0.05" in found.picture


def test_a_report_is_valid_no_longer_than_what_it_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795344840")  # 22 Nov 2026

    assert "31 Jan 2027, when an acceptance ends, or the next version" in render(
        judged(accepting(date(2027, 1, 31)), 120)
    )
    assert "22 Nov 2027 by policy of one year, or the" in render(judged(accepting(date(2028, 1, 31)), 120))
    assert "22 Nov 2027 by policy of one year, or the" in render(judged(Policy("p", (FLOOR,)), 195))


def test_a_limit_without_its_baseline_is_counted_in_the_reason() -> None:
    policy = Policy("p", (FLOOR, Limit(ACCURACY, "accuracy", fail_worse_by=0.1)))

    assert why(judged(policy, 195).audit).endswith("By 1 limit nothing was judged.")
