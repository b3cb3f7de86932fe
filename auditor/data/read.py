"""The data of an audit file: which file, which rows, what their targets and groups are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.config import AuditFile, DataSpec
from auditor.data.bounds import Bounds, bounds_of
from auditor.data.chosen import chosen
from auditor.data.columns import TARGET, need
from auditor.data.digests import of_groups, of_numbers
from auditor.data.files import ENDINGS, header_of
from auditor.data.given import about_values, finite, given_predictions, given_values, holder_of_values
from auditor.data.groups import Groups, groups_like, groups_of
from auditor.data.notes import column_notes, group_notes, need_comparable
from auditor.data.relations import relations_of
from auditor.data.source import Source
from auditor.data.sources import need_rows, reader_of, source_of
from auditor.data.targets import class_names, encode_target
from auditor.errors import LoadError, UsageError
from auditor.feeds import Packed, Tokens
from auditor.intake.located import locate
from auditor.integers import Integers, narrowed
from auditor.registry import derive_seed
from auditor.subject import Data, Targets

__all__ = ["Read", "read_data"]

SAME = (
    "The target is the same column as the prediction: accuracy, errors and base rates say nothing. Shares of "
    "favourable answers and their ratios need no labels."
)


@dataclass(frozen=True)
class Read:
    """Everything the data part of an audit file gives.

    `classes` is None when the model must say how many there are. `bounds`, `unit` and `feed` are the model handle's.
    """

    data: Data
    reference: Data | None
    classes: tuple[str, ...] | None
    bounds: Bounds
    unit: Tensor | float
    facts: dict[str, Any]
    feed: Tokens | Packed | None = None


def read_data(file: AuditFile, folder: Path, *, uploaded: bool = False) -> Read:
    """The data and reference data of `file`; LoadError or UsageError, in one line, when they do not fit it."""
    spec = file.data
    named = class_names(spec, folder, uploaded=uploaded)
    reader = reader_of(file, folder, uploaded=uploaded)
    whole = source_of(file, spec, folder, reader, uploaded=uploaded)
    target = _target(whole, spec)
    _need_apart(whole, file, target)
    holder = "" if file.model is not None else holder_of_values(whole.columns, spec, target)
    if holder and spec.positive is not None:
        msg = f"[data] positive names a class, but the {holder} holds numbers that are no classes; leave it out"
        raise UsageError(msg)
    values = bool(holder) or (file.model is not None and file.model.output == "value")
    source = chosen(whole, spec, None if values else target, derive_seed(file.checks.seed, "limit"))
    need_rows(source, spec)
    groups = groups_of(source.columns, spec.sensitive, source.file)
    data, classes = _data(source, file, named or source.classes, groups, values=values)
    if not values:
        need_comparable(data.groups, data.y, target)
    said = [about_values(holder, data.given)] if holder and data.given is not None else []
    said += [SAME] if file.model is None and spec.prediction == target else []
    data = replace(data, caveats=(*said, *data.caveats, *_notes(source, data, values=values)))
    facts = {"file": source.file, "kind": source.kind, "rows": len(data), "sha256": source.digest()}
    facts |= {"rows_sha256": of_numbers(data.row_ids), "target_sha256": of_numbers(data.y)}
    if data.groups:
        facts["sensitive_sha256"] = of_groups(data.groups)
    reference = None
    if spec.reference is not None:
        plain = _of_reference(spec, source, file, folder, uploaded=uploaded)
        other = source_of(file, plain, folder, reader, uploaded=uploaded)
        if other.feed != source.feed:
            msg = "[data] reference: its inputs are not those of the audited data; they must agree in names and shapes"
            raise LoadError(msg)
        theirs = groups_like(other.columns, groups)
        reference, _ = _data(other, file, classes or other.classes, theirs, values=values)
        data = replace(data, caveats=(*data.caveats, *theirs.caveats))
        facts |= {"reference": other.file, "reference_rows": len(reference)}
        facts |= {"reference_sha256": other.digest()}
    bounds, unit = bounds_of(file, source, data if reference is None else reference)
    if reader is not None:
        bounds = (-1.0, float(reader.size - 1))
        facts |= {"tokenizer_sha256": reader.sha256, "most_tokens": reader.length}
    return Read(data, reference, classes, bounds, unit, facts, source.feed)


def _of_reference(spec: DataSpec, source: Source, file: AuditFile, folder: Path, *, uploaded: bool) -> DataSpec:
    """What the reference must have: the inputs of the data and its target, on all of its rows.

    Of sensitive columns, and of those that a table of predictions holds besides, it has what it has.
    """
    update: dict[str, Any] = {"path": spec.reference, "where": {}, "limit": None, "sensitive": ()}
    path = locate(str(spec.reference), folder, "data file", uploaded=uploaded)
    if path.suffix in ENDINGS and not path.is_dir():
        names = header_of(path, spec)
        update["sensitive"] = tuple(n for n in spec.sensitive if n in names)
        if file.model is None and spec.inputs is not None:
            update["inputs"] = tuple(n for n in source.other_names if n in names)
    if source.features and Path(spec.path).suffix in ENDINGS and not file.columns:
        update["inputs"] = tuple(column.name for column in source.features)
    if source.text_column:
        update["inputs"] = source.text_column
    return spec.model_copy(update=update)


# ---- targets and predictions -------------------------------------------------------------------------------------
def _target(source: Source, spec: DataSpec) -> str:
    name = spec.target or ("class" if source.classes else TARGET)
    need(source.columns.names, name, "target", source.file)
    return name


def _need_apart(source: Source, file: AuditFile, target: str) -> None:
    """LoadError for answers that are not there; UsageError for a sensitive column that holds answers."""
    spec, serving = file.data, {target: "target"}
    if file.model is None:
        scores = (spec.score,) if isinstance(spec.score, str) else spec.score or ()
        serving |= dict.fromkeys(scores, "score") | ({spec.prediction: "prediction"} if spec.prediction else {})
    for name, what in serving.items():
        need(source.columns.names, name, what, source.file)
        if name in spec.sensitive:
            msg = f"sensitive column {name!r} is the {what} too, and groups cannot be compared by what they are given"
            raise UsageError(msg)


def _data(
    source: Source, file: AuditFile, named: Sequence[str] | None, groups: Groups, *, values: bool
) -> tuple[Data, tuple[str, ...] | None]:
    """The rows of `source` as samples, and the class names if any are known; of `values` there are none."""
    spec, columns = file.data, source.columns
    target, alone = _target(source, spec), file.model is None
    y: Targets
    classes: tuple[str, ...] | None = None
    given = None
    if values:
        y = finite(columns, target, "target")
        given = given_values(columns, str(spec.prediction)) if alone else None
    else:
        y, found = encode_target(columns, named, target)
        classes = tuple(named) if named else found
        if alone:
            classes = classes or tuple(map(str, range(max(2, int(y.max()) + 1))))
            given = given_predictions(columns, spec, classes)
    row_ids = narrowed(source.row_ids) if alone else source.row_ids.astype(np.int64)
    others = source.others
    data = Data(
        source.inputs or _no_inputs, y if alone or values else y.astype(np.int64), row_ids, groups.labels,
        source.features, None, given, (*source.said(), *groups.caveats),
        source.texts, source.words, relations_of(file.relations, source.features, source.file) if not alone else (),
        source.vocabulary, None if others is None else lambda: others(row_ids), source.other_names,
    )  # fmt: skip
    return data, classes


def _no_inputs(rows: Integers) -> Tensor:
    return torch.zeros(len(rows), 0)


def _notes(source: Source, data: Data, *, values: bool) -> Iterator[str]:
    """What has to be said of groups and inputs."""
    yield from group_notes(data.groups)
    if source.kind == "table" and source.inputs is not None and not values:
        yield from column_notes(source.inputs(np.arange(len(data))).numpy(), data.y, source.features)
