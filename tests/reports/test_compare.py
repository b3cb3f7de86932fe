"""Two audits side by side."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.errors import LoadError
from auditor.folders import COMPARISON, COMPARISON_JSON
from auditor.intervals import newcombe, newcombe_paired
from auditor.registry import CHECKS
from auditor.scores import score_key
from auditor.store import load, save
from auditor.types import Limit
from reports.compare import render, write
from reports.comparing.summary import PILLARS, Word
from tests.reports.records import HOSTILE, hostile, record, with_policy
from tests.reports.test_html import FORBIDDEN, Page

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


def test_a_difference_of_rates_of_other_rows_is_that_of_independent_samples() -> None:
    first, second = record("inplace_relu"), record("residual")
    a, b = (r.audit.outcome("performance.accuracy").result.measures[0] for r in (first, second))
    i = newcombe(*b.counts, *a.counts)
    subject = {**second.audit.subject, "data": {**second.audit.subject["data"], "rows_sha256": "e" * 64}}

    words = Page(render(first, replace(second, audit=replace(second.audit, subject=subject)))).words
    assert f"({i.low:+.3f} to {i.high:+.3f})".replace("-", "\N{MINUS SIGN}") in words
    assert f"n = {a.n}, unpaired" in words


def test_a_difference_of_rates_of_the_same_rows_is_paired() -> None:
    first, second = record("inplace_relu"), record("residual")
    before, after = (r.arrays[f"performance.accuracy/{score_key('accuracy', '')}"] for r in (first, second))
    i = newcombe_paired(after.sum(), before.sum(), (before * after).sum(), len(before))

    words = Page(render(first, second)).words
    assert f"({i.low:+.3f} to {i.high:+.3f})".replace("-", "\N{MINUS SIGN}") in words
    assert f"n = {len(before)}, paired" in words


def summary_of(html: str) -> str:
    return Page(html[html.index('id="summary"') : html.index('id="verdicts"')]).words


def test_the_summary_lists_every_pillar_and_why_one_has_nothing() -> None:
    whole = record("biased_table")
    outcomes = tuple(o for o in whole.audit.outcomes if o.check not in ("robustness.corruption", "robustness.missing"))
    alone = replace(whole, audit=replace(whole.audit, outcomes=outcomes))
    words = summary_of(render(alone, alone))

    for pillar in PILLARS:
        assert pillar.title in words
    assert "Not measured: no check of it was run." in words
    assert "0 improved, 0 got worse" in words and "Holm's correction over all of them" in words
    assert "gap in favourable answers" in words and "by group" in words


def test_colours_never_stand_alone_and_the_chart_has_its_figures() -> None:
    html = render(record("inplace_relu"), record("residual"))
    part = html[html.index('id="summary"') : html.index('id="verdicts"')]
    marks = re.findall(r'<p class="tag \w+"><svg class="i \w+".*?</svg> (.*?)</p>', part)

    assert marks and set(marks) <= {str(w.capitalize()) for w in Word}
    assert part.count('role="img"') >= 2 and "The figures in this chart" in part


def test_no_word_says_more_than_was_measured() -> None:
    for pair in ((record("inplace_relu"), record("residual")), (record("biased_table"), record("biased_table"))):
        assert not FORBIDDEN.search(Page(render(*pair)).words)


def test_hostile_names_stay_text_in_the_summary_and_in_json(tmp_path: Path) -> None:
    write(hostile(), hostile(), tmp_path)
    found = Page((tmp_path / COMPARISON).read_text("utf-8"))
    told = json.loads((tmp_path / COMPARISON_JSON).read_bytes())

    assert {t for t, _ in found.elements} & {"script", "img", "iframe", "object", "form"} == set()
    assert not [k for _, a in found.elements for k in a if k.startswith("on")]
    assert HOSTILE[1] in found.words and HOSTILE[1] in {c["slice"] for c in told["changes"]}
    assert "\u202e" not in found.words and "\0" not in found.words


def test_the_same_audits_give_the_same_bytes(tmp_path: Path) -> None:
    sides = record("inplace_relu"), record("residual")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(*sides, tmp_path / name)

    for name in (COMPARISON, COMPARISON_JSON):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_stored_audit_is_paired_as_one_in_memory(tmp_path: Path) -> None:
    sides = record("inplace_relu"), record("residual")
    for name, r in zip(("a", "b"), sides, strict=True):
        (tmp_path / name).mkdir()
        save(r, tmp_path / name)

    assert render(*(load(tmp_path / name) for name in ("a", "b"))) == render(*sides)


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


def test_a_page_that_cannot_be_made_leaves_no_half_of_a_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise LoadError("no page")

    monkeypatch.setattr("reports.compare._page", broken)
    with pytest.raises(LoadError):
        write(record(), record(), tmp_path)
    assert list(tmp_path.iterdir()) == []
