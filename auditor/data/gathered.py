"""A column of a file as it comes, part by part: few different values as codes, many different numbers as numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.errors import LoadError
from auditor.integers import Codes, smallest

__all__ = [
    "Gathered", "Numbers", "NumbersGathered", "Texts", "is_number", "is_plain", "numbers_of", "parsed",
]  # fmt: skip

Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]
MOST_NAMES = 10_000  # different numbers that are kept by name
NO_PARTS = re.compile(r"\.0+(?=Z?$)")  # of a second


class Texts:
    """The different values of a column as text, in the order in which they came; null and NaN are the empty text."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._place: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._place)

    def codes(self, part: pa.Array) -> Codes:
        """(k,) the number of each row's text; one that was not there before gets the next."""
        if not is_plain(part.type):
            msg = f"column {self._name!r} holds {part.type!s:.60}; expected text, numbers, dates, or true and false"
            raise LoadError(msg)
        encoded = part if pa.types.is_dictionary(part.type) else pc.dictionary_encode(part)
        names = [*_texts(encoded.dictionary), ""]
        indices = pc.fill_null(encoded.indices.cast(pa.int32()), len(names) - 1).to_numpy(zero_copy_only=False)
        used = np.flatnonzero(np.bincount(indices, minlength=len(names))).tolist()  # a dictionary may hold more
        place = np.zeros(len(names), np.int64)
        place[used] = [self._place.setdefault(names[i], len(self._place)) for i in used]
        return np.asarray(place.astype(smallest(len(self._place)))[indices])

    def labels(self, parts: Sequence[Codes], missing: Sequence[str]) -> Labels:
        """The column of which `parts` are the codes: names in sorted order, every missing text as `(missing)`, last."""
        blank = {*missing, MISSING}
        names = sorted(n for n in self._place if n not in blank)
        place = {n: i for i, n in enumerate(names)}
        to = np.array([place.get(n, len(names)) for n in self._place], smallest(len(names)))
        codes: Codes = np.concatenate([to[:0], *(to[part] for part in parts)])
        return Labels((*names, MISSING) if len(names) < len(self._place) else tuple(names), codes)

    def values(self, missing: Sequence[str]) -> Numbers | None:
        """(texts,) each text as a number, NaN where it is missing; None where one is neither."""
        blank = {*missing, MISSING}
        if not all(n in blank or is_number(n) for n in self._place):
            return None
        return np.array([np.nan if n in blank else float(n) for n in self._place])


def is_plain(kind: pa.DataType) -> bool:
    """Whether values of this type are text, numbers, dates, or true and false: no lists, and no bytes."""
    if pa.types.is_dictionary(kind):
        return is_plain(kind.value_type)
    tests = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return not any(test(kind) for test in tests)


def _texts(values: pa.Array) -> list[str]:
    """Each value as a file of text would have it."""
    found = pc.cast(values, pa.string()).to_pylist()
    if pa.types.is_floating(values.type):
        return ["" if t is None or t == "nan" else "0" if t == "-0" else t for t in found]
    if pa.types.is_timestamp(values.type):  # a day is often stored as its first moment
        return ["" if t is None else NO_PARTS.sub("", t).removesuffix(" 00:00:00") for t in found]
    return ["" if t is None else t for t in found]


def numbers_of(part: pa.Array, missing: Sequence[str], name: str, first: int = 0) -> Numbers:
    """`part` as numbers (k,), NaN where missing; LoadError for the first row that holds none, counted from `first`."""
    if pa.types.is_dictionary(part.type):
        part = part.dictionary_decode()
    plain = part
    if pa.types.is_string(part.type) or pa.types.is_large_string(part.type):
        blank = pc.is_in(part, value_set=pa.array([*missing, MISSING], part.type))
        plain = pc.if_else(blank, None, pc.utf8_trim_whitespace(part))
    try:
        return np.asarray(pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = Texts(name)
        return parsed(texts.labels([texts.codes(part)], missing), name, first)


def parsed(labels: Labels, name: str, first: int = 0) -> Numbers:
    """Text as numbers (N,); LoadError for the first row that is none."""
    odd = next((i for i, n in enumerate(labels.names) if n != MISSING and not is_number(n)), None)
    if odd is not None:
        row = first + int(np.argmax(labels.codes == odd))
        msg = f"column {name!r} holds {labels.names[odd]!r:.80} in row {row} (counted from 0); expected a number"
        raise LoadError(msg)
    return np.array([np.nan if n == MISSING else float(n) for n in labels.names])[labels.codes]


def is_number(text: str) -> bool:
    """Whether `text` reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


# ---- part by part ------------------------------------------------------------------------------------------------
class NumbersGathered:
    """One column of numbers, part by part, in one array that grows."""

    def __init__(self, name: str, missing: Sequence[str]) -> None:
        self._name, self._missing = name, missing
        self._values: Numbers = np.empty(0)

    def add(self, part: pa.Array, first: int) -> None:
        """The next rows; `first` is the number of the first of them in the file, for messages."""
        self.extend(numbers_of(part, self._missing, self._name, first))

    def extend(self, values: Numbers) -> None:
        """The next rows as numbers."""
        n = len(self._values)
        self._values.resize(n + len(values), refcheck=False)  # the same memory, made longer
        self._values[n:] = values

    def held(self) -> Numbers:
        """The numbers (N,) of all rows."""
        return self._values


class Gathered:
    """One column of a few different values, part by part; or of numbers, where more than MOST_NAMES of them differ."""

    def __init__(self, name: str, missing: Sequence[str], most: int) -> None:
        self._name, self._missing, self._most = name, missing, most
        self._texts, self._codes, self._limit = Texts(name), list[Codes](), min(most, MOST_NAMES)
        self._numbers: NumbersGathered | None = None

    @property
    def too_many(self) -> bool:
        """Whether more than `most` different texts have come: nothing is kept of them."""
        return len(self._texts) > self._most

    def add(self, part: pa.Array, first: int) -> None:
        """The next rows; `first` is the number of the first of them in the file, for messages."""
        if self._numbers is not None:
            self._numbers.add(part, first)
        elif not self.too_many:
            self._codes.append(self._texts.codes(part))
            if len(self._texts) > self._limit:
                self._decide()

    def _decide(self) -> None:
        """With so many different values it is numbers, or text of which no more than `most` may come."""
        values = self._texts.values(self._missing)
        if values is not None:
            self._numbers = NumbersGathered(self._name, self._missing)
            for codes in self._codes:
                self._numbers.extend(values[codes])
            self._texts = Texts(self._name)
        self._limit = self._most
        if values is not None or self.too_many:
            self._codes = []

    def held(self) -> Labels | Numbers | None:
        """The column of all rows; None where there were too many different texts."""
        if self._numbers is not None:
            return self._numbers.held()
        return None if self.too_many else self._texts.labels(self._codes, self._missing)
