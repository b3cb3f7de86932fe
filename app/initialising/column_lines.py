"""The part of the audit file that says which columns of a table a model takes, and how."""

from __future__ import annotations

from collections.abc import Iterator

from app.initialising.columns import Seen
from app.initialising.inputs import Inputs
from app.initialising.lines import Line, comment, named, setting, unset
from app.initialising.plan import Plan

__all__ = ["block_lines", "input_lines", "uses_blocks"]


def uses_blocks(plan: Plan) -> bool:
    """Whether the inputs stand in [[columns]]: some are categories, or numbers that the training data can scale."""
    inputs = plan.data.inputs
    return inputs is not None and (inputs.needs_blocks or _is_scaled(plan, inputs))


def _is_scaled(plan: Plan, inputs: Inputs) -> bool:
    numbers = [c.name for c, _ in inputs.columns if c.kind == "number"]
    return inputs.is_large and all(name in plan.scale for name in numbers)


def input_lines(plan: Plan) -> Iterator[Line]:
    """`inputs` of [data]: what makes the vector that the model takes, or what was counted where nothing does."""
    inputs = plan.data.inputs
    if inputs is None or plan.model is None:
        return
    yield from comment(_counted(inputs))
    needs, look = _asked(plan, inputs)
    if uses_blocks(plan):
        yield Line("# inputs: see [[columns]] below", needs, look)
    else:
        yield setting("inputs", [c.name for c, _ in inputs.columns], needs=needs, look=look)


def _asked(plan: Plan, inputs: Inputs) -> tuple[str, str]:
    model = plan.model.shapes if plan.model else None
    if model is not None and model.kind == "image":
        return "the model takes images, and this is a table: are they for each other?", ""
    if inputs.fits is False:
        width = model.width if model else None
        return f"the model takes {width:,} inputs, and no choice of columns makes so many", ""
    if inputs.fits is None:
        return "", "how many inputs the model takes is not known; these are the numbers of the table"
    said = ["other columns would make as many inputs"] if inputs.others else []
    if inputs.has_categories:
        said.append("the order of columns and categories must be that of training")
    if inputs.is_large and not _is_scaled(plan, inputs):
        said.append("numbers go in as they are; if the model was trained on standardised ones, say mean and std")
    return "", "; ".join(said)


def _counted(inputs: Inputs) -> str:
    taken = f"{len(inputs.columns):,} columns, which make {inputs.width:,} inputs"
    if inputs.fits is False:
        return f"No choice of columns makes as many inputs as the model takes. Counted: {'; '.join(inputs.others)}."
    if inputs.fits is None:
        return f"{taken}; the model does not say how many it takes."
    also = f" So would: {'; '.join(inputs.others)}." if inputs.others else ""
    return f"{taken}, as many as the model takes.{also}"


# ---- [[columns]] -------------------------------------------------------------------------------------------------
def block_lines(plan: Plan) -> Iterator[Line]:
    """A [[columns]] table a column, in the order of the input vector; numbers are scaled by the reference, if any."""
    inputs = plan.data.inputs
    if inputs is None or not uses_blocks(plan):
        return
    scaled = _is_scaled(plan, inputs)
    yield Line()
    yield from comment(
        "How a row becomes the input vector, in this order. A column can also say mutable, min, max, integer and "
        "increasing_only, which attacks and counterfactuals keep to."
    )
    if scaled:
        yield from comment(
            f"A number goes in as (value - mean) / std. Mean and std must be those of training: here they are those of "
            f"{named(plan.reference)}, because some numbers are large. Without them it goes in as it is."
        )
    elif any(c.kind == "number" for c, _ in inputs.columns):
        yield from comment(
            "A number goes in as it is, or as (value - mean) / std where both are said. They must be those of "
            f"training; behind # stand those of {named(plan.data.file)}."
        )
    first = True
    for column, values in inputs.columns:
        look = f"mean and std are those of {plan.reference}; are they what the model was trained with?"
        yield from _block(plan, column, values, scaled=scaled, look=look if scaled and first else "")
        first = first and column.kind != "number"


def _block(plan: Plan, column: Seen, values: tuple[str, ...], *, scaled: bool, look: str) -> Iterator[Line]:
    kind = "category" if values else column.kind
    yield Line()
    yield Line("[[columns]]")
    yield setting("name", column.name)
    yield setting("kind", kind)
    if values:
        yield setting("values", values)
    elif kind == "number" and scaled:
        mean, std = plan.scale[column.name]
        yield setting("mean", mean, look=look)
        yield setting("std", std)
    elif kind == "number":
        yield unset("mean", column.mean)
        yield unset("std", column.std or 1.0)
