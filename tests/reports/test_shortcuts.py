"""Shortcuts in the report: the sentence stands once and first, with its pictures; the rest is a table."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from auditor.audit import run
from auditor.progress import Finished, Listener
from auditor.selection import Selection
from auditor.store import Record
from auditor.subject import Data
from auditor.types import Limit
from reports.html import render
from reports.parts import Grid, Pictures, Prose
from reports.pillars.shortcuts import NONE, SHORTCUTS, shortcut_blocks
from tests.explain.planted import clean, one_token, watermark
from tests.reports.records import record, with_policy
from tests.zoo import Case


@cache
def audited(name: str) -> Record:
    """The record of an audit for shortcuts alone."""
    if name == "token":
        case = one_token()
    else:
        model, x, y = watermark()[:3] if name == "marked" else clean()
        case = Case(model, Data.of(x, y))
    seen: list[Finished] = []
    selection = Selection("standard", (SHORTCUTS,))
    audit = run(case.model, case.data, selection=selection, tell=Listener(finished=seen.append))
    return Record(audit, {key: a for f in seen for key, a in f.arrays.items()}, record().run)


def test_what_was_found_is_a_sentence_with_the_mean_picture_beside_where_relevance_lies() -> None:
    found = audited("marked")
    blocks = shortcut_blocks(found)

    _, sentence, pictures = blocks[:3]
    assert isinstance(sentence, Prose)
    assert "of the relevance of class 3 lies in the bottom-left 4 x 4 patch" in sentence.text
    assert isinstance(pictures, Pictures)
    assert pictures.title == "Class 3"
    assert [c.name for c in pictures.cells] == ["Mean image", "Mean relevance"]
    (grid,) = [b for b in blocks if isinstance(b, Grid)]
    assert [(row[0], row[-1]) for row in grid.rows if row[-1] != "no"] == [("3", "yes")]
    assert render_words(found).count(sentence.text) == 3  # the first screen, the findings, the section


def test_where_nothing_was_found_it_says_so_and_pictures_are_folded() -> None:
    blocks = shortcut_blocks(audited("clean"))

    assert [b.text for b in blocks if isinstance(b, Prose)] == [NONE]
    assert not any(isinstance(b, Pictures) for b in blocks)


def test_of_a_text_there_is_a_sentence_without_pictures() -> None:
    blocks = shortcut_blocks(audited("token"))

    assert any(isinstance(b, Prose) and 'on the word "word7"' in b.text for b in blocks)
    assert not any(isinstance(b, Pictures) for b in blocks)


def test_without_the_check_there_is_nothing_to_show() -> None:
    found = audited("clean")

    assert shortcut_blocks(replace(found, audit=replace(found.audit, outcomes=()))) == []


def test_a_limit_makes_it_a_finding_with_what_to_do() -> None:
    found = with_policy(audited("marked"), Limit(SHORTCUTS, "shortcuts", warn_above=0.0))
    words = render_words(found)

    assert "One place or one word decides 1 of 10 classes, whatever else a row shows." in words
    assert "if it should not decide, train without it" in words


def render_words(found: Record) -> str:
    """The page of a record, its markup and all."""
    return render(found).replace("&#34;", '"')
