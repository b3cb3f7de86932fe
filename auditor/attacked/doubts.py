"""What has to be said beside a robust accuracy: what the attacks met, and when the figure says little."""

from __future__ import annotations

import numpy as np

from auditor.attacked.found import Attacked
from auditor.attacks.seen import ANSWERS, DRAWS, MOST_BLIND, Seen
from auditor.attacks.strongest import FULL
from auditor.registry import Context
from auditor.subject import Data

__all__ = ["doubts"]


def doubts(ctx: Context, data: Data, seen: Seen, found: Attacked, steps: int) -> list[str]:
    """Sentences about what stood in the way of the attacks, what was done about it, and what weakens the figure.

    `steps` are those of the attacks by gradients.
    """
    said = _met(seen, FULL * steps)
    outside = ctx.predictions.inputs.outside if ctx.predictions.inputs else 0
    if outside:
        said.append(
            f"{outside:,} of {len(ctx.data):,} rows lie outside the input's bounds; changes there go towards the "
            "bounds: check `bounds` in the audit file."
        )
    if found.failing:
        said.append(
            f"{found.failing:,} of {len(data):,} rows were turned by an input inside the bounds for which the model "
            "raises an error or gives NaN or infinity; they count as broken."
        )
    if not ctx.is_regression:
        said += _clean(data, found)
    if len(data) == 1:
        said.append("One row was attacked: the figure is about that row alone.")
    return said


def _met(seen: Seen, questions: int) -> list[str]:
    said = []
    if seen.random:
        said.append(
            f"The model answers at random: what counts is the mean of {ANSWERS} answers, and gradients are the mean of "
            f"{DRAWS}."
        )
    if seen.adapted is not None:
        names = ", ".join(seen.met[:5])
        said.append(f"The model hides gradients ({names}): attacks went straight through, as if it were not there.")
    if not seen.searches:
        said.append(
            f"The model gives no gradient, so it was attacked by its answers alone: up to {questions:,} questions a "
            "row and size, and a copy taught by its answers. Such attacks find less: the true figure may lie far below."
        )
    elif seen.softens and seen.adapted is None:
        said.append(
            "The model's own gradients are zero at all rows tried: attacks went by gradients of softened activations, "
            f"and by answers alone ({questions:,} questions)."
        )
    elif seen.still_blind > MOST_BLIND:
        said.append(
            f"At {seen.still_blind:.0%} of the rows tried the gradient is zero whatever was done, so that attacks by "
            f"gradients are blind there; they were attacked by answers alone ({questions:,} questions), which finds "
            "less: the true figure may lie far below."
        )
    return said


def _clean(data: Data, found: Attacked) -> list[str]:
    right = int((~found.wrong).sum())
    commonest = int(np.bincount(data.y).max())
    said = []
    if right <= commonest:
        said.append(
            f"{right:,} of {len(data):,} rows are right as they are, no more than if the commonest class were always "
            f"named ({commonest:,}): a robust accuracy says little about such a model."
        )
    return said
