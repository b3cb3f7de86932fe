"""Groups: which criteria the rows speak against, which cannot hold together, and every rate of every group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from auditor.types import Measure, Outcome
from reports.gaps import CRITERIA, GAPS, attributes_of, between, by_words, without_about
from reports.parts import CheckHead, Folded, Grid, Heat, HeatCell, Points, interval_words, measures_grid
from reports.pillars.common import FEW, rate_cell
from reports.words import groups_of, number

__all__ = ["groups"]

RATES = {
    "selection_rate": "gets the favourable answer",
    "base_rate": "truly favourable",
    "tpr": "true positive rate",
    "fpr": "false positive rate",
    "ppv": "favourable answers that are true",
    "accuracy": "accuracy",
}
VALUES = {"mean_value": "mean value", "mean_residual": "mean residual", "mean_absolute_error": "mean absolute error"}
MOST_ROWS = 60
SHOWN_CROSSINGS = 10  # of a table of criteria; the others are behind a click
TOGETHER = (
    "Where base rates differ, a model that errs cannot meet independence, separation and sufficiency, nor any two of "
    "them, but in degenerate cases (Kleinberg, Mullainathan & Raghavan 2016, arXiv:1609.05807; Chouldechova 2017, "
    "arXiv:1703.00056): which of them matters here is for people to say."
)


def groups(o: Outcome) -> list[Any]:
    """The check's head, the criteria of each attribute, and the rates of each group; crossings behind a click."""
    if o.result is None:
        return []
    measures = o.result.measures
    blocks: list[Any] = [CheckHead.of(o)]
    slices = list(dict.fromkeys(m.slice for m in measures if m.name in GAPS))
    alone = [s for s in slices if len(attributes_of(s)[0]) == 1]
    blocks += [_criteria(measures, s) for s in alone[:SHOWN_CROSSINGS]]
    if said := list(_together(measures, alone)):
        blocks.append(Points([*said, TOGETHER]))
    tables = [(attributes, _heat(attributes, own)) for attributes, own in _by_attributes(measures, slices).items()]
    blocks += [t for attributes, t in tables if len(attributes) == 1]
    crossed = [s for s in slices if s not in alone][:SHOWN_CROSSINGS]
    if crossed:
        blocks.append(Folded("Criteria where attributes cross", [_criteria(measures, s) for s in crossed]))
    blocks += [Folded(f"Rates by {' and '.join(a)} together", [t]) for a, t in tables if len(a) > 1]
    between_groups = [m for m in measures if _is_gap(m)]
    if between_groups:
        caption = "Every gap, with an interval that holds whichever groups lie furthest apart"
        blocks.append(Folded("Every gap between groups", [measures_grid(caption, between_groups, 200)]))
    return blocks


def _is_gap(m: Measure) -> bool:
    return m.name.endswith(("_difference", "_ratio", "between_group_generalized_entropy")) and m.name != "fn_fp_ratio"


# ---- criteria ----------------------------------------------------------------------------------------------------
def _criteria(measures: Sequence[Measure], where: str) -> Grid:
    gaps = {m.name: m for m in measures if m.slice == where}
    known = [(criterion, gaps[criterion.gap]) for criterion in CRITERIA if criterion.gap in gaps]
    rows = [[criterion.name, criterion.harm, *_found(measures, gap), _speaks(gap)] for criterion, gap in known]
    caption = f"By {by_words(where)}: what each criterion asks for, how far the rows are from it, and what that says"
    columns = ("criterion", "harm", "largest gap", "95 % interval", "between", "these rows")
    return Grid(caption, columns, rows, frozenset({2, 3}), of=[(gap.name, gap.slice) for _, gap in known])


def _found(measures: Sequence[Measure], gap: Measure) -> tuple[str, str, str]:
    ends = between(measures, gap)
    words = "" if ends is None else " and ".join(f"{group} ({value})" for group, value in ends.ends)
    return number(gap.value), interval_words(gap, 2), words


def _speaks(gap: Measure) -> str:
    """What a gap is evidence for. That none is shown says no more than how large one may be."""
    if gap.value is None:
        return "too few rows of two groups to say"
    if gap.low is None or gap.high is None:
        return "too few rows for an interval"
    if gap.low > 0:
        return f"evidence against it: a gap of at least {number(gap.low)}"
    return f"no gap shown; one of up to {number(gap.high)} is not ruled out"


def _together(measures: Sequence[Measure], slices: Sequence[str]) -> Iterator[str]:
    """Whether base rates differ, which decides what can hold together."""
    for where in slices:
        gap = next((m for m in measures if m.name == "base_rate_difference" and m.slice == where), None)
        if gap is None or gap.value is None or gap.low is None:
            continue
        ends = between(measures, gap)
        whom = "" if ends is None else " ({})".format(", ".join(f"{value} of {group}" for group, value in ends.ends))
        if gap.low > 0:
            yield f"By {by_words(where)}, base rates differ by at least {number(gap.low)}{whom}."
        else:
            yield f"By {by_words(where)}, these rows show no difference in base rates{whom}."


# ---- rates -------------------------------------------------------------------------------------------------------
Groups = dict[str, dict[str, Measure]]  # figures by name, by the slice of a group


def _by_attributes(measures: Sequence[Measure], gaps: Sequence[str]) -> dict[tuple[str, ...], Groups]:
    """The figures of groups, by the attributes that make these; `gaps` are the slices of all gaps."""
    abouts = {attributes_of(text)[1] for text in gaps}
    found: dict[tuple[str, ...], Groups] = {}
    for m in measures:
        if _of_group(m):
            attributes = tuple(a for a, _ in groups_of(without_about(m.slice, abouts)))
            found.setdefault(attributes, {}).setdefault(m.slice, {})[m.name] = m
    return found


def _of_group(m: Measure) -> bool:
    return m.name in RATES or m.name in VALUES


def _heat(attributes: tuple[str, ...], by_slice: Groups) -> Heat:
    columns = {name: words for name, words in (RATES | VALUES).items() if any(name in own for own in by_slice.values())}
    rows = []
    for text, own in list(by_slice.items())[:MOST_ROWS]:
        cells = [_cell(own[name]) for name in columns if name in own]
        rows.append((", ".join(group for _, group in groups_of(text)), cells))
    left_out = f" {len(by_slice) - MOST_ROWS:,} further groups are in audit.json." if len(by_slice) > MOST_ROWS else ""
    caption = (
        f"Rates by {' and '.join(attributes)}; the stronger the tint the higher, with 95 % interval and n. "
        f"Under {FEW} rows: too few.{left_out}"
    )
    return Heat(caption, (" and ".join(attributes), *columns.values()), rows)


def _cell(m: Measure) -> HeatCell:
    if m.name in RATES:
        return rate_cell(m)
    return HeatCell(number(m.value), interval_words(m, 2), f"n {m.n:,}", 0)
