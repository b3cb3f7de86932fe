"""Two audits side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.registry import CHECKS
from auditor.types import Limit
from reports.compare import render
from tests.reports.records import hostile, record, with_policy
from tests.reports.test_html import Page

LAX = Limit("performance.accuracy", "accuracy", slice="", fail_below=0.1)
STRICT = Limit("performance.accuracy", "accuracy", slice="", fail_below=0.99)


def test_verdicts_figures_and_differences() -> None:
    first, second = with_policy(record("inplace_relu"), LAX), with_policy(record("residual"), STRICT)
    found = Page(render(first, second))
    words = found.words

    assert "Pass" in words and "Fail" in words
    ends = zip(first.audit.outcomes, second.audit.outcomes, strict=True)
    changed = [a.check for a, b in ends if a.status is not b.status]
    assert "performance.accuracy" in changed
    assert f"{len(changed)} of {len(CHECKS)} checks end differently." in words
    assert "performance.accuracy" in words and "changed" in words
    for r in (first, second):
        outcome = r.audit.outcome("robustness.curve")
        for m in outcome.result.measures:
            assert f"{m.value:.3f}" in words


def test_a_difference_of_rates_has_its_interval() -> None:
    from auditor.stats import newcombe

    first, second = record("inplace_relu"), record("residual")
    a, b = (r.audit.outcome("performance.accuracy").result.measures[0] for r in (first, second))
    i = newcombe(*b.counts, *a.counts)

    words = Page(render(first, second)).words
    assert f"({i.low:+.3f} to {i.high:+.3f})".replace("-", "\N{MINUS SIGN}") in words


def test_an_audit_beside_itself_differs_in_nothing() -> None:
    words = Page(render(record(), record())).words

    assert "Every check ends as before." in words
    assert "Both stand the same at every size." in words
    assert "The same model on the same data." in words
    assert "+0.000" in words


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("data", {"sha256": "e" * 64}, "The same model on different data, so that figures may differ for that reason."),
        ("data", {"rows_sha256": "e" * 64}, "The same model on different rows of the same data, so that"),
        ("data", {"rows_sha256": ""}, "The same model on different rows of the same data, so that"),
        ("model", {"weights_sha256": "e" * 64}, "Two models on the same data."),
    ],
)
def test_what_differs_between_the_subjects_is_said(part: str, change: dict[str, str], words: str) -> None:
    other = record()
    subject = {**other.audit.subject, part: {**other.audit.subject[part], **change}}

    assert words in Page(render(record(), replace(other, audit=replace(other.audit, subject=subject)))).words


def test_predictions_without_a_model_are_never_called_the_same_model() -> None:
    subject = {**record().audit.subject, "model": {"format": "predictions only"}}
    without = replace(record(), audit=replace(record().audit, subject=subject))

    assert "Two sets of predictions on the same data." in Page(render(without, without)).words


def test_other_sizes_make_no_common_curve_and_hostile_text_stays_text() -> None:
    found = Page(render(record(), hostile()))

    assert "Accuracy under the strongest attack found." not in found.words
    assert "script" not in {t for t, _ in found.elements}
    assert not [k for _, a in found.elements for k in a if k.startswith("on")]
