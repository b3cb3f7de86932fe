"""Training a copy of a model by a recipe; the epoch that is best on rows held out is kept."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.errors import NotApplicable, UsageError
from auditor.guard import isolated
from auditor.integers import Integers
from auditor.registry import derive_seed
from auditor.subject import HALVES, Data, Model
from auditor.training.checkpoint import keep, kept
from auditor.training.notes import History, notes_of, other_words, went_on_words
from auditor.training.recipe import SHARE, Counts, Figure, Moment, Recipe
from auditor.training.watch import Hardened, Schedule, Watch

__all__ = ["need_trainable", "split", "trained"]

HELD_OUT, FEWEST = 0.1, 50  # share of the rows; below so many rows none
PROGRAMS = (torch.jit.ScriptModule, torch.fx.GraphModule)  # weights that no architecture takes
COLLAPSE = 0.2  # below the best so far: catastrophic overfitting (Wong et al. 2020, arXiv:2001.03994)


@dataclass
class _State:
    """A training after some epochs; `standing` are the recipe's figures of rows held out, the first before any."""

    standing: list[float] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    best_epoch: int = 0
    seconds: float = 0.0
    ended: str = ""  # why, where it was not because all epochs are done

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.standing) - 1


def trained(
    model: Model, data: Data, seed: int, watch: Watch, schedule: Schedule, recipe: Recipe, *, phase: str = ""
) -> Hardened:
    """A copy of the model's module trained by `recipe`.

    A tenth of the rows, at most 200 unless the recipe says otherwise, are held out; after each epoch it is counted
    which of them stand, and the weights after the epoch of most are given back (Rice et al. 2020, arXiv:2002.11569).
    Training ends where that share is more than .2 below the best two epochs in a row, and where the loss is no longer a
    number. Every epoch draws from a seed of its own, so that a training that was stopped goes on as if it never had
    been; `phase` names this one among several of a defence. NotApplicable for programs, which cannot be trained;
    UsageError when the loss is no number before any epoch is over.
    """
    need_trainable(model, data)
    training = _Training(replace(model, module=copy.deepcopy(model.module)), data, seed, schedule, recipe)
    before, gone_on = training.right(), kept(watch, phase)
    training.go_on_from(gone_on)
    state = training.state
    went_on = went_on_words(state.epoch) if state.epoch else other_words(watch)
    while state.epoch < schedule.epochs and not state.ended:
        if _too_late(state, schedule):
            state.ended = f"the {schedule.minutes:g} minutes that it was given were over"
        elif training.epoch():
            keep(watch, phase, training.kept())
            watch.on_epoch(state.epoch, schedule.epochs)
        else:
            state.ended = "the loss was no longer a number; a lower rate or epsilon may help"
    if state.best is None:
        msg = f"training stopped in epoch {state.epoch + 1}: {state.ended}"
        raise UsageError(msg)
    module = training.held.module
    module.load_state_dict(state.best)
    module.train(mode=model.module.training)
    history = History(tuple(state.standing), state.best_epoch, state.ended, (before, training.right()))
    return Hardened(module, (*went_on, *notes_of(history, len(training.out), schedule, recipe.figure)))


def need_trainable(model: Model, data: Data) -> None:
    """NotApplicable for what no training, or none on these rows, can be made of."""
    if model.output == "value":
        msg = "the model returns a value, not classes; training stands for the right class"
        raise NotApplicable(msg)
    if any(p.dtype in HALVES for p in model.module.parameters()):
        msg = "the weights are of half precision, in which training has no steps; give them as float32"
        raise NotApplicable(msg)
    if isinstance(model.module, PROGRAMS) or not any(p.requires_grad for p in model.module.parameters()):
        msg = (
            "the model has no weights that can be trained; training needs weights in an architecture, "
            "while a defence that wraps a model takes any"
        )
        raise NotApplicable(msg)
    if len(data) and len(np.unique(data.y)) < 2:
        msg = f"all {len(data):,} reference rows are of one class; training needs rows of two or more"
        raise NotApplicable(msg)


def _too_late(state: _State, schedule: Schedule) -> bool:
    """Whether the next epoch would not end in time; the first one runs whatever it takes."""
    if not schedule.minutes or state.epoch == 0:
        return False
    return state.seconds * (1 + 1 / state.epoch) > 60 * schedule.minutes


class _Training:
    """A model while it is trained: `out` are the rows held out."""

    def __init__(self, held: Model, data: Data, seed: int, schedule: Schedule, recipe: Recipe) -> None:
        self.held, self.data, self.seed, self.schedule, self.recipe = held, data, seed, schedule, recipe
        self.rows, self.out = split(len(data), derive_seed(seed, "held out"), recipe.figure.most)
        self.steps = len(_starts(len(self.rows), schedule.batch))
        self.optimizer = torch.optim.Adam(held.module.parameters(), lr=schedule.rate)
        total = schedule.epochs * self.steps
        self.rates = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, schedule.rate, total_steps=total)
        self.state = _State()

    def go_on_from(self, found: dict[str, Any] | None) -> None:
        """Where nothing was kept the rows held out are counted for the first time."""
        if found is None:
            self.state.standing.append(self.standing())
            return
        for name, part in self._parts().items():
            part.load_state_dict(found[name])
        self.state.__dict__.update(found["state"])

    def kept(self) -> dict[str, Any]:
        """All that `go_on_from` needs."""
        return {"state": vars(self.state), **{name: part.state_dict() for name, part in self._parts().items()}}

    def _parts(self) -> dict[str, Any]:
        return {"module": self.held.module, "optimizer": self.optimizer, "rates": self.rates}

    def epoch(self) -> bool:
        """One pass over the rows in random order; False, and no step more, where the loss or an answer is no number."""
        start, state, total = time.monotonic(), self.state, self.schedule.epochs * self.steps
        seed = derive_seed(self.seed, f"epoch {state.epoch}")
        random = torch.Generator().manual_seed(seed)
        with isolated(seed):
            for i, (x, y, rows) in enumerate(_shuffled(self.data, self.rows, self.schedule.batch, random)):
                progress = (state.epoch * self.steps + i) / total
                loss = self.recipe.loss(self.held, x, y, Moment(progress, random, rows))
                if not bool(loss.isfinite()):
                    return False
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.rates.step()
            if not _is_sound(self.held, x):
                return False
        state.standing.append(self.standing())
        _judge(state, self.held, self.recipe.figure, len(self.out))
        state.seconds += time.monotonic() - start
        return True

    def standing(self) -> float:
        """The recipe's figure of the rows held out; 0 where none are, so that the last epoch is kept."""
        return self._held_out(self.recipe.stands, self.recipe.figure, f"standing {len(self.state.standing)}")

    def right(self) -> float:
        """The share of the rows held out that are right as they are; 0 where none are."""
        return self._held_out(_right, SHARE, "right")

    def _held_out(self, counts: Counts, figure: Figure, name: str) -> float:
        if not len(self.out):
            return 0.0
        seed, size = derive_seed(self.seed, name), self.schedule.batch
        random = torch.Generator().manual_seed(seed)
        parts = [self.out[i : i + size] for i in range(0, len(self.out), size)]
        with isolated(seed), self.held.frozen():
            batches = ((self.data.read(p), torch.from_numpy(self.data.y[p])) for p in parts)
            found = [counts(self.held, x, y, random) for x, y in batches]
        return figure.of(torch.cat(found), self.out)


def _right(held: Model, x: Tensor, y: Tensor, _random: torch.Generator) -> Tensor:
    with torch.no_grad():
        return held(x).argmax(1).cpu() == y


def split(n: int, seed: int, most: int) -> tuple[Integers, Integers]:
    """Rows to train on, and those held out, at most `most` of them."""
    order = np.random.default_rng(seed).permutation(n)
    out = min(most, int(HELD_OUT * n)) if n >= FEWEST else 0
    return np.sort(order[out:]), np.sort(order[:out])


def _starts(n: int, batch: int) -> list[int]:
    """Where the batches of n rows begin; a last row alone waits for the next epoch: BatchNorm knows no mean of one."""
    return [i for i in range(0, n, batch) if i == 0 or n - i > 1]


def _shuffled(
    data: Data, rows: Integers, batch: int, random: torch.Generator
) -> Iterator[tuple[Tensor, Tensor, Integers]]:
    """Inputs and targets of the rows in random order, and which they are."""
    order = rows[torch.randperm(len(rows), generator=random).numpy()]
    for i in _starts(len(order), batch):
        some = np.sort(order[i : i + batch])
        yield data.read(some), torch.from_numpy(data.y[some]), some


def _is_sound(held: Model, x: Tensor) -> bool:
    """Whether the model still says numbers."""
    with torch.no_grad(), held.frozen():
        return bool(held(x).isfinite().all())


def _judge(state: _State, held: Model, figure: Figure, rows: int) -> None:
    """Keep the weights where they are the best so far; the training ends where they stay far worse."""
    latest, highest = state.standing[-1], max(state.standing[1:])
    if latest >= highest - figure.slack(highest, rows):
        state.best, state.best_epoch = copy.deepcopy(held.module.state_dict()), state.epoch
    elif state.epoch > 1 and max(state.standing[-2:]) < highest - COLLAPSE:
        state.ended = f"{figure.words} fell from {highest:.2f} to {latest:.2f} and stayed there"
