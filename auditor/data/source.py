"""What every reader gives: columns by name and inputs by row, before anybody has chosen rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from auditor.columns import Column, Others
from auditor.data.columns import Columns
from auditor.feeds import Packed, Tokens
from auditor.integers import Codes, Integers
from auditor.words import Vocabulary, Words

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """The rows of one file or folder.

    `inputs` gives the inputs (k, ...) of k rows (positions), None for a table of predictions; `row_ids` are the
    rows' numbers in the file; `features` says what each element of a table's input vector is; `kind` is what the
    inputs are. `sha256` is that of the file, or gives that of the files of k rows; `about` gives caveats about k
    rows; `texts` their texts, from `text_column`, `words` what their tokens are pieces of and `vocabulary` how
    other texts are read, None where they have none; `feed` makes the arguments of a module of the inputs, None
    where it takes them as they are. `others` reads those of `other_names` that can be read of the rows with these
    numbers, None for what is no table of predictions.
    """

    file: str
    columns: Columns
    inputs: Callable[[Integers], Tensor] | None
    row_ids: Codes
    kind: str
    features: tuple[Column, ...] = ()
    classes: tuple[str, ...] | None = None
    caveats: tuple[str, ...] = ()
    sha256: str | Callable[[Integers], str] = ""
    about: Callable[[Integers], tuple[str, ...]] | None = None
    texts: Callable[[Integers], list[str]] | None = None
    words: Callable[[Integers], list[Words]] | None = None
    vocabulary: Vocabulary | None = None
    text_column: str = ""
    feed: Tokens | Packed | None = None
    others: Callable[[Codes], Mapping[str, Others]] | None = None
    other_names: tuple[str, ...] = ()

    def at(self, rows: Integers) -> Source:
        """The same file with `rows` (positions) only."""
        inputs, digest, about = self.inputs, self.sha256, self.about
        texts, words = self.texts, self.words
        return replace(
            self,
            columns=self.columns.at(rows),
            inputs=None if inputs is None else lambda inner: inputs(rows[inner]),
            row_ids=self.row_ids[rows],
            sha256=digest if isinstance(digest, str) else lambda inner: digest(rows[inner]),
            about=None if about is None else lambda inner: about(rows[inner]),
            texts=None if texts is None else lambda inner: texts(rows[inner]),
            words=None if words is None else lambda inner: words(rows[inner]),
        )

    def digest(self) -> str:
        """The sha256 of what was read."""
        return self.sha256 if isinstance(self.sha256, str) else self.sha256(np.arange(len(self.columns)))

    def said(self) -> tuple[str, ...]:
        """Caveats about the file and all of its rows here."""
        return self.caveats if self.about is None else (*self.caveats, *self.about(np.arange(len(self.columns))))
