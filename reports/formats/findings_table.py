"""findings.csv and findings.parquet: a row for each limit at each figure, and for whatever else needs a decision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from auditor.policy import acceptance_of
from auditor.store import Record
from auditor.types import Audit, Status, Verdict
from auditor.unanswered import is_missing
from reports.findings import Finding, findings, passed
from reports.legible import legible
from reports.verdict import why

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMNS", "findings_csv", "findings_parquet"]

Cell = str | float | int | bool | date | tuple[str, ...] | None
COLUMNS: dict[str, str] = {  # and what each holds
    "id": "text", "key": "text", "status": "text", "counts_as": "text", "check": "text", "measure": "text",
    "slice": "text", "value": "number", "low": "number", "high": "number", "n": "count", "bound": "text",
    "limit": "number", "level": "text", "required": "flag", "accepted": "flag", "accepted_until": "day",
    "owner": "text", "state": "text", "before": "number", "change": "number", "change_low": "number",
    "change_high": "number", "requirements": "texts", "sentence": "text", "policy_line": "count",
}  # fmt: skip
# what makes a spreadsheet read a cell as a formula, or take the next character for the first
FORMULA = tuple(
    "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)

BEFORE = " \N{NO-BREAK SPACE}\N{ZERO WIDTH NO-BREAK SPACE}"  # which a spreadsheet may take away


def findings_csv(record: Record) -> bytes:
    """RFC 4180 in UTF-8: quotes where needed, lines that end in CR LF, an empty cell for what is not known.

    Text that a spreadsheet would run as a formula has an apostrophe in front; numbers are as they are.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows(legible(record.audit)):
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return text.getvalue().encode()


def findings_parquet(record: Record) -> bytes:
    """The same rows with their types: numbers, flags, days, and lists of requirements; text is as it is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "text": pa.string(), "number": pa.float64(), "count": pa.int64(), "flag": pa.bool_(), "day": pa.date32(),
        "texts": pa.list_(pa.string()),
    }  # fmt: skip
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    table: pa.Table = pa.Table.from_pylist(list(rows(legible(record.audit))), schema=schema)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def rows(audit: Audit) -> Iterator[dict[str, Cell]]:
    """One for every finding, worst first, then one for every judgement that passed."""
    found = findings(audit)
    for f in (*found, *passed(audit)):
        yield {**dict.fromkeys(COLUMNS), **_of_finding(audit, f), **_since(audit, f)}
    if audit.verdict is Verdict.INCOMPLETE and not any(_tells(audit, f) for f in found):
        yield {
            **dict.fromkeys(COLUMNS), "id": "audit", "status": "error", "counts_as": "error", "required": True,
            "accepted": False, "requirements": (), "sentence": why(audit),
        }  # fmt: skip


def _tells(audit: Audit, f: Finding) -> bool:
    """Whether a finding makes the audit incomplete; an interruption, or that nothing was judged, is none."""
    if f.judgement:
        return f.judgement.required and f.judgement.counts_as is Status.INCONCLUSIVE
    return f.limit_of is None or is_missing(f.limit_of, audit.outcomes)


def _of_finding(audit: Audit, f: Finding) -> dict[str, Cell]:
    limit, j, m = f.limit_of, f.judgement, f.measure
    found: dict[str, Cell] = {
        "id": f.id,
        "key": f.key,
        "status": str(f.status),
        "counts_as": str(f.status),
        "check": f.check,
        "required": j.required if j else limit.required if limit else False,
        "accepted": False,
        "state": f.state if f.key else "",  # what passed is no finding, and none that is new
        "requirements": limit.requirement if limit else (),
        "sentence": " ".join(f"{f.sentence} {j.sentence if j else f.value}".split()),
        "policy_line": limit.line or None if limit else None,
    }
    if limit and not j:
        found |= {"measure": limit.measure, "slice": limit.slice or "", "bound": next(iter(limit.bounds), "")}
    if j and m:
        by = acceptance_of(audit.policy, f.check, j)
        found |= {
            "counts_as": str(j.counts_as), "measure": j.measure, "slice": j.slice, "value": m.value, "low": m.low,
            "high": m.high, "n": m.n, "bound": j.limit.key, "limit": j.limit.value, "level": j.limit.level,
            "required": j.required, "accepted": j.accepted, "accepted_until": by.expires if by else None,
            "owner": by.owner if by else "",
        }  # fmt: skip
    return found


def _since(audit: Audit, f: Finding) -> dict[str, Cell]:
    """How far the figure has moved since the baseline; nothing where there is none that has it."""
    m = f.measure
    shift = audit.baseline.shift(f.check, m.name, m.slice) if audit.baseline and m else None
    if shift is None:
        return {}
    return {"before": shift.before, "change": shift.change, "change_low": shift.low, "change_high": shift.high}


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return _inert("; ".join(value))
        case str():
            return _inert(value)
        case date():
            return value.isoformat()
    return repr(value)


def _inert(text: str) -> str:
    return f"'{text}" if text.lstrip(BEFORE).startswith(FORMULA) or text.startswith(FORMULA) else text
