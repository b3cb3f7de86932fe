"""Weights that make group and label independent, and what a model makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from auditor.columns import Labels
from auditor.defend.reweighing import reweighing, weights_of
from auditor.errors import NotApplicable, UsageError
from auditor.subject import Data, Model
from auditor.training.groups import NOWHERE
from auditor.training.watch import Watch
from tests.defend.planted import figures, patient
from tests.shared import SHARED, needs_shared


class TestWeights:
    def test_counted_by_hand(self) -> None:
        """Group 0 has labels 1 1 1 0, group 1 has 1 0 0 0: half of the 8 rows are of each group and of each label."""
        groups, y = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([1, 1, 1, 0, 1, 0, 0, 0])

        assert weights_of(groups, y).tolist() == [2 / 3, 2 / 3, 2 / 3, 2, 2, 2 / 3, 2 / 3, 2 / 3]

    def test_rows_without_a_group_weigh_1_and_count_for_nobody(self) -> None:
        groups, y = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([1, 1, 1, 0, 1, 0, 0, 0])

        found = weights_of(np.append(groups, [NOWHERE] * 3), np.append(y, [0, 0, 1]))

        assert found.tolist() == [*weights_of(groups, y), 1, 1, 1]

    @pytest.mark.parametrize("labels", [2, 4])
    def test_sum_to_the_rows_and_leave_nothing_between_group_and_label(self, labels: int) -> None:
        draw = np.random.default_rng(0)
        groups = draw.choice(5, 20_000, p=[0.6, 0.2, 0.15, 0.04, 0.01])
        y = (draw.random(20_000) ** (1 + groups) * labels).astype(np.int64)
        y[:20], groups[:20] = np.tile(np.arange(labels), 20)[:20], np.repeat(np.arange(5), 4)

        weights = weights_of(groups, y)

        assert abs(weights.sum() / len(y) - 1) < 1e-12
        joint = np.zeros((5, labels))
        np.add.at(joint, (groups, y), weights / len(y))
        assert np.abs(joint - np.outer(joint.sum(1), joint.sum(0))).max() < 1e-12
        assert np.abs(joint.sum(1) - np.bincount(groups) / len(y)).max() < 1e-12  # the shares are as they were
        assert np.abs(joint.sum(0) - np.bincount(y) / len(y)).max() < 1e-12

    @needs_shared
    def test_take_the_published_difference_of_adult_to_zero(self) -> None:
        """AIF360's demonstration of reweighing: 70 % of Adult drawn with seed 1; -0.190698 by sex, then 0.000000."""
        rows = pd.read_csv(SHARED / "tabular" / "adult.csv", usecols=["sex", "income"])
        train = rows.iloc[np.random.RandomState(1).permutation(len(rows))[:34_189]]
        y, women = (train.income == ">50K").to_numpy().astype(np.int64), (train.sex == "Female").to_numpy()

        weights = weights_of(women.astype(np.int64), y)

        assert y[women].mean() - y[~women].mean() == pytest.approx(-0.190698, abs=5e-7)
        after = np.average(y[women], weights=weights[women]) - np.average(y[~women], weights=weights[~women])
        assert abs(after) < 1e-12
        assert abs(weights.sum() - len(y)) < 1e-6


class TestTraining:
    def test_closes_more_than_half_of_a_planted_gap(self) -> None:
        model, data, unseen = patient()
        before = figures(model, unseen)

        after = figures(model, unseen, reweighing(model, data, 0).module)

        assert before.selection > 0.15
        assert abs(after.selection) < before.selection / 2
        assert after.accuracy > before.accuracy - 0.02

    def test_it_is_the_weights_that_do_it(self) -> None:
        """By a group that has nothing to do with anything the same training keeps the gap."""
        model, data, unseen = patient()
        coin = Labels.of(np.random.default_rng(0).choice(["x", "y"], len(data)).tolist())
        idle = replace(data, groups={"coin": coin, **data.groups})

        found = figures(model, unseen, reweighing(model, idle, 0).module)

        assert found.selection > 0.8 * figures(model, unseen).selection
        assert abs(figures(model, unseen, reweighing(model, idle, 0, attribute="group").module).selection) < 0.1

    def test_takes_any_number_of_classes(self) -> None:
        draw = torch.Generator().manual_seed(0)
        x = torch.randn(600, 3, generator=draw)
        groups = ["a" if v > 0 else "b" for v in x[:, 2].tolist()]
        data = Data.of(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long(), {"g": groups})

        found = reweighing(Model(nn.Linear(3, 3), ("a", "b", "c")), data, 0, epochs=2)

        assert found.notes[0].startswith("Rows by group: g=")

    def test_the_same_seed_trains_the_same_weights_also_after_a_stop(self, tmp_path: Path) -> None:
        model, data, _ = patient()
        whole = reweighing(model, data, 3, epochs=4)

        def stop(done: int, _of: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            reweighing(model, data, 3, Watch(stop, tmp_path / "c.pt", "it"), epochs=4)
        rest = reweighing(model, data, 3, Watch(checkpoint=tmp_path / "c.pt", fingerprint="it"), epochs=4)

        for other in (reweighing(model, data, 3, epochs=4), rest):
            weights = other.module.state_dict()
            assert all(torch.equal(v, weights[k]) for k, v in whole.module.state_dict().items())
        assert "The training went on after epoch 2, where it had been stopped." in rest.notes


class TestSays:
    def test_which_rows_have_no_group(self) -> None:
        model, data, _ = patient()
        names = np.array(list(data.groups["group"]), dtype=object)
        names[:30] = "(missing)"

        notes = reweighing(model, replace(data, groups={"group": Labels.of(names.tolist())}), 0, epochs=1).notes

        assert notes[1] == "Of 30 rows the group is missing: they weigh 1."

    def test_which_groups_lack_a_class(self) -> None:
        model, data, _ = patient()
        names = np.array(list(data.groups["group"]), dtype="<U2")
        names[np.flatnonzero(data.y == 0)[:40]] = "c"

        notes = reweighing(model, replace(data, groups={"group": Labels.of(names.tolist())}), 0, epochs=1).notes

        said = "Groups that lack rows of a class cannot be weighted to independence: 40 rows weigh 1 (group=c)."
        assert notes[1] == said

    def test_that_it_cannot_where_fewer_than_two_groups_have_every_class(self) -> None:
        model, data, _ = patient()
        names = np.where(data.y == 1, "a", "b")
        names[np.flatnonzero(data.y == 1)[:50]] = "b"

        with pytest.raises(UsageError, match=r"fewer than two groups .* have rows of every class.*not: group=a"):
            reweighing(model, replace(data, groups={"group": Labels.of(names.tolist())}), 0)

    def test_that_a_value_is_no_class(self) -> None:
        _, data, _ = patient()

        with pytest.raises(NotApplicable, match="returns a value, not classes"):
            reweighing(Model(nn.Linear(3, 1), (), output="value"), data, 0)
