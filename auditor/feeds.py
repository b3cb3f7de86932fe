"""What a module is called with, made of the one tensor (N, ...) that every check works on: a tensor, or arguments."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["InOrder", "Packed", "Part", "Tokens", "arguments_of", "channels_last"]


def channels_last(x: Tensor) -> Tensor:
    """Images (N, C, H, W) as (N, H, W, C)."""
    return x.permute(0, 2, 3, 1)


@dataclass(frozen=True)
class Tokens:
    """Token ids (N, T), -1 behind the end of a text, as what a text model takes.

    `pad` stands where there is no token; `names` are the arguments that the module has of input_ids, attention_mask and
    inputs_embeds, empty for one that takes the ids alone. Columns without any token are left out, so that short texts
    cost little.
    """

    pad: int
    names: tuple[str, ...] = ("input_ids", "attention_mask", "inputs_embeds")

    def __call__(self, x: Tensor) -> Tensor | Mapping[str, Tensor]:
        """Ids and mask of `x`; of embeddings (N, T, D) these and a mask without the places where all are 0."""
        if x.is_floating_point():
            found = {"inputs_embeds": x, "attention_mask": (x != 0).any(-1).long()}
        else:
            present = x >= 0
            longest = max(1, int(present.sum(1).max()))
            x, present = x[:, :longest], present[:, :longest]
            ids = x.where(present, torch.full_like(x, self.pad))
            if not self.names:
                return ids
            found = {"input_ids": ids, "attention_mask": present.long()}
        return {name: t for name, t in found.items() if name in self.names}


@dataclass(frozen=True)
class Part:
    """One argument of several: its name, the shape of one sample, and whether it holds whole numbers."""

    name: str
    shape: tuple[int, ...]
    whole: bool

    @property
    def size(self) -> int:
        """How many elements of the packed vector it fills."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Packed:
    """Several inputs that lie behind each other in one vector (N, D) a sample, as arguments by name."""

    parts: tuple[Part, ...]

    def __call__(self, x: Tensor) -> Mapping[str, Tensor]:
        """The arguments (N, *shape) of the vectors `x`; whole numbers as int64."""
        pieces = x.split([part.size for part in self.parts], 1)
        shaped = (p.reshape(len(x), *part.shape) for p, part in zip(pieces, self.parts, strict=True))
        return {part.name: (p.round().long() if part.whole else p) for p, part in zip(shaped, self.parts, strict=True)}


@dataclass(frozen=True)
class InOrder:
    """The arguments that `feed` makes, by position in the order of `names`: as programs exported so take them."""

    feed: Tokens | Packed
    names: tuple[str, ...]

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """The arguments that are made of `x`, one of `names` each."""
        given = self.feed(x)
        return (given,) if isinstance(given, Tensor) else tuple(given[name] for name in self.names if name in given)


def arguments_of(module: nn.Module) -> tuple[str, ...]:
    """The names of what the module's forward takes; empty where anything goes."""
    if isinstance(module, torch.jit.ScriptModule):
        program: Any = module.forward
        return tuple(a.name for a in program.schema.arguments[1:])
    found = inspect.signature(module.forward).parameters
    variable = any(p.kind is p.VAR_KEYWORD for p in found.values())
    return () if variable and len(found) <= 2 else tuple(found)
