"""explain.occlusion: drops counted by hand on columns and words, captum's map on images, two fills compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.explain.games import answers, column_game
from auditor.explain.occlusion import columns_of, disjoint, losses, row_game, spread, window_game, windows
from auditor.explained.samples import SPECIAL
from auditor.feeds import Tokens
from auditor.registry import CHECKS, Context
from auditor.subject import Data, Model
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, result_of

CHECK = "explain.occlusion"
PAD = 0


class Once(nn.Module):
    """Says yes where either of two columns is there: neither alone is missed."""

    def forward(self, x: Tensor) -> Tensor:
        yes = 20 * x.amax(1) - 10
        return torch.stack([-yes, yes], 1)


# ---- columns -----------------------------------------------------------------------------------------------------
def test_a_bar_is_the_mean_drop_over_the_background_with_its_interval() -> None:
    case = zoo.linear_table()
    x = case.data.read(np.arange(24))
    background = torch.randn(9, 3, generator=torch.Generator().manual_seed(3))
    reference = Data.of(background, torch.zeros(9).long())

    result = result_of(case, CHECK, reference, samples=2, background=9)

    for table in result.tables:
        assert table.columns == ("column", "value", "drop", "low", "high")
        row = int(table.title.removeprefix("row ").partition(":")[0])
        label = int(case.model(x[row][None]).argmax())
        for name, _, drop, low, high in table.rows:
            hidden = x[row].repeat(9, 1)
            hidden[:, int(str(name)[1:])] = background[:, int(str(name)[1:])]
            with torch.no_grad():
                p = case.model(torch.cat([x[row][None], hidden])).softmax(1)[:, label].double()
            drops = (p[0] - p[1:]).numpy()
            half = 2.306 * drops.std(ddof=1) / 3  # t of 8 degrees of freedom
            assert drop == pytest.approx(drops.mean(), abs=1e-6)
            assert (low, high) == pytest.approx((drops.mean() - half, drops.mean() + half), abs=1e-4)
    assert "9 rows of the reference data" in result.caveats[0]


def test_a_column_that_does_nothing_is_not_missed() -> None:
    for table in result_of(zoo.biased_table(), CHECK, samples=4).tables:
        drops = {row[0]: row[2] for row in table.rows}

        assert drops["skill"] == pytest.approx(0, abs=1e-7)
        assert abs(float(drops["group"] or 0)) > 0.2


def test_two_columns_that_say_the_same_get_nothing_and_a_caveat_says_so() -> None:
    both = Data.of(torch.cat([torch.ones(5, 2), torch.zeros(5, 2)]), torch.tensor([1] * 5 + [0] * 5))
    background = Data.of(torch.zeros(6, 2), torch.zeros(6).long())
    case = zoo.Case(Model(Once(), ("no", "yes")), both.at(np.arange(5)))

    result = result_of(case, CHECK, background, samples=3)

    assert measures(result, "largest_drop")[""].value == pytest.approx(0, abs=1e-6)
    assert any("In 3 of 3 rows no part alone moves the answer" in c for c in result.caveats)


def test_a_background_of_one_row_gives_no_interval_and_no_agreement() -> None:
    case = zoo.linear_table()
    result = result_of(case, CHECK, samples=2, background=1)

    assert all(t.columns == ("column", "value", "drop") for t in result.tables)
    assert measures(result, "fill_agreement")[""].value is None


def test_of_a_model_of_values_the_value_drops() -> None:
    head = nn.Linear(2, 1)
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 0.0]])
    case = zoo.Case(Model(head, (), output="value"), Data.of(x, torch.zeros(3)))

    result = result_of(case, CHECK, samples=3, background=3)

    for table in result.tables:
        row = int(table.title.removeprefix("row ").partition(":")[0])
        expected = (head.weight[0] * (x[row] - x.mean(0))).tolist()
        assert {str(r[0]): r[2] for r in table.rows} == pytest.approx(
            dict(zip(("x[0]", "x[1]"), expected, strict=True)), abs=1e-6
        )


# ---- texts -------------------------------------------------------------------------------------------------------
def test_a_word_is_taken_out_of_its_text() -> None:
    case = zoo.texts()
    result = result_of(case, CHECK, samples=0)
    for table in result.tables:
        row = int(table.title.removeprefix("row ").partition(":")[0])
        ids = case.data.read(np.array([row]))[0]
        kept = ids[ids >= 0].tolist()
        label = int(case.model(ids[None]).argmax())
        texts = [kept, *([t for j, t in enumerate(kept) if j != i] or [PAD] for i in range(len(kept)))]
        padded = torch.tensor([t + [-1] * (6 - len(t)) for t in texts])
        p = answers(case.model, padded, torch.full((len(texts),), label), 64)

        assert [r[1] for r in table.rows[: len(kept)]] == pytest.approx((p[0] - p[1:]).tolist(), abs=1e-6)


def test_where_no_token_fills_texts_there_is_one_way_of_hiding_words() -> None:
    case = zoo.texts()
    feed = case.model.feed
    assert isinstance(feed, Tokens)
    filled = result_of(case, CHECK, samples=6)
    alone = result_of(zoo.Case(replace(case.model, feed=feed.__call__), case.data), CHECK, samples=6)

    assert -1 <= measures(filled, "fill_agreement")[""].value <= 1
    assert measures(alone, "fill_agreement")[""].value is None
    several = [i for i, t in enumerate(alone.tables) if len(t.rows) > 1 and t.rows[1][0] != SPECIAL]
    assert [alone.tables[i].rows for i in several] == [filled.tables[i].rows for i in several]
    # the mean of no words is no number, and no token stands for it
    assert any("the model gives no number without some part" in c for c in alone.caveats)
    assert any(t.rows[0][1] is None for t in alone.tables)


# ---- images ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("cells", "side"), [(8, 2), (8, 3), (4, 1), (4, 2)])
def test_the_map_is_that_of_captum(cells: int, side: int) -> None:
    from captum.attr import Occlusion

    case = zoo.ZOO["residual"]()
    image = zoo.images()[5]
    fill = image.mean((1, 2), keepdim=True).expand_as(image)
    covers = windows(8, 8, cells, side)
    with torch.no_grad(), case.model.frozen():
        (left,) = losses(case.model, [window_game(image, fill, covers, 1)], 7)
        whole = answers(case.model, image[None], torch.tensor([1]), 1)
        pixels = 8 // cells
        expected = Occlusion(lambda x: case.model(x).softmax(1)).attribute(
            image[None], (1, side * pixels, side * pixels), (1, pixels, pixels), baselines=fill[None], target=1
        )

    found = np.kron(spread(whole - left, covers), np.ones((pixels, pixels)))
    assert found == pytest.approx(expected[0, 0].numpy(), abs=1e-6)


def test_nothing_drops_where_no_square_touches_the_planted_patch() -> None:
    case = zoo.planted_patch()
    arrays = arrays_of(case.model, case.data, CHECK, samples=6, cells=14)
    maps = [a for name, a in arrays.items() if name.startswith(f"{CHECK}/row")]
    near = np.zeros((8, 8), bool)
    near[0:5, 3:8] = True  # a square of two pixels reaches one beyond

    assert len(maps) == 6
    for shares in maps:
        assert np.abs(shares[~near]).max() < 1e-6
        assert shares[zoo.PATCH].min() > 0


@pytest.mark.parametrize(
    ("shape", "cells", "side", "grid", "number"),
    [
        ((224, 224), 14, 2, (14, 14), 169),
        ((20, 40), 10, 2, (10, 20), 9 * 19),
        ((3, 9), 14, 2, (3, 9), 2 * 8),
        ((1, 1), 14, 2, (1, 1), 1),
        ((2, 900), 14, 32, (2, 64), 33),
    ],
)
def test_squares_cover_every_cell_of_any_image(
    shape: tuple[int, int], cells: int, side: int, grid: tuple[int, int], number: int
) -> None:
    covers = windows(*shape, cells, side)

    assert covers.shape == (number, *grid)
    assert covers.any(0).all()
    alone = covers[disjoint(covers)]
    assert alone.sum(0).max() == 1
    assert len(alone) == (grid[0] // min(side, grid[0])) * (grid[1] // min(side, grid[1]))
    assert (covers.sum((1, 2)) == min(side, grid[0]) * min(side, grid[1])).all()


def test_two_fills_that_agree_and_two_that_do_not() -> None:
    patch = result_of(zoo.planted_patch(), CHECK, samples=6)
    none = result_of(zoo.ZOO["constant"](), CHECK, samples=3)

    assert measures(patch, "fill_agreement")[""].value > 0.8
    assert measures(none, "fill_agreement")[""].value is None
    assert any("In 3 of 3 rows no part alone" in c for c in none.caveats)


class Edges(nn.Module):
    """Says yes by how much neighbouring pixels differ: a flat square makes edges of its own, a blurred one fewer."""

    def forward(self, x: Tensor) -> Tensor:
        yes = 40 * ((x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3)) - 0.1)
        return torch.stack([-yes, yes], 1)


def test_where_the_order_depends_on_the_fill_a_caveat_says_so() -> None:
    ramp = torch.linspace(0, 1, 16)[None, None, None].expand(6, 1, 16, 16) ** torch.arange(1, 7)[:, None, None, None]
    case = zoo.Case(Model(Edges(), ("flat", "rough")), Data.of(ramp.contiguous(), torch.tensor([0, 1] * 3)))
    result = result_of(case, CHECK, samples=6)

    assert measures(result, "fill_agreement")[""].value < 0.5
    assert any("two ways of hiding agree by less than 0.5" in c for c in result.caveats)


def test_inputs_that_are_no_pictures_columns_or_words_are_none_of_its_business() -> None:
    model = Model(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), ("a", "b"))
    case = zoo.Case(model, Data.of(torch.rand(6, 3, 4), torch.zeros(6).long()))

    assert "neither images nor rows of columns" in not_applicable(case, CHECK)


# ---- many parts, few at once -------------------------------------------------------------------------------------
def test_rows_of_500_columns_go_through_the_model_a_batch_at_a_time() -> None:
    x = torch.randn(12, 500, generator=torch.Generator().manual_seed(0))
    x[:, 7] = 1.0  # a constant column
    seen: list[int] = []

    def counted(x: Tensor) -> Tensor:
        seen.append(len(x))
        return x

    model = Model(nn.Linear(500, 2), ("a", "b"), feed=counted)
    ctx = Context(model, Data.of(x, torch.zeros(12).long()), batch_size=64, check=CHECK)

    result = CHECKS[CHECK].run(ctx, samples=2, cells=14, window=2, background=5)

    assert max(seen) == 64
    assert sum(n for n in seen if n == 64) > 0.95 * 2 * 5 * 500  # batches are full
    for table in result.tables:
        assert table.rows[-1][0] == "488 further columns"
        assert "x[7]" not in {row[0] for row in table.rows}


def test_one_row_of_the_background_is_a_column_game_with_that_row() -> None:
    case = zoo.categories()
    x = case.data.read(np.arange(9))
    of_element = columns_of(case.data.columns, 5)

    assert of_element.tolist() == [0, 1, 2, 2, 2]
    present = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(bool)
    for row in x[1:]:
        alone = column_game(x[0], row[None], case.data.columns, 1).show(present)
        assert torch.equal(row_game(x[0], row, of_element, 3, 1).show(present), alone)
