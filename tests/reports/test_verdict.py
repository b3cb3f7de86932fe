"""Why an audit has its verdict: what was interrupted, waits for a baseline, or is bounded by nothing is always said."""

from __future__ import annotations

import pytest

from reports.verdict import coverage, why
from tests.reports.formats.cases import CASES


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("stopped", "The audit was interrupted: 1 check did not finish, so nothing is concluded."),
        ("failed and stopped", "Of 1 judgement 1 failed. The audit was interrupted: 1 check did not finish."),
        ("waiting", "What was judged is met. By 1 limit nothing was judged."),
        ("unbounded", "A limit is a figure that is not there: share of the commonest class, for accuracy"),
        ("undecided", "A limit that the policy requires could not be decided."),
        ("clean", "All 2 judgements pass."),
    ],
)
def test_the_reason_says_what_else_is_so(case: str, said: str) -> None:
    assert why(CASES[case].record.audit).startswith(said)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("failed and stopped", "1 of 2 checks ran, 1 did not finish."),
        ("mixed", "1 of 3 checks ran, 1 did not apply, 1 ended in error."),
        ("clean", "1 of 1 checks ran."),
    ],
)
def test_what_did_not_finish_was_not_skipped(case: str, said: str) -> None:
    assert coverage(CASES[case].record.audit) == said
