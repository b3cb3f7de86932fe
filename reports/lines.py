"""Small charts of how an answer moves with one column: a line over a number's values, dots over those of others.

Classes and CSS variables only, as in `charts`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.charts import WIDE, Draw, dot, line, text, whisker
from reports.words import MINUS

__all__ = ["Moves", "Pair", "moves_svg", "paired", "ticks"]

WIDTH, HEIGHT = 300, 176
LEFT, RIGHT, TOP, FOOT = 44, 10, 10, 26
CROWDED = 0.15  # of the axis: where half of the values lie closer, they stand at equal steps
STEP = 17


@dataclass(frozen=True)
class Moves:
    """How far the answer lies from its average at each value of a column: rising numbers, or names.

    `low` and `high` hold most rows' own curves; `local` is a second line, None where values have no order.
    `more` values were left out.
    """

    name: str
    at: Sequence[float | str]
    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    local: Sequence[float | None]
    more: int = 0

    @property
    def is_line(self) -> bool:
        """Whether its values have an order."""
        return len(self.at) > 1 and None not in self.local

    @property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest that is drawn, 0 among them."""
        drawn = [*self.values, *self.low, *self.high, *(v for v in self.local if v is not None)]
        return min(0.0, *drawn), max(0.0, *drawn)

    @property
    def to_scale(self) -> bool:
        """Whether the axis is to scale: not where half of the values would lie on one spot."""
        numbers = [v for v in self.at if isinstance(v, (int, float))]
        half = len(numbers) // 2
        if not self.is_line or half < 2:
            return True
        closest = min(b - a for a, b in zip(numbers, numbers[half:], strict=False))
        return closest > CROWDED * (numbers[-1] - numbers[0])


@dataclass(frozen=True)
class Pair:
    """Two estimates of one column, each (value, low, high), with how the first was judged."""

    label: str
    first: tuple[float, float, float]
    second: tuple[float, float, float]
    status: str
    text: str


# ---- one column --------------------------------------------------------------------------------------------------
def moves_svg(key: str, m: Moves, span: tuple[float, float], description: str) -> Markup:
    """The chart of one column on the scale `span`."""
    height, body = _line(m, span) if m.is_line else _dots(m, span)
    frame = Markup(
        '<svg role="img" aria-labelledby="{0}t" aria-describedby="{0}d" viewBox="0 0 {1} {2}" width="{1}" '
        'height="{2}"><title id="{0}t">{3}</title><desc id="{0}d">{4}</desc>{5}</svg>'
    )
    return frame.format(key, WIDTH, height, m.name, description, Markup("").join(body))


def _line(m: Moves, span: tuple[float, float]) -> tuple[int, list[Markup]]:
    numbers = [float(v) for v in m.at]
    places = numbers if m.to_scale else [float(i) for i in range(len(numbers))]
    bottom = HEIGHT - FOOT

    def across(i: int) -> float:
        return LEFT + (places[i] - places[0]) / (places[-1] - places[0]) * (WIDTH - LEFT - RIGHT)

    def up(v: float) -> float:
        return bottom - (v - span[0]) / (span[1] - span[0]) * (bottom - TOP)

    def points(values: Sequence[float]) -> list[str]:
        return [f"{across(i):.1f},{up(v):.1f}" for i, v in enumerate(values)]

    parts = []
    for tick in ticks(*span):
        parts += [line(LEFT, up(tick), WIDTH - RIGHT, up(tick), "grid" if tick else "axis")]
        parts.append(text(LEFT - 6, up(tick) + 4, _signed(tick), "", "end"))
    parts.append(Markup('<polygon class="band" points="{}"/>').format(" ".join(points(m.high) + points(m.low)[::-1])))
    second = [v for v in m.local if v is not None]
    parts += [
        Markup('<polyline class="s2" points="{}"/>').format(" ".join(points(second))),
        Markup('<polyline class="s1" points="{}"/>').format(" ".join(points(m.values))),
    ]
    for i in range(len(places)):  # where the rows are
        parts.append(line(across(i), bottom, across(i), bottom + 4, "axis"))
    middle = min(range(len(places)), key=lambda i: abs(across(i) - (LEFT + WIDTH - RIGHT) / 2))
    for i, anchor in {0: "start", middle: "middle", len(places) - 1: "end"}.items():
        parts.append(text(across(i), bottom + 17, _plain(numbers[i]), "", anchor))
    return HEIGHT, parts


def _dots(m: Moves, span: tuple[float, float]) -> tuple[int, list[Markup]]:
    """From what lowers most to what raises most."""
    label, height = 124, TOP + STEP * len(m.at) + FOOT

    def across(v: float) -> float:
        return label + (v - span[0]) / (span[1] - span[0]) * (WIDTH - label - RIGHT)

    parts = []
    for tick in ticks(*span):
        parts += [line(across(tick), TOP, across(tick), height - FOOT, "grid" if tick else "axis")]
        parts.append(text(across(tick), height - FOOT + 15, _signed(tick), "", "middle"))
    for row, i in enumerate(sorted(range(len(m.at)), key=lambda i: m.values[i])):
        y, value = TOP + STEP * row + STEP / 2, m.at[i]
        name = value if isinstance(value, str) else _plain(float(value))
        parts.append(text(0, y + 4, name if len(name) <= 16 else f"{name[:15]}…", "lab"))
        parts.append(whisker(across(m.values[i]), y, across(m.low[i]), across(m.high[i]), "s1"))
    return height, parts


def ticks(low: float, high: float) -> list[float]:
    """Three to five round numbers, 0 among them."""
    size = 10.0 ** math.floor(math.log10(high - low))
    step = next(s for s in (0.1 * size, 0.2 * size, 0.5 * size, size, 2 * size, 5 * size) if (high - low) / s < 4.5)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _signed(value: float) -> str:
    shown = f"{value:+.3g}" if abs(value) > 1e-12 else "0"
    return shown.replace("-", MINUS)


def _plain(value: float) -> str:
    shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return shown.replace("-", MINUS)


# ---- all columns -------------------------------------------------------------------------------------------------
def paired(rows: Sequence[Pair], span: tuple[float, float]) -> Draw:
    """Two dots with whiskers a row on one scale: the first filled, the second below it and open."""
    low, high = span

    def draw(width: int) -> tuple[float, Markup]:
        label, top, step = (150 if width == WIDE else 118), 8, 34
        height = top + step * len(rows) + 24

        def at(v: float) -> float:
            return label + (min(max(v, low), high) - low) / (high - low) * (width - label - 58)

        parts = []
        for tick in ticks(low, high):
            parts.append(line(at(tick), top, at(tick), height - 20, "grid" if tick else "axis"))
            parts.append(text(at(tick), height - 4, _signed(tick), "", "middle"))
        for i, r in enumerate(rows):
            y, most = top + 10 + i * step, int(label / 7)
            parts.append(text(0, y + 9, r.label if len(r.label) <= most else f"{r.label[: most - 1]}…", "lab"))
            for (value, a, b), offset, status in ((r.first, 0, r.status), (r.second, 12, "measured")):
                mark = dot(at(value), y + offset, status) if a == b else None
                parts.append(mark or whisker(at(value), y + offset, at(a), at(b), status))
            parts.append(text(width, y + 9, r.text, "val", "end"))
        return height, Markup("").join(parts)

    return draw
