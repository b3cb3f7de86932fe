"""What is known of each method that explains: its own figure, what its tables say, and which of them are drawn."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.types import Measure, Outcome, Scalar, Table
from reports.words import number

__all__ = [
    "DEVIATION",
    "ENDS",
    "QUALITY",
    "UNITS",
    "bar_label",
    "is_bars",
    "is_of_deviation",
    "is_words",
    "order_words",
    "other_tables",
    "quality",
    "quality_words",
]

QUALITY = {
    "explain.gradcam": (
        "hirescam_correlation",
        "Agreement with HiResCAM, which needs no averaging. 1 is full agreement.",
    ),
    "explain.lrp": ("ledger_error", "What the shares leave out of the logit they explain. 0 is exact."),
    "explain.integrated_gradients": (
        "completeness_error",
        "What the shares leave out of the difference to the baseline. 0 is exact.",
    ),
    "explain.smoothgrad": (
        "smoothing_correlation",
        "How far noise moves it from input x gradient: the rank correlation of both. 1 is not at all.",
    ),
    "explain.attention": (
        "occlusion_correlation",
        "Rank correlation with occlusion: attention is routing, not importance. 1 is full agreement.",
    ),
    "explain.shap": ("standard_error", "The largest standard error of a bar against the largest bar. 0 is exact."),
    "explain.lime": (
        "fidelity",
        "How well the simple model follows the real one nearby, held out. 1 is exactly; below 0.5 nothing is drawn.",
    ),
    "explain.occlusion": (
        "fill_agreement",
        "Rank correlation between two ways of hiding the same parts. 1 is the same order, below 0.5 it is an artefact.",
    ),
    "explain.rise": (
        "split_correlation",
        "Rank correlation of two halves of its masks, for all of them: 1 is no chance, below 0.5 mostly chance.",
    ),
}
# A second effect that a method shows beside its first, and its own figure, "" where it has none.
BESIDE = {"attention x gradient": "occlusion_correlation_gradient", "input x gradient": ""}
UNITS = {
    "relevance": "the logit",
    "share": "the logit",
    "effect": "the probability",
    "weight": "the probability",
    "drop": "the probability",
    "effect on the value": "the value",
    "weight on the value": "the value",
}
ENDS = ("low", "high")  # of the 95 % interval
DEVIATION = "standard deviation"  # of a number whose figure is for so much more of it, as LIME's are


# ---- its own figure ----------------------------------------------------------------------------------------------
def quality(o: Outcome, title: str, effect: str = "") -> Measure | None:
    """A method's own figure for the row of that title and that effect; for the whole when the title is empty."""
    if o.result is None or o.check not in QUALITY:
        return None
    name = BESIDE.get(effect, QUALITY[o.check][0])
    row = title.partition(":")[0].removeprefix("row ")
    where = f"row={row}" if title else ""
    return next((m for m in o.result.measures if m.name == name and m.slice == where), None)


def quality_words(o: Outcome, title: str, effect: str = "") -> str:
    """The method's own figure for a row and an effect as words; empty where it has none."""
    m = quality(o, title, effect)
    return f"{m.name.replace('_', ' ')} {number(m.value)}" if m else ""


def order_words(o: Outcome, title: str) -> str:
    """How many of the longest bars of a row are in their order beyond chance, in words; empty where it is not known."""
    row = title.partition(":")[0].removeprefix("row ")
    m = next((m for m in o.measures if (m.name, m.slice) == ("certain_bars", f"row={row}")), None)
    if m is None or m.value is None:
        return ""
    if m.value == 0:
        return " Which bar is the longest is not certain."
    n = int(m.value)
    return f" The {'longest bar is' if n == 1 else f'{n} longest bars are'} in this order beyond chance."


# ---- its tables --------------------------------------------------------------------------------------------------
def is_bars(table: Table) -> bool:
    """Whether it holds columns of one row with their effects: column, value, effect, its interval and deviation."""
    figures = [v for row in table.rows for v in row[2:]]
    return table.columns[:2] == ("column", "value") and len(table.columns) > 2 and all(map(_is_figure, figures))


def is_words(table: Table) -> bool:
    """Whether it holds the words or sentences of one text in reading order: shares, and the ends of their intervals."""
    figures = [v for row in table.rows for v in row[1:]]
    known = table.columns[0] in ("word", "sentence") and table.columns[2:] in ((), ENDS)
    return known and len(table.columns) > 1 and all(map(_is_figure, figures))


def is_of_deviation(table: Table, row: Sequence[Scalar]) -> bool:
    """Whether the effect in a row of bars is that of one standard deviation more of a number, not of its value."""
    return DEVIATION in table.columns and row[table.columns.index(DEVIATION)] is not None


def bar_label(table: Table, row: Sequence[Scalar]) -> str:
    """What a row of bars is called: `+1 SD of age` where its effect is of so much more, else `sex = Female`."""
    if is_of_deviation(table, row):
        return f"+1 SD of {row[0]}"
    return f"{row[0]} = {row[1]}" if row[1] != "" else str(row[0])


def other_tables(o: Outcome) -> tuple[Table, ...]:
    """The tables of a check that are neither bars nor words."""
    return tuple(t for t in o.tables if not is_bars(t) and not is_words(t))


def _is_figure(value: Scalar) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
