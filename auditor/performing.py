"""What a worker does with an audit file: audit its model, or harden it. Both run the model's code in this process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from auditor.audit import plan, run
from auditor.config import AuditFile
from auditor.defend import defence
from auditor.errors import UsageError
from auditor.guard import isolated
from auditor.intake.outputs import settle
from auditor.intake.unwrapping import unwrapped, write_wrapper
from auditor.intake.weights import write_weights
from auditor.opening import open_audit, policy_of, selection_of
from auditor.policy_names import need_known
from auditor.progress import Listener
from auditor.registry import CHECKS
from auditor.settings import validated
from auditor.training.fit import fit_to_train
from auditor.training.moved import default_epsilon
from auditor.training.watch import OnEpoch, Watch
from auditor.types import Audit
from auditor.wrapped.wrapping import Wrapping

__all__ = ["audit", "harden", "planned"]

SEEDS = 2**32


def audit(file: AuditFile, folder: Path, tell: Listener, *, uploaded: bool = False) -> Audit:
    """The audit that `file` asks for; its paths are relative to `folder`.

    What checks and defences cannot do is refused before the model is loaded. With `uploaded` nothing that brings Python
    of its own is accepted.
    """
    tell.planned(planned(file, folder, uploaded=uploaded))
    opened = open_audit(file, folder, uploaded=uploaded)
    return run(
        opened.model, opened.data, reference=opened.reference, selection=opened.selection, policy=opened.policy,
        subject=opened.subject, statements=opened.statements, seed=opened.seed, tell=tell,
    )  # fmt: skip


def planned(file: AuditFile, folder: Path, *, uploaded: bool = False) -> Audit:
    """The audit that `file` asks for before anything of its model or data is read: none of its checks has run.

    UsageError for a policy, a limit, a check, a setting or a defence that does not exist.
    """
    policy = policy_of(file, folder, uploaded=uploaded)
    need_known(policy, {c.id: c.measures for c in CHECKS.values()}, {c.id: c.settings for c in CHECKS.values()})
    found = plan(selection_of(file, policy), file.checks.seed, file.checks.device)
    for method, given in file.defend.items():
        own = {name: value for name, value in given.items() if name != "seed"}
        _seed(given.get("seed", 0), method)
        validated(defence(method), own, f"defend.{method}")
    return found


def harden(
    file: AuditFile, folder: Path, method: str, to: Path, *, on_epoch: OnEpoch, checkpoint: Path | None
) -> tuple[str, ...]:
    """Write to `to` (safetensors) the weights of the model that the defence `method` trained on [data] reference.

    Of a defence that needs no training, the wrapper (JSON) that it gives. Gives what must be known of the training, a
    sentence each. `on_epoch` is told how many epochs of how many are done; a training that was stopped goes on from
    `checkpoint`. UsageError for settings that the defence does not have, for reference data that is the audited data,
    and for a model behind a wrapper.
    """
    function = defence(method)
    given = dict(file.defend.get(method, {}))
    seed = _seed(given.pop("seed", file.checks.seed), method)
    settings = validated(function, given, f"defend.{method}")
    _need_bare(file, folder)
    opened = open_audit(file, folder)
    if opened.model is None or opened.reference is None:
        msg = "a defence needs [model] and [data] reference"
        raise UsageError(msg)
    data = opened.subject["data"]
    if data["sha256"] == data["reference_sha256"]:
        msg = f"[data] reference is {data['reference']!r}, the audited data; a defence never trains on the audited rows"
        raise UsageError(msg)
    watch = Watch(on_epoch, checkpoint, _fingerprint(file, opened.subject, method, seed, settings))
    with isolated(seed):
        model, _ = settle(opened.model, opened.data)
    reference, left_out = fit_to_train(opened.reference, opened.data)
    made = function(model, reference, seed, watch, **settings)
    used: dict[str, Any] = dict(settings)
    if settings.get("epsilon", 0) is None:
        used["epsilon"] = default_epsilon(model, reference)
    if isinstance(made, Wrapping):
        used |= {name: made.settings[name] for name in settings if name in made.settings}
        write_wrapper(to, made.kind, made.settings, file, folder)
    else:
        write_weights(made.module, to)
    return (_words(method, used, seed, opened.subject["data"], len(reference)), *left_out, *made.notes)


def _words(method: str, settings: dict[str, Any], seed: int, data: dict[str, Any], rows: int) -> str:
    """How the model after came about."""
    given = ", ".join(
        f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in settings.items()
        if value is not None
    )
    fitted = f"fitted on {rows:,} rows of {data['reference']} (sha256 {data['reference_sha256'][:12]})"
    return f"After the defence {method} ({given}; seed {seed}), {fitted}."


def _need_bare(file: AuditFile, folder: Path) -> None:
    """UsageError for a model behind a wrapper: what would be trained or wrapped is not the file that is named."""
    _, wrapper = unwrapped(file, folder)
    if wrapper is not None:
        msg = f"[model] path is a wrapper ({wrapper.kind}); a defence needs the model itself, {wrapper.model!r:.100}"
        raise UsageError(msg)


def _seed(given: Any, method: str) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < SEEDS:
        msg = f"defend.{method}.seed = {given!r}: expected a whole number from 0 on, below {SEEDS:,}"
        raise UsageError(msg)
    return given


def _fingerprint(file: AuditFile, subject: dict[str, Any], method: str, seed: int, settings: dict[str, Any]) -> str:
    """What a training depends on: one that was stopped goes on only where all of it is the same."""
    model, data = subject["model"], subject["data"]
    digests = [model.get("weights_sha256"), data["reference_sha256"], data["sha256"], data.get("tokenizer_sha256")]
    read = file.model_dump(mode="json", exclude={"checks", "defend", "policy", "statements", "subject"})
    parts = [digests, data.get("classes"), read, file.checks.device, torch.__version__, method, seed, settings]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
