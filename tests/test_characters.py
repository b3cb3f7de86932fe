"""Which characters cannot be read as what they are, and the names that are refused for them."""

from __future__ import annotations

import pytest

from auditor.characters import unreadable
from auditor.config import parse_audit_file
from auditor.errors import UsageError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\u202eb", "U+202E"), ("a\0b", "U+0000"), ("a\nb", "U+000A"), ("\u2028", "U+2028"), ("\ud800", "U+D800"),
        ("\u200f", "U+200F"), ("", ""), ("cat <b> {{ x }}", ""), ("میان\u200cنویس", ""), ("👩\u200d🔬", ""),
        ("größer", ""),
    ],
)  # fmt: skip
def test_what_turns_breaks_or_hides_text_is_found(text: str, found: str) -> None:
    assert unreadable(text) == found


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("data", "classes", ["a", "b\u202e"]), ("data", "classes", ["a", "b" * 301]), ("subject", "name", "a\nb"),
        ("subject", "version", "\x1b[31m"),
    ],
)  # fmt: skip
def test_names_with_such_characters_are_refused_in_one_line(section: str, key: str, value: object) -> None:
    given = {"data": {"path": "x", "score": "p"}}
    given.setdefault(section, {})

    with pytest.raises(UsageError) as e:
        parse_audit_file({**given, section: {**given[section], key: value}})
    assert str(e.value).isprintable() and len(str(e.value)) < 300
    assert "which cannot be read" in str(e.value) or "at most 300 characters" in str(e.value)


def test_a_purpose_may_have_several_lines() -> None:
    given = {"data": {"path": "x", "score": "p"}, "subject": {"purpose": "to help\nwith loans", "name": "زبان"}}

    assert parse_audit_file(given).subject.name == "زبان"
