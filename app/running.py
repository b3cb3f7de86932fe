"""An audit file to a folder: overridden, run, written. For the command line, the demos, the defences and the jobs."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from app.places import Place
from auditor.config import BUILT_IN, AuditFile, PolicySpec
from auditor.errors import UsageError
from auditor.folders import holds_audit, may_replace, replacing
from auditor.progress import NOBODY, Listener
from auditor.settings import Profile
from auditor.types import Audit

__all__ = ["overridden", "policy_for", "run_to"]


def overridden(
    file: AuditFile, *, profile: str | None = None, only: Sequence[str] = (), settings: Sequence[str] = (),
    policy: str | None = None,
) -> AuditFile:  # fmt: skip
    """The audit file with what was given beside it: `settings` are ID.PARAM=VALUE, `policy` is for [policy] path."""
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
    spec = file.policy if policy is None else PolicySpec(path=policy)
    return file.model_copy(update={"checks": file.checks.model_copy(update=update), "policy": spec})


def policy_for(folder: Path, given: str) -> str:
    """The policy `given` on the command line, as an audit file in `folder` names it: the same on every machine."""
    return given if given in BUILT_IN else os.path.relpath(given, folder)


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


def run_to(
    out: Path, file: AuditFile, folder: Path, place: Place, tell: Listener = NOBODY, baseline: Path | None = None, *,
    pdf: bool = False,
) -> tuple[Audit, Path]:  # fmt: skip
    """Make the audit and write it to `out`; the audit, and where it is.

    It is compared with the audit in `baseline`, which may be the one that it replaces. An older audit in `out` gives
    way only when the new one has run to its end: one that was interrupted goes beside it. With `pdf` the report is
    written as PDF, too; what that needs is looked for first.
    """
    may_replace(out)
    if pdf:
        from reports.pdf import need_weasyprint

        need_weasyprint()
    if baseline is not None:
        from reports.manifest import need_as_written

        need_as_written(baseline)
    record = place.audit(file, folder, tell=tell)
    # what only follows is imported now: meanwhile the audit's own process could start
    from auditor.comparing.baseline import against
    from auditor.policy import was_interrupted
    from auditor.store import load
    from reports.bundle import write

    before = load(baseline) if baseline is not None else None
    if before is not None:
        record = against(before, record)
    if was_interrupted(record.audit) and holds_audit(out):
        out = out.with_name(f"{out.name}-interrupted")
    with replacing(out) as fresh:
        write(record, fresh, before, pdf=pdf)
    return record.audit, out
