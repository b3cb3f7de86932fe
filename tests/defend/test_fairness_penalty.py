"""A penalty on how far the score goes with the group."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.columns import Labels
from auditor.contingency import Criterion
from auditor.defend.fairness_penalty import fairness_penalty, penalty_of
from auditor.errors import NotApplicable, UsageError
from auditor.settings import validated
from auditor.subject import Data, Model
from auditor.training.groups import NOWHERE
from auditor.training.watch import Watch
from tests.defend.planted import Figures, figures, patient

OF: dict[Criterion, tuple[str, ...]] = {
    "demographic_parity": ("selection",),
    "equal_opportunity": ("tpr",),
    "equalized_odds": ("tpr", "fpr"),
}


def widest(found: Figures, criterion: Criterion) -> float:
    return max(abs(getattr(found, name)) for name in OF[criterion])


def pair_by_pair(score: list[float], groups: list[int]) -> float:
    """The same from its definition: for each group the mean of products over ordered pairs of different rows."""
    n, total = len(score), 0.0
    for g in sorted(set(groups)):
        member = [float(other == g) for other in groups]
        share = sum(member) / n
        terms = [
            (s - sum(score) / n) * (m - share) / (share * (1 - share)) ** 0.5
            for s, m in zip(score, member, strict=True)
        ]
        total += sum(a * b for a, b in permutations(terms, 2)) / (n * (n - 1))
    return total


def penalty(score: list[float], groups: list[int], stratum: list[int] | None = None) -> Tensor:
    among = [0] * len(groups) if stratum is None else stratum
    return penalty_of(torch.tensor(score, dtype=torch.double), torch.tensor(groups), torch.tensor(among))


class TestPenalty:
    SCORE, GROUPS = [0.9, 0.8, 0.4, 0.3, 0.2, 0.7, 0.1], [0, 0, 1, 1, 2, 2, 2]

    def test_is_the_mean_over_pairs_summed_over_groups(self) -> None:
        assert float(penalty(self.SCORE, self.GROUPS)) == pytest.approx(
            pair_by_pair(self.SCORE, self.GROUPS), abs=1e-12
        )

    def test_is_summed_over_strata_without_rows_that_are_nowhere(self) -> None:
        score, groups = self.SCORE * 2 + [0.5], self.GROUPS * 2 + [NOWHERE]
        score[7] = 0.1

        found = penalty(score, groups, [0] * 7 + [1] * 7 + [NOWHERE])

        assert float(found) == pytest.approx(
            sum(pair_by_pair(score[i : i + 7], self.GROUPS) for i in (0, 7)), abs=1e-12
        )

    def test_of_two_groups_is_what_is_said_of_it(self) -> None:
        """Twice p (1 - p) times the squared difference of mean scores: once a group."""
        n = 100_000
        found = penalty([0.7] * (n // 4) + [0.3] * (3 * n // 4), [0] * (n // 4) + [1] * (3 * n // 4))

        assert float(found) == pytest.approx(2 * 0.25 * 0.75 * 0.4**2, rel=1e-4)

    def test_is_zero_on_average_where_score_and_group_have_nothing_to_do_with_each_other(self) -> None:
        draw = torch.Generator().manual_seed(0)
        found = [
            float(penalty_of(torch.rand(20, generator=draw), torch.randint(3, (20,), generator=draw), torch.zeros(20)))
            for _ in range(2000)
        ]

        mean, error = np.mean(found), np.std(found) / np.sqrt(len(found))
        # the square of the batch's covariance would be near 3 groups * (1/12) / 20 = .0125 on average
        assert abs(mean) < 4 * error + 1e-3 and error < 5e-4

    @pytest.mark.parametrize("groups", [[1], [1, 1, 1], [0, NOWHERE]])
    def test_is_zero_where_there_are_no_two_groups(self, groups: list[int]) -> None:
        stratum = [NOWHERE if g == NOWHERE else 0 for g in groups]
        assert float(penalty([0.1, 0.9, 0.4][: len(groups)], groups, stratum)) == 0.0


class TestTraining:
    @pytest.mark.parametrize("criterion", list(OF))
    @pytest.mark.parametrize(("positive", "outputs"), [(1, 2), (0, 2), (1, 1)])
    def test_closes_more_than_half_of_a_planted_gap(self, criterion: Criterion, positive: int, outputs: int) -> None:
        model, data, unseen = patient(positive=positive, outputs=outputs)
        before = figures(model, unseen)

        after = figures(model, unseen, fairness_penalty(model, data, 0, criterion=criterion).module)

        assert widest(before, criterion) > 0.08
        assert widest(after, criterion) < widest(before, criterion) / 2
        assert after.accuracy > before.accuracy - 0.02

    def test_the_stronger_the_smaller_the_gap(self) -> None:
        model, data, unseen = patient()

        gaps = [
            figures(model, unseen, fairness_penalty(model, data, 0, strength=s).module).selection
            for s in (0.1, 1.0, 10.0)
        ]

        assert gaps[0] > gaps[1] > gaps[2]

    def test_a_strong_penalty_does_not_flatten_the_scores(self) -> None:
        """As the square of a small batch's covariance would, where groups are many and rows few."""
        model, data, unseen = patient()
        many = Labels.of([f"g{i}" for i in np.random.default_rng(0).integers(0, 12, len(data))])

        made = fairness_penalty(
            model,
            replace(data, groups={"many": many}),
            0,
            strength=100.0,
            batch=64,
            epochs=10,
            criterion="equalized_odds",
        )

        assert figures(model, unseen, made.module).accuracy > figures(model, unseen).accuracy - 0.03

    def test_the_same_seed_trains_the_same_weights_and_the_given_ones_stay(self) -> None:
        model, data, _ = patient()
        before = {k: v.clone() for k, v in model.module.state_dict().items()}
        told: list[tuple[int, int]] = []

        first = fairness_penalty(model, data, 0, Watch(lambda *n: told.append(n)), epochs=3).module.state_dict()
        again = fairness_penalty(model, data, 0, epochs=3).module.state_dict()

        assert all(torch.equal(v, again[k]) for k, v in first.items())
        assert all(torch.equal(v, before[k]) for k, v in model.module.state_dict().items())
        assert not any(torch.equal(v, before[k]) for k, v in first.items())
        assert told == [(1, 3), (2, 3), (3, 3)]


class TestRefuses:
    def test_three_classes_of_which_none_is_favourable(self) -> None:
        data = Data.of(torch.randn(60, 3), torch.arange(60) % 3, {"g": ["a", "b"] * 30})

        with pytest.raises(UsageError, match="3 classes and none is said to be favourable"):
            fairness_penalty(Model(nn.Linear(3, 3), ("a", "b", "c")), data, 0)
        made = fairness_penalty(Model(nn.Linear(3, 3), ("a", "b", "c")), replace(data, positive=2), 0, epochs=1)
        assert made.notes[0] == "Rows by group: g=a 30, g=b 30."

    def test_a_value(self) -> None:
        _, data, _ = patient()

        with pytest.raises(NotApplicable, match="returns a value, not classes"):
            fairness_penalty(Model(nn.Linear(3, 1), (), output="value"), data, 0)

    @pytest.mark.parametrize(
        "given", [{"criterion": "parity"}, {"strength": 0}, {"strength": -1.0}, {"attribute": 3}, {"batch": 1}]
    )
    def test_settings_that_mean_nothing(self, given: dict[str, object]) -> None:
        with pytest.raises(UsageError, match=r"^defend\.fairness_penalty\."):
            validated(fairness_penalty, given, "defend.fairness_penalty")

    def test_and_takes_one_column_or_several(self) -> None:
        for given in ("sex", ["sex", "race"]):
            found = validated(fairness_penalty, {"attribute": given}, "defend.fairness_penalty")["attribute"]
            assert found == (given if isinstance(given, str) else tuple(given))
