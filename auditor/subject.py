"""What is audited: a model handle and the data it is judged on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from auditor.columns import Column, Labels, Others, Relation
from auditor.errors import LoadError, NotApplicable
from auditor.given import Given
from auditor.integers import Integers
from auditor.words import Vocabulary, Words

__all__ = ["Batch", "Data", "Model", "Normalize"]

Output = Literal["logits", "probabilities", "value"]
Targets = np.ndarray[tuple[int], np.dtype[Any]]
TINY = 1e-12
HALVES = (torch.float16, torch.bfloat16)


# ---- the model ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Normalize:
    """Channel-wise (x - mean) / std; applied inside the model handle, so that epsilons are in input units."""

    mean: Tensor
    std: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """`x` (N, C, ...) in units of what the module was trained on."""
        shape = (1, -1, *[1] * (x.ndim - 2))
        return (x - self.mean.view(shape)) / self.std.view(shape)


def as_it_is(x: Tensor) -> Tensor:
    """`x` itself: the module takes the inputs as they come."""
    return x


@dataclass(frozen=True)
class Model:
    """A module with the facts that no check can guess; calling it gives logits.

    `bounds` are the smallest and largest legal value of each input element (numbers, or tensors shaped like one
    sample); `unit` is what an epsilon of 1 means for each element: 1 for pixels, a column's standard deviation, 0 for
    what nobody may change. `output` says what the module returns: logits, probabilities, or one value (regression);
    `part` where they stand in what it returns, None where that is the tensor itself. `batch` is the only number of
    samples that the module takes at once, None where it takes any. `feed` makes what the module is called with of the
    normalised tensor: another tensor, or arguments by name or position. `rejects` says whether the last class means
    that the model does not answer; no row is of that class.
    """

    module: nn.Module
    classes: tuple[str, ...]
    bounds: tuple[Tensor | float, Tensor | float] = (0.0, 1.0)
    normalize: Callable[[Tensor], Tensor] = as_it_is
    output: Output = "logits"
    device: str = "cpu"
    unit: Tensor | float = 1.0
    part: str | int | None = None
    batch: int | None = None
    feed: Callable[[Tensor], Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]] = as_it_is
    rejects: bool = False

    def raw(self, x: Tensor) -> Tensor:
        """What the module returns for `x` (N, ...), as float32: (N, C), (N, 1) or (N,)."""
        if self.batch is None:
            return self._run(x)
        missing = -len(x) % self.batch
        whole = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])])  # the last row again, to fill the last batch
        return torch.cat([self._run(part) for part in whole.split(self.batch)])[: len(x)]

    def returned(self, x: Tensor) -> Any:
        """Whatever the module returns for `x` (N, ...), before anything is expected of it."""
        given = self.feed(self.normalize(x.to(self.device)))
        half = next((p.dtype for p in self.module.parameters() if p.dtype in HALVES), None)
        if isinstance(given, Tensor):
            return self.module(_as(half, given))
        if isinstance(given, tuple):
            return self.module(*(_as(half, t) for t in given))
        return self.module(**{name: _as(half, t) for name, t in given.items()})

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings (N, T, D) of token ids (N, T), 0 where there is no token: the float input of text models.

        Called with them, the model gives what it gives for the ids. NotApplicable for a model without an embedding.
        """
        find = getattr(self.module, "get_input_embeddings", None)
        if find is None:
            msg = "the model shows no embedding of its tokens (get_input_embeddings)"
            raise NotApplicable(msg)
        present = ids.to(self.device) >= 0
        embedded: Tensor = find()(ids.to(self.device).clamp_min(0))
        return embedded * present[..., None]

    def _run(self, x: Tensor) -> Tensor:
        y = self.returned(x)
        if self.part is not None:
            y = y[self.part]
        if not isinstance(y, Tensor):
            msg = f"the model returns {type(y).__name__}; expected one tensor of outputs (N, {len(self.classes)})"
            raise LoadError(msg)
        if y.ndim not in (1, 2) or len(y) != len(x):
            msg = (
                f"the model returns {tuple(y.shape)} for inputs {tuple(x.shape)}; expected (N, classes), (N, 1) or (N,)"
            )
            raise LoadError(msg)
        return y.float()

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, C) for inputs (N, ...) inside `bounds`; values (N,) when `output` is "value".

        One output z per sample means two classes: its logits are (-z / 2, z / 2), so that softmax gives sigmoid(z).
        Probabilities p become log p.
        """
        return self.made_of(self.raw(x))

    def made_of(self, y: Tensor) -> Tensor:
        """Logits (N, C), or values (N,), made of what `raw` gives."""
        if self.output == "value":
            return y.reshape(len(y))
        if y.ndim == 2 and y.shape[1] > 1:
            return y.clamp_min(TINY).log() if self.output == "probabilities" else y
        z = y.reshape(len(y), 1)
        if self.output == "probabilities":
            return torch.cat([(1 - z).clamp_min(TINY).log(), z.clamp_min(TINY).log()], 1)
        return torch.cat([-z / 2, z / 2], 1)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Evaluation mode and no gradients for weights; on exit every mode and flag is as before."""
        modes = {m: m.training for m in self.module.modules()}
        flags = {p: p.requires_grad for p in self.module.parameters()}
        for m in modes:
            m.training = False
        for p in flags:
            p.requires_grad_(False)
        try:
            yield
        finally:
            for m, mode in modes.items():
                m.training = mode
            for p, flag in flags.items():
                p.requires_grad_(flag)


def _as(half: torch.dtype | None, t: Tensor) -> Tensor:
    """`t` in the precision of the weights, where that is half; whole numbers as they are."""
    return t if half is None or not t.is_floating_point() else t.to(half)


# ---- the data ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Batch:
    """N samples: inputs (N, ...), targets (N,), their groups by name, and the ids of their rows."""

    x: Tensor
    y: Tensor
    groups: Mapping[str, Labels]
    row_ids: Integers


@dataclass(frozen=True)
class Data:
    """N samples, read in batches. `read` gives the inputs (k, ...) of k rows (positions) as float32.

    Of texts it gives token ids (k, T) as int64, -1 behind the end; `texts` are the texts themselves, `words` what
    their tokens are pieces of and `vocabulary` how other texts are read, None for others.

    `y` (N,) holds class indices (numbers for regression), `row_ids` (N,) the rows' numbers in their file. Where there
    is no model, both are of the smallest type that holds them: widen before arithmetic. `positive` is the favourable
    class, None when no class is. `given` holds predictions that came with the data. `relations` hold between `columns`.

    `others` reads the columns of a table of predictions that serve nothing else (those that [data] inputs names, where
    it does), each time it is called, for the same rows: numbers as float64 (N,), NaN where missing, and text as Labels.
    Of `other_names`, those it leaves out are text with more than 100 values, or what is neither. None for other data.
    """

    read: Callable[[Integers], Tensor]
    y: Targets
    row_ids: Integers
    groups: Mapping[str, Labels] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    positive: int | None = None
    given: Given | None = None
    caveats: tuple[str, ...] = ()
    texts: Callable[[Integers], list[str]] | None = None
    words: Callable[[Integers], list[Words]] | None = None
    relations: tuple[Relation, ...] = ()
    vocabulary: Vocabulary | None = None
    others: Callable[[], Mapping[str, Others]] | None = None
    other_names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        x: Tensor,
        y: Tensor,
        groups: Mapping[str, Sequence[str]] | None = None,
        *,
        columns: tuple[Column, ...] = (),
        positive: int | None = None,
    ) -> Data:
        """Samples that are in memory already."""
        labels = {name: Labels.of(values) for name, values in (groups or {}).items()}
        targets = y.numpy().astype(np.int64) if not y.is_floating_point() else y.numpy()
        return cls(lambda rows: x[torch.from_numpy(rows)], targets, np.arange(len(y)), labels, columns, positive)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(self.read(np.zeros(1, np.int64)).shape[1:])

    def batches(self, size: int) -> Iterator[Batch]:
        """Consecutive batches of at most `size` samples."""
        for start in range(0, len(self), size):
            rows = np.arange(start, min(start + size, len(self)))
            yield Batch(self.read(rows), torch.from_numpy(self.y[rows]), _at(self.groups, rows), self.row_ids[rows])

    def take(self, n: int, seed: int) -> Data:
        """At most `n` samples drawn without replacement by `seed`, in file order; all of them for n = 0."""
        if n == 0 or n >= len(self):
            return self
        return self.at(np.sort(np.random.default_rng(seed).permutation(len(self))[:n]))

    def at(self, rows: Integers) -> Data:
        """The samples at `rows` (positions), in that order."""
        read, texts, words, others = self.read, self.texts, self.words, self.others
        return replace(
            self,
            read=lambda inner: read(rows[inner]),
            y=self.y[rows],
            row_ids=self.row_ids[rows],
            groups=_at(self.groups, rows),
            given=None if self.given is None else self.given.at(rows),
            others=None if others is None else lambda: _others_at(others(), rows),
            texts=None if texts is None else lambda inner: texts(rows[inner]),
            words=None if words is None else lambda inner: words(rows[inner]),
        )


def _others_at(columns: Mapping[str, Others], rows: Integers) -> dict[str, Others]:
    return {name: c.at(rows) if isinstance(c, Labels) else c[rows] for name, c in columns.items()}


def _at(groups: Mapping[str, Labels], rows: Integers) -> dict[str, Labels]:
    return {name: labels.at(rows) for name, labels in groups.items()}
