"""Tables whose model answers by one number, with groups whose best thresholds are known."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from auditor.columns import Column
from auditor.subject import Data, Model
from tests.zoo import Case

__all__ = ["apart", "by_score", "skewed"]


def by_score(score: np.ndarray, y: np.ndarray, sex: list[str]) -> Case:
    """Logits (0, score): the answer is yes above 0."""
    head = nn.Linear(2, 2)
    head.weight.data = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    head.bias.data = torch.zeros(2)
    x = torch.tensor(np.stack([score, np.cos(score)], 1), dtype=torch.float32)
    bounds = torch.tensor([-50.0, -1.0]), torch.tensor([50.0, 1.0])
    model = Model(head, ("no", "yes"), bounds=bounds, unit=torch.tensor([3.0, 0.7]))
    columns = (Column("score", 0, 1), Column("other", 1, 2))
    return Case(model, Data.of(x, torch.tensor(y).long(), {"sex": sex}, columns=columns, positive=1))


def apart() -> Case:
    """Each sex has 40 scores from -9.75 to 9.75: yes is right for m above 3 (14 rows), for f above -5 (30 rows).

    Thresholds of 3 and -5 are always right. At 0 20 of each are answered yes; of f 10 who deserve it are missed (tpr
    20 / 30, fpr 0), of m 6 do not deserve it (tpr 1, fpr 6 / 26).
    """
    score = np.tile(np.arange(-9.75, 10, 0.5), 2)
    sex = ["f"] * 40 + ["m"] * 40
    return by_score(score, score > np.where(np.array(sex) == "m", 3, -5), sex)


def skewed(n: int = 400, seed: int = 0) -> Case:
    """Scores that overlap: those of m lie 1.5 higher, and yes is as likely as the score says."""
    draw = np.random.default_rng(seed)
    male = draw.random(n) < 0.4
    score = draw.normal(size=n) * 1.5 + 1.5 * male - 0.8
    y = draw.random(n) < 1 / (1 + np.exp(-score))
    return by_score(score, y, np.where(male, "m", "f").tolist())
