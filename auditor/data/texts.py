"""Texts to token ids: one column of a table through a tokenizer of local files, cut at the length the model takes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.config import DataSpec
from auditor.data.columns import need
from auditor.data.encode import Encoder
from auditor.data.files import header_of
from auditor.data.source import Source
from auditor.data.tables import beside, read_rows
from auditor.data.words import Span, spans, words_of
from auditor.errors import LoadError, UsageError
from auditor.feeds import Tokens
from auditor.intake.huggingface import BESIDE, VOCABULARIES, need_data_alone
from auditor.intake.pretrained import load_tokenizer
from auditor.intake.recognise import sha256
from auditor.integers import Integers
from auditor.words import Vocabulary, Words

__all__ = ["Reader", "read_texts", "reader_at"]

USUAL_LENGTH, LONGEST, PART = 512, 100_000, 1024


@dataclass(frozen=True)
class Reader:
    """A tokenizer, how many tokens of a text are kept, and the sha256 over its files."""

    tokenizer: Any
    length: int
    sha256: str

    @property
    def feed(self) -> Tokens:
        """What makes the arguments of a model of the ids."""
        pad = self.tokenizer.pad_token_id
        return Tokens(0 if pad is None else int(pad))

    @property
    def size(self) -> int:
        """One more than the largest id."""
        return int(max(self.tokenizer.get_vocab().values())) + 1

    def ids(self, texts: Sequence[str]) -> tuple[list[Any], list[int]]:
        """The ids of each text, at most `length`, and how many it would have had."""
        whole = self.tokenizer(list(texts))["input_ids"]
        lengths = [len(found) for found in whole]
        long = [t for t, n in zip(texts, lengths, strict=True) if n > self.length]
        cut = iter(self.tokenizer(long, truncation=True, max_length=self.length)["input_ids"] if long else ())
        kept = (next(cut) if n > self.length else found for found, n in zip(whole, lengths, strict=True))
        return [np.asarray(found, np.int32) for found in kept], lengths

    def inputs(self, texts: Sequence[str]) -> Tensor:
        """(k, length) token ids of k texts, -1 behind the end of each."""
        return self.filled(self.ids(texts)[0])

    def filled(self, rows: Sequence[Any]) -> Tensor:
        """(k, length) the ids of k texts in one tensor, -1 behind the end of each."""
        found = torch.full((len(rows), self.length), -1)
        for row, ids in zip(found, rows, strict=True):
            row[: len(ids)] = torch.from_numpy(ids)
        return found

    def whole_words(self) -> dict[int, str]:
        """The words of letters alone that are one token inside a text, by its id; neither pieces nor special tokens."""
        special = set(self.tokenizer.all_special_ids)
        ids = sorted(set(self.tokenizer.get_vocab().values()) - special)
        spelt = ((i, self.tokenizer.decode([i]).strip()) for i in ids)
        words = [(i, w) for i, w in spelt if len(w) > 1 and w.isalpha()]
        found: dict[int, str] = {}
        for start in range(0, len(words), PART):
            part = words[start : start + PART]
            inside = self.tokenizer([f"a {w} a" for _, w in part], add_special_tokens=False)["input_ids"]
            found |= {i: w for (i, w), held in zip(part, inside, strict=True) if len(held) == 3 and held[1] == i}
        return found

    def words(self, text: str) -> Words:
        """What the tokens of `text` are pieces of."""
        found = self.tokenizer([text], truncation=True, max_length=self.length)
        if not found.is_fast:
            return self._words_by_parts(text, found["input_ids"][0])
        (held,) = found.encodings
        places = [None if i is None else o for i, o in zip(held.sequence_ids, held.offsets, strict=True)]
        return words_of(text, places, self.length, cut=bool(held.overflowing))

    def _words_by_parts(self, text: str, ids: Sequence[int]) -> Words:
        """As `words`, for a tokenizer that cannot say where its tokens stand: each part of the text on its own.

        Only where that gives the tokens of the whole text; else every token counts as a word, as the tokenizer spells
        it.
        """
        special = self.tokenizer.get_special_tokens_mask(ids, already_has_special_tokens=True)
        kept = [i for i, s in zip(ids, special, strict=True) if not s]
        for ends in ([b for _, b in spans(text)], [m.end() for m in re.finditer(r"\S+", text)]):
            places: list[Span] = []
            alone: list[int] = []
            for part in pairwise([0, *ends[:-1], len(text)]):
                if len(alone) > len(kept):
                    break
                of_part = self.tokenizer.encode(text[slice(*part)], add_special_tokens=False)
                alone += of_part
                places += [part] * len(of_part)
            if alone[: len(kept)] == kept:
                placed = iter(places)
                tokens = [None if s else next(placed) for s in special]
                return words_of(text, tokens, self.length, cut=len(alone) > len(kept))
        of_token = np.full(self.length, -1)
        of_token[: len(ids)] = np.where(special, -1, np.cumsum(np.logical_not(special)) - 1)
        return Words(tuple(self.tokenizer.decode([i]) for i in kept), of_token)


def reader_at(path: Path, longest: int | None, given: int | None) -> Reader:
    """The tokenizer in the folder `path`; texts are cut at `given` tokens, else at `longest`, the most of the model."""
    need_data_alone(path)
    if not path.is_dir() or not any((path / n).is_file() for n in VOCABULARIES):
        msg = f"tokenizer {path.name!r} is no folder with one of {', '.join(VOCABULARIES)}"
        raise LoadError(msg)
    if given is not None and longest is not None and given > longest:
        msg = f"[input] max_length is {given:,}; the model takes at most {longest:,} tokens"
        raise UsageError(msg)
    tokenizer = load_tokenizer(path)
    own = tokenizer.model_max_length if tokenizer.model_max_length < LONGEST else None
    held = [path / n for n in (*VOCABULARIES, *BESIDE) if (path / n).is_file()]
    lines = "".join(f"{sha256(f)} {f.name}\n" for f in held)
    return Reader(tokenizer, given or longest or own or USUAL_LENGTH, hashlib.sha256(lines.encode()).hexdigest())


@dataclass(frozen=True)
class _Texts:
    """The texts of N rows, turned to ids when they are first asked for."""

    texts: Sequence[str]
    reader: Reader
    known: dict[int, tuple[Any, int]] = field(default_factory=dict)

    def at(self, rows: Integers) -> list[tuple[Any, int]]:
        """The ids of each row, and how many its whole text has."""
        new = [i for i in dict.fromkeys(rows.tolist()) if i not in self.known]
        for start in range(0, len(new), PART):
            part = new[start : start + PART]
            self.known.update(zip(part, zip(*self.reader.ids([self.texts[i] for i in part]), strict=True), strict=True))
        return [self.known[i] for i in rows.tolist()]

    def inputs(self, rows: Integers) -> Tensor:
        """(k, length) token ids, -1 behind the end of each text."""
        return self.reader.filled([ids for ids, _ in self.at(rows)])

    def about(self, rows: Integers) -> tuple[str, ...]:
        """Caveats about these rows."""
        lengths = np.array([n for _, n in self.at(rows)])
        cut = int((lengths > self.reader.length).sum())
        empty = sum(not self.texts[i].strip() for i in rows.tolist())
        of, longest = f"of {len(rows):,} texts", f"the longest has {lengths.max(initial=0):,}"
        found = (
            [f"{cut:,} {of} are longer than {self.reader.length:,} tokens ({longest}) and were cut there."]
            if cut
            else []
        )
        return (*found, *([f"{empty:,} {of} are empty."] if empty else []))


def read_texts(path: Path, spec: DataSpec, reader: Reader) -> Source:
    """The rows of the table `path` for which `where` holds; the column `spec.inputs` holds the texts."""
    names = header_of(path, spec)
    column = _column(names, spec, path.name)
    found = read_rows(path, spec, names, Encoder(()), texts=column)
    texts = found.texts
    held = _Texts(texts, reader)
    return Source(
        path.name, found.columns, held.inputs, found.row_ids, "text", sha256=sha256(path),
        text_column=column, about=held.about, texts=lambda rows: [texts[i] for i in rows],
        words=lambda rows: [reader.words(texts[i]) for i in rows],
        vocabulary=Vocabulary(reader.inputs, cache(reader.whole_words)), feed=reader.feed,
    )  # fmt: skip


def _column(names: Sequence[str], spec: DataSpec, file: str) -> str:
    """The column with the texts: the one named, else the only one that serves nothing else."""
    if isinstance(spec.inputs, tuple):
        msg = f"[data] inputs lists {len(spec.inputs)} columns; a text is read from one"
        raise UsageError(msg)
    if spec.inputs is not None:
        need(names, spec.inputs, "text column", file)
        return spec.inputs
    left = [n for n in names if n not in beside(spec)]
    if len(left) != 1:
        listed = ", ".join(left[:8])
        msg = f"{file!r} has {len(left)} columns that could hold the texts ({listed}); name it: [data] inputs"
        raise UsageError(msg)
    return left[0]
