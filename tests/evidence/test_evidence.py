"""What the evidence is made of: curves, subsets, imputation, entropy, agreement, each against its definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from auditor.errors import NotApplicable
from auditor.evidence.agreement import same_signs, same_strongest
from auditor.evidence.compared import compared
from auditor.evidence.controls import by_edges, by_length, by_oddness
from auditor.evidence.curves import area, best_first, fractions
from auditor.evidence.randomised import entropy_rise, histogram_entropy, randomised
from auditor.evidence.road import imputed, road_game
from auditor.evidence.subsets import infidelity, random_subsets, sensitivity_n
from auditor.explain.segments import cells
from auditor.subject import Model

CHANCE = np.random.default_rng(0)


# ---- curves ------------------------------------------------------------------------------------------------------
def test_the_best_parts_come_first_and_the_area_is_the_mean_of_the_curve() -> None:
    scores = np.array([0.1, 3.0, -2.0, 3.0])
    reached = fractions(4, 4)

    taken = best_first(scores, reached)

    assert reached.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert taken.astype(int).tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1]]
    assert area(reached, np.array([1.0, 0.5, 0.5, 0.0, 0.0])) == pytest.approx((0.75 + 0.5 + 0.25 + 0) / 4)


def test_few_players_are_reached_one_by_one_and_many_in_whole_players() -> None:
    assert fractions(2, 10).tolist() == [0, 0.5, 1]
    assert (fractions(196, 10) * 196 % 1).max() < 1e-9


# ---- subsets -----------------------------------------------------------------------------------------------------
def test_shares_that_add_up_are_exact_whatever_their_scale_and_others_are_not() -> None:
    """A linear game: hiding a subset takes away the sum of its shares."""
    shares = CHANCE.normal(size=20)
    hidden = np.concatenate(random_subsets(20, 40, 1))
    drops = hidden @ shares

    assert infidelity(hidden @ (7 * shares), drops) == pytest.approx(0, abs=1e-12)
    assert sensitivity_n(hidden @ (7 * shares), drops) == pytest.approx(1)
    assert sensitivity_n(hidden @ -shares, drops) == pytest.approx(-1)
    assert infidelity(np.zeros(len(hidden)), hidden @ np.arange(20)) == 1  # whole numbers add up alike in any order
    assert infidelity(hidden @ CHANCE.normal(size=20), drops) > 0.5


def test_without_a_change_there_is_nothing_to_say() -> None:
    assert infidelity(np.ones(5), np.zeros(5)) is None
    assert sensitivity_n(np.arange(5.0), np.full(5, 1e-9)) is None
    assert sensitivity_n(np.ones(5), np.arange(5.0)) is None


def test_subsets_have_their_sizes_and_are_never_everybody() -> None:
    assert [int(s.sum(1).max()) for s in random_subsets(20, 9, 0)] == [2, 6, 10]
    assert [int(s.sum(1).min()) for s in random_subsets(2, 9, 0)] == [1]
    assert all((s.sum(1) == s[0].sum()).all() for s in random_subsets(7, 50, 3))


# ---- ROAD --------------------------------------------------------------------------------------------------------
def test_a_hidden_pixel_is_the_weighted_mean_of_its_neighbours() -> None:
    image = CHANCE.random((2, 4, 5))
    hidden = np.zeros((4, 5), bool)
    hidden[1, 2] = hidden[0, 0] = True

    found = imputed(image, hidden)

    sides, corners = [(0, 2), (2, 2), (1, 1), (1, 3)], [(0, 1), (0, 3), (2, 1), (2, 3)]
    expected = sum(image[:, *p] for p in sides) / 6 + sum(image[:, *p] for p in corners) / 12
    assert found[:, 1, 2] == pytest.approx(expected)
    assert found[:, 0, 0] == pytest.approx((2 * image[:, 0, 1] + 2 * image[:, 1, 0] + image[:, 1, 1]) / 5)
    assert np.array_equal(found[:, ~hidden], image[:, ~hidden])


def test_a_plane_is_filled_in_as_it_was_and_a_whole_image_by_its_mean() -> None:
    y, x = np.mgrid[:9, :9]
    plane = (0.3 * y + 0.1 * x)[None].astype(float)
    hidden = np.zeros((9, 9), bool)
    hidden[3:6, 2:7] = True

    assert imputed(plane, hidden) == pytest.approx(plane)
    assert imputed(plane, np.ones((9, 9), bool)) == pytest.approx(np.full((1, 9, 9), plane.mean()))


def test_a_large_image_is_filled_in_on_a_coarse_grid_where_it_is_hidden_alone() -> None:
    image = torch.rand(3, 70, 50, generator=torch.Generator().manual_seed(0))
    parts = cells(70, 50, 14)
    present = np.ones((1, parts.max() + 1), bool)
    present[0, 10] = False

    shown = road_game(image, parts, 0, 1).show(present)[0, 0]

    inside = torch.from_numpy(parts == 10)
    assert torch.equal(shown[:, ~inside], image[:, ~inside])
    assert not torch.equal(shown[:, inside], image[:, inside])
    assert torch.allclose(shown[:, inside].mean(1), image.mean((1, 2)), atol=0.15)


# ---- the weights -------------------------------------------------------------------------------------------------
class Scaled(nn.Module):
    """A layer, and a weight of its own that no method resets."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(3, 3), nn.Parameter(torch.tensor([5.0, 5.0, 5.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) * self.scale


def test_layers_become_random_from_the_input_on_and_the_model_stays_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 2))
    before = {n: p.clone() for n, p in module.state_dict().items()}
    changed = [
        {n.partition(".")[0] for n, p in randomised(Model(module, ("a", "b")), part, 3).module.state_dict().items()
         if not torch.equal(p, before[n])}
        for part in (1 / 3, 2 / 3, 1.0)
    ]  # fmt: skip

    assert changed == [{"0"}, {"0", "2"}, {"0", "2", "3"}]
    assert all(torch.equal(p, before[n]) for n, p in module.state_dict().items())


def test_the_same_seed_gives_the_same_weights_and_weights_of_its_own_keep_their_size() -> None:
    model = Model(Scaled(), ("a", "b", "c"))
    one, again, other = (randomised(model, 1.0, seed).module.state_dict() for seed in (1, 1, 2))

    assert all(torch.equal(one[n], again[n]) for n in one)
    assert not torch.equal(one["layer.weight"], other["layer.weight"])
    assert one["scale"].tolist() == [5, 5, 5]  # their deviation is 0


def test_programs_become_random_too_and_what_cannot_be_copied_is_refused() -> None:
    program = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)))
    found = randomised(Model(program, ("a", "b")), 1.0, 0).module

    assert not torch.equal(found.state_dict()["0.weight"], program.state_dict()["0.weight"])

    class Single(nn.Linear):
        def __deepcopy__(self, memo: object) -> None:
            raise RuntimeError("there is one of me")

    with pytest.raises(NotApplicable, match="cannot be copied"):
        randomised(Model(Single(2, 2), ("a", "b")), 1.0, 0)


def test_the_entropy_of_a_map_rises_when_it_spreads() -> None:
    spread, peaked = np.linspace(0, 1, 196), np.eye(1, 196)[0]

    assert histogram_entropy(spread) == pytest.approx(np.log(100), abs=0.02)
    assert histogram_entropy(np.zeros(9)) == 0
    assert entropy_rise(peaked, spread) > 1
    assert entropy_rise(spread, peaked) < -0.9
    assert entropy_rise(np.zeros(9), spread) is None


# ---- agreement, controls, comparison -----------------------------------------------------------------------------
def test_agreement_counts_the_strongest_in_common_and_their_signs() -> None:
    a, b = np.array([5.0, -4.0, 3.0, 0.0]), np.array([5.0, 4.0, -1.0, 3.0])

    assert same_strongest(a, b, 2) == 0.5  # 0, 2 and 0, 1
    assert same_strongest(a, b, 9) == 1
    assert same_signs(a, b, 2) == 0.5  # both name 0 and 1
    assert same_signs(np.array([1.0, 0]), np.array([0, 1.0]), 1) is None


def test_controls_know_the_input_alone() -> None:
    image = torch.zeros(1, 4, 4)
    image[0, :, 3] = 1
    halves = np.repeat([[0, 0, 1, 1]], 4, 0)

    assert by_edges(image, halves).tolist() == [0, 4]
    assert by_oddness(np.array([4.0, 1.0]), np.array([[0.0, 1.0], [2.0, 1.0]])).tolist() == [3, 0]
    assert by_length(["a", "long"]).tolist() == [1, 4]


def test_better_is_significant_on_the_same_rows_and_held_for_all_methods_together() -> None:
    rival = CHANCE.normal(size=12)
    values = {"better": rival + np.linspace(0.1, 1, 12), "same": rival.copy(), "worse": rival - 1}
    beside = compared({m: v.tolist() for m, v in values.items()}, dict.fromkeys(values, rival.tolist()), 1)

    assert beside["better"].is_better and not beside["better"].is_worse
    assert beside["worse"].is_worse and not beside["worse"].is_better
    assert not beside["same"].is_better and not beside["same"].is_worse and beside["same"].wins == 6
    assert beside["better"].p_better == pytest.approx(3 / 2**12)  # all of twelve, for three methods
    lower = compared({"better": values["better"].tolist()}, {"better": rival.tolist()}, -1)
    assert lower["better"].is_worse


def test_few_rows_decide_nothing_however_clear_they_are() -> None:
    four = compared({m: [1.0] * 4 for m in "ab"}, {m: [0.1, 0.2, 0.3, None] for m in "ab"}, 1)

    assert [c.n for c in four.values()] == [3, 3]
    assert not any(c.is_better for c in four.values())


def test_every_order_of_a_game_is_worst_deleted_by_the_true_one() -> None:
    """Of all orders of four additive parts the true one has the lowest deletion and the highest insertion area."""
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    reached = fractions(4, 4)

    def deletion(scores: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        return area(reached, (~best_first(scores, reached)) @ shares)

    every = [deletion(np.array(p, float)) for p in itertools.permutations(range(4))]
    assert deletion(shares) == pytest.approx(min(every))
    assert deletion(-shares) == pytest.approx(max(every))
