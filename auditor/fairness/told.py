"""What has to be said of groups and their figures: in a table, and as reasons to doubt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.counting.ordered import EXACT, QUANTILES
from auditor.fairness.crossed import Found
from auditor.lists import listed
from auditor.percents import percent
from auditor.types import Scalar, Table

__all__ = ["about_empty", "about_groups", "about_order", "about_rates", "quantile_table", "table"]

SMALL, LISTED = 30, 5


def table(found: Found, fewer_than: int) -> Table:
    """Every group with its rows and figures; of a suppressed one that it has fewer rows than are shown."""
    names = next(([m.name for m in figures] for figures in found.figures.values()), [])
    rows: list[tuple[Scalar, ...]] = []
    for group, n in found.sizes.items():
        figures = found.figures.get(group)
        if figures is None:
            rows.append((*group, f"fewer than {fewer_than}, or suppressed with it", *[None] * len(names)))
        else:
            rows.append((*group, n, *(m.value for m in figures)))
    return Table(_title("By", found), (*found.attributes, "n", *names), tuple(rows))


def quantile_table(found: Found) -> Table:
    """The quantiles of the scores of every group."""
    rows: list[tuple[Scalar, ...]] = [(*group, *values) for group, values in found.quantiles.items()]
    return Table(_title("Scores by", found), (*found.attributes, *map(percent, QUANTILES)), tuple(rows))


def _title(lead: str, found: Found) -> str:
    about = found.about.removeprefix("&class=")
    return f"{lead} {' and '.join(found.attributes)}" + (f", favourable: {about}" if about else "")


def about_groups(found: Found) -> Iterator[str]:
    """Groups that are alone, many or small."""
    by, alone = " and ".join(found.attributes), len(found.attributes) == 1
    named = {group: n for group, n in found.sizes.items() if MISSING not in group}
    if len(named) < 2:
        yield f"{by} has one group only: there is nothing to compare."
    missing = sum(n for group, n in found.sizes.items() if group not in named and group in found.figures)
    if missing and alone:
        yield f"Of {missing:,} rows {by} is missing: they are a group of their own, which is shown and not compared."
    small = [(n, group) for group, n in named.items() if n < SMALL and group in found.figures]
    if alone and len(small) <= LISTED:
        yield from (f"Group {by}={group[0]} has {n:,} {'row' if n == 1 else 'rows'} only." for n, group in small)
    elif small:
        yield f"Of {len(named):,} groups by {by} {len(small):,} have fewer than {SMALL} rows."
    if hidden := len(found.sizes) - len(found.figures):
        yield f"By {by} {hidden:,} groups are suppressed: no figure of theirs is shown or compared."


def about_empty(found: Found, groups: Mapping[str, Labels]) -> Iterator[str]:
    """Crossings that nobody is in."""
    names = [[n for n in groups[a].names if n != MISSING] for a in found.attributes]
    occurring = [{g[i] for g in found.sizes} for i in range(len(names))]
    possible = prod(sum(n in seen for n in own) for own, seen in zip(names, occurring, strict=True))
    empty = possible - sum(MISSING not in group for group in found.sizes)
    if empty:
        yield f"Nobody is in {empty:,} of the {possible:,} groups by {' and '.join(found.attributes)}."


def about_rates(found: Found) -> Iterator[str]:
    """Groups of which a rate says nothing, as nobody in them is what it is about; of one attribute."""
    for name, who in (("tpr", "truly favourable"), ("tnr", "truly unfavourable"), ("ppv", "told the favourable")):
        nobody = [g[0] for g, ms in found.figures.items() for m in ms if m.name == name and m.value is None]
        if nobody and len(found.attributes) == 1:
            groups = listed(nobody, LISTED)
            yield f"By {found.attributes[0]} no row of {groups} is {who}: rates of such rows have no value there."


def about_order(found: Sequence[Found], rows: int) -> Iterator[str]:
    """How far figures that come from bins may be off."""
    if rows <= EXACT or not any(f.quantiles for f in found):
        return
    area, distance, quantile = (max(f.off[i] for f in found) for i in range(3))
    yield (
        f"Of more than {EXACT:,} rows scores are counted in bins: areas are off by {area:.1g} at most, distances "
        f"between distributions by {distance:.1g}, quantiles by {quantile:.1g}."
    )
