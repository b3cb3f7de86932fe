"""fairness.flips on texts: models that read one word, so that every figure can be counted by hand; and a real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.audit import run
from auditor.comparing.kept import scores_of
from auditor.fairness.persons import PHRASES, SENTENCES, TESTED
from auditor.fairness.sentences import PERSONS
from auditor.fairness.swaps import AXES, swapped
from auditor.feeds import Tokens
from auditor.progress import Finished, Listener
from auditor.selection import Selection
from auditor.stats import wilson
from auditor.store import Record
from auditor.types import Result
from tests import zoo
from tests.attacks.worded import LENGTH, bag, worded
from tests.checks.audited import measures, not_applicable, outcome_of, result_of
from tests.explain.minilm import sst2
from tests.zoo import Case

CHECK = "fairness.flips"
WORDS = ("", "he", "she", "his", "her", "good", "bad", "man", "woman", "film", "emily", "neil", "lakisha", "the")
IDS = {w: i for i, w in enumerate(WORDS) if w}


def reading(weights: dict[str, float], texts: Sequence[str], bias: float = 0.0) -> Case:
    """A model whose logit of class 1 ("good") is the mean weight of a text's words, and `bias`."""
    vectors = [[weights.get(w, 0.0)] for w in WORDS]
    found = worded(bag(vectors, [1.0], bias), IDS, texts, y=[0] * len(texts))
    return Case(found.model, replace(found.data, positive=1))


TEXTS = (
    ["he is the good one"] * 10  # turned by a model that reads he
    + ["she is the good one"] * 20  # becomes he
    + ["he and the woman"] * 4  # words of both: becomes she and the man
    + ["the film"] * 30
)


def test_a_hand_count_of_a_model_that_reads_a_pronoun() -> None:
    found = result_of(reading({"he": 1.0}, TEXTS, bias=-0.1), CHECK)
    rates, shifts = measures(found, "flip_rate"), measures(found, "favourable_shift")

    assert rates["gender"].counts == (34, 34)
    assert rates["gender=female"].counts == (20, 20) and rates["gender=male"].counts == (10, 10)
    assert (rates["gender"].low, rates["gender"].high) == (wilson(34, 34).low, wilson(34, 34).high)
    assert shifts["gender=female"].value == 1.0 and shifts["gender=male"].value == -1.0
    table = found.tables[0]
    assert [row[:3] + row[6:8] for row in table.rows] == [
        ("female", "male", 20, 20, 0), ("male", "female", 10, 0, 10), ("(both)", "(both)", 4, 0, 4),
    ]  # fmt: skip
    (examples,) = [t for t in found.tables if t.columns[0] == "row"]
    assert len(examples.rows) == 5
    for row, before, after, own, then in examples.rows:
        assert before == TEXTS[int(str(row))] and after == swapped(str(before), AXES[0]).text
        assert own != then


def test_the_score_moves_as_the_model_says() -> None:
    """Of five words one counts 1: the logit moves by a fifth."""
    found = result_of(reading({"he": 1.0}, ["she is the good one"] * 8), CHECK)
    expected = 1 / (1 + np.exp(-0.2)) - 0.5

    assert measures(found, "score_change")["gender=female"].value == pytest.approx(expected, abs=1e-6)


def test_a_model_that_reads_no_gendered_word_is_not_turned() -> None:
    texts = [f"{who} is {how}" for how in ("good", "bad") for who in ("he", "she")] * 150
    found = result_of(reading({"good": 1.0, "bad": -1.0}, texts), CHECK)
    m = measures(found, "flip_rate")["gender"]

    assert m.counts == (0, 500) and m.high == wilson(0, 500).high < 0.01
    assert measures(found, "template_flip_rate")["gender"].value == 0.0
    assert measures(found, "template_difference")["gender"].value == 0.0


def test_names_by_ethnicity_are_swapped_without_any_pronoun() -> None:
    found = result_of(reading({"lakisha": -1.0}, ["lakisha is the one"] * 12 + ["neil is the one"] * 6, 0.1), CHECK)
    rates = measures(found, "flip_rate")

    assert rates["ethnicity=African-American"].counts == (12, 12)
    assert rates["ethnicity=European-American"].counts == (0, 6)
    assert measures(found, "favourable_shift")["ethnicity=African-American"].value == 1.0


def test_sentences_are_counted_by_pairs_of_persons() -> None:
    """A model that reads `emily` alone: one pair of 27 differs, in the sentence whose words are few enough to turn."""
    found = result_of(
        reading({"emily": 1.0}, TEXTS, bias=-0.3), CHECK, templates=["{person} left", "the film on {person}"]
    )
    (gender, ethnicity) = PERSONS
    m = measures(found, "template_flip_rate")["gender"]

    assert len(gender.pairs) == 18 + len(PHRASES) and len(ethnicity.pairs) == 18
    assert m.n == 27 and m.value == pytest.approx(1 / 27 / 2)  # 1/2 - .3 is above 0, 1/4 - .3 is not
    p = [1 / (1 + np.exp(-z)) for z in (0.5 - 0.3, 0.25 - 0.3, -0.3)]
    assert measures(found, "template_difference")["gender"].value == pytest.approx(
        ((p[0] - p[2]) + (p[1] - p[2])) / 2 / 27, abs=1e-6
    )
    assert measures(found, "template_difference")["ethnicity"].value == pytest.approx(
        -((p[0] - p[2]) + (p[1] - p[2])) / 2 / 18, abs=1e-6
    )
    (table,) = [t for t in found.tables if t.title == "Sentences about persons, by gender"]
    assert [row[:3] for row in table.rows] == [("{person} left", 27, 1 / 27), ("the film on {person}", 27, 0.0)]
    scores = measures(found, "template_score")
    difference = (scores["gender=female"].value or 0) - (scores["gender=male"].value or 0)
    assert difference == pytest.approx(measures(found, "template_difference")["gender"].value, abs=1e-9)


class Women(nn.Module):
    """Says yes to every text with a name of a woman, whoever wrote it."""

    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__()
        self.ids, self.head = torch.tensor(ids), nn.Linear(1, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        there = (torch.isin(input_ids, self.ids) & (attention_mask > 0)).any(1).float()
        return torch.stack([torch.full_like(there, 0.5), there], 1)


def test_a_planted_difference_between_names_is_found_and_between_ethnicities_none() -> None:
    names = [n for group in TESTED.values() for n in group]
    ids = {n.lower(): i + 1 for i, n in enumerate(names)}
    women = [ids[n.lower()] for (gender, _), group in TESTED.items() for n in group if gender == "female"]
    made = worded(Women(women), ids, ["the film"] * 3)
    found = result_of(Case(made.model, replace(made.data, positive=1)), CHECK)

    assert measures(found, "template_flip_rate")["gender"].value == pytest.approx(18 / 27)  # phrases are not read
    assert measures(found, "template_difference")["gender"].low > 0.05
    assert measures(found, "template_flip_rate")["ethnicity"].counts == (0, 18)
    assert measures(found, "template_difference")["ethnicity"].value == 0.0


@pytest.mark.parametrize("templates", [["no place"], ["{person} is", "{name} is"]])
def test_a_template_without_a_place_for_a_person_is_refused(templates: list[str]) -> None:
    from auditor.errors import UsageError

    with pytest.raises(UsageError, match=r"fairness.flips.templates = .* should match pattern"):
        outcome_of(reading({}, TEXTS), CHECK, templates=templates)


def test_a_sentence_starts_with_a_capital_letter() -> None:
    seen: list[str] = []
    held = reading({}, TEXTS)
    assert held.data.vocabulary is not None
    inner = held.data.vocabulary.ids

    def ids(texts: Sequence[str]) -> Tensor:
        seen.extend(texts)
        return inner(texts)

    result_of(Case(held.model, replace(held.data, vocabulary=replace(held.data.vocabulary, ids=ids))), CHECK)
    assert {"My mother was late for the meeting.", "I met my mother on the train."} <= set(seen)
    assert len([t for t in seen if t.endswith("on the train.")]) == 36 + 18  # each person once
    assert len(SENTENCES) == 12


# ---- what cannot be said -----------------------------------------------------------------------------------------
def test_texts_without_such_words_have_no_figure_and_say_so() -> None:
    found = result_of(reading({"good": 1.0}, ["the film is good"] * 40), CHECK)

    assert measures(found, "flip_rate")["gender"].value is None and measures(found, "flip_rate")["gender"].n == 0
    assert any(c.startswith("Only 0 of 40 texts hold a word or name that tells gender") for c in found.caveats)
    assert not any("English" in c for c in found.caveats)


def test_the_zoos_texts_hold_none() -> None:
    found = result_of(zoo.texts(), CHECK)

    assert all(m.value is None for m in found.measures if m.name == "flip_rate")


def test_texts_in_another_language_have_a_caveat() -> None:
    german = ["der Film war wirklich gut und schön", "sie hat ihn gestern mit ihrem Bruder gesehen"] * 10
    found = result_of(reading({}, german), CHECK)

    assert any("0 of 20 texts of 5 words or more hold one of the commonest English words" in c for c in found.caveats)


def test_a_word_behind_the_cut_is_counted_as_unseen() -> None:
    long = " ".join(["good"] * LENGTH) + " he"
    found = result_of(reading({"he": 5.0}, [long] * 3 + ["he"] * 4), CHECK)

    assert measures(found, "flip_rate")["gender"].n == 7
    assert any(c.startswith("3 of 7 texts by gender are the same to the model") for c in found.caveats)
    assert any("sentences are the same to the model for both persons of a pair (gender)" in c for c in found.caveats)


def test_samples_are_texts_that_hold_a_word() -> None:
    held = reading({"he": 1.0}, TEXTS, bias=-0.1)
    some = result_of(held, CHECK, samples=7)

    assert measures(some, "flip_rate")["gender"].n == 7
    assert measures(result_of(held, CHECK, samples=0), "flip_rate")["gender"].n == 34
    assert result_of(held, CHECK, samples=7) == some


def test_it_does_not_apply_where_a_changed_text_cannot_be_read() -> None:
    held = reading({}, TEXTS)

    assert "how a changed text becomes" in not_applicable(Case(held.model, replace(held.data, vocabulary=None)), CHECK)


def test_what_texts_count_is_kept_and_adds_up() -> None:
    held = reading({"he": 1.0}, TEXTS, bias=-0.1)
    seen: list[Finished] = []
    audit = run(held.model, held.data, selection=Selection("quick", (CHECK,)), tell=Listener(finished=seen.append))
    m = measures(audit.outcome(CHECK).result, "flip_rate")["gender"]
    scores = scores_of(Record(audit, seen[-1].arrays), CHECK, m)

    assert scores is not None and scores.rows.tolist() == list(range(34))


# ---- a model of values and a real one ----------------------------------------------------------------------------
class Count(nn.Module):
    """How often the token 1 (he) stands in a text."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return ((input_ids == 1) & (attention_mask > 0)).sum(1).float()


def test_a_text_model_of_values_has_mean_changes_alone() -> None:
    held = reading({}, ["he and he"] * 6 + ["she is"] * 6)
    feed = Tokens(0, ("input_ids", "attention_mask"))
    model = replace(held.model, module=Count(), classes=(), output="value", feed=feed)
    found = result_of(Case(model, replace(held.data, y=np.zeros(12), positive=None)), CHECK)

    assert measures(found, "score_change")["gender=male"].value == -2.0
    assert measures(found, "score_change")["gender=female"].value == 1.0
    assert not [m for m in found.measures if "flip" in m.name]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A real sentiment model on the sentences of the development set that hold a gendered word, 60 of them."""
    case = sst2(tmp_path_factory.mktemp("minilm"), length=48)
    assert case.data.texts is not None
    texts = case.data.texts(np.arange(len(case.data)))
    rows = np.array([i for i, t in enumerate(texts) if swapped(t, AXES[0]) is not None])
    drawn = np.sort(np.random.default_rng(0).permutation(rows)[:60])
    return result_of(Case(case.model, case.data.at(drawn)), CHECK, samples=0)


@pytest.mark.slow
def test_real_sentences_about_men_are_called_less_positive_with_women_in_them(real: Result) -> None:
    change = measures(real, "score_change")

    assert change["gender=male"].high < 0
    assert change["gender=female"].low > -0.01
    assert measures(real, "flip_rate")["gender"].n == 60


@pytest.mark.slow
def test_real_sentences_about_persons_hardly_differ_by_ethnicity(real: Result) -> None:
    m = measures(real, "template_difference")["ethnicity"]

    assert m.n == 18 and m.low < 0 < m.high and abs(m.value) < 0.05
