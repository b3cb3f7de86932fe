"""explain.integrated_gradients: which inputs moved the class, from a baseline to what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field

from auditor.errors import NotApplicable
from auditor.explain.entries import enterable
from auditor.explain.followed import how_followed
from auditor.explain.quick import channels_last
from auditor.explained.samples import Sample, explained_samples, is_image, need_explainable
from auditor.explained.shown import shown
from auditor.explained.ways import Way, agreements, ways
from auditor.registry import Context, check, sizes
from auditor.stats import mean_correlation, mean_size, rate
from auditor.types import Measure, Result, Scalar, Table

Named = Literal["usual", "black", "blurred", "zero", "mean", "median", "padding", "expected"]
Agreements = Mapping[tuple[str, str], list[float | None]]
SENSITIVE, MOST_UNRESOLVED = 0.7, 0.02
NOTHING = "there is no change to share out"


@check(
    "explain.integrated_gradients",
    title="Integrated gradients",
    measures=("baseline_agreement", "completeness_error", "expected_error", "steps", "unresolved"),
    source="Sundararajan et al. 2017, arXiv:1703.01365; Erion et al. 2021, arXiv:1906.10670",
)
def explain_integrated_gradients(
    ctx: Context,
    *,
    samples: int = sizes(1, 4, 32),
    baseline: Named = "usual",
    draws: Annotated[int, Field(ge=2, le=100_000)] = sizes(8, 32, 256),
    steps: Annotated[int, Field(ge=16, le=512)] = sizes(32, 512, 512),
) -> Result:
    """Which inputs moved the class on the way from a baseline to what is there, and how much depends on that baseline.

    What it measures: for `samples` rows (0: all) the change of the predicted class's logit (or of the value of a model
    without classes) along a straight line from a `baseline`, split over pixels, columns or tokens. `usual` is the black
    image, the mean row or the mean embedding of the reference data (else the data); `expected` gradients start at
    `draws` rows of it; the table of baselines has them all. The line is cut into 16 to `steps` steps, doubled until
    the split is right.
    `completeness_error` is what it leaves out: |sum of shares - change| over max(|change|, 0.01 * sum of |shares|), the
    largest over the rows; 0 is exact, None where the logit does not change. `unresolved` is the rate of rows where it
    stays above .01, `steps` the mean number of steps; from the other baselines there are 16.
    `baseline_agreement` is the mean of Spearman's rank correlation between the shares from each two baselines, by
    words, columns or at most 14 by 14 cells of an image: 1 is the same order, 0 none. `expected_error` is the standard
    error of the expected gradients over their size.

    How to read it: orange speaks for the class, blue against it, compared with the baseline. Below an agreement of
    .7 what matters depends on the baseline, and a caveat says so.

    When it misleads: what is as in the baseline gets nothing, such as black pixels from black. The line leads through
    inputs that do not exist, where the model was never trained. Shares are of the logit, not of the probability. From
    the embedding 0, models that normalise a token before they add its place leap at once: no number of steps helps.
    """
    need_explainable(ctx)
    rows = explained_samples(ctx, samples)
    x = torch.stack([s.x for s in rows])
    model = channels_last(enterable(ctx.need_model(), x), x[:1])
    found = ways(ctx, model, rows, baseline, draws, steps)
    main = found[0]
    _need_shares(main)
    same = agreements(ctx, rows, found)
    for way in found:
        ctx.keep(way.name, (way.shares.sum(1) if is_image(ctx) else way.shares).numpy())
    words = [f"Integrated gradients from {main.name} for {s.answer}" for s in rows]
    tables, images = shown(ctx, rows, main.shares, "share", words)
    measures = _measures(rows, found, same)
    caveats = [*_caveats(main, measures), *(how_followed(model) if model is not ctx.model else ())]
    if ctx.need_model().output == "probabilities":
        caveats.append("The model gives probabilities: what is split is the logarithm of the predicted class's.")
    return Result(tuple(measures), (*tables, _baselines(found), _agreements(same)), tuple(images), tuple(caveats))


def _need_shares(main: Way) -> None:
    """NotApplicable where there is nothing to show in any row: never a map of zeros."""
    if bool(main.error.isnan().all()):
        msg = f"the logit does not change between the {main.name} baseline and any of the inputs: nothing to explain"
        raise NotApplicable(msg)
    if not bool(main.shares.any()):
        msg = f"the model's gradient is 0 all the way from the {main.name} baseline, though its logit changes"
        raise NotApplicable(msg)


def _measures(rows: Sequence[Sample], found: Sequence[Way], same: Agreements) -> list[Measure]:
    main, errors = found[0], found[0].errors
    known = [e for e in errors if e is not None]
    each = [[a for v in same.values() if (a := v[i]) is not None] for i in range(len(rows))]
    agreement = [sum(v) / len(v) if v else None for v in each]
    spread = next(w.spread for w in found if w.spread is not None)
    of_row = [f"row={s.row}" for s in rows]
    return [
        Measure("completeness_error", "", max(known, default=None), len(known), better="lower", why=NOTHING),
        rate("unresolved", main.unresolved, len(known), better="lower"),
        mean_size("steps", main.steps),
        mean_correlation("baseline_agreement", [a for a in agreement if a is not None], better="higher"),
        mean_size("expected_error", [v for v in spread.tolist() if v == v], better="lower"),  # noqa: PLR0124 - NaN
        *(
            Measure("completeness_error", s, e, 1, better="lower", why=NOTHING)
            for s, e in zip(of_row, errors, strict=True)
        ),
        *(Measure("baseline_agreement", s, a, 1, better="higher") for s, a in zip(of_row, agreement, strict=True)),
    ]


def _baselines(found: Sequence[Way]) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for way in found:
        largest = max((e for e in way.errors if e is not None), default=None)
        rows.append((way.name, way.words, largest, way.unresolved, float(way.steps.float().mean())))
    return Table(
        "Baselines", ("baseline", "what it is", "largest completeness error", "above 0.01", "steps"), tuple(rows)
    )


def _agreements(same: Agreements) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for pair, values in same.items():
        known = [v for v in values if v is not None]
        m = mean_correlation("", known)
        rows.append((*pair, m.value, m.low, m.high, min(known, default=None), m.n))
    columns = ("baseline", "and", "mean rank correlation", "low", "high", "lowest", "n")
    return Table("How far the baselines agree", columns, tuple(rows))


def _caveats(main: Way, measures: Sequence[Measure]) -> list[str]:
    value = {m.name: m.value for m in measures if not m.slice}
    n = len(main.error)
    caveats = [f"The shares are of the change from the {main.name} baseline: {main.words}."]
    if (value["unresolved"] or 0) > MOST_UNRESOLVED:
        more = "raise `draws`" if main.name == "expected" else "the logit is not smooth on the way"
        caveats.append(f"In {main.unresolved} of {n} rows the shares are off by more than 1 % of the change: {more}.")
    empty = int((~main.shares.flatten(1).any(1)).sum())
    if empty:
        caveats.append(
            f"In {empty} of {n} rows all shares are 0, which says nothing: the input is the baseline, or the gradient "
            "is 0 all the way."
        )
    agreement = value["baseline_agreement"]
    if agreement is not None and agreement < SENSITIVE:
        caveats.append(
            f"The baselines agree by {agreement:.2f} (mean rank correlation, 1 is the same order): what matters here "
            "depends on the baseline."
        )
    return caveats
