"""The real text model that explanations are tried on is the one that was measured, and its words are whole."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
import pytest
import torch

from auditor.data.words import spans
from auditor.explain.composites import with_attention
from auditor.explain.lrp import lrp
from auditor.explained.samples import explained_samples, need_explainable, word_table
from auditor.registry import Context
from tests.checks.audited import result_of
from tests.data.reading import texts, words_in
from tests.explain.minilm import PACKAGE, sst2
from tests.zoo import Case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return sst2(tmp_path_factory.mktemp("minilm"))


@pytest.fixture(scope="module")
def ctx(case: Case) -> Context:
    return Context(case.model, case.data)


def test_it_is_right_as_often_as_was_measured(case: Case, ctx: Context) -> None:
    """81.2 % of the development set, as those found who fitted the head."""
    assert len(case.data) == 872 and case.model.classes == ("negative", "positive")
    assert ctx.right.mean() == pytest.approx(0.812, abs=0.0005)


def test_its_embeddings_give_what_its_ids_give(case: Case) -> None:
    x = case.data.read(np.arange(6))
    with torch.no_grad(), case.model.frozen():
        assert torch.allclose(case.model(case.model.embed(x)), case.model(x), atol=1e-4)


def test_its_words_are_those_of_the_texts(case: Case) -> None:
    rows = range(len(case.data))
    for text, found in zip(texts(case.data, *rows), words_in(case.data, *rows), strict=True):
        assert list(found.words) == [text[a:b] for a, b in spans(text)]
        assert set(range(len(found.words))) <= set(found.of_token.tolist())  # no word without a piece


def test_shares_of_its_tokens_add_up_over_its_words(ctx: Context) -> None:
    need_explainable(ctx)
    for sample in explained_samples(ctx, 4):
        shares = torch.randn(128, generator=torch.Generator().manual_seed(sample.row))
        table = word_table(ctx, sample, shares, "relevance")

        assert sum(float(row[1] or 0.0) for row in table.rows) == pytest.approx(float(shares.double().sum()), abs=1e-6)
        assert table.rows[-1][0] == "(special tokens)"


# ---- explained ---------------------------------------------------------------------------------------------------
ROWS = {"explain.lrp": "relevance", "explain.integrated_gradients": "share", "explain.attention": "rollout"}


@pytest.mark.parametrize("check", ROWS)
def test_its_sentences_are_explained_by_words(case: Case, check: str) -> None:
    small = Case(case.model, case.data.at(np.arange(60)))
    result = result_of(small, check, samples=2)
    tables = [t for t in result.tables if t.columns == ("word", ROWS[check])]

    assert len(tables) == 2
    for table in tables:
        row = int(table.title.removeprefix("row ").partition(":")[0])
        (position,) = np.flatnonzero(small.data.row_ids == row)
        (words,) = words_in(small.data, position)
        assert [r[0] for r in table.rows[:-1]] == list(words.words)


def test_the_ledger_closes_by_every_composite_and_attnlrp(case: Case, ctx: Context) -> None:
    shown = explained_samples(ctx, 4)
    x, target = torch.stack([s.x for s in shown]), torch.tensor([s.predicted for s in shown])
    with case.model.frozen():
        for attention in ("values", "attnlrp"):
            found = lrp(case.model, x, target, composite=with_attention("epsilon", attention))
            assert float(found.ledger_error.max()) < 1e-4
            assert found.unknown == ()
            assert not found.shares[x < 0].any()
            assert found.shares[x >= 0].all()


@pytest.mark.parametrize(("text", "word", "positive"), [("a vibrant and moving film", "vibrant", True),
                                                        ("a stale and boring film", "boring", False)])  # fmt: skip
def test_lrp_finds_the_words_that_decide(case: Case, text: str, word: str, positive: bool) -> None:
    """Of the two adjectives and the rest, the strongest word for the answer is one that a reader would name."""
    own = tokenizer()
    encoded = own(text)
    x = torch.tensor([encoded["input_ids"]])
    with case.model.frozen():
        found = lrp(case.model, x, torch.tensor([int(positive)]), composite=with_attention("epsilon", "values"))
    pieces = own.convert_ids_to_tokens(encoded["input_ids"])
    inside = {p: float(v) for p, v in zip(pieces, found.shares[0], strict=True) if not p.startswith("[")}

    assert case.model(x).argmax(1).item() == int(positive)
    assert word in sorted(inside, key=lambda p: -inside[p])[:2]


def tokenizer() -> Any:
    """The model's own."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(resources.files(PACKAGE) / "model"))
