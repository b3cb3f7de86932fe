"""What is certain beside what attacks leave, by size of change."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from auditor.attacked.sizes import at_size
from auditor.stats import rate
from auditor.types import Measure, Scalar, Table

__all__ = ["figures"]


def figures(
    norm: str, index: Tensor, right: Tensor, attacked: list[int] | None, ladder: Sequence[float]
) -> tuple[tuple[Measure, ...], Table]:
    """`certified_accuracy` and `attacked_accuracy` of N rows at each of the `ladder`, and as a table.

    `index` (N,) is the number of sizes that a row stands for certain, `right` (N,) whether it stands at 0; `attacked`
    counts the rows that attacks leave at each size, None where none were made.
    """
    n = len(index)
    clean = rate("certified_accuracy", int(right.sum()), n, slice=f"{norm}@0")
    proved = [rate("certified_accuracy", int((index > k).sum()), n, slice=at_size(norm, e))
              for k, e in enumerate(ladder)]  # fmt: skip
    beside = [] if attacked is None else [rate("attacked_accuracy", count, n, slice=at_size(norm, e))
                                          for count, e in zip(attacked, ladder, strict=True)]  # fmt: skip
    rows: list[tuple[Scalar, ...]] = [(0.0, clean.value, clean.low, clean.high, clean.value, 0.0, n)]
    for k, (e, m) in enumerate(zip(ladder, proved, strict=True)):
        above = beside[k].value if beside else None
        gap = None if above is None else above - (m.value or 0.0)
        rows.append((e, m.value, m.low, m.high, above, gap, n))
    columns = ("epsilon", "proved at least", "low", "high", "attacks leave", "open", "n")
    title = "Proved and attacked accuracy by " + ("length of change" if norm == "l2" else "largest change")
    return (clean, *proved, *beside), Table(title, columns, tuple(rows))
