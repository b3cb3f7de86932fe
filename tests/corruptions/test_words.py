"""Texts rewritten: so many words, each as the way says, everything else left as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.attacks.typos import typos
from auditor.corruptions.words import SHARES, Way, rewritten, text_kind
from auditor.data.words import spans
from auditor.registry import Context
from tests.attacks.worded import bag, worded

TEXT = "The story is wonderful, and the actors are brilliant. Nobody should miss it!"
WAYS = text_kind(
    Context(None, (_case := worded(bag([[0.0], [1.0]], [1.0]), {"unk": 0, "wonderful": 1}, [TEXT])).data),
    _case.model,
    _case.data,
)


def words(text: str) -> list[str]:
    return [text[a:b] for a, b in spans(text)]


@pytest.mark.parametrize("share", SHARES)
def test_as_many_words_are_mistyped_as_the_share_says(share: float) -> None:
    able = sum(bool(typos(w)) for w in words(TEXT))
    found = rewritten(TEXT, Way(typos), share, np.random.default_rng(0))
    changed = [(a, b) for a, b in zip(words(TEXT), words(found), strict=True) if a != b]

    assert len(changed) == max(1, round(share * able))
    assert all(b in typos(a) for a, b in changed)


def test_spaces_change_between_words_alone() -> None:
    way = Way(lambda w: [f"\n{w}"], spaced=True)
    found = rewritten(TEXT, way, 1.0, np.random.default_rng(0))

    assert found.split() != TEXT.split()  # marks stand alone now
    assert words(found) == words(TEXT)
    assert found.startswith("The\nstory\nis")


def test_what_has_nothing_to_change_stays() -> None:
    assert rewritten("12 34", Way(typos), 0.5, np.random.default_rng(0)) == "12 34"
    assert rewritten("", Way(typos), 0.5, np.random.default_rng(0)) == ""


def test_without_neighbours_synonyms_are_left_out_and_it_is_said() -> None:
    assert set(WAYS.families) == {"typos", "case", "whitespace", "punctuation"}
    assert any("no synonyms" in c for c in WAYS.caveats)


@given(st.text(max_size=60), st.sampled_from(["typos", "case", "whitespace", "punctuation"]), st.integers(0, 3))
def test_any_text_can_be_rewritten_and_comes_out_the_same_again(text: str, family: str, row: int) -> None:
    from auditor.corruptions.kinds import Part

    part = Part(_case.data.read(np.array([0])), np.array([row]), [text])
    once, again = WAYS.shown(part, family, 5), WAYS.shown(part, family, 5)

    assert once == again
    if family == "whitespace":
        assert "".join(once.split()) == "".join(text.split()) or not text.isprintable()
    if family == "case":
        assert len(once) >= len(text) - 1
