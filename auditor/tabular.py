"""What the checks that look at a table as a whole share: which rows they take, and what they call its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.errors import NotApplicable
from auditor.explain.batched import Floats, Run
from auditor.explained.samples import is_image, need_pictures_or_columns
from auditor.integers import Integers
from auditor.registry import Context
from auditor.subject import Data, Targets

__all__ = ["Rows", "finite_outputs", "labels_of", "need_columns", "outputs_of", "usable"]

FEWEST = 2


@dataclass(frozen=True)
class Rows:
    """Rows of a table that can be used: inputs (N, F), targets (N,), what the model says of them (N, C) or (N, 1).

    `outputs` are probabilities, or values for regression. `caveats` say what was left out.
    """

    x: Tensor
    y: Targets
    outputs: Floats
    caveats: tuple[str, ...] = ()

    @property
    def said(self) -> Integers:
        """(N,) the classes that the model names; 0 for regression."""
        return np.asarray(self.outputs.argmax(1), np.int64)

    def at(self, rows: Integers) -> Rows:
        """The rows at these positions."""
        return Rows(self.x[torch.from_numpy(rows)], self.y[rows], self.outputs[rows], self.caveats)


def need_columns(ctx: Context) -> None:
    """NotApplicable without a model, and where inputs are no rows of columns or of too many to be told one by one."""
    ctx.need_model()
    if is_image(ctx):
        msg = "the inputs are images; this is about rows of columns"
        raise NotApplicable(msg)
    if ctx.is_text:
        msg = "the inputs are texts; this is about rows of columns"
        raise NotApplicable(msg)
    need_pictures_or_columns(ctx)


def outputs_of(ctx: Context) -> Run:
    """The model as a function of inputs (k, F): probabilities (k, C), or values (k, 1) for regression."""
    model = ctx.need_model()

    def run(x: Tensor) -> Floats:
        with torch.no_grad():
            y = model(x.clone()).double().cpu()  # a copy, since some models write into their input
        found: Floats = (y[:, None] if ctx.is_regression else y.softmax(1)).numpy()
        return found

    return run


def finite_outputs(ctx: Context) -> Run:
    """As `outputs_of`, for rows made of others' values; NotApplicable where the model gives NaN or infinity for one."""
    outputs = outputs_of(ctx)

    def run(x: Tensor) -> Floats:
        found = outputs(x)
        if not np.isfinite(found).all():
            msg = "the model gives NaN or infinity for rows made of values that occur; expected finite outputs"
            raise NotApplicable(msg)
        return found

    return run


def usable(ctx: Context, data: Data) -> Rows:
    """The rows of `data` whose inputs and outputs are finite; NotApplicable for fewer than two."""
    run = outputs_of(ctx)
    parts = [(b.x, run(b.x)) for b in data.batches(ctx.batch_size)]
    x, outputs = torch.cat([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    fine = np.flatnonzero(x.isfinite().all(1).numpy() & np.isfinite(outputs).all(1))
    left_out = len(x) - len(fine)
    if len(fine) < FEWEST:
        odd = f", {left_out} more hold or give NaN or infinity" if left_out else ""
        msg = f"{len(fine)} rows can be used{odd}; at least {FEWEST} are needed"
        raise NotApplicable(msg)
    caveats = (f"{left_out} of {len(x)} rows hold or give NaN or infinity and are left out.",) if left_out else ()
    return Rows(x, data.y, outputs, caveats).at(fine)


def labels_of(columns: Sequence[Column]) -> list[str]:
    """A name a column, each once: those that several share get their place, such as `age (3)`."""
    times = Counter(c.name for c in columns)
    return [c.name if times[c.name] == 1 else f"{c.name} ({i})" for i, c in enumerate(columns)]
