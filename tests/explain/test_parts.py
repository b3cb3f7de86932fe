"""The parts of an input that tokens stand for, and the input without each of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.columns import Column
from auditor.errors import NotApplicable
from auditor.explain.parts import column_parts, drops, image_parts, text_parts
from auditor.subject import Model

IMAGE = torch.rand(2, 8, 12, generator=torch.Generator().manual_seed(0))


def read(tokens: int, *which: int) -> Tensor:
    """Only `which` are read, or all."""
    found = torch.zeros(tokens)
    found[list(which) or slice(None)] = 1
    return found / found.sum()


# ---- images ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("tokens", "alone", "patches"),
    [
        (6, (), range(6)),  # no class token
        (7, (0,), range(1, 7)),  # in front, and read
        (7, (), range(1, 7)),  # in front, and averaged with the rest
        (7, (6,), range(6)),  # behind, and read
        (8, (0, 1), range(2, 8)),  # one more to distil into
        (11, (0,), range(5, 11)),  # four registers
    ],
)
def test_tokens_of_an_image_are_a_grid_of_its_shape(tokens: int, alone: tuple[int, ...], patches: range) -> None:
    found = image_parts(IMAGE, read(tokens, *alone))

    assert found.grid == (2, 3)
    assert [t for t in range(tokens) if found.of_token[t] >= 0] == list(patches)
    assert found.of_token[list(patches)].tolist() == list(range(6))
    assert found.places[patches[4]].tolist() == [1, 1]
    assert int(found.places.isnan().any(1).sum()) == tokens - 6


def test_a_removed_patch_has_the_mean_colour_and_the_rest_stays() -> None:
    found = image_parts(IMAGE, read(6))
    expected = IMAGE.clone()
    expected[:, 4:, 4:8] = IMAGE.mean((1, 2))[:, None, None]

    assert found.without.shape == (6, 1, 2, 8, 12)
    assert torch.equal(found.without[4, 0], expected)


def test_more_than_64_patches_go_in_blocks_that_cover_the_image() -> None:
    image = torch.rand(1, 20, 20, generator=torch.Generator().manual_seed(0))
    found = image_parts(image, read(100))
    changed = (found.without[:, 0, 0] != image[0]).sum(0)

    assert (found.block, len(found.without)) == (2, 25)
    assert torch.equal(changed, torch.ones(20, 20, dtype=torch.long))  # each pixel is removed once
    assert found.sums(torch.ones(100)).tolist() == [4.0] * 25


@pytest.mark.parametrize("tokens", [5, 9, 23])
def test_tokens_that_are_no_grid_are_told(tokens: int) -> None:
    with pytest.raises(NotApplicable, match=f"between {tokens} tokens, which are no grid on images of 8 x 12"):
        image_parts(IMAGE, read(tokens))


# ---- texts -------------------------------------------------------------------------------------------------------
IDS = torch.tensor([101, 7, 8, 9, 102, -1, -1])
OF_TOKEN = np.array([-1, 0, 0, 1, -1, -1, -1])


@pytest.mark.parametrize("tokens", [5, 7])  # cut to the text, or with its padding
def test_a_removed_word_leaves_the_others_and_the_special_tokens(tokens: int) -> None:
    found = text_parts(IDS, OF_TOKEN, tokens)

    assert found.without[:, 0].tolist() == [[101, 9, 102, -1, -1, -1, -1], [101, 7, 8, 102, -1, -1, -1]]
    assert found.sums(torch.arange(tokens)).tolist() == [3.0, 3.0]  # tokens 1 and 2; token 3
    assert found.of_token.tolist() == OF_TOKEN[:tokens].tolist()


def test_long_texts_lose_neighbouring_words_together() -> None:
    found = text_parts(torch.arange(130), np.arange(130), 130)

    assert (found.block, len(found.without)) == (3, 44)
    assert found.without[1, 0, :6].tolist() == [0, 1, 2, 6, 7, 8]


def test_a_text_of_no_words_has_no_parts() -> None:
    found = text_parts(torch.tensor([101, 102, -1]), np.array([-1, -1, -1]), 2)

    assert len(found.without) == 0
    assert len(drops(Model(nn.Linear(3, 2), ("a", "b")), torch.zeros(3), 0, found, 4)) == 0


def test_another_number_of_tokens_is_told() -> None:
    with pytest.raises(NotApplicable, match="between 6 tokens; the text has 5"):
        text_parts(IDS, OF_TOKEN, 6)


# ---- columns -----------------------------------------------------------------------------------------------------
def test_a_removed_column_comes_from_each_other_row_in_turn() -> None:
    columns = (Column("a", 0, 1), Column("b", 1, 3, kind="category", values=("x", "y")))
    x, rows = torch.tensor([1.0, 1.0, 0.0]), torch.tensor([[5.0, 0.0, 1.0], [6.0, 0.0, 0.0]])
    found = column_parts(x, rows, columns, read(3, 2))

    assert found.of_token.tolist() == [0, 1, -1]
    assert found.without.tolist() == [
        [[5.0, 1.0, 0.0], [6.0, 1.0, 0.0]],
        [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
    ]


def test_the_drop_is_the_mean_over_those_rows() -> None:
    model = Model(nn.Linear(2, 2, bias=False), ("a", "b"))
    model.module.weight.data = torch.tensor([[0.0, 0.0], [2.0, -3.0]])
    columns = (Column("a", 0, 1), Column("b", 1, 2))
    x, rows = torch.tensor([4.0, 1.0]), torch.tensor([[0.0, 0.0], [2.0, 4.0]])

    found = drops(model, x, 1, column_parts(x, rows, columns, read(2)), size=3)

    assert found.tolist() == [2 * (4 - 1), -3 * (1 - 2)]
