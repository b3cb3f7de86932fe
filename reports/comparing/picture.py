"""The changes of the most telling figures on one scale, better to the right."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from reports.charts import WIDE, Dot, Draw, line, text, whisker

__all__ = ["moves"]

TOP, FOOT = 30, 24


def moves(dots: Sequence[Dot]) -> Draw:
    """Dot and whisker, a row each, around a line at no change: worse to its left, better to its right.

    Values are changes for the better; `text` of a dot is the change as it is. On a phone labels stand above their dots.
    """
    reach = max(0.05, *(max(abs(d.low), abs(d.high)) for d in dots))

    def draw(width: int) -> tuple[float, Markup]:
        wide = width == WIDE
        step, down, left, right = (30, 14, 290, width - 62) if wide else (44, 27, 6, width - 56)
        above, below = (14, 16) if wide else (11, 9)
        height, most = TOP + step * len(dots) + FOOT, int(((left if wide else width) - 8) / 6.2)

        def at(v: float) -> float:
            return (left + right) / 2 + v / reach * (right - left) / 2

        parts = [text(at(0) - 8, 12, "worse", "lab", "end"), text(at(0) + 8, 12, "better", "lab")]
        for v, anchor in ((-reach, "start"), (reach, "end")):
            parts.append(text(at(v), height - 6, f"{abs(v):.2g}", "", anchor))
        parts.append(text(at(0), height - 6, "no change", "", "middle"))
        for i, d in enumerate(dots):
            y = TOP + step * i
            label = d.label if len(d.label) <= most else f"{d.label[: most - 1]}…"
            parts += [
                line(at(v), y + down - above, at(v), y + down + below, "axis" if v == 0 else "grid")
                for v in (-reach, 0, reach)
            ]
            parts += [
                text(0, y + (down + 4 if wide else 8), label, "lab"),
                text(width, y + down + 4, d.text, "val", "end"),
            ]
            parts.append(whisker(at(d.value), y + down, at(d.low), at(d.high), d.status))
        return height, Markup("").join(parts)

    return draw
