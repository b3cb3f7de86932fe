"""The curve of robust accuracy: between the audited sizes by the smallest changes found, with bands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from auditor.stats import simultaneous
from auditor.types import Measure, Outcome
from reports.charts import Line, curve, figure_svg
from reports.parts import Chart, Grid
from reports.words import epsilons, number, size

__all__ = ["curve_chart", "robust_measures"]

POINTS = 24  # between two sizes


def robust_measures(o: Outcome, *, noise: bool = False) -> dict[float, Measure]:
    """Measures of a curve by epsilon, 0 first: accuracy under attack, or under random changes."""
    names = ("noise_accuracy", "noise_stable_rate") if noise else ("robust_accuracy", "stable_rate")
    exact = epsilons(o)
    found = {exact[m.slice]: m for m in o.measures if m.name in names}
    return dict(sorted(found.items()))


def curve_chart(o: Outcome, said: str, distances: Sequence[float], unit: str = "", key: str = "c-rob") -> Chart:
    """Robust accuracy by size of change, with its band, beside random changes of the same size.

    `distances` are the smallest changes found of every row, empty where they were not kept; sizes are in `unit`.
    """
    robust, noise = robust_measures(o), robust_measures(o, noise=True)
    lines = [_attack(list(robust), list(robust.values()), distances)]
    if noise:
        clean = robust[min(robust)]
        lines.append(Line("random change", [clean.value or 0.0, *(m.value or 0.0 for m in noise.values())], "s2"))
    stable = any(m.name == "stable_rate" for m in robust.values())
    title = "Values that stay under the strongest attack found." if stable else (
        "Accuracy under the strongest attack found."
    )  # fmt: skip
    counted = any(m.slice.partition("@")[0] in ("words", "l0") for m in robust.values())
    axis = "number of changes" if counted else f"change in {unit}" if unit else "size of the change"
    names = [f"{e:.0f}" if counted else size(e) for e in robust]
    draw = curve(names, lines, f"{axis}, one step an audited size")
    rows = [
        [name, number(m.value, 3), f"{number(m.low, 3)} to {number(m.high, 3)}", _noise(noise, e), f"{m.n:,}"]
        for name, (e, m) in zip(names, robust.items(), strict=True)
    ]
    columns = ("change", "strongest attack", "95 % interval", "random change", "n")
    of = [(m.name, m.slice) for m in robust.values()]
    figures = Grid("Accuracy by size of change", columns, rows, frozenset({1, 2, 3, 4}), of=of)
    return Chart(title, said, figure_svg(key, title, said, draw), figures, _note(distances))


def _note(distances: Sequence[float]) -> str:
    said = "An attack can only show how low the accuracy gets: the truth lies on or below the solid line."
    between = (
        "Between the sizes it falls where the smallest change was found that turns a row; its band holds for the whole "
        "line at once (95 %)."
    )
    return f"{said} {between}" if distances else said


def _attack(sizes: Sequence[float], measures: Sequence[Measure], distances: Sequence[float]) -> Line:
    """The line under attack: a value a size, or as fine as the distances allow."""
    if not distances:
        return Line(
            "strongest attack",
            [m.value or 0.0 for m in measures],
            "s1",
            [m.low or 0.0 for m in measures],
            [1.0 if m.high is None else m.high for m in measures],
        )
    ordered, n, wide = sorted(distances), len(distances), simultaneous(len(distances))
    places = [i + k / POINTS for i in range(len(sizes) - 1) for k in range(POINTS)] + [float(len(sizes) - 1)]
    values = [1 - bisect_right(ordered, _between(sizes, p)) / n for p in places]
    for i, m in enumerate(measures):  # the figures themselves at the audited sizes
        values[i * POINTS] = m.value or 0.0
    low, high = ([min(1.0, max(0.0, v + sign * wide)) for v in values] for sign in (-1, 1))
    return Line("strongest attack", values, "s1", low, high, places)


def _between(sizes: Sequence[float], place: float) -> float:
    i = min(int(place), len(sizes) - 2)
    return sizes[i] + (place - i) * (sizes[i + 1] - sizes[i])


def _noise(noise: dict[float, Measure], epsilon: float) -> str:
    return number(noise[epsilon].value, 3) if epsilon in noise else ""
