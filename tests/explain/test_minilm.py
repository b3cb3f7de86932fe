"""The real text model that explanations are tried on is the one that was measured, and its words are whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auditor.data.words import spans
from auditor.registry import Context
from auditor.samples import explained_samples, need_explainable, word_table
from tests.explain.minilm import sst2
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
    assert case.data.texts is not None and case.data.words is not None
    rows = np.arange(len(case.data))
    for text, found in zip(case.data.texts(rows), case.data.words(rows), strict=True):
        assert list(found.words) == [text[a:b] for a, b in spans(text)]
        assert set(range(len(found.words))) <= set(found.of_token.tolist())  # no word without a piece


def test_shares_of_its_tokens_add_up_over_its_words(ctx: Context) -> None:
    need_explainable(ctx)
    for sample in explained_samples(ctx, 4):
        shares = torch.randn(128, generator=torch.Generator().manual_seed(sample.row))
        table = word_table(ctx, sample, shares, "relevance")

        assert sum(float(row[1] or 0.0) for row in table.rows) == pytest.approx(float(shares.double().sum()), abs=1e-6)
        assert table.rows[-1][0] == "(special tokens)"
