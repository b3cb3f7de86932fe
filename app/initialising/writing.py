"""An audit file and a policy file from a model and its data: tried as an audit reads them, and written together."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from app.initialising.audit_lines import audit_lines
from app.initialising.data_lines import data_lines
from app.initialising.lines import Line, few
from app.initialising.plan import Plan, plan_of
from app.initialising.policy_lines import policy_lines
from auditor.config import parse_audit_file
from auditor.data.read import read_data
from auditor.errors import AuditError, UsageError, one_line
from auditor.intake.completing import completed
from auditor.intake.unwrapping import unwrapped

__all__ = ["Written", "initialise"]

POLICY = "policy.toml"


@dataclass(frozen=True, slots=True)
class Written:
    """The two files, and what a person has to do: what an audit needs before it runs, and what to look at."""

    audit: Path
    policy: Path
    needs: tuple[str, ...]
    look: tuple[str, ...]


def initialise(model: str, data: str, audit: Path) -> Written:
    """Write the audit file `audit`, and the policy beside it, for `model` (or the word none) and `data`.

    AuditError, with nothing written, for files that cannot be read, and where one of the two files is there already.
    """
    policy = audit.with_name(POLICY)
    _need_free(audit, policy)
    plan = _tried(plan_of(model, data, audit.parent), audit.parent)
    lines, limits = list(audit_lines(plan, POLICY)), list(policy_lines(plan))
    _write_both({audit: _text(lines), policy: _text(limits)})
    numbered = list(enumerate(lines, 1))
    return Written(
        audit, policy,
        tuple(_said(audit, i, line, line.needs) for i, line in numbered if line.needs),
        tuple(_said(audit, i, line, line.look) for i, line in numbered if line.look),
    )  # fmt: skip


def _said(audit: Path, number: int, line: Line, what: str) -> str:
    """`audit.toml:12: target: ...`, as editors find it."""
    key = line.text.removeprefix("# ").partition(" ")[0].rstrip(":")
    return one_line(f"{audit.name}:{number}: {key}: {what}")


def _text(lines: Iterable[Line]) -> str:
    return "".join(f"{line.text}\n" for line in lines)


# ---- tried -------------------------------------------------------------------------------------------------------
def _tried(plan: Plan, folder: Path) -> Plan:
    """The plan with what an audit would say of its data; without a reference that alone is in the way."""
    refused = _refusal(plan, folder)
    if refused and plan.reference:
        alone = replace(plan, reference="", scale={})
        if not _refusal(alone, folder):
            return alone
    blocked = any(line.needs for line in data_lines(plan))  # what is asked for there already
    return plan if blocked else replace(plan, refused=refused)


def _refusal(plan: Plan, folder: Path) -> str:
    """Why the data cannot be read as the file for `plan` describes them; "" where they can."""
    try:
        given = parse_audit_file(tomllib.loads(_text(audit_lines(plan, POLICY))))
        inner, _ = unwrapped(given, folder)
        read_data(completed(inner, folder), folder)
    except AuditError as e:
        return str(e)
    return ""


# ---- written -----------------------------------------------------------------------------------------------------
def _need_free(audit: Path, policy: Path) -> None:
    if audit.name == policy.name:
        msg = f"--out {audit.name!r} is the name of the policy file, which is written beside it; give another"
        raise UsageError(msg)
    try:
        there = [p.name for p in (audit, policy) if p.is_symlink() or p.exists()]
        known = audit.parent.is_dir()
    except (OSError, ValueError):
        there, known = [], False
    if there:
        msg = f"{few(there)} is there already and never overwritten; remove it, or give another folder with --out"
        raise UsageError(msg)
    if not known:
        msg = f"--out {str(audit)!r:.200} lies in no folder that exists; make it first"
        raise UsageError(msg)


def _write_both(texts: Mapping[Path, str]) -> None:
    """Both files or neither: none is opened that somebody else has made meanwhile."""
    made: list[Path] = []
    try:
        for path, text in texts.items():
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except BaseException as e:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(e, OSError):
            msg = f"{path.name!r} cannot be written ({e.strerror}); give another folder with --out"
            raise UsageError(msg) from None
        raise
