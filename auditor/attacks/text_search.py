"""The smallest number of changed words that turns a text's answer.

Every change of one word is tried, those first that gradients (or leaving each word out) promise most of; then beams of
the best sets are extended word by word (Jin et al. 2020, arXiv:1907.11932, without its early choice of words). All
texts are searched at the same time, so that their trials share batches; who is done leaves.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.attacks.goals import wrong_rows
from auditor.attacks.text_changes import Change, Changeable, applied
from auditor.attacks.text_model import TextModel, margins

__all__ = ["ALIKE", "MOST_SINGLE", "Turned", "judged", "smallest_changes"]

ALIKE = 0.8  # the least cosine of a text with several changed words to the text as it is
MOST_SINGLE, AT_ONCE = 512, 24  # changes of one word that are tried, in turns of so many
BEAM, OF_A_WORD, BREADTH = 4, 3, 32  # sets that are extended, and by which of the single changes

Changes = tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of a changed text: whether it is wrong, and the margin of another class over the true one.

    `inside` says whether it is alike enough to the text as it is; one that is not counts for nothing.
    """

    wrong: bool
    margin: float
    inside: bool = True


@dataclass(frozen=True)
class Turned:
    """What was found for one text, after `passes` texts that the model answered.

    `changes` is the smallest set that makes the answer wrong: empty where it is wrong as it is, None where none was
    found. `moved` says whether any change moved the margin.
    """

    changes: Changes | None
    passes: int
    moved: bool


Trials = Sequence[Changes]
Search = Generator[Trials, list[Answer], tuple[Changes | None, bool]]


def smallest_changes(model: TextModel, texts: Sequence[Changeable], y: Tensor, most: int) -> list[Turned]:
    """For each text of class `y` (N,) the smallest set of at most `most` changed words that makes the answer wrong.

    A set of several words is inside the bound of the whole text: see ALIKE. Each set that is returned was answered
    wrongly in a plain forward pass. The smallest is exact for one word where no more than MOST_SINGLE changes can be
    made, and the least that beams find for several.
    """
    searches = [_search(t, promised, most) for t, promised in zip(texts, _promised(model, texts, y), strict=True)]
    waiting = {i: next(s) for i, s in enumerate(searches)}
    passes, found = [0] * len(texts), {}
    while waiting:
        rows = [i for i, trials in waiting.items() for _ in trials]
        sets = [changes for trials in waiting.values() for changes in trials]
        answers = iter(judged(model, [texts[i] for i in rows], sets, y[torch.tensor(rows)]))
        for i, trials in list(waiting.items()):
            passes[i] += len(trials)
            try:
                waiting[i] = searches[i].send([next(answers) for _ in trials])
            except StopIteration as end:
                found[i] = Turned(end.value[0], passes[i], end.value[1])
                del waiting[i]
    return [found[i] for i in range(len(texts))]


def judged(model: TextModel, texts: Sequence[Changeable], sets: Trials, y: Tensor) -> list[Answer]:
    """What the model says of each text of class `y` (k,) after its set of changes, and whether that is inside."""
    changed = [applied(t.text, c) for t, c in zip(texts, sets, strict=True)]
    logits = model.logits(changed)
    several = [i for i, c in enumerate(sets) if len(c) > 1]
    alike = model.alike([texts[i].text for i in several], [changed[i] for i in several])
    outside = {i for i, a in zip(several, alike.tolist(), strict=True) if not a >= ALIKE}
    wrong, margin = wrong_rows(logits, y).tolist(), margins(logits, y).tolist()
    return [Answer(w, m, i not in outside) for i, (w, m) in enumerate(zip(wrong, margin, strict=True))]


# ---- one text ----------------------------------------------------------------------------------------------------
def _search(text: Changeable, promised: dict[Change, float] | None, most: int) -> Search:
    """Yields the sets to be tried, takes their answers; returns the smallest set and whether anything moved."""
    (clean,) = yield [()]
    if clean.wrong:
        return (), False
    if min(most, text.most) == 0:
        return None, False
    order = promised if promised is not None else (yield from _left_out(text))
    ranked = sorted(order, key=lambda c: -order[c])[:MOST_SINGLE]  # equals stay in reading order
    single: dict[Change, float] = {}
    for part in (ranked[i : i + AT_ONCE] for i in range(0, len(ranked), AT_ONCE)):
        answers = yield [(c,) for c in part]
        if broken := _best([((c,), a) for c, a in zip(part, answers, strict=True) if a.wrong]):
            return broken, True
        single |= {c: a.margin for c, a in zip(part, answers, strict=True)}
    moved = any(margin != clean.margin for margin in single.values())
    if not moved:
        return None, False
    found = yield from _several(single, min(most, text.most))
    return (None if found is None else (yield from _reduced(found))), True


def _several(single: dict[Change, float], most: int) -> Generator[Trials, list[Answer], Changes | None]:
    """The smallest set that beams find, from the margins that single changes give."""
    steps = _per_word(single)
    beam: list[Changes] = [(c,) for c in steps[:BEAM]]
    for _ in range(2, most + 1):
        tried = _extended(beam, steps)
        if not tried:
            return None
        answers = yield tried
        inside = [(c, a) for c, a in zip(tried, answers, strict=True) if a.inside]
        if broken := _best([(c, a) for c, a in inside if a.wrong]):
            return broken
        beam = [c for c, _ in sorted(inside, key=lambda pair: -pair[1].margin)[:BEAM]]
    return None


def _per_word(single: dict[Change, float]) -> list[Change]:
    """The best changes of each word, best first."""
    taken: dict[int, int] = {}
    kept = []
    for change in sorted(single, key=lambda c: -single[c]):
        taken[change.word] = taken.get(change.word, 0) + 1
        if taken[change.word] <= OF_A_WORD:
            kept.append(change)
    return kept


def _extended(beam: Sequence[Changes], steps: Sequence[Change]) -> list[Changes]:
    found: dict[frozenset[Change], Changes] = {}
    for held in beam:
        words = {c.word for c in held}
        for change in [c for c in steps if c.word not in words][:BREADTH]:
            found.setdefault(frozenset((*held, change)), (*held, change))
    return list(found.values())


def _reduced(changes: Changes) -> Generator[Trials, list[Answer], Changes]:
    """`changes` without those that the wrong answer does not need."""
    while len(changes) > 1:
        fewer = [changes[:i] + changes[i + 1 :] for i in range(len(changes))]
        answers = yield fewer
        less = _best([(c, a) for c, a in zip(fewer, answers, strict=True) if a.wrong and a.inside])
        if less is None:
            break
        changes = less
    return changes


def _best(broken: Sequence[tuple[Changes, Answer]]) -> Changes | None:
    return max(broken, key=lambda pair: pair[1].margin)[0] if broken else None


# ---- which changes promise most ----------------------------------------------------------------------------------
def _left_out(text: Changeable) -> Generator[Trials, list[Answer], dict[Change, float]]:
    """What each change promises: the margin without the word."""
    first = [of_word[0] for of_word in text.changes if of_word]
    answers = yield [(Change(c.word, c.start, c.stop, c.before, "", "left out"),) for c in first]
    without = {c.word: a.margin for c, a in zip(first, answers, strict=True)}
    return {c: without[c.word] for of_word in text.changes for c in of_word}


def _promised(model: TextModel, texts: Sequence[Changeable], y: Tensor) -> list[dict[Change, float] | None]:
    """What gradients say of each change, to first order; None for all where there are none.

    Of a neighbour that is the gradient times the difference of the embeddings; of a typo the gradient times taking the
    word's away, as the pieces of a broken word say little of it.
    """
    if model.slopes is None or model.embedded is None:
        return [None] * len(texts)
    found: list[dict[Change, float] | None] = []
    for ids in model.parts([t.text for t in texts]):
        here = slice(len(found), len(found) + len(ids))
        slopes, values = model.slopes(ids, y[here]), model.embedded(ids)
        found += [_first_order(model, *each) for each in zip(texts[here], slopes, values, strict=True)]
    return found


def _first_order(model: TextModel, text: Changeable, slope: Tensor, value: Tensor) -> dict[Change, float]:
    assert model.embedded is not None  # noqa: S101 - the caller looked
    word = torch.from_numpy(text.of_token) + 1
    rows = len(text.changes) + 1
    gone = -torch.zeros(rows).index_add_(0, word, (slope * value).sum(1))
    slopes = torch.zeros(rows, slope.shape[1]).index_add_(0, word, slope)
    changes = [c for of_word in text.changes for c in of_word]
    near = [c for c in changes if c.token is not None]
    there: dict[Change, float] = {}
    if near:
        others = model.embedded(torch.tensor([[c.token for c in near]]))[0]
        rise = (slopes[torch.tensor([c.word + 1 for c in near])] * others).sum(1)
        there = dict(zip(near, rise.tolist(), strict=True))
    return {c: float(gone[c.word + 1]) + there.get(c, 0.0) for c in changes}
