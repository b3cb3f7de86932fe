"""Names of groups, columns and classes that try to break out of the page, through every block that shows groups."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

from auditor.audit import run
from auditor.columns import Labels
from auditor.selection import Selection
from auditor.store import Record
from auditor.types import Audit
from reports import compare
from reports.html import render
from tests.reports.records import HOSTILE
from tests.wrapped.grouped import skewed
from tests.zoo import Case

PLAIN = tuple("abcdefghij")
ODD = (*HOSTILE, "R&D", "x=1", "two\nlines", "</svg><b>", "x" * 300)
OUTCOMES = ("groups", "impact_ratio", "calibration", "slices", "flips", "proxies", "explanations", "consistency",
            "tradeoff")  # fmt: skip
SETTINGS = {
    "fairness.explanations": {"samples": 20, "background": 4},
    "fairness.consistency": {"samples": 200},
    "fairness.flips": {"samples": 200},
    "fairness.proxies": {"samples": 300},
}


class Seen(HTMLParser):
    """What of a page is markup: tags and names of attributes. And its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.markup: set[tuple[str, ...]] = set()
        self.said = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.markup.add((tag, *sorted(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.said += data


def named(case: Case, names: tuple[str, ...]) -> Case:
    """The same rows, model, columns and groups under these names; the second of two attributes has eight groups."""
    first = replace(case.data.groups["sex"], names=(names[8], names[1]))
    groups = {names[0]: first, names[4]: Labels.of([names[i % 8] for i in range(len(case.data))])}
    columns = tuple(replace(c, name=name) for c, name in zip(case.data.columns, names[5:7], strict=True))
    model = replace(case.model, classes=(names[2], names[3]))
    return Case(model, replace(case.data, groups=groups, columns=columns))


@cache
def audit_of(names: tuple[str, ...]) -> Audit:
    case, reference = (named(skewed(300, seed), names) for seed in (1, 2))
    chosen = Selection("quick", only=("fairness.*", "performance.accuracy"), settings=SETTINGS)
    return run(case.model, case.data, reference=reference.data, selection=chosen)


def test_every_block_shows_odd_names_as_text() -> None:
    odd = audit_of(ODD)
    page, plain = (Seen(render(Record(audit, {}))) for audit in (odd, audit_of(PLAIN)))

    for check in OUTCOMES:
        outcome = odd.outcome(f"fairness.{check}")
        assert outcome is not None and outcome.result is not None, (check, outcome and outcome.reason)
    assert page.markup <= plain.markup
    assert "<script>alert(1)</script>" in page.said and "R&D" in page.said
    assert not {"\u202e", "\x00"} & set(page.said)


def test_the_page_of_a_mitigation_shows_odd_names_as_text() -> None:
    page, plain = (Seen(compare.render(r, r)) for r in (Record(audit_of(names), {}) for names in (ODD, PLAIN)))

    assert "What was gained, and what it cost" in page.said
    assert page.markup <= plain.markup
    assert not {"\u202e", "\x00"} & set(page.said)
