"""The command that writes a first audit file: `init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.shared import say

__all__ = ["init"]


def init(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model file or directory, package:NAME/FILE, or `none` for predictions alone."
        ),
    ],
    data: Annotated[str, typer.Argument(metavar="DATA", help="The data to audit it on: a table, an .npz, a folder.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="AUDIT.toml", help="The audit file; policy.toml goes beside it.")
    ] = Path("audit.toml"),
) -> int:
    """Write an audit file and a policy by looking at a model and data; nothing of the model is run."""
    from app.initialising.writing import initialise

    done = initialise(model, data, out)
    say(f"written: {done.audit} and {done.policy}")
    for line in done.needs:
        say(f"fill in: {line}")
    for line in done.look:
        say(f"look at: {line}")
    return 0
