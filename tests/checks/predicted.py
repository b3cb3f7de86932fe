"""Results of fairness checks for predictions that are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from auditor.audit import run
from auditor.given import Given
from auditor.selection import Selection
from auditor.subject import Data
from auditor.types import Outcome, Result

__all__ = ["answers", "outcome", "result", "scores"]


def answers(
    predicted: Any,
    actual: Any,
    groups: Mapping[str, Sequence[str]],
    classes: tuple[str, ...] = ("no", "yes"),
    positive: int | None = 1,
) -> Data:
    """Data with answers that came with it."""
    data = Data.of(torch.zeros(len(actual), 1), torch.tensor(np.array(actual)).long(), groups, positive=positive)
    return replace(data, given=Given(classes, np.asarray(predicted, np.int64), None))


def scores(score: Any, actual: Any, groups: Mapping[str, Sequence[str]], *, threshold: float = 0.5) -> Data:
    """Data with scores of class 1 of two that came with it."""
    p = np.asarray(score, np.float32)
    data = answers(p > threshold, actual, groups)
    return replace(data, given=Given(("no", "yes"), (p > threshold).astype(np.int64), np.stack([1 - p, p], 1)))


def outcome(data: Data, check: str, **settings: Any) -> Outcome:
    """How `check` ended on predictions that are given."""
    found = run(None, data, selection=Selection(only=(check,), settings={check: settings})).outcome(check)
    assert found is not None
    return found


def result(data: Data, check: str, **settings: Any) -> Result:
    """What `check` found."""
    ended = outcome(data, check, **settings)
    assert ended.result is not None, ended.reason
    return ended.result
