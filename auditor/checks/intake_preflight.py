"""intake.preflight: is this the model that was meant, and does it get the inputs it was trained on?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from auditor.alternatives import better_order, better_preprocessing
from auditor.errors import LoadError
from auditor.intake.outputs import need_finite
from auditor.registry import Context, check
from auditor.stats import mean, rate
from auditor.subject import Model
from auditor.types import Measure, Result, Scalar, Table

REPEATED = 16


@check(
    "intake.preflight",
    title="Preflight",
    source="what users of other tools trip over first: wrong normalisation, value range, or label order",
)
def preflight(ctx: Context) -> Result:
    """Whether the model, as configured, is the one that was meant: clean accuracy and what goes in and out.

    What it measures: accuracy on every row, the range of the inputs against their bounds (of texts, how many tokens
    they have), what kind of outputs the model gives, whether they depend on the input, on chance, or on the other rows
    of a batch, and whether another usual normalisation, channel order or order of classes would make the model right
    far more often. NaN or infinity, and labels that no output belongs to, end the audit.

    How to read it: every later figure is about the function measured here. An accuracy at chance level nearly always
    means that mean, std, channel order or labels are not those of training.

    When it misleads: a wrong preprocessing can still leave an accuracy well above chance.
    """
    ranges, caveats = _inputs(ctx)
    _need_sound(ctx)
    caveats = [*ctx.data.caveats, *caveats]
    n = len(ctx.data)
    if ctx.is_regression:
        values = ctx.predictions.values
        errors = np.abs(values - ctx.data.y) if values is not None else ()
        return Result((mean("mean_absolute_error", errors, better="lower"),), (ranges,), caveats=tuple(caveats))
    accuracy = rate("clean_accuracy", int(ctx.right.sum()), n)
    right = ("classified correctly", f"{int(ctx.right.sum()):,} of {n:,} ({accuracy.value:.3f})")
    ranges = replace(ranges, rows=(*ranges.rows, right))
    caveats += [
        *_about_repeats(ctx), *_about_batches(ctx), *_about_constants(ctx), *_about_alternatives(ctx),
        *_about_chance(ctx, accuracy), *_about_labels(ctx),
    ]  # fmt: skip
    return Result((accuracy,), (ranges,), caveats=tuple(caveats))


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
    for outputs in (found.probabilities, found.values):
        if outputs is not None:
            need_finite(torch.from_numpy(outputs))
    if not ctx.is_regression and int(ctx.data.y.max()) >= len(ctx.classes):
        top = int(ctx.data.y.max())
        row = int(ctx.data.row_ids[int(ctx.data.y.argmax())])
        k = len(ctx.classes)
        msg = f"label {top} (row {row}) has no output: the model has {k} classes, 0 to {k - 1}"
        raise LoadError(msg)


def _about_repeats(ctx: Context) -> list[str]:
    if ctx.model is None:
        return []
    x = ctx.data.read(np.arange(min(REPEATED, len(ctx.data))))
    with torch.no_grad():
        first, second = ctx.model(x), ctx.model(x)
    if torch.allclose(first, second, rtol=1e-4, atol=1e-5):
        return []
    apart = f"{float((first - second).abs().max()):.3g}"
    words = f"Two runs on the same {len(x)} rows give outputs up to {apart} apart: the model draws random numbers as it"
    return [f"{words} runs, so every figure holds for one draw."]


def _about_batches(ctx: Context) -> list[str]:
    if ctx.model is None or len(ctx.data) < 2:
        return []
    x = ctx.data.read(np.arange(min(REPEATED, len(ctx.data))))
    with torch.no_grad():
        together, alone = ctx.model(x), torch.cat([ctx.model(row[None]) for row in x[:4]])
    if torch.allclose(together[:4], alone, rtol=1e-3, atol=1e-4):
        return []
    apart = f"{float((together[:4] - alone).abs().max()):.3g}"
    words = (
        f"Rows alone and in a batch of {len(x)} give outputs up to {apart} apart: what the model says of a row depends"
    )
    return [f"{words} on the rows beside it, which no figure here allows for."]


def _about_alternatives(ctx: Context) -> list[str]:
    """What would make the model right far more often."""
    found = better_order(ctx.predictions.predicted, ctx.data.y, len(ctx.classes))
    if ctx.model is not None:
        found = better_preprocessing(ctx.model, ctx.data, ctx.seed) or found
    if found is None:
        return []
    configured, alternative = found.configured / found.n, found.alternative / found.n
    words = f"Of {found.n:,} rows {configured:.0%} are right as configured and {alternative:.0%} with {found.name}"
    return [f"{words}: the audit file is probably wrong."]


def _about_constants(ctx: Context) -> list[str]:
    found = ctx.predictions
    if len(ctx.data) < 2:
        return []
    if found.probabilities is not None and float(np.ptp(found.probabilities, axis=0).max()) < 1e-7:
        return ["The model gives the same output for every input."]
    if len(np.unique(found.predicted)) == 1:
        name = ctx.classes[int(found.predicted[0])]
        return [f"The model calls every one of the {len(ctx.data):,} samples {name!r}."]
    return []


def _about_chance(ctx: Context, accuracy: Measure) -> list[str]:
    chance = 1 / len(ctx.classes)
    if accuracy.value is None or accuracy.low is None or accuracy.high is None or accuracy.low > chance:
        return []
    found = f"{accuracy.value:.1%} on {len(ctx.classes)} classes"
    right = "tokenizer or labels" if ctx.is_text else "mean, std, channel order or labels"
    question = f"{right} right? Every later figure would be about the wrong function."
    if accuracy.high < chance:
        return [f"{found} is below chance level ({chance:.1%}): are the order of the classes, {question}"]
    if accuracy.value > chance:
        return [f"{found} cannot be told from chance level ({chance:.1%}) with {accuracy.n:,} rows: are {question}"]
    return [f"{found} is chance level ({chance:.1%}): are {question}"]


def _about_labels(ctx: Context) -> list[str]:
    present = np.unique(ctx.data.y)
    if len(present) > 1:
        return []
    return [
        f"Only the class {ctx.classes[int(present[0])]!r} occurs in the data: figures that need two classes have none."
    ]
