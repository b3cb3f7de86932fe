"""Text that would turn a line round or go unseen is marked; text of every script stays as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from junitparser import JUnitXml

from auditor.types import Status
from reports.compare import render as compared
from reports.formats.findings_table import findings_csv
from reports.formats.junit import junit
from reports.formats.markdown import summary
from reports.formats.sarif import sarif
from reports.html import render
from reports.legible import INSTEAD, legible
from tests.reports.records import hostile, record


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Ünïcode, 日本語, עברית, 👩\u200d🔬", "plain, Ünïcode, 日本語, עברית, 👩\u200d🔬"),
        ("a\u200cb\tx\ny", "a\u200cb\tx\ny"),  # a joiner, without which Persian cannot be written
        ("approve\u202edeny", f"approve{INSTEAD}deny"),
        ("\u2066a\u2069", f"{INSTEAD}a{INSTEAD}"),
        ("\x1b[31mred\x00\x7f\u2028", f"{INSTEAD}[31mred{INSTEAD}{INSTEAD}{INSTEAD}"),
        ("\ud800\uffff", f"{INSTEAD}{INSTEAD}"),
    ],
)
def test_what_cannot_be_read_is_marked(text: str, shown: str) -> None:
    assert legible(text) == shown


def test_everything_in_an_audit_is_reached_and_nothing_else_changes() -> None:
    audit = record().audit
    outcome = replace(audit.outcomes[1], title="a\u202eb", params={"x": ("c\x00",)})
    odd = replace(audit, subject={"na\u202eme": ["d\x01"]}, outcomes=(audit.outcomes[0], outcome, *audit.outcomes[2:]))
    found = legible(odd)

    assert legible(audit) == audit
    assert found.subject == {f"na{INSTEAD}me": [f"d{INSTEAD}"]}
    assert (found.outcomes[1].title, found.outcomes[1].params) == (f"a{INSTEAD}b", {"x": (f"c{INSTEAD}",)})
    assert isinstance(found.outcomes[1].status, Status)
    assert replace(found, subject=audit.subject, outcomes=audit.outcomes) == audit


def test_no_output_holds_a_character_that_turns_a_line_round() -> None:
    outputs = [render(hostile()), summary(hostile()), junit(hostile()), compared(hostile(), hostile())]
    outputs += [sarif(hostile()).decode(), findings_csv(hostile()).decode()]

    for text in outputs:
        assert "\u202e" not in text and "\x00" not in text
        assert INSTEAD in text
    assert JUnitXml.fromstring(outputs[2].encode())
