"""What the answers themselves show, before anything is asked of the model: that they are all the same, or guesses.

Each function gives caveats, none where there is nothing to doubt.
"""

from __future__ import annotations

import numpy as np

from auditor.integers import tally
from auditor.percents import percent
from auditor.predictions import Predictions
from auditor.subject import Targets
from auditor.types import Measure

__all__ = ["about_answers", "about_chance", "about_labels", "about_values"]

COLLAPSED, COMMON = 0.99, 0.9  # a share of the answers, and of the labels, that one class may have
STILL = 0.01  # outputs that move less than this over all rows, of 1 or of the spread of the targets


def about_answers(found: Predictions, y: Targets, classes: tuple[str, ...]) -> list[str]:
    """Whether the model gives the same output, or calls nearly everything the same, whatever comes in."""
    n = len(y)
    if n < 2:
        return []
    moved = 1.0 if found.scores is None else float(np.ptp(found.scores, axis=0).max())
    if moved < 1e-7:
        return ["The model gives the same output for every input."]
    said, labels = (tally(v, len(classes)) for v in (found.predicted, y))
    top = int(said.argmax())
    name, called, meant = classes[top], int(said[top]), int(labels[top])
    caveats = []
    if called == n:
        caveats.append(f"The model calls every one of the {n:,} samples {name!r}.")
    elif called > COLLAPSED * n and meant < COMMON * n:
        caveats.append(f"The model calls {called:,} of {n:,} samples {name!r}; {meant:,} are labelled so.")
    if moved < STILL:
        caveats.append(f"The outputs hardly move: no probability differs by more than {moved:.2g} among {n:,} samples.")
    return caveats


def about_values(found: Predictions, y: Targets) -> list[str]:
    """Whether the values of a regression hardly move while the targets do."""
    values = found.values
    if values is None or len(values) < 2 or float(np.ptp(values)) >= STILL * float(np.ptp(y)):
        return []
    within = f"the values lie within {float(np.ptp(values)):.3g}, the targets within {float(np.ptp(y)):.3g}"
    return [f"The outputs hardly move: {within}."]


def about_chance(accuracy: Measure, classes: tuple[str, ...], likely: str) -> list[str]:
    """Whether the accuracy is that of guessing, or below it; `likely` names what is wrong then as a rule."""
    chance = 1 / len(classes)
    if accuracy.value is None or accuracy.low is None or accuracy.high is None or accuracy.low > chance:
        return []
    found = f"{percent(accuracy.value, 1)} on {len(classes)} classes"
    question = f"{likely} right? Every later figure would be about the wrong function."
    if accuracy.high < chance:
        return [f"{found} is below chance level ({percent(chance, 1)}): are the order of the classes, {question}"]
    if accuracy.value > chance:
        return [
            f"{found} cannot be told from chance level ({percent(chance, 1)}) with {accuracy.n:,} rows: are {question}"
        ]
    return [f"{found} is chance level ({percent(chance, 1)}): are {question}"]


def about_labels(y: Targets, classes: tuple[str, ...]) -> list[str]:
    """Whether only one class occurs."""
    only = int(y.min())
    if only < y.max():
        return []
    return [f"Only the class {classes[only]!r} occurs in the data: figures that need two classes have none."]
