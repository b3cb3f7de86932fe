"""What every reader gives: columns by name and inputs by row, before anybody has chosen rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from auditor.data.columns import Columns
from auditor.feeds import Packed, Tokens
from auditor.subject import Column, Integers, Vocabulary, Words

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """The rows of one file or folder.

    `inputs` gives the inputs (k, ...) of k rows (positions), None for a table of predictions; `row_ids` are the rows'
    numbers in the file; `features` says what each element of a table's input vector is; `kind` is what the inputs are.
    `about` gives caveats about k rows; `texts` their texts, from `text_column`, `words` what their tokens are pieces of
    and `vocabulary` how other texts are read, None where they have none; `feed` makes the arguments of a module of the
    inputs, None where it takes them as they are.
    """

    file: str
    columns: Columns
    inputs: Callable[[Integers], Tensor] | None
    row_ids: Integers
    kind: str
    features: tuple[Column, ...] = ()
    classes: tuple[str, ...] | None = None
    caveats: tuple[str, ...] = ()
    sha256: Callable[[Integers], str] = lambda _: ""
    about: Callable[[Integers], tuple[str, ...]] = lambda _: ()
    texts: Callable[[Integers], list[str]] | None = None
    words: Callable[[Integers], list[Words]] | None = None
    vocabulary: Vocabulary | None = None
    text_column: str = ""
    feed: Tokens | Packed | None = None

    def at(self, rows: Integers) -> Source:
        """The same file with `rows` (positions) only."""
        inputs, digest, about = self.inputs, self.sha256, self.about
        texts, words = self.texts, self.words
        return replace(
            self,
            columns=self.columns.at(rows),
            inputs=None if inputs is None else lambda inner: inputs(rows[inner]),
            row_ids=self.row_ids[rows],
            sha256=lambda inner: digest(rows[inner]),
            about=lambda inner: about(rows[inner]),
            texts=None if texts is None else lambda inner: texts(rows[inner]),
            words=None if words is None else lambda inner: words(rows[inner]),
        )
