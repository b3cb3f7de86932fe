"""Commands that tell without running a model: `checks`, `inspect`, `doctor`."""

from __future__ import annotations

from json import dumps as json_text
from pathlib import Path
from typing import Annotated

import typer

from app.commands.shared import say

__all__ = ["checks", "doctor", "inspect"]


def checks(json: Annotated[bool, typer.Option("--json", help="Print the whole catalogue.")] = False) -> int:
    """List every check: id, title, settings, and the measures that limits may name."""
    from app.catalogue import load

    found = load()
    if json:
        say(json_text(found, indent=1))
        return 0
    for check in found:
        say(f"{check['id']:24} {check['title']}")
        for what in ("settings", "measures"):
            say(f"    {what}: {', '.join(check[what]) or 'none'}")
    return 0


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A model file, or a Hugging Face directory.")],
    json: Annotated[bool, typer.Option("--json", help="Print everything, every tensor, as JSON.")] = False,
) -> int:
    """Say what a model file is and what it needs to be loaded, without running any of it; 3 when it is refused."""
    from app.inspecting import as_json, in_words
    from auditor.intake.inspection import inspect_model

    found = inspect_model(file)
    say(as_json(found) if json else in_words(found))
    return 0


def doctor() -> int:
    """Say how a model would be held on this machine, and what was tried to get out; 3 when nothing would hold it."""
    from app.doctoring import in_words
    from auditor.sandbox.parent import denied

    isolation, refused = denied()
    say(in_words(isolation, refused))
    return 3 if isolation == "none" else 0
