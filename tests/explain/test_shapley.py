"""Shapley values against their definition, their axioms, and intervals against how often they hold the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest

from auditor.explain.coalitions import all_coalitions, design, fewest_pairs
from auditor.explain.odd_games import covariance, shares, weights
from auditor.explain.shapley import T9, Play, Request, Shapley, certain_order, certain_set, exact, shapley

Array = np.ndarray[Any, Any]
Game = Callable[[Array], Array]


def defined(game: Game, n: int) -> Array:
    """Shapley values by their definition, over all coalitions."""
    phi = np.zeros(n)
    for i in range(n):
        others = [p for p in range(n) if p != i]
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for coalition in combinations(others, size):
                z = np.zeros((2, n))
                z[:, list(coalition)] = 1
                z[1, i] = 1
                without, joined = game(z)
                phi[i] += weight * (joined - without)
    return phi


def curved(z: Array) -> Array:
    """A game with interactions; player 3 does nothing, players 0 and 1 are alike."""
    z = z.astype(float)
    return np.tanh(z[:, 0] + z[:, 1] + 2 * z[:, 2] * z[:, 4]) + z[:, 0] * z[:, 1] - 0.5 * z[:, 4] + z[:, 5:].sum(1) ** 2


def network(n: int, seed: int) -> Game:
    """A random game with interactions of all orders: a small net of the players and a product of four."""
    rng = np.random.default_rng(seed)
    first, bias, second = rng.normal(size=(n, 6)) / 2, rng.normal(size=6), rng.normal(size=6)
    four = rng.permutation(n)[:4]

    def game(z: Array) -> Array:
        z = z.astype(float)
        return np.tanh(z @ first + bias) @ second + z[:, four].prod(1)

    return game


def playing(*games: Game, asked: list[Sequence[Request]] | None = None) -> Play:
    def play(requests: Sequence[Request]) -> Iterable[Array]:
        if asked is not None:
            asked.append(requests)
        return [games[r.game](r.coalitions) for r in requests]

    return play


def one(game: Game, n: int, *, first: int = 0, most: int = 0, seed: int = 0) -> Shapley:
    return shapley(playing(game), [n], first=first, most=most, seed=seed)[0]


# ---- exact values ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [5, 6, 8])
def test_values_of_all_coalitions_give_what_the_definition_gives(n: int) -> None:
    assert exact(curved(all_coalitions(n))) == pytest.approx(defined(curved, n), abs=1e-12)


def test_many_games_at_once_are_each_as_alone_and_values_are_linear() -> None:
    z = all_coalitions(6)
    values = np.stack([curved(z), network(6, 0)(z), curved(z) - 3 * network(6, 0)(z)])

    found = exact(values)

    assert found.shape == (3, 6)
    assert np.array_equal(found[1], exact(values[1]))
    assert found[2] == pytest.approx(found[0] - 3 * found[1], abs=1e-12)


def test_exact_refuses_what_is_no_game() -> None:
    for length in (1, 6):
        with pytest.raises(ValueError, match=f"2\\^n of at least one player, found {length}"):
            exact(np.zeros(length))


def test_few_players_are_counted_exactly_with_no_error() -> None:
    found = one(curved, 7, most=128)

    assert found.values == pytest.approx(defined(curved, 7), abs=1e-12)
    assert found.exact and found.settled and found.calls == 128
    assert not found.standard_error.any()
    assert found.values.sum() == pytest.approx(found.value - found.base, abs=1e-12)
    assert found.values[0] == pytest.approx(found.values[1])
    assert found.values[3] == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_one_to_three_players_are_counted_whatever_the_budget(n: int) -> None:
    def game(z: Array) -> Array:
        return np.exp(z.sum(1)) + z[:, 0]

    found = one(game, n, most=2)

    assert found.exact
    assert found.values == pytest.approx(defined(game, n))


# ---- coalitions --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [7, 14, 30])
def test_more_pairs_begin_with_the_same_and_no_coalition_comes_twice(n: int) -> None:
    few, many = design(n, fewest_pairs(n), 3).coalitions, design(n, 2 * fewest_pairs(n) + 1, 3).coalitions

    assert np.array_equal(many[: len(few)], few)
    both = np.concatenate([many, ~many])
    assert len(np.unique(both, axis=0)) == len(both)
    assert both.any(1).all() and not both.all(1).any()


def test_sizes_come_equally_often_until_a_size_has_no_more() -> None:
    """15 players: 7 sizes of the smaller coalition; 15 pairs have one player on a side, 105 two."""
    counts = np.bincount(design(15, 105, 0).coalitions.sum(1), minlength=8)[1:]
    more = np.bincount(design(15, 500, 0).coalitions.sum(1), minlength=8)[1:]

    assert counts.tolist() == [15] * 7
    assert more[0] == 15 and more[1:].max() - more[1:].min() <= 1


def test_all_pairs_but_the_last_come_when_all_are_asked_for() -> None:
    found = design(6, 31, 0).coalitions

    assert len(np.unique(np.concatenate([found, ~found]), axis=0)) == 62


def test_all_pairs_give_the_exact_values() -> None:
    game = network(8, 2)
    d = design(8, 127, 0)
    assert np.abs(d.errors).max() < 1e-4
    odd = (
        np.concatenate(
            [[game(np.ones((1, 8)))[0] - game(np.zeros((1, 8)))[0]], game(d.coalitions) - game(~d.coalitions)]
        )
        / 2
    )

    assert odd @ d.weights == pytest.approx(defined(game, 8), abs=1e-7)


def test_errors_are_what_a_design_without_a_group_changes_in_units_of_what_the_model_expects() -> None:
    """By an independent way: the block system of Kriging with a trend, solved at once for the pairs that are left."""
    n, groups = 9, np.arange(-1, 60) % 10
    groups[0] = -1
    signs = np.vstack([np.ones(n), 2.0 * design(n, 60, 1).coalitions - 1])
    found, errors = weights(signs, groups)

    def kriged(kept: Array) -> tuple[Array, Array]:
        y, size = signs[kept], len(kept)
        system = np.block([[covariance(y, y), y], [y.T, np.zeros((n, n))]])
        wanted = np.vstack([shares(y), 2 * np.eye(n)])
        solved = np.linalg.solve(system, wanted)
        full = np.zeros_like(found)
        full[kept] = solved[:size]
        return full, (wanted * solved).sum(0)  # the variance up to a constant that differences lose

    whole, known = kriged(np.arange(61))
    assert found == pytest.approx(whole, abs=1e-8)
    z = 2.0 * all_coalitions(n) - 1
    random_game = exact(exact(covariance(z, z)).T)  # covariance of the Shapley values, by enumeration
    for g in range(10):
        without, less = kriged(np.flatnonzero(groups != g))
        unit = (random_game.diagonal() - known) / (known - less)
        assert errors[g] == pytest.approx((without - whole) * np.sqrt(unit / 10), abs=1e-8)


# ---- estimates ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [17, 30, 500])
def test_an_additive_game_is_exact_from_the_first_round(n: int) -> None:
    effects = np.linspace(-1, 2, n)

    found = one(lambda z: 0.3 + z @ effects, n)

    assert found.values == pytest.approx(effects, abs=1e-9)
    assert found.standard_error.max() < 1e-9
    assert found.settled and not found.exact
    assert found.calls == 2 * fewest_pairs(n) + 2


def test_values_sum_to_the_difference_of_the_ends_and_are_linear_in_the_game() -> None:
    a, b = network(20, 0), network(20, 1)

    of_a, of_b, of_both = (one(g, 20, most=80) for g in (a, b, lambda z: 2 * a(z) - b(z)))

    for found in (of_a, of_b, of_both):
        assert found.values.sum() == pytest.approx(found.value - found.base, abs=1e-12)
    assert of_both.values == pytest.approx(2 * of_a.values - of_b.values, abs=1e-12)


def test_alike_players_agree_within_their_errors_and_a_dummy_covers_zero() -> None:
    found = one(curved, 18, first=100, most=400)

    assert not found.exact and found.standard_error.max() > 0
    assert abs(found.values[0] - found.values[1]) <= T9 * np.hypot(*found.standard_error[:2])
    assert abs(found.values[3]) <= T9 * found.standard_error[3]


def test_rounds_double_until_settled_and_play_only_what_is_new() -> None:
    asked: list[Sequence[Request]] = []

    found = shapley(playing(network(24, 3), asked=asked), [24], first=64, most=4000, seed=0)[0]

    rounds = [len(r[0].coalitions) for r in asked]
    assert rounds[:3] == [2, 64, 64]
    assert rounds[3:] == [128 * 2**i for i in range(len(rounds) - 3)]
    assert found.settled and found.calls == sum(rounds) < 4000
    assert found.standard_error.max() <= 0.05 * np.abs(found.values).max()
    played = np.concatenate([r[0].coalitions for r in asked])
    assert len(np.unique(played, axis=0)) == len(played)


def test_only_games_that_are_not_settled_play_on_and_the_budget_ends_them() -> None:
    asked: list[Sequence[Request]] = []

    def rough(z: Array) -> Array:
        return np.cos(z @ np.arange(20) ** 2)

    easy, hard = shapley(playing(lambda z: z @ np.ones(20), rough, asked=asked), [20, 20], first=60, most=300, seed=0)

    assert [[r.game for r in requests] for requests in asked] == [[0, 1], [0, 1], [1], [1], [1]]
    assert easy.settled and not hard.settled
    assert hard.calls == 300
    assert hard.standard_error.max() > 0.05 * np.abs(hard.values).max()


def test_a_constant_game_is_settled_at_once_with_zeros() -> None:
    found = one(lambda z: np.full(len(z), 0.1), 40, most=5000)

    assert found.settled and found.calls == 2 * fewest_pairs(40) + 2
    assert not found.values.any() and not found.standard_error.any()


def test_a_constant_game_with_the_rounding_of_float32_is_settled_too() -> None:
    noise = np.random.default_rng(0)

    found = one(lambda z: 0.1 + 1e-8 * noise.normal(size=len(z)), 40, most=5000)

    assert found.settled and found.calls == 2 * fewest_pairs(40) + 2
    assert np.abs(found.values).max() < 1e-6


def test_the_same_seed_gives_the_same_values_another_does_not() -> None:
    game = network(20, 5)

    first, again, other = (one(game, 20, most=60, seed=s) for s in (7, 7, 8))

    assert np.array_equal(first.values, again.values)
    assert not np.array_equal(first.values, other.values)


def test_games_at_once_are_each_as_alone() -> None:
    games, players = [network(20, 0), network(7, 1), network(33, 2), lambda z: z.sum(1) * 0.0], [20, 7, 33, 20]

    together = shapley(playing(*games), players, first=80, most=500, seed=2)

    for game, n, found in zip(games, players, together, strict=True):
        alone = one(game, n, first=80, most=500, seed=2)
        assert np.array_equal(found.values, alone.values)
        assert np.array_equal(found.standard_error, alone.standard_error)
        assert (found.calls, found.exact, found.settled) == (alone.calls, alone.exact, alone.settled)


def test_a_game_of_parts_has_the_mean_of_their_values_and_each_part_coalitions_of_its_own() -> None:
    games = [network(18, s) for s in range(4)]
    asked: list[Request] = []

    def play(requests: Sequence[Request]) -> Iterable[Array]:
        asked.extend(requests)
        return [games[r.part](r.coalitions) for r in requests]

    found = shapley(play, [18], first=200, most=200, seed=0, parts=4)[0]

    truth = np.mean([exact(g(all_coalitions(18))) for g in games], 0)
    assert found.values.sum() == pytest.approx(found.value - found.base, abs=1e-12)
    assert found.value == pytest.approx(np.mean([g(np.ones((1, 18))) for g in games]))
    assert (np.abs(found.values - truth) <= 2 * T9 * found.standard_error).all()
    assert [r.part for r in asked] == [0, 1, 2, 3] * 2
    assert not np.array_equal(asked[4].coalitions, asked[5].coalitions)


def test_bad_requests_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="at least one player and one part, found 0 and 1"):
        one(curved, 0)
    with pytest.raises(ValueError, match="one a coalition"):
        shapley(lambda requests: [np.zeros(3) for _ in requests], [4], first=8, most=16, seed=0)


# ---- intervals ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("first", "parts"), [(30, 1), (60, 1), (120, 1), (60, 5)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(first: int, parts: int) -> None:
    """240 random games of 10 players: 95 % intervals hold 90 to 99 % of the exact values."""
    n, count = 10, 240
    values = np.stack([[network(n, 1000 * p + s)(all_coalitions(n)) for p in range(parts)] for s in range(count)])
    truth = exact(values.mean(1))
    place = 1 << np.arange(n)
    held = []
    for seed in range(12):
        games = range(seed * 20, seed * 20 + 20)

        def play(requests: Sequence[Request]) -> Iterable[Array]:
            return [values[games[r.game], r.part, r.coalitions @ place] for r in requests]  # noqa: B023 - used at once

        found = shapley(play, [n] * 20, first=first, most=first + 2, seed=seed, parts=parts)
        held += [np.abs(f.values - truth[g]) <= T9 * f.standard_error for g, f in zip(games, found, strict=True)]

    assert 0.90 <= np.mean(held) <= 0.99


def test_intervals_hold_where_no_smoothness_helps() -> None:
    """Games of products of five players' signs, that the model of the interactions takes for almost impossible."""
    n, held, errors = 11, [], []
    z = all_coalitions(n)
    for s in range(60):
        rng = np.random.default_rng(s)
        signs = [np.prod(2.0 * z[:, rng.permutation(n)[:5]] - 1, 1) * rng.normal() for _ in range(10)]
        values = np.sum(signs, 0) + z @ rng.normal(size=n)
        truth = exact(values)
        found = one(lambda c, v=values: v[c @ (1 << np.arange(n))], n, first=300, most=302, seed=s)  # type: ignore[misc]
        held.append(np.abs(found.values - truth) <= T9 * found.standard_error)
        errors.append(np.linalg.norm(found.values - truth) / np.linalg.norm(truth))

    assert 0.90 <= np.mean(held) <= 0.99
    assert np.mean(errors) < 0.5


# ---- order -------------------------------------------------------------------------------------------------------
def test_the_order_is_certain_when_all_gaps_exceed_their_intervals() -> None:
    values, error = np.array([0.1, -1.0, 0.6, 0.55, 0.0]), np.full(5, 0.01)

    assert certain_order(values, error, 1) and certain_set(values, error, 1)
    assert certain_order(values, error, 3)  # .6 and .55 are .05 apart, needed are 2.262 sqrt(2) .01 = .032
    assert not certain_order(values, 2 * error, 3)
    assert not certain_order(values, 2 * error, 2) and certain_order(values, 2 * error, 1)


def test_gaps_are_compared_with_both_errors() -> None:
    values = np.array([1.0, 0.9, 0.0])

    assert certain_order(values, np.array([0.03, 0.03, 0.0]), 2)  # 2.262 sqrt(2) .03 = .096
    assert not certain_order(values, np.array([0.04, 0.03, 0.0]), 2)  # 2.262 x .05 = .113
    assert certain_set(values, np.array([0.04, 0.03, 0.0]), 2)  # the two are the strongest, in whatever order


def test_a_far_bar_of_great_error_can_belong_to_the_strongest() -> None:
    values = np.array([1.0, 0.5, 0.4])

    assert not certain_set(values, np.array([0.01, 0.01, 0.5]), 1)
    assert not certain_order(values, np.array([0.01, 0.01, 0.5]), 1)
    assert certain_order(values, np.array([0.01, 0.01, 0.01]), 3)
    assert certain_set(values, np.array([0.01, 0.01, 0.5]), 3)
