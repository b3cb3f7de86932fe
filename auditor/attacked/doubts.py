"""What has to be said beside a robust accuracy: what the attacks met, and when the figure says little."""

from __future__ import annotations

import numpy as np
import torch

from auditor.attacked.found import Attacked
from auditor.attacks.seen import ANSWERS, DRAWS, MOST_BLIND, Seen
from auditor.attacks.strongest import FULL
from auditor.lists import listed
from auditor.percents import percent
from auditor.registry import Context
from auditor.subject import Data, Model, Targets

__all__ = ["doubts", "held_columns", "of_rejection", "of_rows", "of_sight"]

Which = np.ndarray[tuple[int], np.dtype[np.bool_]]


def doubts(ctx: Context, data: Data, seen: Seen, found: Attacked, steps: int) -> list[str]:
    """Sentences about what stood in the way of the attacks, what was done about it, and what weakens the figure.

    `steps` are those of the attacks by gradients.
    """
    said = [*of_rejection(seen.model), *of_sight(seen), *_blind(seen, FULL * steps)]
    outside = ctx.predictions.inputs.outside if ctx.predictions.inputs else 0
    if outside:
        said.append(
            f"{outside:,} of {len(ctx.data):,} rows lie outside the input's bounds; changes there go towards the "
            "bounds: check `bounds` in the audit file."
        )
    values = ctx.predictions.values
    if values is not None and len(values) > 1 and np.ptp(values) == 0:
        said.append("The model gives the same value for every row: what never moves says nothing about robustness.")
    return said + of_rows(None if ctx.is_regression else data.y, ~found.wrong.numpy(), found.failing)


def of_rejection(model: Model) -> list[str]:
    """How answers are counted that a model refuses to give."""
    if not model.rejects:
        return []
    said = "The model may reject an input: a change that it rejects does not count as broken, as it deceives nobody"
    return [f"{said}; a row that it rejects as it is counts as wrong."]


def of_sight(seen: Seen) -> list[str]:
    """What was in the way of gradients, and what was done about it."""
    said = []
    if seen.random:
        said.append(
            f"The model answers at random: what counts is the mean of {ANSWERS} answers, and gradients are the mean of "
            f"{DRAWS}."
        )
    if seen.adapted is not None:
        names = ", ".join(seen.met[:5])
        said.append(f"The model hides gradients ({names}): attacks went straight through, as if it were not there.")
    return said


def held_columns(ctx: Context, model: Model) -> list[str]:
    """Which columns of a table attacks by gradients of numbers leave as they are."""
    unit = torch.as_tensor(model.unit)
    held = [c.name for c in ctx.columns if unit.numel() > 1 and not bool(unit[c.start : c.stop].any())]
    if not held:
        return []
    return [f"Only numbers that may change either way are attacked; these columns are not: {listed(held, 8)}."]


def of_rows(y: Targets | None, right: Which, failing: int) -> list[str]:
    """What weakens a figure of rows of the classes `y` (N,), None for values.

    `right` (N,) says which are right as they are; for `failing` rows the model had no answer.
    """
    n, said = len(right), []
    if failing:
        said.append(
            f"{failing:,} of {n:,} rows were turned by an input inside the bounds for which the model raises an error "
            "or gives NaN or infinity; they count as broken."
        )
    if y is not None and n:
        commonest = int(np.bincount(y).max())
        if int(right.sum()) <= commonest:
            said.append(
                f"{int(right.sum()):,} of {n:,} rows are right as they are, no more than if the commonest class were "
                f"always named ({commonest:,}): a robust accuracy says little about such a model."
            )
    if n == 1:
        said.append("One row was attacked: the figure is about that row alone.")
    return said


def _blind(seen: Seen, questions: int) -> list[str]:
    alone = f"by answers alone ({questions:,} questions a row and size)"
    if not seen.searches:
        said = (
            f"The model gives no gradient, so that it was attacked {alone}, and by a copy taught by its answers. Such "
            "attacks find less: the true figure may lie far below."
        )
    elif seen.softens and seen.adapted is None:
        said = (
            "The model's own gradients are zero at all rows tried: attacks went by gradients of softened activations, "
            f"and {alone}."
        )
    elif seen.still_blind > MOST_BLIND:
        said = (
            f"At {percent(seen.still_blind)} of the rows tried the gradient is zero whatever was done, so that attacks "
            f"by gradients are blind there; rows were attacked {alone}, which finds less: the true figure may lie far "
            "below."
        )
    else:
        return []
    return [said]
