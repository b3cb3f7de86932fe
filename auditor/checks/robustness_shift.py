"""robustness.shift: whether the audited data come from where the reference comes from, and what that costs."""

from __future__ import annotations

import numpy as np

from auditor.errors import NotApplicable
from auditor.percents import percent
from auditor.registry import Context, check, sizes
from auditor.shifted.accuracies import accuracies
from auditor.shifted.columns import ColumnShift, column_shifts
from auditor.shifted.doubts import doubts
from auditor.shifted.labels import label_measures
from auditor.shifted.sides import Sides, View, sides_of
from auditor.shifted.two_sample import FEWEST, two_sample
from auditor.stats import mean_size, measured
from auditor.types import Measure, Result, Scalar, Table

CLEARLY = 0.55
SIGNIFICANT = 0.05


@check(
    "robustness.shift",
    title="Shift from the reference",
    measures=(
        "accuracy", "accuracy_difference", "label_shift", "label_shift_error", "mean_absolute_error",
        "predicted_accuracy", "prediction_error", "shift_auc", "shifted_columns",
    ),
    source="Lopez-Paz & Oquab 2017, arXiv:1610.06545; Lipton et al. 2018, arXiv:1802.03916; Garg et al. 2022, "
    "arXiv:2201.04234",
)  # fmt: skip
def shift(
    ctx: Context,
    *,
    samples: int = sizes(200, 1000, 5000),
    rows: int = sizes(32, 256, 1000),
) -> Result:
    """Whether the audited data come from where the reference data come from, and what the difference does to accuracy.

    What it measures: `samples` rows of each side (0: all) are compared. `shift_auc` is how often a random forest gives
    an audited row a higher score than a reference row, on halves that it did not learn from: .5 is chance, 1 tells all
    apart. It is given the columns of a table; of images and texts plain statistics (means, deviations and spectrum of
    the channels; lengths and kinds of characters), and, of `rows` rows of each side, the model's last vector before its
    outputs. `shifted_columns` counts the columns, or statistics, whose distributions differ: Kolmogorov-Smirnov for
    numbers, chi-square or Fisher's exact test for categories and flags, a further test where values are missing, with
    Holm's correction over all. `label_shift` is the total variation between the class shares of both sides, from 0
    (the same) to 1: counted from the labels, and estimated from the model's answers alone (BBSE), with
    `label_shift_error` between the two. `predicted_accuracy` is what the model's confidence foretells for the audited
    rows: by a threshold on the negative entropy (ATC) and by the fall of the mean confidence (DoC), both set on the
    reference rows that the model saw. As labels are there, `prediction_error` says by how much that misses the measured
    `accuracy`. A model that gives a value has `mean_absolute_error` on both sides instead.

    How to read it: a `shift_auc` whose interval lies above .55 means a shift. The columns say where it is, the
    difference in accuracy what it costs. Of 100 pairs of samples without any shift at most 5 show a shifted column.

    When it misleads: a shift need not harm, and rows can look the same while their labels mean something else. BBSE
    assumes that rows of one class look the same on both sides. It, ATC and DoC take the reference for rows that the
    model was not fitted to: on rows that it learnt by heart it is too good and too sure, and all three foretell too
    much.
    """
    sides = sides_of(ctx, samples, rows)
    measures: list[Measure] = []
    tables, caveats = [_told_apart(ctx, sides, measures)] if sides.views else [], doubts(sides)
    tables += [_columns(view, measures) for view in sides.views if view.columns]
    if sides.reference is not None and sides.audited is not None:
        labels, unknown = label_measures(sides.reference, sides.audited, len(ctx.classes), ctx.seed)
        found = accuracies(sides.reference, sides.audited, ctx.seed)
        measures += [*found.measures, *labels]
        tables.insert(0, found.table)
        caveats += [*found.caveats, *unknown]
    if sides.values is not None:
        errors = [
            mean_size("mean_absolute_error", np.abs(values - y), slice=f"data={name}", better="lower")
            for name, (values, y) in zip(("reference", "audited"), sides.values, strict=True)
        ]
        measures += errors
        rows_of = tuple((m.slice.removeprefix("data="), m.value, m.low, m.high, m.n) for m in errors)
        tables.append(Table("Mean absolute error", ("data", "value", "low", "high", "n"), rows_of))
    if not measures:
        msg = "neither inputs nor answers are known of both sides, so that there is nothing to compare"
        raise NotApplicable(msg)
    return Result(tuple(measures), tuple(tables), (), tuple(caveats))


def _told_apart(ctx: Context, sides: Sides, measures: list[Measure]) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for view in sides.views:
        n, m = len(view.reference), len(view.audited)
        found = two_sample(view.reference, view.audited, ctx.seed)
        where = f"features={view.name}"
        one = Measure("shift_auc", where, None, n + m, better="lower", why=f"fewer than {FEWEST} rows on a side")
        if found is not None:
            one = measured("shift_auc", where, "mann-whitney", found.counts, n=n + m, better="lower")
        measures.append(one)
        said = f"fewer than {FEWEST} rows" if one.low is None else "yes" if one.low > CLEARLY else "not shown"
        rows.append((view.name, n, m, one.value, one.low, one.high, said))
    columns = ("features", "reference rows", "audited rows", "area under ROC", "low", "high", "shift")
    return Table("Told apart by a classifier", columns, tuple(rows))


def _columns(view: View, measures: list[Measure]) -> Table:
    found = column_shifts(view.columns, view.reference, view.audited)
    tested = [f for f in found if f.adjusted is not None]
    shifted = sum(f.adjusted < SIGNIFICANT for f in tested if f.adjusted is not None)
    where = f"features={view.name}"
    value, why = float(shifted) if tested else None, "no column could be tested"
    measures.append(Measure("shifted_columns", where, value, len(tested), better="lower", why=why))
    worst = sorted(found, key=lambda f: (f.adjusted is None, f.adjusted, -(f.distance or 0.0)))
    return Table(
        f"{view.name.capitalize()}, the most shifted first",
        ("column", "test", "distance", "p after Holm", "reference", "audited"),
        tuple((f.name, f.test or "does not vary", f.distance, f.adjusted, *_shown(f)) for f in worst),
    )


def _shown(f: ColumnShift) -> tuple[str, str]:
    if not any(f.missing):
        return f.reference, f.audited
    first, second = (
        f"{s}, {percent(share, 1)} missing" for s, share in zip((f.reference, f.audited), f.missing, strict=True)
    )
    return first.removeprefix(", "), second.removeprefix(", ")
