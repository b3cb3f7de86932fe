"""An audit file to a folder: open, run, write. Used by the command line, the demos, the defences and the jobs."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from auditor.audit import Finished, run
from auditor.config import AuditFile, load_audit_file
from auditor.defend import defence
from auditor.errors import UsageError
from auditor.opening import Opened, open_audit
from auditor.policy import was_interrupted
from auditor.selection import Selection, choose
from auditor.settings import Profile, validated
from auditor.store import Record, holds_audit, may_replace, replacing
from auditor.types import Audit
from reports.bundle import write

__all__ = ["execute", "open_file", "overridden", "run_to"]


def open_file(
    path: Path,
    *,
    profile: str | None = None,
    only: Sequence[str] = (),
    settings: Sequence[str] = (),
    uploaded: bool = False,
) -> Opened:
    """The subject of the audit file at `path`, its checks chosen as the command line says.

    What the checks cannot do is refused before the model is loaded.
    """
    file = overridden(load_audit_file(path), profile=profile, only=only, settings=settings)
    checks = file.checks
    choose(Selection(checks.profile, checks.only, checks.skip, checks.settings))
    for method, given in file.defend.items():
        validated(defence(method), given, f"defend.{method}")
    return open_audit(file, path.parent, uploaded=uploaded)


def overridden(
    file: AuditFile, *, profile: str | None = None, only: Sequence[str] = (), settings: Sequence[str] = ()
) -> AuditFile:
    """The audit file with what was given beside it: `settings` are ID.PARAM=VALUE."""
    update: dict[str, Any] = {}
    if profile is not None:
        if profile not in get_args(Profile):
            msg = f"--profile {profile!r} does not exist; known: {', '.join(get_args(Profile))}"
            raise UsageError(msg)
        update["profile"] = profile
    if only:
        update["only"] = tuple(only)
    if settings:
        merged = {check: dict(values) for check, values in file.checks.settings.items()}
        for text in settings:
            check, name, value = _setting(text)
            merged.setdefault(check, {})[name] = value
        update["settings"] = merged
    return file.model_copy(update={"checks": file.checks.model_copy(update=update)})


def _setting(text: str) -> tuple[str, str, Any]:
    """`robustness.curve.samples=10` as its parts; the value as TOML, or as text where it is none."""
    key, equals, value = text.partition("=")
    check, dot, name = key.strip().rpartition(".")
    if not equals or not dot or "." not in check:
        msg = f"--set {text!r} is no setting; expected ID.PARAM=VALUE, such as robustness.curve.samples=50"
        raise UsageError(msg)
    try:
        return check, name, tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        return check, name, value


def execute(
    opened: Opened,
    on_start: Callable[[str], None] = lambda _: None,
    on_finish: Callable[[Finished], None] = lambda _: None,
) -> Record:
    """Run the audit; what it found, with its evidence arrays and what each check cost."""
    arrays: dict[str, Any] = {}
    costs: dict[str, Any] = {}

    def finished(f: Finished) -> None:
        arrays.update(f.arrays)
        costs[f.outcome.check] = asdict(f.cost)
        on_finish(f)

    started = datetime.now(UTC).isoformat(timespec="seconds")
    audit = run(
        opened.model, opened.data, reference=opened.reference, selection=opened.selection, policy=opened.policy,
        subject=opened.subject, statements=opened.statements, seed=opened.seed, on_start=on_start, on_finish=finished,
    )  # fmt: skip
    ended = datetime.now(UTC).isoformat(timespec="seconds")
    return Record(audit, arrays, {"started": started, "finished": ended, "checks": costs})


def run_to(
    folder: Path,
    opened: Opened,
    on_start: Callable[[str], None] = lambda _: None,
    on_finish: Callable[[Finished], None] = lambda _: None,
) -> tuple[Audit, Path]:
    """Run the audit and write it to `folder`; the audit, and where it is.

    An older audit there gives way only when the new one has run to its end: one that was interrupted goes beside it.
    """
    may_replace(folder)
    record = execute(opened, on_start, on_finish)
    if was_interrupted(record.audit) and holds_audit(folder):
        folder = folder.with_name(f"{folder.name}-interrupted")
    with replacing(folder) as fresh:
        write(record, fresh)
    return record.audit, folder
