"""The [data] part of the audit file: which file, which target, whose groups, which rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.initialising.classes import class_lines, positive_lines
from app.initialising.column_lines import input_lines
from app.initialising.columns import GAPS
from app.initialising.data import DataFound
from app.initialising.lines import Line, comment, few, named, setting, unset
from app.initialising.plan import Plan

__all__ = ["data_lines"]


def data_lines(plan: Plan) -> Iterator[Line]:
    """Every key of [data], with what was seen."""
    data = plan.data
    yield Line()
    yield Line("[data]")
    yield from comment(f"{data.rows:,} rows. {_shown(data)}")
    if plan.refused:
        yield from comment(f"As it stands, it is refused: {plan.refused}")
    yield setting("path", plan.data_path, needs=plan.refused)
    if not data.has_header:
        yield from comment("The first line is a row, no names: the columns are f0, f1 ...")
        yield setting("header", value=False, look="the first line was taken for a row, as it holds numbers")
    if plan.labels:
        yield setting("labels", plan.labels)
    yield from _what_goes_in(plan)
    yield from _target(plan)
    yield from class_lines(plan)
    yield from positive_lines(plan)
    yield from _answers(plan)
    yield from _sensitive(data)
    yield from _rows(plan)
    yield from _missing(data)


def _shown(data: DataFound) -> str:
    if data.pictures is not None and not data.labels:
        counts = ", ".join(f"{named(c)} {n:,}" for c, n in list(data.pictures.classes.items())[:10])
        return f"Pictures by folder: {counts}{' ...' if len(data.pictures.classes) > 10 else ''}."
    columns = "; ".join(f"{named(c.name)} {c.in_words()}" for c in data.columns[:15])
    more = f"; and {len(data.columns) - 15:,} more" if len(data.columns) > 15 else ""
    return f"Columns: {columns}{more}." if columns else "No columns beside the inputs."


def _what_goes_in(plan: Plan) -> Iterator[Line]:
    data, array = plan.data, plan.data.array
    if array is not None:
        shapes = plan.model.shapes if plan.model else None
        needs = ""
        if shapes is not None and shapes.kind == array.kind == "table" and shapes.width not in (None, array.shape[1]):
            needs = f"the model takes {shapes.width:,} inputs, and this array has {array.shape[1]:,}"
        yield from comment(f"{array.dtype} {' x '.join(map(str, array.shape))}; others: {few(array.others)}.")
        yield setting("inputs", array.name, needs=needs)
    elif data.text:
        yield setting("inputs", data.text)
    elif data.kind == "text":
        yield setting("inputs", "", needs="which column holds the texts?")
    else:
        yield from input_lines(plan)


def _target(plan: Plan) -> Iterator[Line]:
    target = plan.data.roles.target
    others = f" It could also be: {few(target.others)}." if target.others else ""
    if target.column is None:
        yield from comment(f"The right answers: not known which column holds them.{others}")
        yield setting("target", "", needs="which column holds the right answers?")
        return
    column = target.column
    values = f", {few(column.names, 8)}" if column.names and not plan.data.pictures else ""
    yield from comment(f"The right answers ({target.why}): {column.in_words()}{values}.{others}")
    by_folder = plan.data.pictures is not None and not plan.labels
    unsure = not by_folder and (target.others or not target.by_name)
    look = f"the target was taken because {target.why}{'; others could be it' if target.others else ''}"
    yield setting("target", column.name, look=look if unsure else "")


def _answers(plan: Plan) -> Iterator[Line]:
    if plan.model is not None:
        return
    answers = plan.data.answers
    scores, prediction = answers.scores, answers.prediction
    if scores:
        beyond = any(s.low < 0 or s.high > 1 for s in scores)
        yield from comment("The probability of `positive`, or a column a class; positive strictly above `threshold`.")
        look = "" if len(scores) > 1 or beyond else "the score is read as the probability of the favourable class"
        yield setting("score", scores[0].name if len(scores) == 1 else [s.name for s in scores], look=look)
        if beyond and len(scores) == 1:
            middle = float(scores[0].mean)
            yield setting(
                "threshold", middle, look="the score is no probability; its mean stands here as the threshold"
            )
        else:
            yield unset("threshold", 0.5)
        if prediction is not None:
            yield from comment("Instead of the score; a file has one of the two.")
            yield unset("prediction", prediction.name)
    elif prediction is not None:
        yield setting("prediction", prediction.name)


def _sensitive(data: DataFound) -> Iterator[Line]:
    roles = data.roles
    if not roles.sensitive and not roles.offered:
        yield from comment("Columns whose groups are compared; none here is called as such columns are.")
        yield unset("sensitive", [])
        return
    yield from comment("Columns whose groups are compared, taken by their names:")
    for column in roles.sensitive:
        yield from comment(f"  {named(column.name)}: {few(column.names, 8)}")
    names = [c.name for c in roles.sensitive]
    if names:
        yield setting("sensitive", names, look="sensitive columns were taken by their names: are they all of them?")
    for name, why in roles.offered.items():
        yield from comment(f"Not taken: {named(name)}, because {why}. To take it:")
        yield unset("sensitive", [*names, name])


def _rows(plan: Plan) -> Iterator[Line]:
    if plan.data.roles.where:
        yield from comment("The rows that the model was not trained on.")
        yield setting("where", plan.data.roles.where)
    yield from comment("So many rows, drawn by the seed and stratified by target; all when left out.")
    yield unset("limit", min(1000, plan.data.rows))
    yield from comment("The training data: backgrounds, ranges of columns, and what a defence trains on.")
    if plan.data.roles.where:
        yield from comment("A file of its own: write the other rows of this one to it.")
    if plan.reference:
        yield setting("reference", plan.reference, look="the reference was taken by its name: is it the training data?")
    else:
        yield unset("reference", "train" if plan.data.pictures else f"train{_ending(plan)}")


def _ending(plan: Plan) -> str:
    return "." + plan.data.file.rpartition(".")[2] if "." in plan.data.file else ""


def _missing(data: DataFound) -> Iterator[Line]:
    met = {c.name: c.missing for c in data.columns if c.missing}
    if not met:
        return
    said = "; ".join(f"{named(n)} {_times(markers)}" for n, markers in list(met.items())[:8])
    yield from comment(f"Met in the place of a value: {said}{' ...' if len(met) > 8 else ''}.")
    usual = data.missing == GAPS
    yield unset("missing", data.missing) if usual else setting("missing", data.missing)
    if data.words_for_gaps:
        found = tuple(dict.fromkeys(m for markers in data.words_for_gaps.values() for m in markers))
        yield from comment(f"Among words these are values until they are listed: {few(found)}.")


def _times(markers: Mapping[str, int]) -> str:
    return ", ".join(f"{named(m)} {n:,} times" for m, n in markers.items())
