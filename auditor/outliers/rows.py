"""Which rows a score is fitted on and which it is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from auditor.errors import NotApplicable
from auditor.integers import Integers
from auditor.registry import Context
from auditor.subject import Data

__all__ = ["Split", "split"]

MIXED = 1  # what sets the draw of the reference rows apart from that of the audited ones


@dataclass(frozen=True)
class Split:
    """Rows to fit on, rows to ask about, and what has to be said of them."""

    fitted: Data
    asked: Data
    said: tuple[str, ...]


def split(ctx: Context, rows: Integers, samples: int, reference_rows: int) -> Split:
    """At most `samples` of the audited data's `rows` (positions) and at most `reference_rows` to fit on (0: all).

    These are drawn from the reference data; without such, from one half of the audited data, of which the other half
    is asked about. NotApplicable where that leaves nothing.
    """
    said: list[str] = []
    if ctx.reference is None:
        half = np.random.default_rng(ctx.seed).permutation(len(ctx.data))
        here, there = np.array_split(half, 2)
        fitted, rows = ctx.data.at(np.sort(there)), rows[np.isin(rows, here)]
        said.append(
            "No reference data were given: scores were fitted on one half of the audited rows and asked about the "
            "other half. Give the training data as `reference`."
        )
    else:
        fitted = ctx.reference
    if not len(rows) or not len(fitted):
        msg = f"{len(rows)} rows to ask about and {len(fitted)} to fit on; at least one of each is needed"
        raise NotApplicable(msg)
    asked, fitted = ctx.data.at(rows).take(samples, ctx.seed), fitted.take(reference_rows, ctx.seed + MIXED)
    return Split(fitted, asked, (*said, *_shared(fitted, asked, ctx.batch_size)))


def _shared(fitted: Data, asked: Data, batch_size: int) -> list[str]:
    known = set(_contents(fitted, batch_size))
    both = sum(c in known for c in _contents(asked, batch_size))
    if not both:
        return []
    said = f"{both:,} of {len(asked):,} rows asked about are also among the rows that scores were fitted on"
    return [f"{said}: they look more like the data than new rows do."]


def _contents(data: Data, batch_size: int) -> Iterator[int]:
    return (hash(row.numpy().tobytes()) for b in data.batches(batch_size) for row in b.x)
