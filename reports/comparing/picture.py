"""The changes of the most telling figures on one scale, better to the right."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from reports.charts import WIDE, Dot, Draw, line, text, whisker

__all__ = ["moves"]

TOP, STEP, FOOT = 30, 40, 24


def moves(dots: Sequence[Dot]) -> Draw:
    """Dot and whisker, a row each under its label, around a line at no change; worse to its left, better to its right.

    Values are changes for the better; `text` of a dot is the change as it is.
    """
    reach = max(0.05, *(max(abs(d.low), abs(d.high)) for d in dots))

    def draw(width: int) -> tuple[float, Markup]:
        height, left, right = TOP + STEP * len(dots) + FOOT, 8, width - (70 if width == WIDE else 58)
        most = int((width - 8) / 6.6)

        def at(v: float) -> float:
            return (left + right) / 2 + v / reach * (right - left) / 2

        zero = at(0)
        parts = [text(zero - 8, 12, "worse", "lab", "end"), text(zero + 8, 12, "better", "lab")]
        parts.append(line(zero, 18, zero, height - FOOT, "axis"))
        for v in (-reach, reach):
            parts += [line(at(v), TOP, at(v), height - FOOT, "grid")]
            parts.append(text(at(v), height - 6, f"{abs(v):.2g}", "", "start" if v < 0 else "end"))
        parts.append(text(zero, height - 6, "no change", "", "middle"))
        for i, d in enumerate(dots):
            y = TOP + STEP * i
            label = d.label if len(d.label) <= most else f"{d.label[: most - 1]}…"
            parts += [text(0, y + 8, label, "lab over"), whisker(at(d.value), y + 22, at(d.low), at(d.high), d.status)]
            parts.append(text(width, y + 26, d.text, "val", "end"))
        return height, Markup("").join(parts)

    return draw
