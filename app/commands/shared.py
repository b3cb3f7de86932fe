"""What several commands take, and how they print."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AuditPath", "Baseline", "NoSandbox", "Only", "Out", "Policy", "Profile", "Set", "say"]

AuditPath = Annotated[Path, typer.Argument(metavar="AUDIT.toml", help="The audit file.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Where the audit goes (default: audit-out beside the audit file)."),
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="GLOB", help="Only checks whose id matches; may be repeated.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="ID.PARAM=VALUE", help="A check's setting; may be repeated.")
]
Policy = Annotated[
    str | None, typer.Option("--policy", metavar="P", help="Judge by this policy file, or built-in name.")
]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="quick|standard|deep", help="How large the checks are.")
]
Baseline = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="DIR", help="An earlier audit to compare with; limits may bound the change."),
]
NoSandbox = Annotated[
    bool, typer.Option("--no-sandbox", help="Run the model as yourself, with all that you may do; the report says so.")
]


def say(text: str) -> None:
    """Print; a reader who has left (`auditor run ... | head`) changes no exit code."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
