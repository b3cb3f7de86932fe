"""Charts as inline SVG: classes and CSS variables only, so that dark mode, print and forced colours come free.

Grammar: dot = estimate, capped bar = 95 % interval, dashed line = limit, tint = the side that does not pass. A diamond
fails, a triangle warns, an open circle is undecided, a filled one passes, a dashed ring is not judged. Each chart is
drawn twice, wide and for a phone; CSS shows one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from reports.words import MINUS

__all__ = ["Bar", "Dot", "bars", "curve", "figure_svg", "forest", "mini", "units"]

WIDE, NARROW = 640, 330
Draw = Callable[[int], tuple[float, Markup]]


@dataclass(frozen=True)
class Dot:
    """An estimate with its interval, and how it was judged: `fail warn inconclusive pass measured ref`.

    `limit` is one of its own, where a chart has none for all.
    """

    label: str
    value: float
    low: float
    high: float
    status: str
    text: str = ""
    limit: float | None = None


@dataclass(frozen=True)
class Bar:
    """An effect that raises or lowers, with the range of its repeats."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """Values over the audited sizes; `name` stands at its end. `kind` is s1 (with a band), s2 or s3.

    `at` is where each value stands among the sizes, counted from 0; empty means one value a size.
    """

    name: str
    values: Sequence[float]
    kind: str
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    at: Sequence[float] = ()

    @property
    def places(self) -> Sequence[float]:
        """Where each value stands."""
        return self.at or range(len(self.values))


# ---- marks -------------------------------------------------------------------------------------------------------
def _join(parts: Sequence[Markup]) -> Markup:
    return Markup("").join(parts)


def text(x: float, y: float, content: object, cls: str = "", anchor: str = "start") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}" class="{}">{}</text>').format(
        x, y, anchor, cls, content
    )


def line(x1: float, y1: float, x2: float, y2: float, cls: str) -> Markup:
    return Markup('<path class="{}" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(cls, x1, y1, x2, y2)


def dot(x: float, y: float, status: str) -> Markup:
    """The mark of a status: its shape says the same as its colour."""
    if status == "fail":
        return Markup('<path class="m fail" d="M{:.1f} {:.1f}l6 6-6 6-6-6z"/>').format(x, y - 6)
    if status == "warn":
        return Markup('<path class="m warn" d="M{:.1f} {:.1f}l6 10.5h-12z"/>').format(x, y - 6)
    return Markup('<circle class="m {}" cx="{:.1f}" cy="{:.1f}" r="4.6"/>').format(status, x, y)


def whisker(x: float, y: float, low: float, high: float, status: str) -> Markup:
    bar = Markup('<path class="w {}" d="M{:.1f} {:.1f}H{:.1f}M{:.1f} {:.1f}v8M{:.1f} {:.1f}v8"/>')
    return bar.format(status, low, y, high, low, y - 4, high, y - 4) + dot(x, y, status)


def _zone(x: float, y: float, width: float, height: float) -> Markup:
    box = Markup('<rect class="zone" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
    return box.format(x, y, max(0.0, width), height)


# ---- charts ------------------------------------------------------------------------------------------------------
def figure_svg(key: str, title: str, description: str, draw: Draw) -> Markup:
    """The chart for wide and for narrow screens, each with its name and description."""
    return _join(
        [_svg(f"{key}-{cls[0]}", cls, w, title, description, draw) for cls, w in (("wide", WIDE), ("narrow", NARROW))]
    )


def _svg(key: str, cls: str, width: int, title: str, description: str, draw: Draw) -> Markup:
    height, body = draw(width)
    frame = Markup(
        '<svg class="{0}" role="img" aria-labelledby="{1}t" aria-describedby="{1}d" viewBox="0 0 {2} {3:.0f}" '
        'width="{2}" height="{3:.0f}"><title id="{1}t">{4}</title><desc id="{1}d">{5}</desc>{6}</svg>'
    )
    return frame.format(cls, key, width, height, title, description, body)


def mini(d: Dot, bound: float | None, side: str, span: tuple[float, float], width: int = 190) -> Markup:
    """A finding's own picture: estimate, interval, limit, and the side that does not pass in a tint."""
    low, high = span

    def at(v: float) -> float:
        return 6 + (min(max(v, low), high) - low) / (high - low) * (width - 12)

    parts = []
    if bound is not None:
        a, b = (6.0, at(bound)) if side == "below" else (at(bound), width - 6.0)
        parts += [_zone(a, 14, b - a, 20), line(at(bound), 12, at(bound), 38, "limit")]
        parts.append(text(min(max(at(bound), 34), width - 34), 9, f"limit {bound:.3g}", "lim", "middle"))
    parts += [line(6, 34, width - 6, 34, "axis"), whisker(at(d.value), 24, at(d.low), at(d.high), d.status)]
    parts += [text(6, 47, f"{low:g}"), text(width - 6, 47, f"{high:g}", "", "end")]
    frame = Markup('<svg class="mini" viewBox="0 -3 {0} 53" width="{0}" height="53" aria-hidden="true">{1}</svg>')
    return frame.format(width, _join(parts))


def forest(dots: Sequence[Dot], span: tuple[float, float], limit: float | None = None, side: str = "below") -> Draw:
    """Dot and whisker, a row each, with one limit for all."""
    low, high = span

    def draw(width: int) -> tuple[float, Markup]:
        label, top, step = min(150 if width == WIDE else 128, width * 0.4), 26, 27
        height = top + step * len(dots) + 24

        def at(v: float) -> float:
            return label + (min(max(v, low), high) - low) / (high - low) * (width - label - 54)

        parts = []
        if limit is not None:
            a, b = (at(low), at(limit)) if side == "below" else (at(limit), at(high))
            parts += [
                _zone(a, top - 8, b - a, step * len(dots) + 4),
                line(at(limit), top - 12, at(limit), height - 20, "limit"),
            ]
            parts.append(text(at(limit), 10, f"limit {limit:.3g}", "lim", "middle"))
        for tick in _ticks(low, high, 7 if width == WIDE else 4):
            parts += [line(at(tick), height - 20, at(tick), height - 16, "axis")]
            parts.append(text(at(tick), height - 4, f"{tick:.3g}", "", "middle"))
        parts.append(line(at(low), height - 20, at(high), height - 20, "axis"))
        for i, d in enumerate(dots):
            y = top + 6 + i * step
            parts += [
                text(0, y + 4, _short(d.label, label), "lab"),
                whisker(at(d.value), y, at(d.low), at(d.high), d.status),
            ]
            parts.append(text(width, y + 4, d.text or f"{d.value:.2f}", "val", "end"))
            if d.limit is not None:
                parts.append(line(at(d.limit), y - 10, at(d.limit), y + 10, "limit"))
        return height, _join(parts)

    return draw


def curve(sizes: Sequence[str], lines: Sequence[Line], axis: str) -> Draw:
    """Lines over the audited sizes, one step each, from 0 to 1; a band where a line has an interval."""

    def draw(width: int) -> tuple[float, Markup]:
        wide = width == WIDE
        x0, x1, y0, y1 = 36, width - (160 if wide else 26), 24, 250

        def across(i: float) -> float:
            return x0 + i / max(1, len(sizes) - 1) * (x1 - x0)

        def up(v: float) -> float:
            return y1 - v * (y1 - y0)

        parts = [m for p in (0, 0.25, 0.5, 0.75, 1) for m in _level(x0, x1, up(p), f"{p:g}")]
        for i, name in enumerate(sizes):
            parts.append(line(across(i), y1, across(i), y1 + 6, "axis"))
            if wide or i % 2 == 0:
                parts.append(text(across(i), y1 + 18, name, "", "middle"))
        for drawn in lines:
            parts += _drawn(drawn, across, up)
        parts += _line_names(lines, across, up, wide=wide)
        parts.append(text((x0 + x1) / 2, 286, axis, "", "middle"))
        return 290, _join(parts)

    return draw


def _level(x0: float, x1: float, y: float, name: str) -> list[Markup]:
    return [line(x0, y, x1, y, "grid"), text(x0 - 8, y + 4, name, "", "end")]


def _points(
    places: Sequence[float], values: Sequence[float], across: Callable[[float], float], up: Callable[[float], float]
) -> str:
    return " ".join(f"{across(i):.1f},{up(v):.1f}" for i, v in zip(places, values, strict=True))


def _drawn(drawn: Line, across: Callable[[float], float], up: Callable[[float], float]) -> list[Markup]:
    parts = []
    if drawn.high:
        back = _points(drawn.places, drawn.low, across, up).split()[::-1]
        band = Markup('<polygon class="band" points="{} {}"/>')
        parts.append(band.format(_points(drawn.places, drawn.high, across, up), " ".join(back)))
    parts.append(
        Markup('<polyline class="{}" points="{}"/>').format(drawn.kind, _points(drawn.places, drawn.values, across, up))
    )
    if drawn.kind != "s2":
        spot = Markup('<circle class="m {}" cx="{:.1f}" cy="{:.1f}" r="3.4"/>')
        last = {int(i): v for i, v in zip(drawn.places, drawn.values, strict=True) if i == int(i)}
        parts += [spot.format(drawn.kind, across(i), up(v)) for i, v in last.items()]
    return parts


def _line_names(
    lines: Sequence[Line], across: Callable[[float], float], up: Callable[[float], float], *, wide: bool
) -> list[Markup]:
    """Each line's name at its end; above it, where the lines lie furthest apart, on a phone or where two ends meet."""
    ends = sorted(up(d.values[-1]) for d in lines)
    if wide and all(b - a >= 16 for a, b in pairwise(ends)):
        return [text(across(d.places[-1]) + 10, up(d.values[-1]) + 4, d.name, "lab") for d in lines]
    whole = [{i: v for i, v in zip(d.places, d.values, strict=True) if i == int(i)} for d in lines]
    at = max(whole[0], key=lambda i: _nearest([values[i] for values in whole]))
    if 2 * at <= max(whole[0]):
        return [text(across(at) + 7, up(v[at]) - 7, d.name, "lab") for d, v in zip(lines, whole, strict=True)]
    # on the right half they go to the left, to end inside the picture: under a line, which falls; not under the axis
    under = [16 if up(v[at]) + 16 < up(0) else -16 for v in whole]
    placed = zip(lines, whole, under, strict=True)
    return [text(across(at) - 7, up(v[at]) + down, d.name, "lab", "end") for d, v, down in placed]


def _nearest(values: Sequence[float]) -> float:
    """The smallest distance between two of the values."""
    ordered = sorted(values)
    return min((b - a for a, b in pairwise(ordered)), default=0.0)


def bars(effects: Sequence[Bar], lowers: str, raises: str) -> Draw:
    """Signed effects: filled bars raise, outlined bars lower; the thin line is the range of repeats."""
    reach = max((max(abs(b.low), abs(b.high), abs(b.value)) for b in effects), default=1.0) or 1.0
    left = max((-min(b.low, b.value) for b in effects), default=0.0)
    right = max((max(b.high, b.value) for b in effects), default=0.0)
    span = (-max(left, 0.12 * reach), max(right, 0.12 * reach))

    def draw(width: int) -> tuple[float, Markup]:
        label, step, top = (190 if width == WIDE else 140), 25, 30

        def at(v: float) -> float:
            return label + (v - span[0]) / (span[1] - span[0]) * (width - label - 62)

        parts = [text(at(0) - 8, 12, lowers, "lab", "end"), text(at(0) + 8, 12, raises, "lab")]
        if width != WIDE:
            parts = [text(at(0), 12, f"{lowers} | {raises}", "lab", "middle")]
        for i, b in enumerate(effects):
            y = top + i * step
            box = Markup('<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="13"/>')
            parts.append(
                box.format("up" if b.value > 0 else "down", min(at(0), at(b.value)), y - 7, abs(at(b.value) - at(0)))
            )
            if b.low != b.high:
                cap = Markup('<path class="err" d="M{:.1f} {}H{:.1f}M{:.1f} {}v8M{:.1f} {}v8"/>')
                parts.append(cap.format(at(b.low), y, at(b.high), at(b.low), y - 4, at(b.high), y - 4))
            parts += [text(0, y + 4, _short(b.label, label), "lab"), text(width, y + 4, _signed(b.value), "val", "end")]
        height = top + step * len(effects)
        parts.append(line(at(0), 18, at(0), height - 10, "axis"))
        return height, _join(parts)

    return draw


def units(statuses: Sequence[str], title: str) -> Markup:
    """A mark for each limit, worst first."""
    shown = list(statuses[:24])
    marks = [dot(8 + 16 * i, 9, s) for i, s in enumerate(shown)]
    width = 16 * len(shown)
    frame = Markup(
        '<svg class="units" role="img" aria-labelledby="ut" viewBox="0 0 {0} 18" width="{0}" height="18">'
        '<title id="ut">{1}</title>{2}</svg>'
    )
    return frame.format(width, title, _join(marks))


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from `low` to `high`, at most `most` of them."""
    step = next(s for s in (0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000, 1e9) if (high - low) / s < most)
    first = -(-low // step)
    return [step * i for i in range(int(first), int(high / step + 1e-9) + 1)]


def _short(label: str, room: float) -> str:
    """A label that fits into `room` units at 12 px."""
    most = max(6, int(room / 6.6))
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _signed(value: float) -> str:
    shown = f"{value:+.3f}" if abs(value) >= 0.0005 or value == 0 else f"{value:+.1e}"
    return str(escape(shown.replace("-", MINUS)))
