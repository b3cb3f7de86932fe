"""Samples from a table: .csv, .tsv, .parquet, .jsonl. Read in batches, whose rows become input vectors at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
import torch

from auditor.config import ColumnSpec, DataSpec
from auditor.data.columns import TARGET, ArrowColumns, matching, need
from auditor.data.encode import Encoder, columns_for
from auditor.data.source import Source
from auditor.errors import LoadError, UsageError, one_line
from auditor.intake.recognise import sha256

__all__ = ["ENDINGS", "beside", "header_of", "read_all", "read_table"]

ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl")
BLOCK = 16 << 20
MOST_COLUMNS, LONGEST_CELL, LONGEST_TEXT = 10_000, 10_000, 1_000_000


def read_table(
    path: Path, spec: DataSpec, columns: Sequence[ColumnSpec], *, with_inputs: bool = False, texts: str | None = None
) -> Source:
    """The rows of `path` for which `where` holds; `columns` (or `inputs`, or all that is left) make the inputs.

    The column `texts` is kept beside the others, as it stands.
    """
    names = header_of(path, spec)
    others = beside(spec)
    for name, what in others.items():
        need(names, name, what, path.name)
    specs = columns_for(names, spec, columns, others, path.name) if with_inputs else ()
    side = [n for n in names if n in others or n == texts]
    needed = list(dict.fromkeys([*side, *(s.name for s in specs)]))
    encoder = Encoder(specs)
    ids, blocks, sides = [], [], []
    for first, batch in _batches(path, spec, needed, texts):
        rows = matching(ArrowColumns(batch, spec.missing), spec.where)
        kept = ArrowColumns(batch, spec.missing, first).at(rows)
        ids.append(rows + first)
        blocks.append(encoder.rows(kept))
        sides.append(kept.table.select(side))
    row_ids = np.concatenate(ids) if ids else np.zeros(0, np.int64)
    x = np.concatenate(blocks) if blocks else np.zeros((0, 0), np.float32)
    table = ArrowColumns(pa.concat_tables(sides) if sides else pa.table({n: [] for n in side}), spec.missing)
    return Source(
        path.name,
        table,
        (lambda rows: torch.from_numpy(x[rows])) if with_inputs else None,
        row_ids,
        "table",
        features=encoder.features(x),
        caveats=encoder.caveats(),
        sha256=lambda _: sha256(path),
    )


def read_all(path: Path, spec: DataSpec) -> ArrowColumns:
    """Every column of a small table (labels, class names) as text."""
    plain = DataSpec(path=str(path), missing=spec.missing)
    names = header_of(path, plain)
    tables = [batch for _, batch in _batches(path, plain, names)]
    return ArrowColumns(pa.concat_tables(tables) if tables else pa.table({n: [] for n in names}), spec.missing)


def beside(spec: DataSpec) -> dict[str, str]:
    """The columns that are not inputs, and what each is."""
    found = dict.fromkeys(spec.where, "where column")
    found |= dict.fromkeys(spec.sensitive, "sensitive column")
    scores = (spec.score,) if isinstance(spec.score, str) else spec.score or ()
    found |= dict.fromkeys(scores, "score") | ({spec.prediction: "prediction"} if spec.prediction else {})
    return found | {spec.target or TARGET: "target"}


# ---- files -------------------------------------------------------------------------------------------------------
def header_of(path: Path, spec: DataSpec) -> tuple[str, ...]:
    try:
        if path.suffix == ".parquet":
            names = list(pa.parquet.read_schema(path).names)
        elif path.suffix == ".jsonl":
            names = list(_json(path).schema.names)
        else:
            names = pa.csv.open_csv(path, **_csv_options(path, spec, None)).schema.names
            if spec.columns and not spec.header:
                names = _given_names(path, spec.columns, len(names))
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as e:
        raise LoadError(_unreadable(path, e)) from None
    if len(names) > MOST_COLUMNS:
        msg = f"{path.name!r} has {len(names):,} columns; at most {MOST_COLUMNS:,} are read"
        raise LoadError(msg)
    twice = next((n for n, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        msg = f"{path.name!r} has two columns named {twice!r}; every column needs a name of its own"
        raise LoadError(msg)
    return tuple(names)


def _given_names(path: Path, names: Sequence[str], columns: int) -> list[str]:
    if len(names) != columns:
        msg = f"[data] columns has {len(names)} names; {path.name!r} has {columns} columns"
        raise UsageError(msg)
    return list(names)


def _batches(
    path: Path, spec: DataSpec, names: Sequence[str], texts: str | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """(number of its first row, rows) of consecutive parts of the file, the named columns only."""
    first = 0
    try:
        if path.suffix == ".parquet":
            parts = pa.parquet.ParquetFile(path).iter_batches(columns=list(names))
        elif path.suffix == ".jsonl":
            parts = (batch.select(list(names)) for batch in _json(path))
        else:
            parts = iter(pa.csv.open_csv(path, **_csv_options(path, spec, names)))
        for part in parts:
            table = pa.Table.from_batches([part])
            _need_plain_cells(path, table, first, texts)
            yield first, table
            first += part.num_rows
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, UnicodeDecodeError) as e:
        raise LoadError(_unreadable(path, e)) from None


def _need_plain_cells(path: Path, table: pa.Table, first: int, texts: str | None) -> None:
    """LoadError for a cell of text that no table for a model has: endless, or with a NUL byte."""
    for name in table.column_names:
        column = table.column(name)
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            continue
        longest = LONGEST_TEXT if name == texts else LONGEST_CELL
        for what, odd in (
            (f"has more than {longest:,} bytes", pc.greater(pc.binary_length(column), longest)),
            ("holds a NUL byte", pc.match_substring(column, "\0")),
        ):
            row = pc.index(odd, value=True).as_py()
            if row >= 0:
                where = f"{path.name!r}: column {name!r:.80} {what} in row {first + row} (counted from 0)"
                msg = f"{where}; expected plain text or a number"
                raise LoadError(msg)


def _json(path: Path) -> Any:
    """A reader of one object a line; the first BLOCK bytes say what each name holds."""
    return pa.json.open_json(path, read_options=pa.json.ReadOptions(block_size=BLOCK, use_threads=False))


def _csv_options(path: Path, spec: DataSpec, names: Sequence[str] | None) -> dict[str, object]:
    """Every column as text: a type guessed from the first rows would fail, or change a value, further down.

    Without `names` the file is only opened, for its own header.
    """
    own = spec.header or names is None or spec.columns is None
    return {
        "read_options": pa.csv.ReadOptions(
            block_size=BLOCK,
            autogenerate_column_names=own and not spec.header,
            column_names=None if own else list(spec.columns or ()),
        ),
        "parse_options": pa.csv.ParseOptions(delimiter="\t" if path.suffix == ".tsv" else ",", newlines_in_values=True),
        "convert_options": pa.csv.ConvertOptions(
            include_columns=list(names) if names else None,
            column_types=dict.fromkeys(names or (), pa.string()),
            strings_can_be_null=False,
        ),
    }


def _unreadable(path: Path, error: Exception) -> str:
    kind = {".parquet": "Parquet", ".jsonl": "JSON, an object a line"}.get(path.suffix, "CSV in UTF-8")
    return f"{path.name!r} cannot be read as {kind}: {one_line(str(error), 160)}"
