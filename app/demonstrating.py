"""Run a demo: write its audit file, model and data, then audit it like any other."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from app.defending import defend_file
from app.places import Place
from app.running import run_to
from auditor.config import load_audit_file
from auditor.policy import was_interrupted
from auditor.types import Audit
from reports.ci import exit_code
from reports.words import VERDICT

__all__ = ["DEMOS", "demonstrate"]

DEMOS = ("credit", "imagenet", "digits")


def demonstrate(name: str, out: Path, place: Place, say: Callable[[str], None]) -> list[Audit]:
    """Write the demo `name` into a folder of its own in `out` and audit it; `say` is told what came of it."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    say(f"{name}: preparing model and data in {folder}")
    audit_file: Path = importlib.import_module(f"app.demos.{name}").write(folder)
    if name == "digits":
        return _before_and_after(audit_file, folder, place, say)
    audit, written = run_to(folder / "audit-out", load_audit_file(audit_file), audit_file.parent, place)
    if was_interrupted(audit):
        raise KeyboardInterrupt
    _say(name, audit, written / "report.html", say)
    return [audit]


def _before_and_after(audit_file: Path, folder: Path, place: Place, say: Callable[[str], None]) -> list[Audit]:
    """The digits demo shows the plain network and the adversarially trained one side by side."""
    report = folder / "report"
    done = defend_file(audit_file, "fgsm_rs", folder / "hardened.safetensors", report, place=place)
    for label, audit in (("before", done.before), ("after", done.after)):
        _say(f"digits, {label}", audit, report / label / "report.html", say)
    say(f"  side by side: {done.comparison}")
    return [done.before, done.after]


def _say(name: str, audit: Audit, report: Path, say: Callable[[str], None]) -> None:
    preflight = audit.outcome("intake.preflight")
    clean = preflight.result.measures[0] if preflight and preflight.result else None
    right = f"{int(clean.counts[0])} of {clean.n} right; " if clean and clean.counts else ""
    say(f"{name}: {right}{VERDICT[audit.verdict]} (`auditor run` would exit with {exit_code(audit)})")
    say(f"  report: {report}")
