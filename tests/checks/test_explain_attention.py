"""explain.attention: routing with how far it is what moved the class, on patches, words and columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional

from auditor.columns import Column
from auditor.explain.attention import attention, readers, rollout
from auditor.feeds import Tokens
from auditor.subject import Data, Model
from auditor.types import Status
from auditor.words import Words
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, outcome_of, result_of
from tests.shared import needs_shared, real

CHECK = "explain.attention"
ROUTED, SPEAKING = "occlusion_correlation", "occlusion_correlation_gradient"


class Bright(nn.Module):
    """Every token takes from the others the more the brighter they are; the logit of "bright" is what they took.

    `ahead` is added to it: beyond 1 every image is bright, below -1 every one is dark.
    """

    def __init__(self, ahead: float, side: int = 2) -> None:
        super().__init__()
        self.ahead, self.patch = ahead, nn.AvgPool2d(side)

    def forward(self, x: Tensor) -> Tensor:
        t = self.patch(x).flatten(1)[..., None]
        taken = (torch.ones_like(t) @ t.mT * 3).softmax(-1) @ t
        z = taken.mean((1, 2)) + self.ahead
        return torch.stack([-z, z], 1)


def bright(ahead: float) -> zoo.Case:
    model = Model(Bright(ahead), ("dark", "bright"))
    return zoo.Case(model, zoo.labelled(model, zoo.images()))


# ---- what it measures --------------------------------------------------------------------------------------------
def test_where_routing_is_what_moves_the_class_it_agrees_with_occlusion() -> None:
    result = result_of(bright(ahead=2.0), CHECK, samples=8)

    assert measures(result, ROUTED)[""].value > 0.95
    assert measures(result, SPEAKING)[""].value > 0.95
    assert len(measures(result, ROUTED)) == 9


def test_where_routing_speaks_against_the_class_it_is_the_opposite_of_occlusion() -> None:
    """The brightest patches are taken from most and speak against "dark": rollout knows no class."""
    result = result_of(bright(ahead=-2.0), CHECK, samples=8)

    assert measures(result, ROUTED)[""].value < -0.95
    assert {m.value for m in measures(result, SPEAKING).values()} == {None}  # no attention speaks for it
    assert "is -1.00 for rollout and not known for attention x gradient" in result.caveats[0]


def test_the_figure_is_the_rank_correlation_with_one_patch_at_a_time_in_the_mean_colour() -> None:
    case = zoo.ZOO["attention"]()
    result = result_of(case, CHECK, samples=3)
    for where, m in measures(result, ROUTED).items():
        if not where:
            continue
        x = case.data.read(np.array([int(where.removeprefix("row="))]))
        with torch.no_grad():
            logits = case.model(x)
            target = int(logits.argmax())
            drops = []
            for i in range(16):
                without = x.clone()
                up, left = 2 * (i // 4), 2 * (i % 4)
                without[..., up : up + 2, left : left + 2] = x.mean()
                drops.append(float((logits - case.model(without))[0, target]))
        found = attention(case.model, x, torch.tensor([target]))
        scores = readers(found)[0] @ rollout(found)[0]

        assert m.value == pytest.approx(float(spearmanr(scores.numpy(), drops).statistic), abs=1e-6)


def test_maps_and_single_heads_lie_on_the_grid_of_patches() -> None:
    case = zoo.ZOO["attention"]()
    result = result_of(case, CHECK, samples=2)
    arrays = arrays_of(case.model, case.data, CHECK, samples=2)
    maps = [i for i in result.images if i.role == "map"]

    assert len(maps) == 2
    for image in maps:
        row = image.array.partition("row-")[2]
        assert arrays[image.array].shape == (4, 4)
        assert arrays[image.array].min() == 0  # from the patch that gave least
        assert arrays[f"{CHECK}/row-{row}-heads"].shape == (2, 4, 4)
        assert arrays[f"{CHECK}/row-{row}-heads"].sum((1, 2)) == pytest.approx([1, 1], abs=1e-5)
        assert arrays[f"{CHECK}/row-{row}-gradient"].min() >= 0
        assert "routing, not importance" in image.alt
    assert "A map shows how much more each patch gave than the patch that gave least." in result.caveats


def test_every_head_is_counted_and_described() -> None:
    result = result_of(bright(ahead=2.0), CHECK, samples=2)
    case = zoo.ZOO["attention"]()
    two = result_of(case, CHECK, samples=2)
    (row,) = result.tables[-1].rows

    assert row[:3] == (1, "", 1)
    assert 0.9 < row[3] < 1  # all are taken from, the bright ones more
    assert 1.5 < row[4] < 2.5  # in patches, of a grid of 4 by 4: 1.91 over all pairs
    assert [(r[0], r[1], r[2]) for r in two.tables[-1].rows] == [(1, "attend", 1), (1, "attend", 2)]
    assert measures(two, "layers")[""].value == 1 and measures(two, "heads")[""].value == 2


def test_more_than_64_patches_are_removed_in_blocks() -> None:
    model = Model(Bright(2.0, side=1), ("dark", "bright"))
    x = torch.rand(6, 1, 10, 10, generator=torch.Generator().manual_seed(0))
    case = zoo.Case(model, zoo.labelled(model, x))

    result = result_of(case, CHECK, samples=2)

    assert "In 2 of 2 rows there are over 64 parts: neighbours were removed together." in result.caveats
    assert measures(result, ROUTED)[""].value > 0.9


def test_a_program_is_explained_and_the_report_says_how() -> None:
    case = bright(ahead=2.0)
    program = Model(torch.jit.trace(case.model.module.eval(), zoo.images()[:1]), case.model.classes)
    found, expected = (result_of(c, CHECK, samples=3) for c in (zoo.Case(program, case.data), case))

    assert [m.value for m in found.measures] == pytest.approx([m.value for m in expected.measures])
    assert "TorchScript program: it was explained with its operators run one by one" in found.caveats[0]


# ---- texts and tables --------------------------------------------------------------------------------------------
class Loud(nn.Module):
    """Texts of ids 0 (a frame around them) to 9; the last token takes from louder ids more, and is what counts."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 1)
        self.embed.weight.data = torch.arange(10.0)[:, None] / 10

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embed

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        t, n = self.embed(input_ids), attention_mask.sum(1) - 1
        hidden = (attention_mask == 0)[:, None].expand(-1, t.shape[1], -1)
        scores = (torch.ones_like(t) @ t.mT * 3).masked_fill(hidden, -torch.inf)
        taken = (scores.softmax(-1) @ t)[torch.arange(len(t)), n, 0] + 1
        return torch.stack([-taken, taken], 1)


def loud() -> zoo.Case:
    """Framed texts of four to seven words; each pair of tokens with ids 3 and 4 is one word."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.full((12, 10), -1)
    for row in ids:
        n = 6 + int(torch.randint(0, 4, (1,), generator=generator))
        inside = [3, 4, *(torch.randperm(5, generator=generator) + 5).tolist(), 1, 2][: n - 2]
        row[:n] = torch.tensor([0, *inside, 0])

    def words(rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[Words]:
        found = []
        for row in ids[torch.from_numpy(rows)].tolist():
            n = sum(i >= 0 for i in row)
            of_token = np.array([-1, 0, 0, *range(1, n - 3), *[-1] * (11 - n)])
            found.append(Words(("3+4", *(f"w{i}" for i in row[3 : n - 1])), of_token))
        return found

    model = Model(Loud(), ("soft", "loud"), feed=Tokens(0, ("input_ids", "attention_mask")), bounds=(-1.0, 9.0))
    data = replace(zoo.labelled(model, ids), columns=(), words=words)
    return zoo.Case(model, replace(data, texts=lambda rows: [" ".join(w.words) for w in words(rows)]))


def test_texts_have_a_table_of_words_that_adds_up() -> None:
    result = result_of(loud(), CHECK, samples=4)
    routed = [t for t in result.tables if t.columns == ("word", "rollout")]

    assert len(routed) == 4 == len([t for t in result.tables if t.columns == ("word", "attention x gradient")])
    for table in routed:
        assert table.rows[0][0] == "3+4" and table.rows[-1][0] == "(special tokens)"
        shares = {str(name): float(value or 0) for name, value in table.rows}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        alone = sorted(name for name in shares if name.startswith("w"))  # w1 .. w9: the louder, the more
        assert alone == sorted(alone, key=shares.__getitem__)
    assert "The scores say what came to the one token that the logit is read from." in result.caveats


def test_a_removed_word_is_taken_out_of_the_text() -> None:
    """By hand: the drop of the logit when the tokens of a word are left out."""
    case = loud()
    result = result_of(case, CHECK, samples=2)
    for where, m in measures(result, ROUTED).items():
        if not where:
            continue
        (row,) = case.data.read(np.array([int(where.removeprefix("row="))]))
        ids = row[row >= 0].tolist()
        kept = [[ids[0], *ids[3:]], *([*ids[:i], *ids[i + 1 :]] for i in range(3, len(ids) - 1))]
        loudness = [i / 10 for i in ids]

        def taken(some: list[int]) -> float:
            weights = np.exp(3 * np.array(some) / 10)
            return float((weights / weights.sum()) @ (np.array(some) / 10))

        drops = [taken(ids) - taken(k) for k in kept]
        weights = np.exp(3 * np.array(loudness))
        scores = weights / weights.sum()
        per_word = [scores[1] + scores[2], *scores[3:-1]]

        assert m.value == pytest.approx(float(spearmanr(per_word, drops).statistic), abs=1e-6)


class ColumnTokens(nn.Module):
    """A token a column, and a class token behind them that is read; it takes the more from a column the larger."""

    def forward(self, x: Tensor) -> Tensor:
        t = torch.cat([x, torch.zeros_like(x[:, :1])], 1)[..., None]
        taken = functional.scaled_dot_product_attention(torch.ones_like(t), t, t)[:, -1, 0] + 5
        return torch.stack([-taken, taken], 1)


def test_a_table_whose_columns_are_tokens_has_bars() -> None:
    model = Model(ColumnTokens(), ("no", "yes"), bounds=(-5.0, 5.0))
    x = torch.rand(24, 5, generator=torch.Generator().manual_seed(0)) * 2
    result = result_of(zoo.Case(model, zoo.labelled(model, x)), CHECK, samples=4)
    tables = [t for t in result.tables if t.columns == ("column", "value", "rollout")]

    assert len(tables) == 4
    for table in tables:
        assert [float(row[1]) for row in table.rows] == sorted((float(row[1]) for row in table.rows), reverse=True)
    assert "The tokens are taken to be the columns in their order." in result.caveats
    assert measures(result, ROUTED)[""].value > 0.8
    assert result.tables[-1].rows[0][4] is None  # columns lie next to each other by chance


# ---- where it does not apply -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(set(zoo.ZOO) - {"attention"}))
def test_a_model_without_attention_says_so(name: str) -> None:
    assert not_applicable(zoo.ZOO[name](), CHECK).startswith("the model has no attention")


class Mixed(nn.Module):
    """Tokens of a picture or a row through one attention of some kind."""

    def __init__(self, tokens: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.tokens = tokens

    def forward(self, x: Tensor) -> Tensor:
        t = self.tokens(x)
        y = functional.scaled_dot_product_attention(t, t, t).reshape(len(x), -1).mean(1)
        return torch.stack([-y, y], 1)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (lambda x: x.reshape(-1, 1, 16, 1), "attention runs in windows (16 by 16 tokens)"),
        (lambda x: x.reshape(-1, 32, 2)[:, :23], "between 23 tokens, which are no grid on images of 8 x 8"),
    ],
)
def test_attention_without_a_map_of_the_image_says_so(tokens: Callable[[Tensor], Tensor], said: str) -> None:
    model = Model(Mixed(tokens), ("a", "b"))

    assert said in not_applicable(zoo.Case(model, zoo.labelled(model, zoo.images())), CHECK)


def test_a_table_whose_columns_are_not_the_tokens_says_so() -> None:
    model = Model(Mixed(lambda x: x.reshape(len(x), 2, 3)), ("a", "b"), bounds=(-5.0, 5.0))
    case = zoo.Case(model, zoo.labelled(model, torch.randn(24, 6)))

    assert not_applicable(case, CHECK) == "the model's attention is between 2 tokens; a row has 6 columns"


def test_a_model_that_returns_a_value_says_so() -> None:
    model = Model(nn.Linear(2, 1), (), output="value")
    data = Data.of(torch.randn(8, 2), torch.randn(8), columns=(Column("a", 0, 1), Column("b", 1, 2)))

    assert outcome_of(zoo.Case(model, data), CHECK).status is Status.NOT_APPLICABLE


# ---- a real model ------------------------------------------------------------------------------------------------
@needs_shared
def test_attention_of_a_real_transformer_is_only_partly_what_moves_it() -> None:
    """Measured on 64 images: 0.04 by rollout, 0.13 with gradients."""
    result = result_of(real("cifar10_vit_ibp"), CHECK, samples=16)

    for name in (ROUTED, SPEAKING):
        whole = measures(result, name)[""]
        assert whole.n == 16
        assert whole.high is not None and whole.high < 0.6  # far from the same order
    assert measures(result, "layers")[""].value == 3 and measures(result, "heads")[""].value == 9
    assert "17 tokens that the logit is read from" in result.caveats[1]
