"""Typos are one edit away, neighbours are those of the cosines by hand, and changes stand where their words do."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from auditor.attacks.text_changes import Change, applied, changeable, places_of
from auditor.attacks.typos import typos
from auditor.attacks.word_neighbours import Neighbours, word_neighbours
from auditor.data.words import spans
from auditor.words import Words

KEYBOARD = {"q": "w", "a": "s", "e": "wr", "t": "ry", "o": "ip", "p": "o", "l": "k", "m": "n", "g": "fh", "z": "x"}
NOTHING = Neighbours({}, frozenset(), uncased=False)


def edits(a: str, b: str) -> int:
    """Optimal string alignment: inserted, left out, replaced or swapped letters, by the table of prefixes."""
    d = np.zeros((len(a) + 1, len(b) + 1), int)
    d[:, 0], d[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, j in itertools.product(range(1, len(a) + 1), range(1, len(b) + 1)):
        d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
        if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
            d[i, j] = min(d[i, j], d[i - 2, j - 2] + 1)
    return int(d[-1, -1])


def split(text: str) -> Words:
    words = tuple(text[a:b] for a, b in spans(text))
    return Words(words, np.arange(len(words)))


# ---- typos -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("word", ["good", "terrible", "THOUGH", "Émotion", "straße", "aaaa", "Extraordinarily"])
def test_a_typo_is_one_edit_inside_the_word(word: str) -> None:
    found = typos(word)

    assert 0 < len(found) <= 12 and len(set(found)) == len(found)
    assert found == typos(word)
    for w in found:
        assert edits(word, w) == 1
        assert (w[0], w[-1]) == (word[0], word[-1])


def test_the_four_kinds_of_a_word_by_hand() -> None:
    assert set(typos("star")) == {"satr", "sar", "str", "sttar", "staar", "srar", "syar", "stsr"}


def test_only_keys_beside_are_hit() -> None:
    for letter, beside in KEYBOARD.items():
        replaced = {w[2] for w in typos(f"bb{letter}b") if len(w) == 4 and w[1] == "b" and w[2] not in (letter, "b")}
        assert replaced <= set(beside)


@pytest.mark.parametrize(
    "word", ["", "bad", "2nd-hand", "don't", "кино", "電影", "اشتباه", "😀😀😀😀", "word7", "кinoo"]
)
def test_short_words_and_what_is_not_latin_letters_are_not_mistyped(word: str) -> None:
    assert typos(word) == ()


# ---- neighbours --------------------------------------------------------------------------------------------------
def test_neighbours_are_those_of_all_cosines() -> None:
    names = ["".join(p) for p in itertools.product("abcdef", repeat=3)]
    table = torch.randn(len(names), 5, generator=torch.Generator().manual_seed(0))
    own = table.numpy().astype(float)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    cosines = own @ own.T
    found = word_neighbours(lambda ids: table[ids], dict(enumerate(names)), ["abc", "fed", "unknown"], 0.6)

    for word in ("abc", "fed"):
        i = names.index(word)
        expected = [j for j in np.argsort(-cosines[i]) if j != i and cosines[i, j] >= 0.6][:8]
        assert [(w, t) for w, t, _ in found.of(word)] == [(names[j], j) for j in expected]
        assert [c for _, _, c in found.of(word)] == pytest.approx(cosines[i, expected].tolist(), abs=1e-5)
    assert found.of("unknown") == []


def test_tables_in_parts_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    table = torch.randn(196, 4, generator=torch.Generator().manual_seed(1))
    names = dict(enumerate(map("".join, itertools.product("abcdefghijklmn", repeat=2))))
    whole = word_neighbours(lambda ids: table[ids], names, list(names.values()), 0.3)
    monkeypatch.setattr("auditor.attacks.word_neighbours.PART", 17)
    parts = word_neighbours(lambda ids: table[ids], names, list(names.values()), 0.3)

    assert {w: [n[:2] for n in near] for w, near in parts.near.items()} == {
        w: [n[:2] for n in near] for w, near in whole.near.items()
    }
    assert all(near for near in whole.near.values())


VECTORS = {"good": 0, "great": 1, "Good": 2, "Great": 3, "GREAT": 4, "bad": 5}


def cased(words: dict[str, int]) -> Neighbours:
    """All of them alike but "bad"."""
    table = torch.tensor([[1.0, 0.01 * i] for i in range(5)] + [[-1.0, 0.0]])
    return word_neighbours(lambda ids: table[ids], {i: w for w, i in words.items()}, list(words), 0.5)


@pytest.mark.parametrize(("word", "after"), [("good", ["great"]), ("Good", ["Great"]), ("bad", []), ("GREAT", []),
                                             ("gOOd", [])])  # fmt: skip
def test_capitals_stay_where_the_vocabulary_has_them(word: str, after: list[str]) -> None:
    assert [w for w, _, _ in cased(VECTORS).of(word)] == after


@pytest.mark.parametrize(("word", "after"), [("good", "great"), ("Good", "Great"), ("GOOD", "GREAT")])
def test_a_vocabulary_without_capitals_reads_them_all(word: str, after: str) -> None:
    found = cased({"good": 0, "great": 1})

    assert found.uncased
    assert [w for w, _, _ in found.of(word)] == [after]


# ---- changes -----------------------------------------------------------------------------------------------------
TEXTS = [
    "a film, the film!",
    "<b>film</b> &amp; film",
    "😀 film 🇩🇪🇫🇷 film",
    "don't filmfilm film",
    "電影 film",
    "",
    "  ",
]


@pytest.mark.parametrize("text", TEXTS)
def test_words_are_found_where_they_stand(text: str) -> None:
    assert places_of(text, split(text)) == spans(text)


def test_one_word_of_several_alike_is_changed() -> None:
    text = "good film, a Good film"
    found = changeable(text, split(text), cased({"good": 0, "great": 1}))
    second = next(c for c in found.changes[4] if c.kind == "neighbour")

    assert applied(text, (second,)) == "good film, a Great film"
    assert applied(text, (second, found.changes[1][0])) == f"good {found.changes[1][0].after}, a Great film"
    assert {c.word for c in found.changes[1]} == {1} and found.changes[2] == found.changes[3] == ()


def test_a_typo_that_is_another_word_is_none() -> None:
    plain, known = (
        {c.after for c in changeable("form", split("form"), Neighbours({}, words, uncased=True)).changes[0]}
        for words in (frozenset[str](), frozenset({"from"}))
    )

    assert plain - known == {"from"}
    assert known < plain


@pytest.mark.parametrize(("words", "most"), [(1, 1), (2, 1), (5, 1), (6, 2), (9, 3), (30, 10)])
def test_at_most_a_third_of_the_words_change_and_always_one(words: int, most: int) -> None:
    text = " , ".join(["film"] * words)

    assert changeable(text, split(text), NOTHING).most == most


def test_no_more_words_may_change_than_have_changes() -> None:
    assert changeable("a b c d e f g h i film", split("a b c d e f g h i film"), NOTHING).most == 1
    assert changeable("a b c d e f g h i", split("a b c d e f g h i"), NOTHING).most == 0


def test_a_text_that_is_cut_says_so() -> None:
    text = "one two three four"

    assert changeable(text, split(text), NOTHING).whole
    assert not changeable(text, Words(("one", "two"), np.arange(2)), NOTHING).whole
    assert changeable(f"{text}  \n", split(text), NOTHING).whole


def test_a_word_that_the_tokenizer_spells_otherwise_stays() -> None:
    found = changeable("naïve film", Words(("naive", "film"), np.arange(2)), NOTHING)

    assert found.changes[0] == ()
    assert [(c.start, c.stop) for c in found.changes[1][:1]] == [(6, 10)]


def test_changes_of_other_lengths_do_not_move_each_other() -> None:
    changes = (Change(2, 6, 9, "two", "a longer one", "typo"), Change(0, 0, 3, "one", "o", "typo"))

    assert applied("one . two .", changes) == "o . a longer one ."
