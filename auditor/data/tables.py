"""Samples from a table: .csv, .tsv, .parquet, .jsonl. Read in parts, whose rows become input vectors at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from auditor.columns import Labels
from auditor.config import ColumnSpec, DataSpec
from auditor.data.columns import TARGET, ArrowColumns, HeldColumns, matching, need
from auditor.data.encode import Block, Encoder, columns_for
from auditor.data.files import batches, header_of
from auditor.data.gathered import Gathered, Numbers, NumbersGathered
from auditor.data.others import names_of_others, read_others
from auditor.data.source import Source
from auditor.errors import LoadError
from auditor.intake.recognise import sha256
from auditor.integers import Codes, Integers, narrowed, smallest

__all__ = ["Rows", "beside", "read_rows", "read_table"]

MOST_TEXTS = 100_000  # of a column: with more, none of them is a class or a group


@dataclass(frozen=True)
class Rows:
    """The rows of a table for which `where` holds: the columns beside the inputs, and the inputs `x` (N, F).

    `row_ids` (N,) are their numbers in the file, `texts` those of the column that was asked for.
    """

    columns: HeldColumns
    row_ids: Codes
    x: Block
    texts: list[str]


def read_table(path: Path, spec: DataSpec, columns: Sequence[ColumnSpec], *, with_inputs: bool = False) -> Source:
    """The rows of `path` for which `where` holds; `columns` (or `inputs`, or all that is left) make the inputs.

    Without inputs, which is a table of predictions, the other columns can be read later (`Source.others`).
    """
    names = header_of(path, spec)
    others = () if with_inputs else names_of_others(names, spec, beside(spec), path.name)
    encoder = Encoder(columns_for(names, spec, columns, beside(spec), path.name) if with_inputs else ())
    found = read_rows(path, spec, names, encoder)
    return Source(
        path.name,
        found.columns,
        (lambda rows: torch.from_numpy(found.x[rows])) if with_inputs else None,
        found.row_ids,
        "table",
        features=encoder.features(found.x),
        caveats=encoder.caveats(),
        sha256=sha256(path),
        others=None if with_inputs else lambda row_ids: read_others(path, spec, others, row_ids),
        other_names=others,
    )


def read_rows(path: Path, spec: DataSpec, names: Sequence[str], encoder: Encoder, texts: str = "") -> Rows:
    """The rows of `path`, whose columns are `names`; `encoder` makes their inputs, the column `texts` is read as text.

    One part of the file is in memory at a time, with what is kept of those before.
    """
    used = beside(spec)
    for name, what in used.items():
        need(names, name, what, path.name)
    scores = (spec.score,) if isinstance(spec.score, str) else spec.score or ()
    side = {n: NumbersGathered(n, spec.missing) if n in scores else Gathered(n, spec.missing, MOST_TEXTS) for n in used}
    needed = [*dict.fromkeys([*side, *encoder.names, *([texts] if texts else ())])]
    ids, blocks, said, numeric, first = list[Integers](), list[Block](), list[str](), set[str](), 0
    for batch in batches(path, spec, needed, encoded=[n for n in side if n not in scores], texts=texts):
        kept = ArrowColumns(batch, spec.missing, first)
        rows = matching(kept, spec.where) if spec.where else None
        if rows is not None:
            kept, ids = kept.at(rows), [*ids, rows + first]
        for name, column in side.items():
            for part in kept.table.column(name).chunks:
                column.add(part, first)
        numeric |= {n for n in side if kept.is_numeric(n)}
        blocks.append(encoder.rows(kept))
        said += [t or "" for t in kept.table.column(texts).cast("string").to_pylist()] if texts else []
        first += len(batch)
    pa.default_memory_pool().release_unused()  # what the reader has kept for a next part
    held = {n: _held(column, n, used[n]) for n, column in side.items()}
    row_ids = narrowed(np.concatenate(ids)) if ids else np.arange(first, dtype=smallest(first))
    x = np.concatenate(blocks) if blocks else np.zeros((0, 0), np.float32)
    return Rows(HeldColumns(held, numeric, len(row_ids)), row_ids, x, said)


def _held(column: Gathered | NumbersGathered, name: str, what: str) -> Labels | Numbers:
    found = column.held()
    if found is None:
        msg = f"{what} {name!r} holds more than {MOST_TEXTS:,} different texts; expected the names of few"
        raise LoadError(msg)
    return found


def beside(spec: DataSpec) -> dict[str, str]:
    """The columns that are not inputs, and what each is."""
    found = dict.fromkeys(spec.where, "where column")
    found |= dict.fromkeys(spec.sensitive, "sensitive column")
    scores = (spec.score,) if isinstance(spec.score, str) else spec.score or ()
    found |= dict.fromkeys(scores, "score") | ({spec.prediction: "prediction"} if spec.prediction else {})
    return found | {spec.target or TARGET: "target" if spec.target else "target unless [data] target names one"}
