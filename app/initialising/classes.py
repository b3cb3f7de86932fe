"""How the values of a target become the answers of a model: as indices, by names, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from app.initialising.columns import Seen
from app.initialising.lines import Line, comment, few, setting, unset
from app.initialising.plan import Plan
from auditor.characters import unreadable
from auditor.data.targets import LONGEST_NAME

__all__ = ["class_lines", "is_regression", "positive_lines"]


MOST_NAMED = 20


def is_regression(plan: Plan) -> bool:
    """Whether the model gives a value instead of classes: it says so, or has one output for a target of many."""
    model, target = plan.model, plan.data.roles.target.column
    if model is None:
        return False
    many = target is not None and target.kind == "number" and (target.is_amount or len(target.names) > 2)
    return model.is_regression or (model.shapes.outputs == 1 and many)


def class_lines(plan: Plan) -> Iterator[Line]:
    """`classes`, where the model's outputs or the target need names, and whether the two agree."""
    target = plan.data.roles.target.column
    if plan.classes_file:
        yield from comment("A table with a column `name` and a row for each of the model's answers lies beside.")
        yield setting("classes", plan.classes_file, look="the names of the classes, taken from the table beside")
    elif target is not None and not is_regression(plan):
        yield from _of_values(plan, target)


def _of_values(plan: Plan, target: Seen) -> Iterator[Line]:
    outputs, labels = _outputs(plan), plan.model.labels if plan.model else None
    if _are_indices(target, outputs):
        if labels is None and (outputs or len(target.names)) <= MOST_NAMED:
            yield unset("classes", [f"class {i}" for i in range(outputs or int(target.high) + 1)])
        return
    if labels is not None and set(target.names) <= set(labels):
        yield from comment(f"The model itself names its classes: {few(labels)}.")
        return
    if target.stored and target.kind == "flag":
        return  # false and true, which an audit reads as two classes of these names
    names = target.names
    said = f"the target has {len(names) or 'more than 1,000'} different values, and the model {outputs} answers"
    if labels is not None:
        needs = f"the values of the target are none of the model's own names ({few(labels, 4)}); name them alike"
        yield Line(*_unset(names), needs=needs)
    elif not names or (outputs is not None and len(names) > outputs):
        yield Line("# classes = []", needs=f"{said}: is this its target?")
    elif outputs is not None and len(names) < outputs:
        yield Line(*_unset(names), needs=f"{said}: name all of them, in the order of its outputs")
    elif target.stored and target.is_numeric:
        needs = f"the target holds the numbers {few(names, 4)}; a file that stores numbers needs indices from 0"
        yield Line(*_unset(names), needs=needs)
    elif any(unreadable(n) or len(n) > LONGEST_NAME for n in names):
        yield Line("# classes = []", needs="a value of the target cannot be the name of a class; rename it")
    else:
        yield from comment("In the order of the model's outputs; sorted here, as most tools number them.")
        yield setting("classes", names, look="the order of the classes must be that of the model's outputs")


def _unset(names: tuple[str, ...]) -> tuple[str]:
    return (unset("classes", names).text,)


def _outputs(plan: Plan) -> int | None:
    """How many classes the model tells apart; one output is two."""
    found = plan.model.shapes.outputs if plan.model else None
    return 2 if found == 1 else found


def _are_indices(target: Seen, outputs: int | None) -> bool:
    if not target.is_numeric or not target.whole or target.low < 0 or not target.names:
        return False
    if any(not v.lstrip("-").replace(".0", "").isdigit() for v in target.names):
        return False
    return outputs is None or target.high < outputs


def positive_lines(plan: Plan) -> Iterator[Line]:
    """`positive` of two classes: which of them is the one that people want."""
    target = plan.data.roles.target.column
    outputs = _outputs(plan)
    if target is None or is_regression(plan) or (outputs or len(target.names)) != 2:
        return
    names = (plan.model.labels if plan.model else None) or target.names
    value: int | str = 1 if _are_indices(target, outputs) or len(names) != 2 else names[1]
    look = "which class is the favourable one decides every figure of fairness" if plan.data.roles.sensitive else ""
    yield from comment("The favourable class; fairness is about who is given it.")
    yield setting("positive", value, look=look)
