"""The loop of every training defence: what it keeps, when it ends, what it says, and how it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.errors import NotApplicable, UsageError
from auditor.integers import Integers
from auditor.subject import Data, Model
from auditor.training import loop
from auditor.training.loop import trained
from auditor.training.recipe import Figure, Moment, Recipe
from auditor.training.watch import Schedule, Watch

ROWS = 100


def patient() -> tuple[Model, Data]:
    """A linear model that knows nothing yet, and rows that a line parts."""
    x = torch.randn(ROWS, 2, generator=torch.Generator().manual_seed(0))
    module = nn.Sequential(nn.Dropout(0.1), nn.Linear(2, 2))
    module[1].weight.data.zero_()
    module[1].bias.data = torch.tensor([0.1, 0.0])
    return Model(module, ("a", "b"), bounds=(-9.0, 9.0)), Data.of(x, (x[:, 0] > 0).long())


def plain_loss(held: Model, x: Tensor, y: Tensor, _now: Moment) -> Tensor:
    held.module.train()
    return functional.cross_entropy(held(x), y)


def right(held: Model, x: Tensor, y: Tensor, _random: torch.Generator) -> Tensor:
    with torch.no_grad():
        return held(x).argmax(1) == y


PLAIN = Recipe(plain_loss, right)
SCHEDULE = Schedule(epochs=6, batch=20, rate=0.1)


def told_to(shares: list[float]) -> Recipe:
    """A recipe whose rows held out stand as `shares` say, one after the other."""
    left = iter(shares)

    def stands(_held: Model, x: Tensor, _y: Tensor, _random: torch.Generator) -> Tensor:
        standing = torch.zeros(len(x), dtype=torch.bool)
        standing[: round(next(left) * len(x))] = True
        return standing

    return Recipe(plain_loss, stands)


def weights_of(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


class TestKeeps:
    def test_the_weights_of_the_best_epoch(self) -> None:
        model, data = patient()
        seen: list[Tensor] = []

        def watched(held: Model, x: Tensor, y: Tensor, now: Moment) -> Tensor:
            if now.random.initial_seed() not in starts:
                starts.append(now.random.initial_seed())
                seen.append(weights_of(held.module).clone())  # as every epoch begins
            return plain_loss(held, x, y, now)

        starts: list[int] = []
        recipe = replace(told_to([0.0, 0.3, 0.8, 0.7, 0.7, 0.7, 0.7]), loss=watched)
        done = trained(model, data, 0, Watch(), SCHEDULE, recipe)

        assert torch.equal(weights_of(done.module), seen[2])  # what epoch 3 began with is what epoch 2 ended with
        assert any("The weights after epoch 2 are kept" in note for note in done.notes)

    def test_the_given_model_as_it_is(self) -> None:
        model, data = patient()
        before, mode = weights_of(model.module).clone(), model.module.training

        done = trained(model, data, 0, Watch(), SCHEDULE, PLAIN)

        assert torch.equal(weights_of(model.module), before)
        assert not torch.equal(weights_of(done.module), before)
        assert done.module.training == mode
        assert all(p.requires_grad for p in done.module.parameters())

    def test_the_last_epoch_that_is_as_good_where_the_recipe_says_what_is(self) -> None:
        """Of ten rows one standard error of a share of .8 is .126."""
        model, data = patient()
        figure = Figure(lambda found, _rows: float(found.float().mean()), "the share", most=200, errors=1)
        recipe = replace(told_to([0.0, 0.3, 0.8, 0.7, 0.6, 0.7, 0.6]), figure=figure)

        notes = trained(model, data, 0, Watch(), SCHEDULE, recipe).notes

        assert notes[0] == (
            "The weights after epoch 5 are kept, the last with which the share is within one standard error of the "
            "largest."
        )

    def test_rows_held_out_from_the_training(self) -> None:
        model, data = patient()
        trained_on: set[bytes] = set()
        held_out: set[bytes] = set()

        def loss(held: Model, x: Tensor, y: Tensor, now: Moment) -> Tensor:
            trained_on.update(row.numpy().tobytes() for row in x)
            return plain_loss(held, x, y, now)

        def stands(held: Model, x: Tensor, y: Tensor, random: torch.Generator) -> Tensor:
            held_out.update(row.numpy().tobytes() for row in x)
            return right(held, x, y, random)

        trained(model, data, 0, Watch(), SCHEDULE, Recipe(loss, stands))

        assert len(held_out) == ROWS // 10 and len(trained_on) == ROWS - ROWS // 10
        assert not held_out & trained_on


class TestTells:
    def test_a_loss_which_rows_the_batch_is(self) -> None:
        model, data = patient()
        seen: list[int] = []

        def loss(held: Model, x: Tensor, y: Tensor, now: Moment) -> Tensor:
            assert torch.equal(x, data.read(now.rows)) and y.tolist() == data.y[now.rows].tolist()
            seen.extend(now.rows.tolist())
            return plain_loss(held, x, y, now)

        trained(model, data, 0, Watch(), replace(SCHEDULE, epochs=1), Recipe(loss, right))

        assert len(seen) == len(set(seen)) == ROWS - ROWS // 10

    def test_a_figure_which_rows_are_held_out(self) -> None:
        model, data = patient()
        asked: list[tuple[int, ...]] = []

        def of(found: Tensor, rows: Integers) -> float:
            assert torch.equal(found, data.read(rows))
            asked.append(tuple(rows.tolist()))
            return 0.5

        recipe = Recipe(plain_loss, lambda _held, x, _y, _random: x, Figure(of, "it", most=7))
        trained(model, data, 0, Watch(), replace(SCHEDULE, epochs=2), recipe)

        assert len(asked) == 3 and len(set(asked)) == 1 and len(asked[0]) == 7


class TestEnds:
    def test_where_rows_held_out_stay_far_below_the_best(self) -> None:
        model, data = patient()
        recipe = told_to([0.0, 0.7, 0.8, 0.1, 0.1, 0.9, 0.9])

        done = trained(model, data, 0, Watch(), SCHEDULE, recipe)

        assert done.notes[0].startswith("Training stopped after 4 of 6 epochs: the share of rows held out that stand")
        assert "from 0.80 to 0.10" in done.notes[0]

    def test_not_for_a_fall_that_is_made_up_for(self) -> None:
        model, data = patient()
        epochs: list[int] = []

        watch = Watch(on_epoch=lambda n, _of: epochs.append(n))
        done = trained(model, data, 0, watch, SCHEDULE, told_to([0.0, 0.7, 0.8, 0.1, 0.9, 0.9, 0.9]))

        assert epochs == [1, 2, 3, 4, 5, 6]
        assert done.notes == ()

    def test_with_the_last_good_weights_where_the_loss_is_no_number(self) -> None:
        model, data = patient()
        calls: list[int] = []

        def breaks(held: Model, x: Tensor, y: Tensor, now: Moment) -> Tensor:
            calls.append(1)
            return plain_loss(held, x, y, now) * (torch.nan if now.progress > 0.5 else 1)

        done = trained(model, data, 0, Watch(), SCHEDULE, Recipe(breaks, right))

        assert weights_of(done.module).isfinite().all()
        assert done.notes[0].startswith("Training stopped after 3 of 6 epochs: the loss was no longer a number")
        assert len(calls) == 3 * 5 + 2  # five batches an epoch; 15 of 30 is not beyond one half

    def test_with_an_error_where_it_never_was_one(self) -> None:
        model, data = patient()

        with pytest.raises(UsageError, match="stopped in epoch 1: the loss was no longer a number; a lower rate"):
            trained(model, data, 0, Watch(), SCHEDULE, Recipe(lambda *_: torch.tensor(torch.nan), right))

    def test_in_the_minutes_that_it_was_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model, data = patient()
        clock = iter(range(0, 10_000, 60))  # each look is a minute later, an epoch takes one
        monkeypatch.setattr(loop.time, "monotonic", lambda: next(clock))

        done = trained(model, data, 0, Watch(), replace(SCHEDULE, minutes=3.5), PLAIN)

        assert done.notes[0].startswith("Training stopped after 3 of 6 epochs: the 3.5 minutes that it was given")


class TestSays:
    @pytest.mark.parametrize(
        ("shares", "said"),
        [
            (
                [0.5, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4],
                "gained nothing: the share of rows held out that stand was 0.5 before, 0.4 after (10 rows)",
            ),
            ([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7], "too small to converge"),
            ([0.0, 0.1, 0.2, 0.3, 0.7, 0.7, 0.7], ""),
        ],
    )
    def test_whether_more_would_gain_more(self, shares: list[float], said: str) -> None:
        model, data = patient()

        notes = trained(model, data, 0, Watch(), SCHEDULE, told_to(shares)).notes

        assert said in " ".join(notes) if said else notes == ()

    def test_that_few_rows_are_not_held_out(self) -> None:
        model, data = patient()

        notes = trained(model, data.take(40, 0), 0, Watch(), SCHEDULE, PLAIN).notes

        assert notes == (
            "There are too few reference rows to hold any out: the last epoch is kept, whatever it is like.",
        )


class TestGoesOn:
    @staticmethod
    def stopped_after(epochs: int) -> Callable[[int, int], None]:
        def on_epoch(done: int, _of: int) -> None:
            if done == epochs:
                raise KeyboardInterrupt

        return on_epoch

    def test_as_if_it_had_never_been_stopped(self, tmp_path: Path) -> None:
        model, data = patient()
        whole = trained(model, data, 0, Watch(), SCHEDULE, PLAIN)
        kept = Watch(self.stopped_after(4), tmp_path / "c.pt", "a training")
        with pytest.raises(KeyboardInterrupt):
            trained(model, data, 0, kept, SCHEDULE, PLAIN)

        epochs: list[int] = []
        rest = trained(model, data, 0, replace(kept, on_epoch=lambda n, _: epochs.append(n)), SCHEDULE, PLAIN)

        assert epochs == [5, 6]
        assert torch.equal(weights_of(rest.module), weights_of(whole.module))
        assert rest.notes == ("The training went on after epoch 4, where it had been stopped.", *whole.notes)

    @pytest.mark.parametrize("spoilt", ["another training", "cut", "nonsense"])
    def test_not_with_what_is_not_its_own(self, tmp_path: Path, spoilt: str) -> None:
        model, data = patient()
        path, epochs = tmp_path / "c.pt", list[int]()
        with pytest.raises(KeyboardInterrupt):
            trained(model, data, 0, Watch(self.stopped_after(4), path, "a training"), SCHEDULE, PLAIN)
        if spoilt != "another training":
            path.write_bytes(path.read_bytes()[:500] if spoilt == "cut" else b"nonsense")
        fingerprint = "another" if spoilt == "another training" else "a training"

        watch = Watch(lambda n, _: epochs.append(n), path, fingerprint)
        notes = trained(model, data, 0, watch, SCHEDULE, PLAIN).notes

        assert epochs == [1, 2, 3, 4, 5, 6]
        assert notes[0] == "A checkpoint of another training, or of other settings, was found and not used."

    def test_phase_by_phase(self, tmp_path: Path) -> None:
        model, data = patient()
        epochs: list[int] = []
        watch = Watch(lambda n, _: epochs.append(n), tmp_path / "c.pt", "two")

        first = [trained(model, data, 0, watch, SCHEDULE, PLAIN, phase=p) for p in ("teacher", "student")]
        epochs.clear()
        again = [trained(model, data, 0, watch, SCHEDULE, PLAIN, phase=p) for p in ("teacher", "student")]

        assert epochs == []
        assert all(torch.equal(weights_of(a.module), weights_of(b.module)) for a, b in zip(first, again, strict=True))


def test_the_same_seed_trains_the_same_weights() -> None:
    model, data = patient()

    first, again, other = (
        weights_of(trained(model, data, seed, Watch(), SCHEDULE, PLAIN).module) for seed in (0, 0, 1)
    )

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", ["TorchScript", "torch.export"])
def test_a_program_cannot_be_trained(kind: str) -> None:
    net, (_, data) = nn.Sequential(nn.Linear(2, 2)), patient()
    batch = {0: torch.export.Dim("batch")}
    program = (
        torch.jit.script(net)
        if kind == "TorchScript"
        else torch.export.export(net, (torch.zeros(3, 2),), dynamic_shapes=(batch,)).module()
    )

    with pytest.raises(NotApplicable, match="no weights that can be trained.*a defence that wraps a model takes any"):
        trained(Model(program, ("a", "b")), data, 0, Watch(), SCHEDULE, PLAIN)


def test_a_value_has_no_right_class() -> None:
    _, data = patient()

    with pytest.raises(NotApplicable, match="returns a value, not classes"):
        trained(Model(nn.Linear(2, 1), (), output="value"), data, 0, Watch(), SCHEDULE, PLAIN)


def test_half_precision_is_not_trained() -> None:
    model, data = patient()

    with pytest.raises(NotApplicable, match="of half precision.*give them as float32"):
        trained(replace(model, module=model.module.half()), data, 0, Watch(), SCHEDULE, PLAIN)


def test_a_last_row_alone_waits() -> None:
    """90 rows are trained on: 89 a batch leave one, of which BatchNorm would know no spread."""
    model, data = patient()
    module = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    sizes: set[int] = set()

    def loss(held: Model, x: Tensor, y: Tensor, now: Moment) -> Tensor:
        sizes.add(len(x))
        return plain_loss(held, x, y, now)

    trained(replace(model, module=module), data, 0, Watch(), replace(SCHEDULE, batch=89), Recipe(loss, right))

    assert sizes == {89}


def test_rows_held_out_are_no_more_at_once_than_a_batch() -> None:
    model, data = patient()
    sizes: list[int] = []

    def stands(held: Model, x: Tensor, y: Tensor, random: torch.Generator) -> Tensor:
        sizes.append(len(x))
        return right(held, x, y, random)

    trained(model, data, 0, Watch(), replace(SCHEDULE, batch=4), Recipe(plain_loss, stands))

    assert max(sizes) == 4


def test_rows_of_one_class_are_refused() -> None:
    model, data = patient()

    with pytest.raises(NotApplicable, match="all 100 reference rows are of one class"):
        trained(model, replace(data, y=np.zeros(ROWS, np.int64)), 0, Watch(), SCHEDULE, PLAIN)


def test_what_training_costs_is_said() -> None:
    model, data = patient()
    trained_well = replace(model, module=trained(model, data, 0, Watch(), SCHEDULE, PLAIN).module)

    def away(held: Model, x: Tensor, y: Tensor, now: Moment) -> Tensor:
        return plain_loss(held, x, 1 - y, now)

    notes = trained(trained_well, data, 0, Watch(), SCHEDULE, replace(told_to([0.1] + [0.9] * 6), loss=away)).notes

    assert len(notes) == 1 and notes[0].startswith("Training cost much: of 10 rows held out 1.00 were right")
