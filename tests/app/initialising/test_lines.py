"""Whatever text stands in a file, the TOML that is written says the same text, and no comment ends early."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.initialising.lines import comment, few, named, quoted, setting, toml, unset
from auditor.characters import unreadable
from auditor.errors import UsageError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
HOSTILE = [
    'a"b', "a\\", '"""', "'''", "a\nb = 1", "a\r\n[model]", "\x00", "\x7f", "\u202egnp.exe", "\u2028x", "\u0085",
    "a\ttab", "# [x]", "]]", "\\u0041", "\U000e0001", "\ufeff",
]  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**62), 2**62), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)


@given(TEXT)
def test_a_text_is_read_as_it_was(text: str) -> None:
    assert tomllib.loads(f"k = {quoted(text)}") == {"k": text}
    assert unreadable(quoted(text)) == ""


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_read_as_they_were(text: str) -> None:
    assert tomllib.loads(setting("k", [text, {text: text}]).text) == {"k": [text, {text: text}]}


@given(VALUES)
def test_a_value_is_read_as_it_was(value: Any) -> None:
    assert tomllib.loads(f"k = {toml(value)}") == {"k": value}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_to_nine_digits_and_stays_a_float(value: float) -> None:
    found = tomllib.loads(f"k = {toml(value)}")["k"]

    assert isinstance(found, float)
    assert found == pytest.approx(value, rel=1e-8, abs=0)


@given(TEXT)
def test_a_comment_never_leaves_its_line(text: str) -> None:
    lines = [*comment(text), *comment(f"{named(text)} {few([text] * 3)}"), unset("k", text)]

    assert all(line.text.startswith("# ") and not unreadable(line.text) for line in lines)
    assert all(len(line.text) <= 120 for line in lines[:-1]) or " " not in text
    assert tomllib.loads("".join(f"{line.text}\n" for line in lines)) == {}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_never_leaves_its_comment(text: str) -> None:
    lines = "".join(f"{line.text}\n" for line in (*comment(text), *comment(named(text)), unset("k", text)))

    assert tomllib.loads(lines) == {}


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UsageError, match="is no text; rename it"):
        quoted("a\udcff")
