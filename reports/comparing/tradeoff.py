"""Accuracy against the gaps between groups, before and after: what a mitigation gained, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.comparing.changes import Change
from auditor.types import Audit, Measure
from reports.comparing.pairs import pair, pair_columns
from reports.parts import Folded, Grid, Heading, Section
from reports.pillars.behaviour import Multiples, Small
from reports.pillars.tradeoff import CHECK, GAPS, Step, ends, key_of, steps_of, title_of
from reports.plane import Ends, Plane, Spot, plane_svg, span_of
from reports.words import number

__all__ = ["tradeoff_section"]

ACCURACY, GROUPS = "performance.accuracy", "fairness.groups"
NOTE = (
    "Down and to the right is better; the arrow leads from the first audit to the second. Bars are 95 % intervals of "
    "each figure alone: whether a figure moved is in the summary above, by the interval of its change."
)
LINE = (
    " The dashed line is what thresholds by group, part of the way, would give of the first model on these rows "
    f"({CHECK}): a yardstick, not a limit."
)

Both = tuple[Measure, Measure]


@dataclass(frozen=True)
class Found:
    """The gaps of an attribute that both audits know, with the steps of thresholds where the first has them."""

    attribute: str
    gaps: dict[str, Both]
    steps: dict[str, list[Step]]


def tradeoff_section(a: Audit, b: Audit, found: Sequence[Change], labels: tuple[str, str]) -> Section | None:
    """Where both audits know accuracy and a gap; the attribute that a wrapper reads first, else in their order."""
    accuracy = _both(a, b, ACCURACY).get(("accuracy", ""))
    every = _gaps(a, b)
    if accuracy is None or not every:
        return None
    reads = b.subject.get("model", {}).get("wrapper_reads")
    every.sort(key=lambda f: f.attribute != reads)
    moved = {(c.check, c.name, c.slice): c for c in found}
    blocks = [_charts(f, accuracy, moved, labels) for f in every]
    rest = [Folded(f"The same by {', '.join(f.attribute for f in every[1:])}", blocks[1:])] if blocks[1:] else []
    head = Heading("What was gained, and what it cost")
    return Section("tradeoff", "Accuracy against gaps", _answer(accuracy, every[0]), [head, blocks[0], *rest])


def _both(a: Audit, b: Audit, check: str) -> dict[tuple[str, str], Both]:
    """The measures of a check whose value both audits know."""
    first, second = ({(m.name, m.slice): m for m in audit.measures(check) if m.value is not None} for audit in (a, b))
    return {key: (m, second[key]) for key, m in first.items() if key in second}


def _gaps(a: Audit, b: Audit) -> list[Found]:
    """By attribute; gaps of a single class, and of crossings, are left to the tables."""
    known, steps = _both(a, b, GROUPS), steps_of(a.outcome(CHECK))
    attributes = dict.fromkeys(about for name, about in known if name in GAPS and "&" not in about)
    return [
        Found(
            attribute,
            {name: known[name, attribute] for name in GAPS if (name, attribute) in known},
            {name: steps[attribute, name] for name in GAPS if (attribute, name) in steps},
        )
        for attribute in attributes
    ]


def _answer(accuracy: Both, first: Found) -> str:
    gaps = [f"{GAPS[name].removeprefix('gap ')} from {_from_to(both)}" for name, both in first.gaps.items()]
    return f"Accuracy went from {_from_to(accuracy)}. By {first.attribute}, the gap {', that '.join(gaps)}."


def _from_to(both: Both) -> str:
    return " to ".join(number(m.value, 3) for m in both)


def _charts(f: Found, accuracy: Both, moved: dict[tuple[str, str, str], Change], labels: tuple[str, str]) -> Multiples:
    paths = {name: [(ends(s.accuracy), ends(s.gap)) for s in steps] for name, steps in f.steps.items()}
    x = span_of([*map(ends, accuracy), *(_alone(s) for path in paths.values() for s, _ in path)])
    y = span_of(
        [*(ends(m) for both in f.gaps.values() for m in both), *(_alone(s) for p in paths.values() for _, s in p)],
        zero=True,
    )
    charts = []
    for name, both in f.gaps.items():
        spots = [
            Spot(label.lower(), ends(right), ends(gap), kind)
            for label, right, gap, kind in zip(labels, accuracy, both, ("s1", "s3"), strict=True)
        ]
        title, said = title_of(name, f.attribute), f"From {_from_to(both)}, accuracy from {_from_to(accuracy)}."
        path = [(s[0], g[0]) for s, g in paths.get(name, [])]
        drawn = Plane(spots, path, x, y, ("accuracy", "gap"), arrow=True)
        svg = plane_svg(key_of("moved", f.attribute, name), title, said, drawn)
        charts.append(Small(title, said, svg))
    rows = [["accuracy", *pair(*accuracy, moved.get((ACCURACY, "accuracy", "")))]]
    rows += [[GAPS[name], *pair(*both, moved.get((GROUPS, name, f.attribute)))] for name, both in f.gaps.items()]
    grid = Grid(f"Accuracy and gaps by {f.attribute}", ("figure", *pair_columns(labels)), rows, frozenset(range(1, 6)))
    note = NOTE + LINE if f.steps else NOTE
    return Multiples(f"By {f.attribute}", charts, note, Folded("The figures in these charts", [grid]))


def _alone(e: Ends) -> Ends:
    """A value without its interval."""
    return e[0], e[0], e[0]
