"""Commands that run a model: `run`, `demo`, `defend`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.shared import AuditPath, Baseline, NoSandbox, Only, Out, Policy, Profile, Set, say
from app.commands.telling import told
from auditor.errors import UsageError

__all__ = ["METHODS", "defend", "demo", "run"]

METHODS = (  # auditor.defend.DEFENCES, without importing the engine to print them
    "distillation", "exponentiated_gradient", "fairness_penalty", "feature_squeezing", "fgsm_rs", "gaussian_noise",
    "group_thresholds", "ibp", "pgd", "randomised_smoothing", "rejection", "reweighing", "trades",
)  # fmt: skip


def run(
    audit_file: AuditPath,
    out: Out = None,
    profile: Profile = None,
    only: Only = None,
    settings: Set = None,
    policy: Policy = None,
    baseline: Baseline = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write report.pdf, too (extra `pdf`).")] = False,
    no_sandbox: NoSandbox = False,
    json: Annotated[bool, typer.Option("--json", help="Print audit.json.")] = False,
) -> int:
    """Audit a model: 0 pass or conditions, 1 fail, 2 incomplete, 3 refused, 4 the auditor itself failed."""
    from app.places import APART, HERE
    from app.progress import progress
    from app.running import overridden, policy_for, run_to
    from auditor.config import load_audit_file
    from auditor.schema import audit_to_json
    from reports.ci import exit_code

    own = policy_for(audit_file.parent, policy) if policy else None
    file = load_audit_file(audit_file)
    file = overridden(file, profile=profile, only=only or (), settings=settings or (), policy=own)
    place = HERE if no_sandbox else APART
    with progress() as tell:
        out = out or audit_file.parent / "audit-out"
        audit, written = run_to(out, file, audit_file.parent, place, tell, baseline, pdf=pdf)
    say(audit_to_json(audit).decode().rstrip() if json else told(audit, written))
    return exit_code(audit)


def demo(
    name: Annotated[
        str | None, typer.Argument(metavar="[credit|imagenet|digits]", help="Which one; all three when none is named.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where models, data and reports go.")] = Path(
        "demo-out"
    ),
) -> int:
    """Audit real models on data that installed packages bring; 0 when every audit finished, whatever its verdict."""
    from app.demonstrating import DEMOS, demonstrate
    from app.places import APART

    if name is not None and name not in DEMOS:
        msg = f"no demo {name!r}; known: {', '.join(DEMOS)}"
        raise UsageError(msg)
    for chosen in [name] if name else DEMOS:
        demonstrate(chosen, out, APART, say)
    return 0


def defend(
    audit_file: AuditPath,
    method: Annotated[str, typer.Option("--method", metavar="M", help=f"The defence: {', '.join(METHODS)}.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where the weights go (.safetensors), or the wrapper (.json).")
    ],
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Where the two audits go (default: FILE-report).")
    ] = None,
    profile: Profile = None,
    no_sandbox: NoSandbox = False,
) -> int:
    """Train a hardened copy of a model and audit it before and after."""
    from app.defending import defend_file
    from app.places import APART, HERE

    place = HERE if no_sandbox else APART
    done = defend_file(audit_file, method, out, report, profile=profile, place=place)
    for note in done.notes:
        say(f"note: {note}")
    say(f"before: {done.before.verdict}\nafter: {done.after.verdict}")
    say(f"{'wrapper' if out.suffix == '.json' else 'hardened weights'}: {out}\ncomparison: {done.comparison}")
    return 0
