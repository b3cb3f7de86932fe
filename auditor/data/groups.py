"""Sensitive columns become groups: their values as they are, or ranges where there are many different numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from auditor.characters import unreadable
from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.data.columns import Columns, Numbers, need
from auditor.data.gathered import is_number
from auditor.data.targets import LONGEST_NAME
from auditor.errors import AuditError, LoadError, UsageError
from auditor.integers import parts, smallest

__all__ = ["BINS_ABOVE", "Cut", "Groups", "groups_like", "groups_of", "quartiles"]

MOST_GROUPS = 100
BINS_ABOVE = 20


@dataclass(frozen=True, slots=True)
class Cut:
    """Ranges of numbers with these inner `edges`, which belong to the range below them; `ends` are the last of each."""

    edges: Numbers
    ends: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The ranges in words."""
        return (f"up to {self.ends[0]}", *(f"over {a} to {b}" for a, b in pairwise(self.ends)))

    def labels(self, values: Numbers) -> Labels:
        """The range of each of `values` (N,), `(missing)` for NaN. What lies beyond them all is in the nearest."""
        codes, gaps = np.empty(len(values), smallest(len(self.ends))), False
        for part in parts(len(values)):
            missing = np.isnan(values[part])
            gaps |= bool(missing.any())
            codes[part] = np.where(missing, len(self.ends), np.searchsorted(self.edges, values[part], side="left"))
        return Labels((*self.names, MISSING) if gaps else self.names, codes)


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of the rows by column, how those that hold numbers were cut, and what has to be said of that."""

    labels: Mapping[str, Labels]
    cuts: Mapping[str, Cut] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()


def groups_of(columns: Columns, names: Sequence[str], file: str) -> Groups:
    """The groups of the sensitive columns `names`; UsageError or LoadError for a column that makes none."""
    labels, cuts = dict[str, Labels](), dict[str, Cut]()
    for name in names:
        need(columns.names, name, "sensitive column", file)
        _need_separable(name)
        if columns.holds_many_numbers(name, BINS_ABOVE):
            values = columns.numbers(name)
            _need_finite(values, name)
            cuts[name] = quartiles(values)
            labels[name] = cuts[name].labels(values)
        else:
            labels[name] = _few(columns, name)
    return Groups(labels, cuts, tuple(_words(name, cut) for name, cut in cuts.items()))


def groups_like(columns: Columns, given: Groups) -> Groups:
    """The groups of a reference by the columns of `given` that it has; a caveat for one that does not fit.

    Names are those in its own file. Numbers are cut at the edges of the audited data: what is learnt of groups on the
    reference is then learnt of those that figures and limits speak of.
    """
    labels, caveats = dict[str, Labels](), list[str]()
    for name in given.labels:
        if name not in columns.names:
            continue
        try:
            cut = given.cuts.get(name)
            labels[name] = _few(columns, name) if cut is None else cut.labels(columns.numbers(name))
        except AuditError as e:
            caveats.append(f"The reference has no groups by {name!r}: {e}.")
    return Groups(labels, given.cuts, tuple(caveats))


# ---- values as they are ------------------------------------------------------------------------------------------
def _few(columns: Columns, name: str) -> Labels:
    """Each value as a group; UsageError or LoadError where they are too many, or are no names."""
    found = columns.labels(name)
    named = [n for n in found.names if n != MISSING]
    if len(named) > MOST_GROUPS:
        msg = (
            f"sensitive column {name!r} has {len(named):,} different values; at most {MOST_GROUPS} are compared: "
            "merge them in the file (regions, years), or write numbers alone, which are cut into ranges"
        )
        raise UsageError(msg)
    if all(map(is_number, named)):
        _need_finite(np.array([float(n) for n in named]), name)
    odd = next((n for n in named if len(n) > LONGEST_NAME or _unreadable(n)), None)
    if odd is not None:
        what = f"the character {_unreadable(odd)}" if _unreadable(odd) else f"{len(odd):,} characters"
        msg = f"sensitive column {name!r} holds {odd!r:.80}, a value with {what}; rename it"
        raise UsageError(msg)
    torn = next((n for n in named if re.search("&[^&=]+=", n)), None)
    if torn is not None:
        msg = f"sensitive column {name!r} holds {torn!r}, which reads as two groups in results; rename that value"
        raise UsageError(msg)
    return found


def _unreadable(name: str) -> str:
    """The first character of a group's name that cannot be read; a tab is but a wide space."""
    return unreadable(name.replace("\t", " "))


def _need_separable(name: str) -> None:
    if "=" in name or "&" in name or unreadable(name):
        odd = unreadable(name) or "= or &"
        msg = f"sensitive column {name!r:.80} has {odd} in its name, which part names and groups in results; rename it"
        raise UsageError(msg)


def _need_finite(values: Numbers, name: str) -> None:
    if np.isinf(values).any():
        msg = f"sensitive column {name!r} holds infinity; expected numbers, or nothing where one is not known"
        raise LoadError(msg)


# ---- ranges ------------------------------------------------------------------------------------------------------
def quartiles(values: Numbers) -> Cut:
    """Four ranges of about as many of `values` each, NaN left out, with their edges as names."""
    present = values[~np.isnan(values)]
    edges = np.unique(np.quantile(present, [0.25, 0.5, 0.75], method="lower"))
    edges = edges[edges < present.max()]
    return Cut(edges, tuple(_distinct([*edges, present.max()])))


def _words(name: str, cut: Cut) -> str:
    """At which values the column was cut."""
    how = f"they were cut at {', '.join(cut.ends[:-1])}" if len(cut.edges) else "nearly all are the same"
    return f"Sensitive column {name!r} holds numbers; {how}."


def _distinct(values: Sequence[float]) -> list[str]:
    """Different numbers as different texts, no longer than that needs."""
    if all(float(v).is_integer() and abs(v) < 1e15 for v in values):
        return [str(int(v)) for v in values]
    digits = next(d for d in range(6, 18) if len({f"{v:.{d}g}" for v in values}) == len(values))
    return [f"{v:.{digits}g}" for v in values]
