"""How a model behaves as it runs: each look at a patient that shows it, one that does not, and one it is not for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.behaviour import batch_norm, batches, dropout, evaluation_mode, passes
from auditor.guard import Snapshot
from auditor.subject import Model
from tests import zoo
from tests.intake.modelfiles import PROGRAMS, Small

CLASSES = ("a", "b", "c")
IMAGES = torch.rand(4, 1, 8, 8)
every_program = pytest.mark.parametrize("made", PROGRAMS.values(), ids=PROGRAMS)


# ---- chance and neighbours ---------------------------------------------------------------------------------------
class AlwaysDropping(nn.Module):
    """functional.dropout is in training mode unless it is told otherwise."""

    def __init__(self, told: bool) -> None:
        super().__init__()
        self.head, self.told = nn.Linear(4, 3), told

    def forward(self, x: Tensor) -> Tensor:
        return self.head(functional.dropout(x, 0.5, training=self.training if self.told else True))


@pytest.mark.parametrize("told", [True, False])
def test_dropout_in_evaluation_mode_is_named_by_its_operator(told: bool) -> None:
    line, _ = passes(Model(AlwaysDropping(told).eval(), CLASSES), torch.rand(8, 4))

    assert (line.caveat == "") is told
    if not told:
        assert "Two runs on the same 8 rows give outputs up to" in line.caveat
        assert "(native_dropout), in evaluation mode too" in line.caveat or "(bernoulli" in line.caveat


class Flipping(nn.Module):
    """Says the opposite at every second call: a state, and no random number."""

    def __init__(self) -> None:
        super().__init__()
        self.sign = 1

    def forward(self, x: Tensor) -> Tensor:
        self.sign = -self.sign
        return self.sign * x[:, :3]


def test_a_state_is_not_called_chance_nor_a_look_at_other_rows() -> None:
    model, x = Model(Flipping(), CLASSES), torch.rand(8, 4)

    line, _ = passes(model, x)

    assert "keeps a state from run to run" in line.caveat and "random numbers" not in line.caveat
    assert batches(model, x).found == "cannot be told: the same rows give other outputs each time"


def test_a_program_of_one_size_has_no_rows_alone() -> None:
    module = Small().eval()

    assert "does not apply: the program takes 4 rows" in batches(Model(module, CLASSES, batch=4), IMAGES).found
    assert batches(Model(module, CLASSES), IMAGES).found == "the same outputs"
    assert "there is one row" in batches(Model(module, CLASSES), IMAGES[:1]).found


# ---- modes -------------------------------------------------------------------------------------------------------
class Stubborn(nn.Dropout):
    """Stays as it is, as Monte Carlo dropout is often written."""

    def train(self, mode: bool = True) -> Stubborn:
        return self


class FrozenNorm(nn.BatchNorm1d):
    """Never leaves evaluation mode: usual in fine-tuning, and no reason for doubt."""

    def train(self, mode: bool = True) -> FrozenNorm:
        return super().train(False)


class Breaking(nn.Identity):
    def train(self, mode: bool = True) -> Breaking:
        msg = "no modes here"
        raise NotImplementedError(msg)


def test_a_part_that_eval_leaves_in_training_mode_is_named() -> None:
    line = evaluation_mode(nn.Sequential(nn.Linear(2, 2), Stubborn()))

    assert "leaves parts in training mode (Stubborn)" in line.caveat


def test_parts_that_follow_eval_are_no_caveat() -> None:
    assert evaluation_mode(nn.Sequential(nn.Linear(2, 2), nn.Dropout())).found == "eval() reaches all of its 3 parts"
    frozen = evaluation_mode(nn.Sequential(nn.Linear(2, 2), FrozenNorm(2)))
    assert (frozen.found, frozen.caveat) == ("its own eval() reaches all of its 3 parts", "")


@every_program
def test_modes_and_statistics_do_not_apply_to_programs(made: Callable[[nn.Module, Tensor], nn.Module]) -> None:
    program = made(Small().eval(), IMAGES)
    statistics = batch_norm(Model(program, CLASSES), IMAGES, np.zeros(4, np.int64))

    for line in (evaluation_mode(program), dropout(program), statistics):
        assert line.found.startswith("does not apply: the program has no modes")


def test_an_eval_that_breaks_is_said() -> None:
    assert evaluation_mode(Breaking()).found == "its own eval() could not be tried (NotImplementedError)"


def test_modes_are_as_they_were_after_the_look() -> None:
    module = nn.Sequential(nn.Linear(2, 2), Stubborn(), FrozenNorm(2)).train()
    before = [m.training for m in module.modules()]

    evaluation_mode(module)

    assert [m.training for m in module.modules()] == before


def test_dropout_layers_are_counted() -> None:
    assert dropout(zoo.dropout_left_on().model.module).found == "1 layers, off in evaluation mode"
    assert dropout(nn.Linear(2, 2)).found == "no such layer"


# ---- statistics --------------------------------------------------------------------------------------------------
def normalised(stale: bool) -> tuple[Model, Tensor, np.ndarray]:
    """Which of two columns is larger, each in its own deviations; `stale` knows neither their means nor those."""
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0)) + torch.tensor([5.0, -5.0])
    norm = nn.BatchNorm1d(2)
    norm.running_mean.copy_(torch.zeros(2) if stale else x.mean(0))
    norm.running_var.copy_(torch.ones(2) if stale else x.var(0))
    y = ((x - x.mean(0)) / x.std(0)).argmax(1)
    return Model(norm.eval(), ("left", "right"), bounds=(-20.0, 20.0)), x, y.numpy()


def test_stale_running_statistics_are_named() -> None:
    model, x, y = normalised(stale=True)
    line = batch_norm(model, x, y)
    left = int((y == 0).sum())

    assert line.found == f"1 layers; {left} of 64 right by the running statistics, 64 by the batch's"
    assert "The running statistics are stale" in line.caveat


def test_running_statistics_of_the_data_are_no_caveat() -> None:
    line = batch_norm(*normalised(stale=False))

    assert line.found == "1 layers; 64 of 64 right by the running statistics, 64 by the batch's"
    assert line.caveat == ""


def test_values_are_compared_by_their_errors() -> None:
    model, x, _ = normalised(stale=True)
    stale, honest = (
        Model(nn.Sequential(m, nn.Linear(2, 1)), (), output="value") for m in (model.module, nn.BatchNorm1d(2))
    )
    honest.module[0].running_mean.copy_(x.mean(0))
    honest.module[0].running_var.copy_(x.var(0, unbiased=False))
    honest.module.eval(), stale.module.eval()
    with torch.no_grad():
        honest.module[1].load_state_dict(stale.module[1].state_dict())
        y = honest(x).numpy()

    assert "mean absolute error" in batch_norm(stale, x, y).found
    assert "stale" in batch_norm(stale, x, y).caveat
    assert batch_norm(honest, x, y).caveat == ""


def test_statistics_and_modes_are_restored_and_nobody_is_blamed() -> None:
    model, x, y = normalised(stale=True)
    guard = Snapshot(model.module)
    before = {name: t.clone() for name, t in model.module.state_dict().items()}

    batch_norm(model, x, y)

    assert guard.restore() == []
    assert all(torch.equal(t, before[name]) for name, t in model.module.state_dict().items())


def test_statistics_do_not_apply_without_the_layer() -> None:
    x, y = IMAGES, np.zeros(4, np.int64)

    assert batch_norm(Model(nn.Flatten(), CLASSES), x, y).found == "does not apply: no such layer"
    assert batch_norm(Model(nn.BatchNorm2d(1, track_running_stats=False), CLASSES), x, y).found.endswith(
        "no such layer"
    )
    assert "there is one row" in batch_norm(Model(Small().eval(), CLASSES), x[:1], y[:1]).found


class Elsewhere(nn.BatchNorm1d):
    """Needs a device in training that is not there, as SyncBatchNorm does."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            msg = "expected input tensor to be on GPU"
            raise ValueError(msg)
        return super().forward(x)


def test_a_layer_that_cannot_run_in_training_mode_is_said() -> None:
    model = Model(Elsewhere(3).eval(), CLASSES)
    line = batch_norm(model, torch.rand(4, 3), np.zeros(4, np.int64))

    assert line.found.startswith("1 layers; cannot be run by the batch's statistics (")
    assert not any(m.training for m in model.module.modules())
