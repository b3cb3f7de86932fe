"""One check on one case, as the audit runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from auditor.audit import run
from auditor.progress import Finished, Listener
from auditor.selection import Selection
from auditor.subject import Data, Model
from auditor.types import Measure, Outcome, Result, Status
from tests.zoo import Case

__all__ = ["arrays_of", "measures", "not_applicable", "outcome_of", "result_of"]


def outcome_of(case: Case, check: str, reference: Data | None = None, **settings: Any) -> Outcome:
    """The outcome of `check` at the quick profile."""
    selection = Selection("quick", (check,), (), {check: settings})
    audit = run(case.model, case.data, reference=reference, selection=selection)
    (found,) = [o for o in audit.outcomes if o.check == check]
    return found


def result_of(case: Case, check: str, reference: Data | None = None, **settings: Any) -> Result:
    """The result of `check`, which must have run."""
    outcome = outcome_of(case, check, reference, **settings)
    if outcome.result is None:
        pytest.fail(f"{check} has no result: {outcome.reason}")
    return outcome.result


def measures(result: Result, name: str) -> dict[str, Measure]:
    """The measures of that name by slice."""
    return {m.slice: m for m in result.measures if m.name == name}


def not_applicable(case: Case, check: str, **settings: Any) -> str:
    """Why `check` does not apply; fails where it does."""
    outcome = outcome_of(case, check, **settings)
    assert outcome.status is Status.NOT_APPLICABLE, outcome
    return outcome.reason


def arrays_of(model: Model, data: Data, check: str, **settings: Any) -> Mapping[str, Any]:
    """The evidence that `check` keeps."""
    seen: list[Finished] = []
    run(model, data, selection=Selection("quick", (check,), (), {check: settings}), tell=Listener(finished=seen.append))
    return seen[-1].arrays
