"""How far two explanations of one input agree (Krishna et al. 2024, arXiv:2202.01602)."""

from __future__ import annotations

import numpy as np

from auditor.explain.games import Floats

__all__ = ["relative_change", "same_signs", "same_strongest", "strongest"]


def strongest(scores: Floats, k: int) -> frozenset[int]:
    """The `k` players with the highest `scores`; of equal ones the first."""
    return frozenset(np.argsort(-scores, kind="stable")[:k].tolist())


def same_strongest(a: Floats, b: Floats, k: int) -> float:
    """What part of the `k` strongest of `a` are among the `k` strongest of `b`: from 0 to 1 (feature agreement)."""
    k = min(k, len(a))
    return len(strongest(a, k) & strongest(b, k)) / k


def relative_change(own: Floats, other: Floats) -> float | None:
    """|other - own| / |own|, as roots of sums of squares: 0 is no change; None for scores of 0 everywhere."""
    size = float(np.linalg.norm(own))
    return float(np.linalg.norm(other - own)) / size if size > 0 else None


def same_signs(a: Floats, b: Floats, k: int) -> float | None:
    """What part of those among the `k` strongest of both, by size, have the same sign: from 0 to 1; None for none."""
    common = sorted(strongest(np.abs(a), min(k, len(a))) & strongest(np.abs(b), min(k, len(b))))
    return float(np.mean(np.sign(a[common]) == np.sign(b[common]))) if common else None
