"""The whole flow. Read this file first.

model + data -> choose checks -> run each, guarded -> judge -> Audit
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import metadata
from typing import Any

import torch

import auditor.checks  # noqa: F401 - importing registers every check
from auditor.cost import Cost, Meter
from auditor.errors import LoadError, NotApplicable, UsageError, one_line
from auditor.guard import Snapshot, isolated
from auditor.intake.outputs import settle
from auditor.policy import INTERRUPTED, judge, load_policy
from auditor.registry import CHECKS, Check, Context
from auditor.settings import Profile
from auditor.subject import Data, Model
from auditor.types import SCHEMA, Audit, Outcome, Policy, Result, Scalar, Setting, Status, Verdict

__all__ = ["PREFLIGHT", "Finished", "Selection", "choose", "run"]

PREFLIGHT = "intake.preflight"
LIBRARIES = ("torch-auditor", "torch", "numpy", "scipy", "captum", "shap", "lime", "foolbox", "fairlearn")


@dataclass(frozen=True)
class Selection:
    """Which checks run, how large, with which settings of their own (by check id)."""

    profile: Profile = "standard"
    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    settings: Mapping[str, Mapping[str, Any]] | None = None


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
    context = _context(model, data, reference, seed)
    snapshot = Snapshot(context.model.module) if context.model else None
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
    for c in _in_order():
        if c.id not in outcomes:
            reason = rest if c in chosen else "not selected"
            outcomes[c.id] = Outcome(c.id, c.title, c.source, Status.SKIPPED, reason, settings.get(c.id, {}))
    in_order = tuple(outcomes[c.id] for c in _in_order())
    audit = Audit(
        schema=SCHEMA,
        subject=dict(subject or {}),
        statements=dict(statements or {}),
        environment=environment(context.device),
        seed=seed,
        policy=Policy("none"),
        verdict=Verdict.INCOMPLETE,
        outcomes=in_order,
    )
    return judge(audit, policy or load_policy("default"))


def choose(selection: Selection) -> tuple[list[Check], dict[str, dict[str, Setting]]]:
    """The checks that run, the preflight first, and their validated settings; UsageError for what does not exist."""
    for pattern in (*selection.only, *selection.skip):
        if not any(fnmatchcase(known, pattern) for known in CHECKS):
            msg = f"no check matches {pattern!r}; known: {', '.join(sorted(CHECKS))}"
            raise UsageError(msg)
    for check in selection.settings or {}:
        if check not in CHECKS:
            msg = f"settings for {check!r}, which is no check; known: {', '.join(sorted(CHECKS))}"
            raise UsageError(msg)
    given = selection.settings or {}
    chosen = [c for c in _in_order() if c.id == PREFLIGHT or _selected(c.id, selection)]
    return chosen, {c.id: c.params(given.get(c.id, {}), selection.profile) for c in _in_order()}


def _selected(id: str, selection: Selection) -> bool:  # noqa: A002
    wanted = not selection.only or any(fnmatchcase(id, p) for p in selection.only)
    return wanted and not any(fnmatchcase(id, p) for p in selection.skip)


def _in_order() -> Iterator[Check]:
    """Every check: the preflight, then by id."""
    yield from sorted(CHECKS.values(), key=lambda c: (c.id != PREFLIGHT, c.id))


def _context(model: Model | None, data: Data, reference: Data | None, seed: int) -> Context:
    with isolated(seed):
        if model is None:
            return Context(None, data, reference, root_seed=seed)
        model, caveats = settle(model, data)
    data = replace(data, caveats=(*data.caveats, *caveats))
    size = math.prod(data.shape)
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
    except Exception as e:
        if c.id == PREFLIGHT and isinstance(e, LoadError):
            raise  # the subject itself cannot be audited: a refusal, not an outcome
        status, reason = Status.ERROR, one_line(f"{type(e).__name__}: {e}")
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
