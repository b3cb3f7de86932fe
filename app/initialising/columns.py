"""What the columns of a file hold: numbers, flags, categories, texts; and which markers of a gap occur in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from auditor.columns import Labels
from auditor.config import DataSpec
from auditor.contingency import MISSING
from auditor.data.columns import ArrayColumns
from auditor.data.encode import FLAGS
from auditor.data.files import batches, header_of
from auditor.data.gathered import Gathered, is_number, is_plain
from auditor.errors import LoadError

__all__ = ["GAPS", "MARKERS", "Seen", "of_arrays", "of_table"]

GAPS = ("", "?")  # what counts as missing when an audit file does not say
MARKERS = (*GAPS, "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "none", "-", ".", "#N/A")
MOST_NAMES, MOST_TEXTS = 1000, 100_000
TEXTS = ("text", "sentence", "review", "message", "comment", "content", "body", "document", "tweet", "question")
SENTENCE = 40  # characters on average from which a text is read rather than named


@dataclass(frozen=True, slots=True)
class Seen:
    """A column of `rows` rows.

    `names` are its different values in order, without those missing; () where there are more than MOST_NAMES.
    `different` is their number, None beyond MOST_TEXTS. `missing` says how many rows hold each marker of a gap. `low`
    to `std` are of numbers, `whole` says that all are; `stored` that the file itself holds them as numbers.
    """

    name: str
    kind: Literal["number", "flag", "category", "text", "empty", "other"]
    rows: int
    names: tuple[str, ...] = ()
    different: int | None = None
    missing: Mapping[str, int] = field(default_factory=dict)
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    std: float = 0.0
    whole: bool = False
    stored: bool = False

    @property
    def gaps(self) -> int:
        """How many rows have no value, by the markers of this column that count as such."""
        return sum(n for marker, n in self.missing.items() if marker in GAPS or self.kind in {"number", "flag"})

    @property
    def is_numeric(self) -> bool:
        """Whether it can go into a model as one number a row."""
        return self.kind in {"number", "flag"}

    @property
    def is_amount(self) -> bool:
        """Whether its numbers are no class indices: some are not whole, or more than a classifier names."""
        return self.kind == "number" and (not self.whole or not self.names or self.low < 0)

    def in_words(self) -> str:
        """Its kind and range."""
        if self.kind == "number":
            whole = "whole numbers" if self.whole else "numbers"
            return f"{whole} from {self.low:.6g} to {self.high:.6g}"
        if self.kind in {"flag", "category"}:
            return f"{len(self.names):,} values"
        return {"text": "texts", "empty": "nothing", "other": "what is neither text nor number"}[self.kind]


def of_table(path: Path, spec: DataSpec) -> list[Seen]:
    """Every column of the table at `path`, read part by part as an audit reads it; LoadError where one could not."""
    names = header_of(path, spec)
    texts = next((n for n in names if n.lower() in TEXTS), "")
    held: dict[str, Gathered | None] = {n: Gathered(n, MARKERS, MOST_TEXTS) for n in names}
    missing: dict[str, Counter[str]] = {n: Counter() for n in names}
    letters, stored, rows = Counter[str](), set[str](), 0
    for part in batches(path, spec, names, texts=texts):
        for name in names:
            kind = part.schema.field(name).type
            if not is_plain(kind):
                held[name] = None
                continue
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                stored |= {name} if not pa.types.is_temporal(kind) and not pa.types.is_dictionary(kind) else set()
            for chunk in part.column(name).chunks:
                missing[name] += _markers(chunk)
                letters[name] += _letters(chunk)
                _add(held, name, chunk, rows)
        rows += len(part)
    if not rows:
        msg = f"data file {path.name!r} is empty: it has no rows; an audit needs at least one sample"
        raise LoadError(msg)
    return [_seen(n, held[n], rows, missing[n], letters[n] / rows, stored=n in stored) for n in names]


def _add(held: dict[str, Gathered | None], name: str, chunk: pa.Array, first: int) -> None:
    gathered = held[name]
    if gathered is None:
        return
    try:
        gathered.add(chunk, first)
    except LoadError:  # more than MOST_NAMES numbers, and then a text
        held[name] = None


def _markers(chunk: pa.Array) -> Counter[str]:
    """How often each marker of a gap occurs; null and NaN are the empty text."""
    found = Counter({"": chunk.null_count} if chunk.null_count else {})
    if pa.types.is_floating(chunk.type):
        nan = int(pc.sum(pc.is_nan(chunk)).as_py() or 0)
        return found + Counter({"": nan})
    if pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type):
        hits = chunk.filter(pc.fill_null(pc.is_in(chunk, value_set=pa.array(MARKERS, chunk.type)), fill_value=False))
        found += Counter({row["values"]: row["counts"] for row in pc.value_counts(hits).to_pylist()})
    return found


def _letters(chunk: pa.Array) -> int:
    if not (pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type)):
        return 0
    return int(pc.sum(pc.utf8_length(chunk)).as_py() or 0)


def of_arrays(arrays: Mapping[str, np.ndarray[Any, Any]], rows: int) -> list[Seen]:
    """Every array of one value a row, as a column."""
    columns = ArrayColumns({n: a for n, a in arrays.items() if a.ndim == 1 and len(a) == rows}, GAPS, rows)
    found = []
    for name, array in columns.arrays.items():
        labels = columns.labels(name)
        gaps = int((labels.codes == labels.names.index(MISSING)).sum()) if MISSING in labels.names else 0
        missing, stored = Counter({"": gaps} if gaps else {}), array.dtype.kind in "biuf"
        found.append(_named(name, labels, rows, missing, _mean_length(labels.names), stored=stored))
    return found


# ---- what a column is --------------------------------------------------------------------------------------------
def _seen(
    name: str, gathered: Gathered | None, rows: int, missing: Mapping[str, int], letters: float, *, stored: bool
) -> Seen:
    if gathered is None:
        return Seen(name, "other", rows)
    held = gathered.held()
    if held is None:
        return Seen(name, "text", rows, missing=dict(missing))
    if isinstance(held, Labels):
        return _named(name, held, rows, missing, letters, stored=stored)
    return _numbers(Seen(name, "number", rows, missing=dict(missing), stored=stored), held)


def _named(name: str, labels: Labels, rows: int, missing: Mapping[str, int], letters: float, *, stored: bool) -> Seen:
    """A column of few different texts; numbers among them are put in order as such."""
    counts = labels.counts()
    names = [n for n, times in zip(labels.names, counts, strict=True) if n != MISSING and times]
    numeric = bool(names) and all(map(is_number, names))
    if not numeric:  # "NA" among words is a word
        names = sorted({*names, *(m for m in missing if m not in GAPS)})
    plain = Seen(name, "empty", rows, missing=dict(missing), stored=stored, different=len(names))
    kept = tuple(sorted(names, key=float) if numeric else names) if len(names) <= MOST_NAMES else ()
    if not names:
        return plain
    if {n.lower() for n in names} <= set(FLAGS) and len(names) == 2:
        return replace(plain, kind="flag", names=kept, high=1.0, whole=True)
    if numeric:
        place = {n: float(n) for n in names}
        numbers = np.array([place.get(n, np.nan) for n in labels.names])[labels.codes]
        return _numbers(replace(plain, kind="number", names=kept), numbers)
    if not kept or letters > SENTENCE:
        return replace(plain, kind="text")
    return replace(plain, kind="category", names=kept)


def _numbers(seen: Seen, numbers: np.ndarray[Any, np.dtype[np.float64]]) -> Seen:
    present = numbers[np.isfinite(numbers)]
    if not len(present):
        return replace(seen, kind="empty")
    whole = bool((present == np.floor(present)).all())
    low, high, mean, std = (float(f(present)) for f in (np.min, np.max, np.mean, np.std))
    return replace(seen, low=low, high=high, mean=mean, std=std, whole=whole)


def _mean_length(names: Sequence[str]) -> float:
    return sum(map(len, names)) / max(1, len(names))
