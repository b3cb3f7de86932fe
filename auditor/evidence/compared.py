"""Whether one order is better than another on the same rows, by how many of them, and with what doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditor.stats import holm, wilcoxon

__all__ = ["Compared", "compared"]

SURE, MOSTLY = 0.05, 0.6


@dataclass(frozen=True)
class Compared:
    """A method beside a rival: in how many of `n` rows it is the better one, and Holm's p-values that it is, or is not.

    Rows where both are equal count half a win.
    """

    wins: float
    n: int
    p_better: float
    p_worse: float

    @property
    def is_better(self) -> bool:
        """Significantly, and in over 60 % of the rows."""
        return self.p_better < SURE and self.wins > MOSTLY * self.n

    @property
    def is_worse(self) -> bool:
        """The rival is significantly better, and in over 60 % of the rows."""
        return self.p_worse < SURE and self.wins < (1 - MOSTLY) * self.n


def compared(
    values: Mapping[str, Sequence[float | None]], rival: Mapping[str, Sequence[float | None]], sign: int
) -> dict[str, Compared]:
    """Every method's `values` beside its rival's, row by row; `sign` is 1 where higher is better, -1 where lower is.

    Rows without a value of either are left out; the p-values are Holm's over the methods.
    """
    pairs = {
        m: [sign * (a - b) for a, b in zip(own, rival[m], strict=True) if a is not None and b is not None]
        for m, own in values.items()
    }
    better = _adjusted([wilcoxon(d) for d in pairs.values()])
    worse = _adjusted([wilcoxon([-v for v in d]) for d in pairs.values()])
    return {
        m: Compared(sum(v > 0 for v in d) + sum(v == 0 for v in d) / 2, len(d), p, q)
        for (m, d), p, q in zip(pairs.items(), better, worse, strict=True)
    }


def _adjusted(p: Sequence[float | None]) -> list[float]:
    return holm([1.0 if value is None else value for value in p])
