"""Commands that read finished audits: `judge`, `compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from app.commands.shared import say
from app.commands.telling import told
from auditor.errors import UsageError

__all__ = ["compare", "judge"]


def judge(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A finished audit.")],
    policy: Annotated[str, typer.Option("--policy", metavar="P", help="A policy file, or a built-in name.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="OTHER", help="Where the audit goes as it is judged now.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the judged audit.json.")] = False,
) -> int:
    """Judge a finished audit by another policy, without its model or data; nothing in DIR is changed."""
    from app.catalogue import load as catalogue
    from auditor.folders import replacing
    from auditor.policy import judge as judged
    from auditor.policy import load_policy
    from auditor.policy_names import need_known
    from auditor.schema import audit_to_json
    from auditor.store import load
    from reports.bundle import write
    from reports.ci import exit_code
    from reports.manifest import need_as_written

    if out is not None:
        need_other(out, folder)
    given = load_policy(policy)
    checks = catalogue()
    need_known(given, {c["id"]: c["measures"] for c in checks}, {c["id"]: list(c["settings"]) for c in checks})
    need_as_written(folder)
    record = load(folder)
    record = replace(record, audit=judged(record.audit, given))
    if out is not None:
        with replacing(out) as fresh:
            write(record, fresh)
    say(audit_to_json(record.audit).decode() if json else told(record.audit, out))
    return exit_code(record.audit)


def need_other(out: Path, folder: Path) -> None:
    """UsageError where what is judged anew would take the place of what it is made from."""
    from auditor.folders import may_replace

    if out.resolve() == folder.resolve():
        msg = f"--out {str(out)!r:.200} is the audit that is judged, which stays as it is; give another folder"
        raise UsageError(msg)
    may_replace(out)


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A finished audit.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where compare.html and compare.json go.")],
    json: Annotated[bool, typer.Option("--json", help="Print compare.json.")] = False,
) -> int:
    """Say what became of the findings, which answers changed and how far every figure moved; 0 whatever it is."""
    from auditor.folders import COMPARISON, holds_audit, need_outside
    from auditor.store import load
    from reports.compare import write
    from reports.comparing.lines import in_lines
    from reports.comparing.machine import as_json
    from reports.manifest import need_as_written

    if holds_audit(out):
        msg = f"--out {str(out)!r} holds an audit, to which nothing is added; give another folder"
        raise UsageError(msg)
    need_outside(out)
    for folder in (first, second):
        need_as_written(folder)
    before, after = load(first), load(second)
    try:
        out.mkdir(parents=True, exist_ok=True)
        found = write(before, after, out, ("First", "Second"))
    except OSError as e:
        msg = f"--out {str(out)!r:.200} cannot be written ({e.strerror}); give a folder"
        raise UsageError(msg) from None
    lines = [*in_lines(found), f"page: {out / COMPARISON}"]
    say(as_json(found).decode() if json else "\n".join(lines))
    return 0
