"""Texts as people write them in a hurry: mistyped, in odd case, with odd spaces and marks, in other words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from torch import Tensor

from auditor.attacked.text_models import text_model
from auditor.attacks.typos import typos
from auditor.attacks.word_neighbours import Neighbours, word_neighbours
from auditor.corruptions.draws import seed_of
from auditor.corruptions.kinds import Corrupt, Kind, Part
from auditor.data.words import spans
from auditor.errors import NotApplicable
from auditor.registry import Context
from auditor.subject import Data, Model
from auditor.words import Vocabulary

__all__ = ["SHARES", "Way", "rewritten", "text_kind"]

SHARES = (0.05, 0.1, 0.2, 0.35, 0.5)  # of the words that can be changed so, at least one
SIMILARITY = 0.55  # the least cosine of a synonym, as in robustness.curve
GAPS = ("  ", "\n", "")  # what stands in the place of a space
MARKS = ".,;!?"
LONGEST = 400


@dataclass(frozen=True)
class Way:
    """One way to rewrite a word: what may stand in its place, and in that of the space before it where `spaced`."""

    options: Callable[[str], Sequence[str]]
    spaced: bool = False


def text_kind(ctx: Context, model: Model, drawn: Data) -> Kind:
    """The ways in which the texts of `drawn` are rewritten; NotApplicable where it is not known how texts are read.

    At severities 1 to 5 a share (SHARES) of the words is mistyped by one edit, in the other case, behind another space
    (two, a line break or none), with a mark behind it or without its marks, or replaced by one of its neighbours in the
    model's own embedding. Synonyms are left out where the model shows none.
    """
    if drawn.texts is None or drawn.vocabulary is None:
        msg = "it is not known how a changed text becomes what the model reads"
        raise NotApplicable(msg)
    near, caveats = _neighbours(ctx, model, drawn, drawn.vocabulary), []
    ways = {"typos": Way(typos), "case": Way(_case), "whitespace": Way(_gaps, spaced=True), "punctuation": Way(_marks)}
    if near is None:
        caveats.append("The model shows no neighbours of these texts' words, so that no synonyms were tried.")
    else:
        ways["synonyms"] = Way(partial(_synonyms, near))
    families: dict[str, Corrupt] = {
        name: partial(_corrupt, way, name, ctx.seed, drawn.vocabulary) for name, way in ways.items()
    }
    return Kind(families, partial(_shown, ways, ctx.seed), tuple(caveats))


def _neighbours(ctx: Context, model: Model, drawn: Data, vocabulary: Vocabulary) -> Neighbours | None:
    assert drawn.texts is not None  # noqa: S101 - the caller looked
    rows = np.arange(len(drawn))
    asked = text_model(model, vocabulary, drawn.read(rows[:1]), ctx.batch_size)
    if asked.embedded is None:
        return None
    words = {text[slice(*span)] for text in drawn.texts(rows) for span in spans(text)}
    near = word_neighbours(asked.embedded, vocabulary.words(), sorted(words), SIMILARITY)
    return near if any(near.of(w) for w in words) else None


# ---- what may stand in the place of a word ------------------------------------------------------------------------
def _case(word: str) -> Sequence[str]:
    other = word.swapcase()
    return (other,) if other != word else ()


def _gaps(word: str) -> Sequence[str]:
    return tuple(gap + word for gap in GAPS)


def _marks(word: str) -> Sequence[str]:
    return tuple(word + mark for mark in MARKS) if any(c.isalnum() for c in word) else ("",)


def _synonyms(near: Neighbours, word: str) -> Sequence[str]:
    return tuple(w for w, _, _ in near.of(word))


# ---- a text -------------------------------------------------------------------------------------------------------
def rewritten(text: str, way: Way, share: float, random: np.random.Generator) -> str:
    """`text` with a `share` of the words that `way` has something for rewritten, at least one.

    The space before the first word is no space between words.
    """
    able = [(*span, found) for span in spans(text)[way.spaced :] if (found := way.options(text[slice(*span)]))]
    if not able:
        return text
    count = max(1, round(share * len(able)))
    for k in sorted(random.permutation(len(able))[:count].tolist(), reverse=True):
        start, stop, found = able[k]
        before = text[:start].rstrip() if way.spaced else text[:start]
        text = before + found[int(random.integers(len(found)))] + text[stop:]
    return text


def _corrupt(way: Way, name: str, seed: int, vocabulary: Vocabulary, part: Part, severity: int) -> Tensor:
    return vocabulary.ids(
        [_rewritten(way, name, seed, t, int(r), severity) for t, r in zip(part.texts, part.rows, strict=True)]
    )


def _rewritten(way: Way, name: str, seed: int, text: str, row: int, severity: int) -> str:
    random = np.random.default_rng(seed_of(seed, name, severity, row))
    return rewritten(text, way, SHARES[severity - 1], random)


def _shown(ways: dict[str, Way], seed: int, part: Part, name: str, severity: int) -> str:
    text = _rewritten(ways[name], name, seed, part.texts[0], int(part.rows[0]), severity)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
