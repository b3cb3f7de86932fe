"""Local intrinsic dimensionality: how fast the number of neighbours grows around a row (Ma et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from auditor.outliers.features import Answers
from auditor.outliers.scores import Score

__all__ = ["NEIGHBOURS", "local_dimension"]

NEIGHBOURS = 20
BATCH = 100  # reference rows: the estimate is made for few
TINY = 1e-12


def local_dimension(fitted: Answers, k: int = NEIGHBOURS) -> Score:
    """Minus the dimension estimated by the `k` nearest of at most 100 rows: arXiv:1801.02613, equation 4.

    It is -k / sum(log(r_i / r_k)) over distances r_1 to r_k of the features, on the last vector alone. There are at
    least `k` rows.
    """
    bank = fitted.features[:BATCH].double()

    def score(answers: Answers) -> Tensor:
        away = torch.cdist(answers.features.double(), bank).clamp_min(TINY)
        near = away.topk(k, dim=1, largest=False).values
        return 1 / (near / near[:, -1:]).log().mean(1).clamp_max(-TINY)

    return score
