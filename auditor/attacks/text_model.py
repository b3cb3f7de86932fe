"""A model that is asked about texts as they are written: each is read as the texts of its data are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from auditor.subject import Model

__all__ = ["TextModel", "margins"]


@dataclass(frozen=True)
class TextModel:
    """`ids` gives the token ids (k, T) of texts; no more than `rows` go through the model at once.

    `embedded` gives the embeddings (k, T, D) of token ids (k, T), `slopes` the gradients (k, T, D) to them of the
    margin of another class over the true one (see `margins`), for ids (k, T) and classes (k,); None where the model
    shows none.
    """

    model: Model
    ids: Callable[[Sequence[str]], Tensor]
    rows: int
    embedded: Callable[[Tensor], Tensor] | None = None
    slopes: Callable[[Tensor, Tensor], Tensor] | None = None

    def logits(self, texts: Sequence[str]) -> Tensor:
        """Logits (k, C) of k texts, of about the same length at once, so that little of a batch is padding."""
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
        parts = []
        for part in self.parts([texts[i] for i in order]):
            with torch.no_grad():
                parts.append(self.model(part).cpu())
        found = torch.cat(parts)
        return found[torch.tensor(order).argsort()]

    def parts(self, texts: Sequence[str]) -> Iterator[Tensor]:
        """The token ids of the texts, at most `rows` texts at once."""
        for i in range(0, len(texts), self.rows):
            yield self.ids(texts[i : i + self.rows])

    def alike(self, texts: Sequence[str], others: Sequence[str]) -> Tensor:
        """(k,) the cosine of the mean embeddings of the tokens of two texts, special tokens among them.

        1 where the model shows no embedding: nothing can be said against them.
        """
        if self.embedded is None:
            return torch.ones(len(texts))
        pairs = zip(self.parts(texts), self.parts(others), strict=True)
        found = [functional.cosine_similarity(self._mean(a), self._mean(b)) for a, b in pairs]
        return torch.cat(found) if found else torch.ones(0)

    def _mean(self, ids: Tensor) -> Tensor:
        assert self.embedded is not None  # noqa: S101 - the caller looked
        present = ids >= 0
        total = (self.embedded(ids) * present[..., None]).sum(1)
        return total / present.sum(1, keepdim=True).clamp_min(1)


def margins(logits: Tensor, y: Tensor) -> Tensor:
    """(k,) by how much the largest logit (k, C) of another class lies above that of class `y` (k,).

    Infinite where a logit is not finite: the model fails there.
    """
    ahead = logits.scatter(1, y[:, None], -torch.inf).amax(1) - logits.gather(1, y[:, None])[:, 0]
    return torch.where(logits.isfinite().all(1), ahead, torch.inf)
