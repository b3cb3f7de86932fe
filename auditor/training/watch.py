"""What a training is given besides its model and data, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

__all__ = ["Hardened", "OnEpoch", "Schedule", "Watch"]

OnEpoch = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Adam at a rate that rises to `rate` and falls to 0 over `epochs` passes in batches of `batch` rows.

    No pass begins that would not end within `minutes`; 0 means that there is no such limit.
    """

    epochs: int
    batch: int
    rate: float
    minutes: float = 0.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Who follows a training: `on_epoch` is told how many epochs of how many are done.

    After every epoch all that is needed to go on is written to `checkpoint`, from which a training of the same
    `fingerprint` goes on; None keeps nothing.
    """

    on_epoch: OnEpoch = lambda _done, _of: None
    checkpoint: Path | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Hardened:
    """A new model, and what must be known of how it came about, a sentence each."""

    module: nn.Module
    notes: tuple[str, ...] = ()
