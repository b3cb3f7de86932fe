"""Where an audit runs: APART, in a process that can reach nothing else, or HERE, in this one, as the user asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from auditor.config import AuditFile
from auditor.errors import UsageError
from auditor.progress import NOBODY, Finished, Listener
from auditor.sandbox.parent import audit_apart, harden_apart

if TYPE_CHECKING:
    from auditor.store import Record

__all__ = ["APART", "HERE", "Place"]


class Perform(Protocol):
    """Makes the audit that `file` in `folder` asks for."""

    def __call__(self, file: AuditFile, folder: Path, *, tell: Listener = NOBODY) -> Record:
        """The audit with its evidence."""


class Harden(Protocol):
    """Writes to `to` the weights that the defence `method` trained; gives what must be known of them."""

    def __call__(
        self, file: AuditFile, folder: Path, method: str, to: Path, *,
        on_epoch: Callable[[int, int], None], checkpoint: Path,
    ) -> tuple[str, ...]:  # fmt: skip
        """As the audit file's [defend.METHOD] says; a training that was stopped goes on from `checkpoint`."""


@dataclass(frozen=True)
class Place:
    """What audits and what hardens a model."""

    audit: Perform
    harden: Harden


def _audit_here(file: AuditFile, folder: Path, *, tell: Listener = NOBODY) -> Record:
    """Whatever the model does, it does as the user."""
    from auditor.installed import distributions, installation
    from auditor.performing import audit
    from auditor.store import Record

    _need_readable_here(file)
    arrays: dict[str, Any] = {}
    costs: dict[str, Any] = {}

    def finished(f: Finished) -> None:
        arrays.update(f.arrays)
        costs[f.outcome.check] = asdict(f.cost)
        tell.finished(f)

    started = datetime.now(UTC).isoformat(timespec="seconds")
    found = audit(file, folder, replace(tell, finished=finished))
    ended = datetime.now(UTC).isoformat(timespec="seconds")
    held = {**installation(), "isolation": "none, as asked for"}
    found = replace(found, environment={**found.environment, **held})
    return Record(found, arrays, {"started": started, "finished": ended, "checks": costs}, distributions())


def _harden_here(
    file: AuditFile, folder: Path, method: str, to: Path, *, on_epoch: Callable[[int, int], None], checkpoint: Path
) -> tuple[str, ...]:
    from auditor.performing import harden

    _need_readable_here(file)
    return harden(file, folder, method, to, on_epoch=on_epoch, checkpoint=checkpoint)


def _need_readable_here(file: AuditFile) -> None:
    """UsageError for a pickled module, whose code runs as soon as it is read."""
    if file.model is not None and file.model.trust == "pickle":
        msg = "[model] trust = 'pickle' runs what the file says; it is loaded in the sandbox alone"
        raise UsageError(msg)


APART = Place(audit_apart, harden_apart)
HERE = Place(_audit_here, _harden_here)
