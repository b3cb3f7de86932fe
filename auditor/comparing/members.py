"""Which sensitive group each row of an audit is in, as fairness.groups kept it of the gaps between all of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from auditor.comparing.kept import Ids, kept_of_rows
from auditor.scores import group_key
from auditor.store import Record
from auditor.types import Measure

__all__ = ["Members", "members_of"]

CHECK = "fairness.groups"
OF_ALL_ROWS = {"accuracy_difference": "accuracy", "demographic_parity_difference": "selection_rate"}


@dataclass(frozen=True)
class Members:
    """The groups of an `attribute` by `names`; each of the `rows` (n,), in rising order, is in that of its `codes`."""

    attribute: str
    names: tuple[str, ...]
    rows: Ids
    codes: Ids


def members_of(record: Record) -> Iterator[Members]:
    """Of each sensitive attribute the groups that fairness.groups compared; none where they were not kept.

    The evidence holds numbers in the order of the measures: a group counts as known only where both counts agree.
    """
    measures = record.audit.measures(CHECK)
    attributes = [str(a) for a in record.audit.subject.get("data", {}).get("sensitive", ())]
    for attribute in attributes:
        gaps = (m for m in measures if m.name in OF_ALL_ROWS and m.slice.partition("&class=")[0] == attribute)
        found = (_of_gap(record, attribute, attributes, gap) for gap in gaps)
        if known := next((f for f in found if f is not None), None):
            yield known


def _of_gap(record: Record, attribute: str, attributes: list[str], gap: Measure) -> Members | None:
    kept = kept_of_rows(record, CHECK, group_key(gap.name, gap.slice))
    if kept is None:
        return None
    rows, codes = kept[0][kept[1] >= 0], kept[1][kept[1] >= 0].astype(np.int64)
    numbers, groups = np.unique(codes // 2, return_inverse=True)
    counts = [(int((codes[groups == g] % 2).sum()), int((groups == g).sum())) for g in range(len(numbers))]
    named = _named(record, attribute, attributes, gap)
    found = [(name, of) for name, of in named if of in counts]
    if [of for _, of in found] != counts:
        return None
    return Members(attribute, tuple(name for name, _ in found), rows, groups.astype(np.int64))


def _named(record: Record, attribute: str, attributes: list[str], gap: Measure) -> list[tuple[str, tuple[int, int]]]:
    """The groups of an attribute alone with the counts of the rate that the gap is one of."""
    start, end = f"{attribute}=", gap.slice[len(attribute) :]
    crossed = [f"&{other}=" for other in attributes]
    return [
        (m.slice[len(start) : len(m.slice) - len(end)], (int(m.counts[0]), int(m.counts[1])))
        for m in record.audit.measures(CHECK)
        if m.name == OF_ALL_ROWS[gap.name] and m.slice.startswith(start) and m.slice.endswith(end)
        and len(m.counts) == 2 and not any(c in m.slice for c in crossed)
    ]  # fmt: skip
