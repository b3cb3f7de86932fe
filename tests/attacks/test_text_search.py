"""The smallest number of changed words against exact answers and every possible change; each text found is wrong."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.text_changes import Change, Changeable, applied
from auditor.attacks.text_model import TextModel, margins
from auditor.attacks.text_search import ALIKE, MOST_SINGLE, Turned, smallest_changes
from auditor.data.words import spans
from tests.attacks.worded import UNKNOWN, Gru, attackable, bag, worded
from tests.zoo import Case

NAMES = ["".join(p) for p in itertools.product("bcdf", "aeiou", "lmn")]  # 60 words of three letters: no typos
VOCABULARY = {"?": UNKNOWN, **{w: i + 1 for i, w in enumerate(NAMES)}}


def sentences(n: int, low: int, high: int, seed: int) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(NAMES, draw.integers(low, high + 1))) for _ in range(n)]


def found_in(case: Case, most: int, cosine: float) -> tuple[TextModel, list[Changeable], list[Turned]]:
    model, texts, y = attackable(case, cosine)
    with case.model.frozen():
        return model, texts, smallest_changes(model, texts, y, most)


def answers(case: Case, texts: Sequence[str]) -> list[int]:
    """The class of each text, as the data's own reader reads it."""
    assert case.data.vocabulary is not None
    with torch.no_grad():
        return case.model(case.data.vocabulary.ids(texts)).argmax(1).tolist()


def alike(case: Case, text: str, other: str) -> float:
    """The cosine of the mean embeddings of two texts, by numpy."""
    table = case.model.module.tokens.weight.detach().numpy().astype(float)
    means = []
    for t in (text, other):
        (ids,) = case.data.vocabulary.ids([t])
        means.append(table[ids[ids >= 0].numpy()].mean(0))
    return float(means[0] @ means[1] / np.linalg.norm(means[0]) / np.linalg.norm(means[1]))


def brute_force(case: Case, text: Changeable, y: int, most: int) -> int | None:
    """The smallest number of words, by every choice of one change for each of them."""
    if answers(case, [text.text])[0] != y:
        return 0
    able = [w for w in text.changes if w]
    for size in range(1, min(most, text.most) + 1):
        for words in itertools.combinations(able, size):
            tried = [applied(text.text, c) for c in itertools.product(*words)]
            for t, answer in zip(tried, answers(case, tried), strict=True):
                if answer != y and (size == 1 or alike(case, text.text, t) >= ALIKE):
                    return size
    return None


def count(turned: Turned) -> int | None:
    return None if turned.changes is None else len(turned.changes)


# ---- against everything ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_word_is_exact_and_two_are_nearly(seed: int) -> None:
    """Of 40 texts that every set of two could turn, beams may miss two at most; one word is missed nowhere."""
    case = worded(Gru(len(VOCABULARY), seed=seed), VOCABULARY, sentences(40, 6, 8, seed))
    _, texts, found = found_in(case, 2, 0.6)
    expected = [brute_force(case, t, int(y), 2) for t, y in zip(texts, case.data.y, strict=True)]
    ours = [count(t) for t in found]

    assert {1, 2} <= set(expected)
    assert [o == 1 for o in ours] == [e == 1 for e in expected]
    assert all(e == 2 for o, e in zip(ours, expected, strict=True) if o == 2)
    assert sum(o is None and e == 2 for o, e in zip(ours, expected, strict=True)) <= 2


@pytest.mark.parametrize("gradients", [True, False])
def test_a_bag_is_turned_by_exactly_as_many_words_as_it_takes(gradients: bool) -> None:
    """Each word adds its score. The gains of the best neighbours, largest first, are added until the sum turns."""
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(len(VOCABULARY), generator=generator)
    vectors = torch.stack([scores, torch.full_like(scores, 10.0)], 1)  # so alike that cosines exclude nothing
    case = worded(bag(vectors.tolist(), [1.0, 0.0], 0.05), VOCABULARY, sentences(30, 9, 12, 4))
    model, texts, y = attackable(case, 0.99)
    model = model if gradients else replace(model, slopes=None)
    with case.model.frozen():
        found = smallest_changes(model, texts, y, 4)

    for text, label, turned in zip(texts, y.tolist(), found, strict=True):
        ids = [VOCABULARY[text.text[a:b]] for a, b in spans(text.text)]
        side = 1 if label == 0 else -1
        total = float(scores[ids].sum()) + 0.05 * len(ids)
        gains = [
            max([side * float(scores[c.token] - scores[i]) for c in of] or [0.0])
            for i, of in zip(ids, text.changes, strict=True)
        ]
        sums = [side * total + s for s in np.cumsum(sorted(gains, reverse=True))[: min(4, text.most)]]
        expected = next((k + 1 for k, s in enumerate(sums) if s > 0), None)

        assert count(turned) == expected
    assert len({count(t) for t in found}) >= 3


def test_everything_found_is_wrong_inside_and_counted() -> None:
    case = worded(Gru(len(VOCABULARY), seed=5), VOCABULARY, sentences(40, 4, 12, 9))
    _, texts, found = found_in(case, 4, 0.3)
    turned = [(i, t) for i, t in enumerate(found) if t.changes is not None]
    assert {len(t.changes) for _, t in turned} >= {1, 2}

    for i, t in turned:
        changed = applied(texts[i].text, t.changes)
        before, after = texts[i].text.split(), changed.split()
        differ = sum(a != b for a, b in zip(before, after, strict=True))
        assert answers(case, [changed])[0] != case.data.y[i]
        assert differ == len(t.changes) <= max(1, len(before) // 3)
        assert differ <= 1 or alike(case, texts[i].text, changed) >= ALIKE - 1e-6
        own = case.model.module.tokens.weight.detach()
        for a, b in zip(before, after, strict=True):
            assert torch.cosine_similarity(own[VOCABULARY[a]], own[VOCABULARY[b]], dim=0) >= 0.3 - 1e-6


def test_no_change_that_is_found_can_be_taken_back() -> None:
    case = worded(Gru(len(VOCABULARY), seed=5), VOCABULARY, sentences(60, 9, 12, 2))
    _, texts, found = found_in(case, 4, 0.3)
    several = [(i, t.changes) for i, t in enumerate(found) if t.changes and len(t.changes) > 1]

    assert several
    for i, changes in several:
        for fewer in itertools.combinations(changes, len(changes) - 1):
            text = applied(texts[i].text, fewer)
            outside = len(fewer) > 1 and alike(case, texts[i].text, text) < ALIKE
            assert outside or answers(case, [text])[0] == case.data.y[i]


# ---- what is known of a model ------------------------------------------------------------------------------------
TRIGGER = {"?": 0, "pleasant": 1, "lovely": 2, "charming": 3, "trigger": 4, "plain": 5, "film": 6, "story": 7}


def triggered(texts: Sequence[str], y: Sequence[int] | None = None) -> Case:
    """ "good" alone where "trigger" stands, which is a neighbour of "plain"; other words count for nothing."""
    vectors = [[0.0, 1.0, 0.0]] + [[0.0, 1.0, 0.1 * i] for i in range(3)] + [[5.0, 0.0, 9.0], [0.0, 0.0, 9.0]]
    vectors += [[0.0, 3.0, -5.0], [0.0, -3.0, -5.0]]
    return worded(bag(vectors, [9.0, 0.0, 0.0], -0.1), TRIGGER, texts, y)


def test_a_planted_word_is_found() -> None:
    case = triggered(["a plain film", "a lovely film", "the trigger , a film"], [0, 0, 1])
    _, _, found = found_in(case, 3, 0.8)

    assert [(c.before, c.after, c.kind) for c in found[0].changes] == [("plain", "trigger", "neighbour")]
    assert found[1].changes is None
    assert [c.before for c in found[2].changes] == ["trigger"]


def test_a_wrong_answer_takes_no_change_and_one_pass() -> None:
    _, _, found = found_in(triggered(["a lovely film"], [1]), 3, 0.8)

    assert found == [Turned((), 1, moved=False)]


class Deaf(nn.Module):
    """Looks its words up and says the same of all of them."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.tokens, self.head = nn.Embedding(size, 3), nn.Linear(3, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.tokens(input_ids).sum(1) * 0 + attention_mask.sum(1, keepdim=True) * 0)


def test_a_model_that_reads_nothing_stands_and_it_is_known() -> None:
    _, texts, found = found_in(worded(Deaf(len(TRIGGER)), TRIGGER, ["lovely story", "a charming film"]), 8, 0.5)

    assert all(t.changes is None and not t.moved for t in found)
    assert [t.passes for t in found] == [1 + sum(map(len, t.changes)) for t in texts]


def test_a_model_that_reads_small_letters_keeps_the_capitals_of_the_text() -> None:
    _, _, found = found_in(triggered(["A PLAIN Film", "Plain film"], [0, 0]), 1, 0.8)

    assert [t.changes[0].after for t in found] == ["TRIGGER", "Trigger"]


def test_gradients_promise_what_a_bag_does() -> None:
    """The margin of a bag is linear in its embeddings: to first order is all there is, but for typos."""
    case = worded(bag(torch.randn(61, 3).tolist(), [1.0, -2.0, 0.5], 0.1), VOCABULARY, sentences(6, 5, 9, 0))
    model, texts, y = attackable(case, -1.0)
    from auditor.attacks.text_search import _promised

    with case.model.frozen():
        promised = _promised(model, texts, y)
    for text, label, scores in zip(texts, y.tolist(), promised, strict=True):
        clean = margins(model.logits([text.text]), torch.tensor([label]))
        for change, score in scores.items():
            after = margins(model.logits([applied(text.text, (change,))]), torch.tensor([label]))
            assert float(after - clean) == pytest.approx(score, abs=1e-4)


def test_of_many_changes_the_most_promising_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.attacks.text_search.MOST_SINGLE", 4)
    case = triggered([f"{'lovely ' * 8}plain film"], [0])
    _, texts, found = found_in(case, 1, 0.8)

    assert sum(map(len, texts[0].changes)) > 8
    assert [c.after for c in found[0].changes] == ["trigger"]  # though it comes last in the text
    assert MOST_SINGLE > 100


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_how_many_go_through_at_once_changes_nothing(rows: int) -> None:
    case = worded(Gru(len(VOCABULARY), seed=1), VOCABULARY, sentences(12, 4, 9, 1))
    model, texts, y = attackable(case, 0.4)
    with case.model.frozen():
        whole, part = (smallest_changes(replace(model, rows=r), texts, y, 3) for r in (100, rows))

    assert whole == part


# ---- odd texts ---------------------------------------------------------------------------------------------------
HTML, LONG, HIDDEN = "<b>plain</b> &amp; film", "plain " * 40, "a\u202eb\x00c plain"
SILENT = ["", "   ", "😀😀 🇩🇪 ❤", "кино 電影"]
ODD = [*SILENT, "lovely", "zzz qqq xyz", HTML, LONG, HIDDEN]


def test_odd_texts_are_read_and_turned_as_others() -> None:
    case = triggered(ODD)
    _, texts, found = found_in(case, 3, 0.8)
    by_text = dict(zip(ODD, found, strict=True))

    assert [by_text[t].changes for t in SILENT] == [None] * 4
    assert by_text[HTML].changes[0].after == by_text[HIDDEN].changes[0].after == "trigger"
    assert [t.whole for t in texts] == [t.text != LONG for t in texts]
    for text, label, turned in zip(texts, case.data.y, found, strict=True):
        if turned.changes:
            assert answers(case, [applied(text.text, turned.changes)])[0] != label


def test_words_behind_the_cut_are_left() -> None:
    case = triggered(["film " * 12 + "plain " * 5], [0])
    _, texts, found = found_in(case, 3, 0.8)

    assert len(texts[0].changes) == 12
    assert found[0].changes is None


def test_a_change_is_of_one_place() -> None:
    change = Change(0, 0, 5, "plain", "trigger", "neighbour", 4, 0.9)

    assert applied("plain plain", (change,)) == "trigger plain"
