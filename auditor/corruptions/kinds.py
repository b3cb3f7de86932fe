"""What befalls the inputs of a model, whatever they are: pictures, rows of a table, or texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from auditor.corruptions.images import FAMILIES, Bounds, Family, corrupted, need_range
from auditor.integers import Integers
from auditor.registry import Context
from auditor.subject import Model

__all__ = ["Corrupt", "Kind", "Part", "picture_kind"]


@dataclass(frozen=True)
class Part:
    """Some rows: inputs (N, ...), their numbers in the file (N,), and their texts where they are texts."""

    x: Tensor
    rows: Integers
    texts: Sequence[str] = ()


Corrupt = Callable[[Part, int], Tensor]


@dataclass(frozen=True)
class Kind:
    """The families of one kind of input: each gives a part's inputs (N, ...) at a severity from 1 to 5.

    `shown(part, family, severity)` says in words what became of the only row of a part, "" for pictures. `caveats` are
    what could not be done.
    """

    families: Mapping[str, Corrupt]
    shown: Callable[[Part, str, int], str] = field(default=lambda *_: "")
    caveats: tuple[str, ...] = ()


def picture_kind(ctx: Context, model: Model) -> Kind:
    """The fifteen families of ImageNet-C; NotApplicable for inputs that are no pictures, or without a finite range."""
    need_range(ctx.data.shape, model.bounds)
    return Kind({name: partial(_pictures, family, model.bounds, ctx.seed) for name, family in FAMILIES.items()})


def _pictures(family: Family, bounds: Bounds, seed: int, part: Part, severity: int) -> Tensor:
    return corrupted(family, severity, part.x, bounds, rows=part.rows.tolist(), seed=seed)
