"""Measures and tables of missing values. Every fall is that of the same rows, with the interval of paired rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from auditor.columns import Labels
from auditor.missing.answers import ALL, KINDS, Answers, at_group
from auditor.missing.nan import ALL_VALUES, ONE_VALUE, GivenNaN
from auditor.missing.patterns import SHARES
from auditor.percents import percent
from auditor.stats import mean, mean_size, paired, rate
from auditor.types import Measure, Scalar, Table

__all__ = ["column_figures", "group_figures", "kind_figures", "nan_figures"]

Values = np.ndarray[Any, np.dtype[np.float64]]
Figures = tuple[list[Measure], Table]
NO_ANSWER = "the model gives no number for a row"
SAID = {
    "random": "single values",
    "column-block": "neighbouring columns",
    "row-block": "consecutive rows",
}


def kind_figures(found: Answers) -> Figures:
    """The rows as they are, and with values missing by kind and share."""
    own = found.scores(found.clean)
    clean = _level(found, "clean", own, "")
    measures = [clean]
    rows: list[tuple[Scalar, ...]] = [("nothing", *_ends(clean), None, None, None, 0, clean.n)]
    for kind in KINDS:
        for share in SHARES:
            answers = found.kinds[kind, share]
            pair = _pair(found, own, found.scores(answers), f"missing={kind}&share={share:g}")
            measures += pair
            rows.append((f"{SAID[kind]}, {percent(share)}", *_shown(pair), _changed(found.clean, answers), pair[0].n))
    columns = ("missing", *_columns(found), "other answers", "n")
    return measures, Table(f"{_what(found).capitalize()} with missing values", columns, tuple(rows))


def column_figures(found: Answers, names: Sequence[str], shown: Sequence[str]) -> Figures:
    """One column missing at a time, the costliest first; `shown` is what stands in for each of the columns."""
    own, measures, rows = found.scores(found.clean), list[Measure](), list[tuple[Scalar, ...]]()
    for c in dict.fromkeys(c for c, _ in found.columns):
        pairs = {}
        for share in (*SHARES, ALL):
            where = f"column={names[c]}&share={share:g}"
            pairs[share] = _pair(found, own, found.scores(found.columns[c, share]), where)
            measures.append(pairs[share][1])
        falls = [v for share in (SHARES[-1], ALL) for v in _ends(pairs[share][1])]
        other = _changed(found.clean, found.columns[c, ALL])
        rows.append((names[c], shown[c], *falls, other, pairs[ALL][1].n))
    rows.sort(key=lambda row: (-_number(row[5]), -_number(row[8])))
    what = _change(found)
    columns = (
        "column", "filled with", f"{what}, {percent(SHARES[-1])} of rows", "low", "high", f"{what}, all rows", "low",
        "high", "other answers", "n",
    )  # fmt: skip
    return measures, Table("One column missing, the costliest first", columns, tuple(rows))


def group_figures(found: Answers, groups: Mapping[str, Labels]) -> Figures:
    """Values missing at random in the rows of one group alone: the figures of that group's rows."""
    own, measures, rows = found.scores(found.clean), list[Measure](), list[tuple[Scalar, ...]]()
    for attribute, labels in groups.items():
        for code, name in enumerate(labels.names):
            inside = labels.codes == code
            if not inside.any():
                continue
            where, pairs = f"{attribute}={name}", []
            for share in SHARES:
                scores = found.scores(at_group(found, labels, code, share))
                pairs.append(_pair(found, own[inside], scores[inside], f"missing=group&{where}&share={share:g}"))
            measures += [m for pair in pairs for m in pair]
            clean = _level(found, "clean", own[inside], where)
            last = pairs[-1]
            rows.append((where, clean.value, *(level.value for level, _ in pairs), *_ends(last[1]), clean.n))
    at = [f"{percent(share)} missing" for share in SHARES]
    columns = ("group", "nothing missing", *at, f"{_change(found)} at {percent(SHARES[-1])}", "low", "high", "n")
    return measures, Table(f"{_what(found).capitalize()} of one group whose values are missing", columns, tuple(rows))


def nan_figures(given: Sequence[GivenNaN], *, values: bool) -> Figures:
    """What comes out where NaN goes in."""
    measures, answered = list[Measure](), list[Measure]()
    slices = {ONE_VALUE: "nan=one", ALL_VALUES: "nan=all"}
    for g in given:
        answered.append(rate("nan_answered", g.silent, g.n, slice=slices.get(g.where, ""), better="lower"))
        if g.where in slices:
            measures += [
                answered[-1],
                rate("nan_out", g.nan, g.n, slice=slices[g.where], better="neither"),
                rate("nan_raises", g.raises, g.n, slice=slices[g.where], better="neither"),
            ]
    answer = "a value, silently" if values else "a class, silently"
    right = () if values else ("of these right",)
    columns = ("NaN in", answer, "low", "high", *right, "NaN or infinity out", "an error", "n")
    rows: list[tuple[Scalar, ...]] = []
    for g, m in zip(given, answered, strict=True):
        shares = () if values else (g.right / g.silent if g.silent else None,)
        rows.append((g.where, *_ends(m), *shares, g.nan / g.n, g.raises / g.n, g.n))
    rows[2:] = sorted(rows[2:], key=lambda row: -_number(row[1]))
    return measures, Table("What NaN in gives out", columns, tuple(rows))


# ---- parts --------------------------------------------------------------------------------------------------------
def _pair(found: Answers, own: Values, scores: Values, where: str) -> tuple[Measure, Measure]:
    """The figure of rows with gaps, and by how much it is worse than that of the same rows as they are."""
    level = _level(found, "missing", scores, where)
    if not found.values:
        return level, paired("accuracy_fall", own.tolist(), scores.tolist(), slice=where)
    known = np.isfinite(own).all() and np.isfinite(scores).all()
    if not known:
        return level, Measure("error_rise", where, None, len(own), better="lower", why=NO_ANSWER)
    return level, mean("error_rise", (scores - own).tolist(), slice=where, better="lower")


def _level(found: Answers, name: str, scores: Values, where: str) -> Measure:
    n, name = len(scores), f"{name}_{_what(found)}"
    if not found.values:
        return rate(name, int(scores.sum()), n, slice=where)
    if not np.isfinite(scores).all():
        return Measure(name, where, None, n, better="lower", why=NO_ANSWER)
    return mean_size(name, scores, slice=where, better="lower")


def _what(found: Answers) -> str:
    return "error" if found.values else "accuracy"


def _change(found: Answers) -> str:
    return "rise" if found.values else "fall"


def _columns(found: Answers) -> tuple[str, ...]:
    return _what(found), "low", "high", _change(found), "low", "high"


def _shown(pair: tuple[Measure, Measure]) -> Iterator[float | None]:
    for m in pair:
        yield from _ends(m)


def _ends(m: Measure) -> tuple[float | None, float | None, float | None]:
    return m.value, m.low, m.high


def _changed(own: Values, answers: Values) -> int:
    return int(((own != answers) & ~(np.isnan(own) & np.isnan(answers))).sum())


def _number(value: Scalar) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
