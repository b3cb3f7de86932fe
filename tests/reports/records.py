"""Records of real audits of the zoo, and of one whose every text is hostile."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from auditor.audit import run
from auditor.columns import Column
from auditor.policy import judge
from auditor.progress import Finished, Listener
from auditor.selection import Selection
from auditor.store import Record
from auditor.subject import Data, Model
from auditor.types import Limit, Policy
from tests import zoo

__all__ = ["HOSTILE", "hostile", "record", "with_policy"]

SETTINGS = {
    "explain.shap": {"samples": 2, "budget": 40, "background": 5, "superpixels": 6},
    "explain.lime": {"samples": 2, "neighbours": 60, "superpixels": 6},
    "explain.gradcam": {"samples": 3},
    "explain.lrp": {"samples": 3},
    "robustness.curve": {"samples": 12, "steps": 3, "shown": 2},
}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "javascript:alert(3)",
    "a\u202eb\u0000\n| x | `y` [l](http://evil.example)",
    "{{ 7*7 }}{% for x in y %}",
)


@cache
def record(name: str = "inplace_relu") -> Record:
    """The record of a quick audit of one of the zoo."""
    return audited(zoo.ZOO[name]())


def audited(case: zoo.Case, **subject: Any) -> Record:
    """The record of a quick audit of a case."""
    seen: list[Finished] = []
    facts = {
        "name": "zoo",
        "version": "1.0",
        "model": {"file": "m.pt", "format": "state_dict", "architecture": "mlp:1-2", "parameters": 3,
                  "sha256": "a" * 64, "weights_sha256": "b" * 64, "evidence_grade": "data"},
        "data": {"file": "d.npz", "kind": "image", "rows": len(case.data), "sha256": "c" * 64, "rows_sha256": "d" * 64,
                 "classes": list(case.model.classes), "sensitive": list(case.data.groups)},
        **subject,
    }  # fmt: skip
    audit = run(
        case.model,
        case.data,
        selection=Selection("quick", settings=SETTINGS),
        subject=facts,
        tell=Listener(finished=seen.append),
    )
    arrays = {name: a for f in seen for name, a in f.arrays.items()}
    run_json = {"started": "2026-11-22T09:14:00+00:00", "finished": "2026-11-22T09:15:00+00:00", "checks": {}}
    return Record(audit, arrays, run_json)


def with_policy(found: Record, *limits: Limit) -> Record:
    """The same record judged by these limits alone."""
    return replace(found, audit=judge(found.audit, Policy("mine", limits)))


@cache
def hostile() -> Record:
    """An audit in which class names, columns, groups, files and declared texts try to break out of the page."""
    case = zoo.biased_table()
    model = Model(case.model.module, (HOSTILE[0], HOSTILE[1]), bounds=case.model.bounds, unit=case.model.unit)
    columns = (Column(HOSTILE[2], 0, 1, kind="flag"), Column(HOSTILE[4], 1, 2))
    groups = {HOSTILE[1]: case.data.groups["group"], HOSTILE[3]: case.data.groups["group"]}
    data = Data(case.data.read, case.data.y, case.data.row_ids, groups, columns, 1, None, (HOSTILE[0],))
    return audited(
        zoo.Case(model, data),
        name=HOSTILE[0],
        version=HOSTILE[3],
        purpose=HOSTILE[1],
        model={"file": HOSTILE[1], "architecture": HOSTILE[0], "evidence_grade": HOSTILE[4], "format": HOSTILE[2]},
    )
