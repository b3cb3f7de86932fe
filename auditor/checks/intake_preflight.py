"""intake.preflight: is this the model that was meant, and does it get the inputs it was trained on?"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from auditor.alternatives import better_order, better_preprocessing, usual_preprocessing
from auditor.anatomy import flops, layers, parameters
from auditor.answers import about_answers, about_chance, about_labels, about_values
from auditor.behaviour import Line, batch_norm, batches, dropout, evaluation_mode, passes
from auditor.errors import LoadError, NotApplicable
from auditor.intake.outputs import need_finite
from auditor.percents import percent
from auditor.registry import Context, check
from auditor.stats import mean_size, rate
from auditor.subject import Model
from auditor.types import Measure, Result, Scalar, Table

REPEATED, DRAWN = 16, 64  # rows that are run again, and by the statistics of their own batch


@check(
    "intake.preflight",
    title="Preflight",
    measures=("clean_accuracy", "mean_absolute_error", "repeat_difference"),
    source="what users of other tools trip over first: wrong normalisation, value range, or label order",
)
def preflight(ctx: Context) -> Result:
    """Whether the model, as configured, is the one that was meant: clean accuracy and what goes in and out.

    What it measures: accuracy on every row, the range of the inputs against their bounds (of texts, how many tokens
    they have), what kind of outputs the model gives, whether they depend on the input, on chance, or on the other rows
    of a batch, and whether another usual normalisation, channel order or order of classes would make the model right
    far more often. Weights, layers and floating-point operations; what eval() leaves in training mode; the running
    statistics of BatchNorm against those of the audited rows. `repeat_difference` is the largest difference of any
    output between two passes over the same 16 rows; 0 is none. NaN or infinity, and labels that no output belongs to,
    end the audit.

    How to read it: every later figure is about the function measured here. An accuracy at chance level nearly always
    means that mean, std, channel order or labels are not those of training.

    When it misleads: a wrong preprocessing can still leave an accuracy well above chance.
    """
    ranges, caveats = _inputs(ctx)
    _need_sound(ctx)
    ran, repeated = _as_it_runs(ctx)
    caveats = [*ctx.data.caveats, *caveats, *(line.caveat for line in ran if line.caveat)]
    n = len(ctx.data)
    if ctx.is_regression:
        values = ctx.predictions.values
        errors = np.abs(values - ctx.data.y) if values is not None else np.empty(0)
        error = mean_size("mean_absolute_error", errors, better="lower")
        ctx.keep_scores(ctx.data.row_ids, {error: errors})
        ctx.keep_answers()
        caveats += about_values(ctx.predictions, ctx.data.y)
        return Result((error, *repeated), (ranges, *_table(ran)), caveats=tuple(caveats))
    accuracy = rate("clean_accuracy", int(ctx.right.sum()), n)
    right = ("classified correctly", f"{int(ctx.right.sum()):,} of {n:,} ({accuracy.value:.3f})")
    tried = _alternatives(ctx)
    ranges = replace(ranges, rows=(*ranges.rows, right, *((line.name, line.found) for line in tried)))
    likely = "tokenizer or labels" if ctx.is_text else "mean, std, channel order or labels"
    caveats += [
        *about_answers(ctx.predictions, ctx.data.y, ctx.classes), *(line.caveat for line in tried if line.caveat),
        *about_chance(accuracy, ctx.classes, likely), *about_labels(ctx.data.y, ctx.classes),
    ]  # fmt: skip
    return Result((accuracy, *repeated), (ranges, *_table(ran)), caveats=tuple(caveats))


def _inputs(ctx: Context) -> tuple[Table, list[str]]:
    """What goes in and comes out as a table, with a caveat where inputs leave their bounds."""
    rows: list[tuple[Scalar, ...]] = [("samples", f"{len(ctx.data):,}")]
    caveats: list[str] = []
    seen = ctx.predictions.inputs
    if ctx.model is not None and seen is not None:
        if seen.odd:
            msg = f"the inputs of {seen.odd:,} rows hold NaN or infinity; an audit needs finite inputs"
            raise LoadError(msg)
        bounds = _shown_bounds(ctx.model)
        rows += _text_rows(ctx) if ctx.is_text else [
            ("shape of one input", " x ".join(map(str, ctx.data.shape))),
            ("smallest and largest input", f"{seen.low:.4g} and {seen.high:.4g}"),
            ("bounds", bounds),
        ]  # fmt: skip
        if seen.outside and ctx.columns:
            source = "the reference data" if ctx.reference is not None else "the bounds given"
            caveats.append(f"{seen.outside:,} of {len(ctx.data):,} rows hold values outside the range of {source}.")
        elif seen.outside:
            caveats.append(
                f"{seen.outside:,} of {len(ctx.data):,} samples leave the bounds ({bounds}): are they in other units?"
            )
    outputs = {"logits": "logits", "probabilities": "probabilities", "value": "one value"}
    rows += [("outputs", outputs[ctx.model.output] if ctx.model else "predictions that came with the data")]
    rows += [("classes", str(len(ctx.classes)))] if ctx.classes else []
    return Table("What goes in and comes out", ("", "found"), tuple(rows)), caveats


def _text_rows(ctx: Context) -> list[tuple[Scalar, ...]]:
    lengths = np.concatenate([(batch.x >= 0).sum(1).numpy() for batch in ctx.data.batches(ctx.batch_size)])
    (most,) = ctx.data.shape
    return [
        ("longest text as read, in tokens", f"{int(lengths.max()):,}"),
        ("median text as read, in tokens", f"{float(np.median(lengths)):g}"),
        ("texts are cut at, in tokens", f"{most:,}"),
    ]


def _shown_bounds(model: Model) -> str:
    low, high = (torch.as_tensor(b) for b in model.bounds)
    if low.numel() > 1:
        return "the observed range of each column"
    return f"{float(low):.4g} to {float(high):.4g}"


def _need_sound(ctx: Context) -> None:
    """LoadError for labels without an output, and for outputs that are no numbers."""
    found = ctx.predictions
    for outputs in (found.scores, found.values):
        if outputs is not None:
            need_finite(torch.from_numpy(outputs))
    if not ctx.is_regression and int(ctx.data.y.max()) >= len(ctx.classes):
        top = int(ctx.data.y.max())
        row = int(ctx.data.row_ids[int(ctx.data.y.argmax())])
        k = len(ctx.classes)
        msg = f"label {top} (row {row}) has no output: the model has {k} classes, 0 to {k - 1}"
        raise LoadError(msg)


def _as_it_runs(ctx: Context) -> tuple[list[Line], list[Measure]]:
    """What the model is made of and how it behaves, and how well it repeats itself; nothing for predictions alone."""
    model = ctx.model
    if model is None:
        return [], []
    x = ctx.data.read(np.arange(min(REPEATED, len(ctx.data))))
    drawn = np.random.default_rng(ctx.seed).permutation(len(ctx.data))[:DRAWN]  # in no order, as rows of training
    try:
        operations = f"{flops(model, x):,} for matrix products, convolutions and attention (a multiply-add is two)"
    except NotApplicable as e:
        operations = f"not counted: {e}"
    same, apart = passes(model, x)
    repeated = Measure("repeat_difference", "", apart if math.isfinite(apart) else None, len(x), better="lower")
    lines = [
        Line("parameters", f"{parameters(model.module):,} in {layers(model.module):,} layers with weights"),
        Line("floating-point operations for one sample", operations),
        evaluation_mode(model.module),
        dropout(model.module),
        same,
        batches(model, x),
        batch_norm(model, ctx.data.read(drawn), ctx.data.y[drawn]),
    ]
    return lines, [repeated]


def _table(lines: list[Line]) -> list[Table]:
    rows = tuple((line.name, line.found) for line in lines)
    return [Table("The model as it runs", ("", "found"), rows)] if rows else []


def _alternatives(ctx: Context) -> list[Line]:
    """What would make the model right far more often."""
    order = better_order(ctx.predictions.predicted, ctx.data.y, len(ctx.classes))
    lines = [
        Line("another order of the classes", f"right with {order.name}" if order else "none that is right more often")
    ]
    found = order
    if ctx.model is not None and (tried := [name for name, _ in usual_preprocessing(ctx.model, ctx.data)]):
        better = better_preprocessing(ctx.model, ctx.data, ctx.seed)
        found = better or order
        words = f"right more often with {better.name}" if better else "right more often with none of"
        lines.insert(0, Line("other preprocessing", words if better else f"{words} {len(tried)}: {', '.join(tried)}"))
    if found is None:
        return lines
    configured, alternative = found.configured / found.n, found.alternative / found.n
    shares = f"{percent(configured)} are right as configured and {percent(alternative)} with {found.name}"
    caveat = f"Of {found.n:,} rows {shares}: the audit file is probably wrong."
    return [*lines[:-1], replace(lines[-1], caveat=caveat)]
