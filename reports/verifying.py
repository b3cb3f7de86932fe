"""Whether an audit is as it was written and signed: offline, and without any service to ask."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from auditor.errors import LoadError, UsageError
from auditor.folders import ATTESTATION, MANIFEST, SIGNATURES, SIGNOFF, holds_audit
from reports.envelope import AUDITED, Signed, read
from reports.keys import public_key
from reports.manifest import changes, digests, read_manifest
from reports.redrawn import redrawn
from reports.words import counted

__all__ = ["Verified", "look", "verify"]

CLOCKS_DIFFER = timedelta(days=1)
UNSIGNED = "hashes alone: whoever changes a file can make them anew, so they say nothing of who made these files"


@dataclass(frozen=True)
class Verified:
    """What is wrong with a folder, a line each, () when nothing is; what was looked at; and what is signed."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    signed: Mapping[str, Signed]


def look(folder: Path) -> Verified:
    """The folder by itself: its files by the manifest and by what was signed, its reports by audit.json.

    No key is asked: whose the signatures are remains open. UsageError when `folder` holds no audit.
    """
    if not holds_audit(folder) and not (folder / MANIFEST).is_file():
        msg = f"{str(folder)!r:.200} holds no audit; give a folder that `auditor run` wrote"
        raise UsageError(msg)
    signed, problems, notes = {}, [], []
    try:
        found = digests(folder)
    except LoadError as e:
        return Verified((str(e),), (), {})
    try:
        listed = read_manifest(folder)
        problems += changes(found, listed)
        notes += [] if problems else [f"{MANIFEST}: {counted(len(listed), 'file')}, each as listed"]
    except LoadError as e:
        problems.append(str(e))
    for name in SIGNATURES:
        try:
            if os.path.lexists(folder / name):
                signed[name] = read(folder / name)
        except LoadError as e:
            problems.append(str(e))
    problems += _others(folder, found, signed, named={line.partition(": ")[2] for line in problems})
    if not problems:
        problems, note = redrawn(folder)
        notes += [note] if note else []
    return Verified(tuple(problems), tuple(notes), signed)


def verify(folder: Path, keys: Sequence[Path], at: datetime) -> Verified:
    """The folder, and with `keys` its signatures, at the instant `at`.

    Whatever is signed must be signed by one of the keys and not have expired, and every key must have signed something.
    UsageError when `folder` holds no audit, or for a key that is none.
    """
    known = {key.keyid: key for key in map(public_key, keys)}
    seen = look(folder)
    problems, notes = list(seen.problems), list(seen.notes)
    used = set()
    for name, signed in seen.signed.items():
        by, says = signed.signer(list(known.values())), signed.statement.predicate.torch_auditor
        used.add(by)
        if known and not by:
            problems.append(f"{name}: signed by none of the given keys; it says {', '.join(signed.key_ids) or 'none'}")
        if known and says.expires <= at:
            problems.append(f"{name}: expired on {says.expires:%Y-%m-%d}")
        if known and says.issued > at + CLOCKS_DIFFER:
            problems.append(f"{name}: issued on {says.issued:%Y-%m-%d}, which is still to come")
        notes.append(f"{name}{'' if by else ' (unchecked)'}: {_said(signed, by)}")
    if known and ATTESTATION not in seen.signed:
        problems.append(f"unsigned: there is no {ATTESTATION} that can be read")
    problems += [f"key {key}: signed nothing here" for key in known if key not in used]
    if not known:
        notes.append(UNSIGNED if not seen.signed else f"no --key was given, so no signature was checked; {UNSIGNED}")
    return Verified(tuple(problems), tuple(notes), seen.signed)


def _others(folder: Path, found: Mapping[str, str | None], signed: Mapping[str, Signed], named: set[str]) -> list[str]:
    """Where the files are others than were signed; those `named` already are not named again."""
    present = {name: digest for name, digest in found.items() if digest is not None}
    about = {ATTESTATION: present | _digest(folder, MANIFEST), SIGNOFF: _digest(folder, ATTESTATION)}
    lines = []
    for name, found_signed in signed.items():
        there = about[name]
        then = {n: d for n, d in found_signed.statement.digests.items() if not n.startswith(AUDITED)}
        differing = sorted(n for n in {*there, *then} if there.get(n) != then.get(n) and n not in named)
        lines += [f"not what {name} is about: {other}" for other in differing]
    return lines


def _digest(folder: Path, name: str) -> dict[str, str]:
    """The sha256 of a file by its name; {} where there is none."""
    try:
        return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest()}
    except OSError:
        return {}


def _said(signed: Signed, by: str) -> str:
    """What a signature says, in a line; whose it is only where a key has shown it."""
    result, says = signed.statement.predicate.result, signed.statement.predicate.torch_auditor
    line = f"signed by key {by}; " if by else ""
    line += f"{result} (verdict {says.verdict}), issued {says.issued:%Y-%m-%d}, valid until {says.expires:%Y-%m-%d}"
    if says.signoff:
        line += f"; {says.signoff.decision} by {says.signoff.reviewer}"
        line += f": {says.signoff.statement}" if says.signoff.statement else ""
    return line
