"""The whole flow. Read this file first.

model + data -> choose checks -> run each, guarded -> judge -> Audit
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from auditor.cost import Meter
from auditor.environment import environment
from auditor.errors import LoadError, NotApplicable, reason, without_machine
from auditor.guard import Snapshot, isolated
from auditor.intake.outputs import settle
from auditor.policy import INTERRUPTED, NOT_SELECTED, judge, load_policy
from auditor.progress import NOBODY, Finished, Listener
from auditor.registry import Check, Context
from auditor.selection import PREFLIGHT, Selection, choose, in_order
from auditor.subject import Data, Model
from auditor.types import SCHEMA, Audit, Outcome, Policy, Result, Setting, Status, Verdict

__all__ = ["plan", "run"]

TOKEN = 64  # how many numbers a token counts as, beside one of a picture or a table


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
    tell: Listener = NOBODY,
) -> Audit:
    """Audit `model` (None: the predictions that came with `data`) on `data`.

    A check that raises becomes an ERROR outcome: it never stops the others and never passes. Settings are validated
    before the first check. LoadError when the subject cannot be audited at all; Ctrl-C skips what has not run yet.
    """
    chosen, settings = choose(selection or Selection())
    snapshot = Snapshot(model.module) if model else None
    context = _context(model, data, reference, seed, snapshot)
    audit = plan(selection or Selection(), seed, context.device)
    audit = replace(audit, subject=dict(subject or {}), statements=dict(statements or {}))
    tell.begun(audit)
    try:
        for c in chosen:
            tell.started(c.id)
            finished = _run_one(c, context.of_check(c.id), settings[c.id], snapshot)
            audit = audit.with_outcome(finished.outcome)
            tell.finished(finished)
    except KeyboardInterrupt:
        pass  # what has not run yet says so already
    return judge(audit, policy or load_policy("default"))


def plan(selection: Selection, seed: int, device: str) -> Audit:
    """The audit of these checks before it is known of what: none has run. UsageError for what does not exist."""
    chosen, settings = choose(selection)
    return Audit(
        schema=SCHEMA,
        subject={},
        statements={},
        environment=environment(device),
        seed=seed,
        policy=Policy("none"),
        verdict=Verdict.INCOMPLETE,
        outcomes=tuple(
            Outcome(c.id, c.title, c.source, Status.SKIPPED, _not_run(c, chosen), settings[c.id]) for c in in_order()
        ),
    )


def _not_run(c: Check, chosen: list[Check]) -> str:
    return INTERRUPTED if c in chosen else NOT_SELECTED


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


def _odd(c: Check, result: Result) -> str:
    """What of its measures no limit could be held against for certain; "" where there is nothing."""
    if undeclared := [m.name for m in result.measures if not c.may_measure(m.name)]:
        return f"the check measured {undeclared[0]}, which it does not declare"
    times = Counter((m.name, m.slice) for m in result.measures)
    twice = next((name for name, n in times.items() if n > 1), None)
    return f"the check measured {' of '.join(filter(None, twice))} twice" if twice else ""


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
        status, why = Status.MEASURED, ""
        if odd := _odd(c, result):
            status, why, result = Status.ERROR, odd, None
    except NotApplicable as e:
        status, why = Status.NOT_APPLICABLE, str(e)
    except (Exception, SystemExit) as e:  # a model's code may ask to leave
        if c.id == PREFLIGHT and isinstance(e, LoadError):
            raise  # the subject itself cannot be audited: a refusal, not an outcome
        status, why = Status.ERROR, without_machine(reason(e, 400))
    changed = snapshot.restore() if snapshot else []
    if changed:
        status, result = Status.ERROR, None
        why = f"the check changed the model ({', '.join(changed)}); it was restored"
    arrays = dict(context.evidence) if result else {}
    outcome = Outcome(c.id, c.title, c.source, status, why, params, (), result)
    cost = meter.read()
    if result and c.id == PREFLIGHT and (seconds := context.predictions.seconds) is not None:
        cost = replace(cost, seconds_per_sample=round(seconds / len(context.data), 9))
    return Finished(outcome, cost, arrays)
