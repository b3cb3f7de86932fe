"""Games of parts: who is absent is replaced as said, and many games share batches without a difference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.columns import Column
from auditor.data.words import sentences
from auditor.errors import NotApplicable
from auditor.explain.games import Game, answers, column_game, image_game, play, play_finite, text_game
from auditor.explain.players import alike
from auditor.subject import Model
from tests import zoo


class Sizes(nn.Module):
    """Notes how many inputs it was given at once."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        return self.inner(x)


def everybody(players: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """All coalitions."""
    return (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(bool)


def test_an_absent_column_comes_from_every_row_of_the_background() -> None:
    case = zoo.linear_table()
    x, background = case.data.read(np.arange(1))[0], case.data.read(np.arange(3, 7))
    game = column_game(x, background, case.data.columns, 1)

    (found,) = play(case.model, [game], [np.array([[1, 1, 1], [0, 0, 0], [1, 0, 1]], bool)], 5)

    mixed = background.clone()
    mixed[:, 0], mixed[:, 2] = x[0], x[2]
    expected = [
        answers(case.model, rows, torch.ones(len(rows)).long(), 9).mean() for rows in (x[None], background, mixed)
    ]
    assert found == pytest.approx(expected, abs=1e-7)


def test_columns_of_one_player_come_and_go_together() -> None:
    case = zoo.categories()
    x, background = case.data.read(np.arange(1))[0], case.data.read(np.arange(5, 6))
    shown = column_game(x, background, case.data.columns, 0, [[0, 2], [1]]).show(np.array([[True, False]]))

    assert shown[0, 0].tolist() == [x[0], background[0, 1], *x[2:]]


def test_an_absent_word_is_taken_out_of_the_text_and_special_tokens_stay() -> None:
    ids = torch.tensor([90, 11, 12, 21, 31, 91, -1, -1])
    game = text_game(ids, np.array([-1, 0, 0, 1, 2, -1, -1, -1]), 0)

    shown = game.show(np.array([[True, True, True], [False, True, False], [False, False, False]]))

    assert game.players == 3
    assert shown[:, 0].tolist() == [
        ids.tolist(),
        [90, 21, 91, -1, -1, -1, -1, -1],
        [90, 91, -1, -1, -1, -1, -1, -1],
    ]


def test_a_text_of_which_nothing_is_left_is_one_padding_token() -> None:
    ids = torch.tensor([11, 12, -1])

    nothing, one = text_game(ids, np.array([0, 1, -1]), 0, 7).show(np.array([[False, False], [False, True]]))[:, 0]

    assert (nothing.tolist(), one.tolist()) == ([7, -1, -1], [12, -1, -1])
    assert text_game(ids, np.array([0, 1, -1]), 0).show(np.array([[False, False]]))[0, 0].tolist() == [-1, -1, -1]


def test_an_answer_that_is_no_number_is_refused_in_words() -> None:
    model = Model(nn.Sequential(nn.Linear(2, 2)), ("a", "b"))
    game = Game(2, 0, lambda present: torch.full((len(present), 1, 2), torch.inf))

    assert np.isnan(play(model, [game], [everybody(2)], 2)[0]).all()
    with pytest.raises(NotApplicable, match="no finite answer"):
        play_finite(model, [game], [everybody(2)], 2)


def test_an_absent_part_of_an_image_has_its_mean_colour() -> None:
    image = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0))
    halves = np.repeat([[0, 0, 1, 1]], 4, 0)

    (shown,) = image_game(image, halves, 0).show(np.array([[True, False]]))

    assert torch.equal(shown[0, :, :, :2], image[:, :, :2])
    assert torch.allclose(shown[0, :, :, 2:], image.mean((1, 2))[:, None, None].expand(3, 4, 2))


@pytest.mark.parametrize("rows", [1, 7, 64, 10_000])
def test_many_games_share_batches_of_the_size_asked_for_and_answer_as_alone(rows: int) -> None:
    case = zoo.categories()
    module = Sizes(case.model.module)
    model = Model(module, case.model.classes)
    x = case.data.read(np.arange(24))
    games = [column_game(x[i], x[10 : 10 + n], case.data.columns, i % 2) for i, n in enumerate((1, 4, 9))]
    coalitions = [everybody(3), everybody(3)[:5], everybody(3)[2:4]]

    together = play(model, games, coalitions, rows)

    alone = [play(case.model, [g], [c], 10_000)[0] for g, c in zip(games, coalitions, strict=True)]
    assert all(a == pytest.approx(b, abs=1e-6) for a, b in zip(together, alone, strict=True))
    assert max(module.seen) <= rows
    assert sum(module.seen) == 8 * 1 + 5 * 4 + 2 * 9
    if rows == 64:  # 46 inputs in one batch
        assert module.seen == [46]


def test_a_game_without_coalitions_and_a_model_of_values() -> None:
    model = Model(nn.Linear(2, 1), (), output="value")
    x = torch.tensor([1.0, 2.0])
    game = Game(2, 0, lambda present: torch.from_numpy(present.astype(np.float32))[:, None] * x)

    nothing, found = play(model, [game, game], [np.zeros((0, 2), bool), everybody(2)], 3)

    w, b = model.module.weight[0].tolist(), model.module.bias.item()
    assert len(nothing) == 0
    assert found == pytest.approx([b, b + w[0], b + 2 * w[1], b + w[0] + 2 * w[1]], abs=1e-6)


# ---- who plays ---------------------------------------------------------------------------------------------------
def test_columns_that_move_together_are_one_player() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 400))
    flag = (a > 0).astype(float)
    rows = torch.from_numpy(np.stack([a, b, np.exp(-a), flag, np.ones(400), 1 - flag, flag], 1)).float()
    columns = (*(Column(n, i, i + 1) for i, n in enumerate("abcfk")), Column("city", 5, 7, "category", ("x", "y")))

    assert alike(rows, columns, 0.9) == [[0, 2], [1], [3], [4], [5]]  # a category and a constant stay alone
    assert alike(rows, columns, 0.8) == [[0, 2, 3], [1], [4], [5]]
    assert alike(rows, columns, 1.0) == [[i] for i in range(6)]


@pytest.mark.parametrize("seed", range(20))
def test_copies_are_alone_unless_they_are_asked_together(seed: int) -> None:
    """Rounding takes the correlation of copies past 1."""
    a = np.random.default_rng(seed).normal(size=97 + seed)
    rows, columns = (
        torch.from_numpy(np.stack([a, -a, a], 1)).float(),
        tuple(Column(n, i, i + 1) for i, n in enumerate("abc")),
    )

    assert alike(rows, columns, 1.0) == [[0], [1], [2]]
    assert alike(rows, columns, 0.999) == [[0, 1, 2]]


def test_sentences_end_with_their_stop_and_what_closes_it() -> None:
    words = ["He", "said", '"', "no", ".", '"', "Then", "?", "!", "3.5", "is", "it"]

    names, of_word = sentences(words)

    assert names == ('He said " no . "', "Then ? !", "3.5 is it")
    assert of_word.tolist() == [0] * 6 + [1] * 3 + [2] * 3
    assert sentences(["alone"])[0] == ("alone",)
