"""Progress on standard error; silent when that is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from auditor.progress import Listener

__all__ = ["progress"]


@contextmanager
def progress() -> Iterator[Listener]:
    """Who is told of an audit and moves a bar along."""
    from auditor.policy import to_run  # once the audit's own process has started

    columns = (
        TextColumn("{task.description:24}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("opening", total=None)
        yield Listener(
            begun=lambda audit: bar.update(task, total=len(to_run(audit))),
            started=lambda check: bar.update(task, description=check),
            finished=lambda _: bar.advance(task),
        )
