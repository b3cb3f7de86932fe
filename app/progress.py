"""Progress on standard error; silent when that is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from auditor.audit import Finished
from auditor.opening import Opened
from auditor.selection import choose

__all__ = ["progress"]


@contextmanager
def progress(opened: Opened) -> Iterator[tuple[Callable[[str], None], Callable[[Finished], None]]]:
    """Callbacks for `run` that move a bar along."""
    chosen, _ = choose(opened.selection)
    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("opening", total=len(chosen))
        yield (lambda check: bar.update(task, description=check)), (lambda _: bar.advance(task))
