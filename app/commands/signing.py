"""Commands about who vouches for an audit: `keygen`, `sign`, `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.shared import say
from auditor.errors import UsageError, one_line

__all__ = ["keygen", "sign", "verify"]

Audited = Annotated[Path, typer.Argument(metavar="DIR", help="A finished audit.")]


def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes; the public one: FILE.pub.")],
) -> int:
    """Make an Ed25519 key pair to sign audits with; the passphrase in AUDITOR_PASSPHRASE encrypts it."""
    from reports.keys import new_key

    say(f"key {new_key(file)}\nprivate: {file}\npublic: {file}.pub")
    return 0


def sign(
    folder: Audited,
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The private key.")],
    valid_days: Annotated[
        int,
        typer.Option("--valid-days", metavar="N", min=1, max=365, help="For how many days it holds at most."),
    ] = 365,
    reviewer: Annotated[
        str | None, typer.Option("--reviewer", metavar="'NAME, ROLE'", help="Who signs the audit off.")
    ] = None,
    decision: Annotated[
        str | None,
        typer.Option("--decision", metavar="approve|approve-with-conditions|reject", help="What they decided."),
    ] = None,
    statement: Annotated[str, typer.Option("--statement", metavar="TEXT", help="What they say of it.")] = "",
) -> int:
    """Sign a finished audit; the second signature, by another key, is a person's sign-off of the first."""
    from reports.signing import SignOff
    from reports.signing import sign as signed

    if (reviewer is None) != (decision is None) or (statement and reviewer is None):
        msg = "a sign-off needs --reviewer 'Name, role' and --decision; --statement is what they say of it"
        raise UsageError(msg)
    signoff = SignOff(reviewer, decision, statement) if reviewer is not None and decision is not None else None
    made = signed(folder, key, days=valid_days, signoff=signoff)
    until = f"{made.expires:%Y-%m-%d}{f', {made.why}' if made.why else ''}"
    say(f"signed by key {made.key_id}\nvalid until {until}\n{made.path}")
    return 0


def verify(
    folder: Audited,
    keys: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="PUB", help="A public key that must have signed it; may be repeated."),
    ] = None,
) -> int:
    """Say whether an audit is as it was written and signed: 0 intact, 1 not, 3 refused. Without --key, hashes alone."""
    from datetime import UTC, datetime

    from reports.verifying import verify as verified

    found = verified(folder, keys or (), datetime.now(UTC))
    for line in (*found.problems, *found.notes):
        say(one_line(line, 2000))
    say("not intact" if found.problems else "intact")
    return 1 if found.problems else 0
