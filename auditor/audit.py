"""The whole flow. Read this file first.

model + data -> choose checks -> run each, guarded -> judge -> Audit
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import torch

from auditor.cost import Cost, Meter
from auditor.errors import LoadError, NotApplicable, one_line, without_machine
from auditor.guard import Snapshot, isolated
from auditor.intake.outputs import settle
from auditor.policy import INTERRUPTED, judge, load_policy
from auditor.registry import Check, Context
from auditor.selection import PREFLIGHT, Selection, choose, in_order
from auditor.subject import Data, Model
from auditor.types import SCHEMA, Audit, Outcome, Policy, Result, Scalar, Setting, Status, Verdict

__all__ = ["Finished", "run"]

LIBRARIES = ("torch-auditor", "torch", "numpy", "scipy", "captum", "shap", "lime", "foolbox", "fairlearn")

TOKEN = 64  # how many numbers a token counts as, beside one of a picture or a table


@dataclass(frozen=True)
class Finished:
    """A check that has ended: its outcome, what it cost, and the arrays it keeps as evidence (by `CHECK/KEY`)."""

    outcome: Outcome
    cost: Cost
    arrays: Mapping[str, Any]


def run(
    model: Model | None,
    data: Data,
    *,
    reference: Data | None = None,
    selection: Selection | None = None,
    policy: Policy | None = None,
    subject: Mapping[str, Any] | None = None,
    statements: Mapping[str, str] | None = None,
    seed: int = 0,
    on_start: Callable[[str], None] = lambda _: None,
    on_finish: Callable[[Finished], None] = lambda _: None,
) -> Audit:
    """Audit `model` (None: the predictions that came with `data`) on `data`.

    A check that raises becomes an ERROR outcome: it never stops the others and never passes. Settings are validated
    before the first check. LoadError when the subject cannot be audited at all; Ctrl-C skips what has not run yet.
    """
    chosen, settings = choose(selection or Selection())
    snapshot = Snapshot(model.module) if model else None
    context = _context(model, data, reference, seed, snapshot)
    outcomes: dict[str, Outcome] = {}
    try:
        for c in chosen:
            on_start(c.id)
            finished = _run_one(c, context.of_check(c.id), settings[c.id], snapshot)
            outcomes[c.id] = finished.outcome
            on_finish(finished)
        rest = "not selected"
    except KeyboardInterrupt:
        rest = INTERRUPTED
    for c in in_order():
        if c.id not in outcomes:
            reason = rest if c in chosen else "not selected"
            outcomes[c.id] = Outcome(c.id, c.title, c.source, Status.SKIPPED, reason, settings.get(c.id, {}))
    audit = Audit(
        schema=SCHEMA,
        subject=dict(subject or {}),
        statements=dict(statements or {}),
        environment=environment(context.device),
        seed=seed,
        policy=Policy("none"),
        verdict=Verdict.INCOMPLETE,
        outcomes=tuple(outcomes[c.id] for c in in_order()),
    )
    return judge(audit, policy or load_policy("default"))


def _context(model: Model | None, data: Data, reference: Data | None, seed: int, snapshot: Snapshot | None) -> Context:
    if model is None or snapshot is None:
        return Context(None, data, reference, root_seed=seed)
    with isolated(seed):
        model, caveats = settle(model, data)
    if own := snapshot.learn():
        caveats += (f"The model changes itself when it runs ({', '.join(own)}); that was undone after every check.",)
    data = replace(data, caveats=(*data.caveats, *caveats))
    size = math.prod(data.shape) * (TOKEN if data.texts else 1)
    batch_size = max(16, min(65_536, 2**21 // size))  # 8 MB of inputs: by the shape alone, so that figures repeat
    return Context(model, data, reference, batch_size=batch_size, device=model.device, root_seed=seed)


def _run_one(c: Check, context: Context, params: dict[str, Setting], snapshot: Snapshot | None) -> Finished:
    result: Result | None = None
    meter = Meter()
    try:
        with isolated(context.seed):
            if context.model is None:
                result = c.run(context, **params)
            else:
                with context.model.frozen():
                    result = c.run(context, **params)
        status, reason = Status.MEASURED, ""
    except NotApplicable as e:
        status, reason = Status.NOT_APPLICABLE, str(e)
    except (Exception, SystemExit) as e:  # a model's code may ask to leave
        if c.id == PREFLIGHT and isinstance(e, LoadError):
            raise  # the subject itself cannot be audited: a refusal, not an outcome
        status, reason = Status.ERROR, without_machine(one_line(f"{type(e).__name__}: {e}"))
    changed = snapshot.restore() if snapshot else []
    if changed:
        status, result = Status.ERROR, None
        reason = f"the check changed the model ({', '.join(changed)}); it was restored"
    arrays = dict(context.evidence) if result else {}
    outcome = Outcome(c.id, c.title, c.source, status, reason, params, (), result)
    return Finished(outcome, meter.read(), arrays)


def environment(device: str) -> dict[str, Scalar]:
    """What it ran on: versions and threads, no clock, no host and no path."""
    versions = {f"{name} version": metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), "device": device, "threads": torch.get_num_threads(), **versions}
