"""What was audited: as declared, as found, and as it ran."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.lists import listed
from auditor.types import Audit
from reports.findings import Finding
from reports.grades import grade_meaning, grade_words, how_held
from reports.parts import CheckHead, Facts, Folded, Section, grid_of
from reports.since import since_blocks

__all__ = ["audited"]

LISTED = 12  # classes
DECLARED = {
    "Purpose, as declared": "purpose",
    "Intended use": "intended_use",
    "Out of scope": "out_of_scope",
    "Provider": "provider",
}


def audited(audit: Audit, found: Sequence[Finding]) -> Section:
    """The section: facts of the model and the data, what became of the baseline's findings, and the preflight."""
    model, data = audit.subject.get("model", {}), audit.subject.get("data", {})
    rows = [(name, str(v)) for name, key in DECLARED.items() if (v := audit.subject.get(key))]
    rows += [*_model(audit), *_data(data), *((f"Statement: {k}", v) for k, v in audit.statements.items())]
    blocks: list[Any] = [Facts(rows), *since_blocks(audit, ((f.id, f.state) for f in found))]
    preflight = audit.outcome("intake.preflight")
    if preflight and preflight.result:
        blocks += [CheckHead.of(preflight), *(Folded(t.title, [grid_of(t)]) for t in preflight.tables)]
    kinds = {"image": "An image model", "table": "A table model", "text": "A text model"}
    kind = kinds.get(str(data.get("kind")), "A model") if model.get("file") else "Predictions that came as data"
    classes = data.get("classes", [])
    about = f" with {len(classes):,} classes" if classes else ""
    return Section("audited", "What was audited", f"{kind}{about}, on {data.get('rows', 0):,} rows.", blocks)


def _model(audit: Audit) -> list[tuple[str, str]]:
    model = audit.subject.get("model", {})
    rows = []
    if model.get("parameters"):
        read = f"{model['architecture']}, {model['parameters']:,} parameters, read from a {model['format']} file"
        wrapped = f"; behind a wrapper, {str(model['wrapper']).replace('_', ' ')}" if model.get("wrapper") else ""
        rows.append(("Model", read + wrapped))
    if model.get("wrapper_reads"):
        rows.append(("Read to decide", f"the column “{model['wrapper_reads']}” of each row, by the wrapper"))
    digests = {
        "Wrapper file" if model.get("wrapper") else "Model file": model.get("sha256"),
        "Wrapped file": model.get("wrapped_sha256"),
        "State dict": model.get("weights_sha256"),
    }
    rows += [(name, f"sha256 {digest}") for name, digest in digests.items() if digest]
    if model.get("file") and (grade := str(model.get("evidence_grade", ""))):
        rows.append(("Evidence grade", f"{grade_words(grade)}. {grade_meaning(grade)}"))
    if model.get("file") and (held := how_held(audit)):
        rows.append(("Sandbox", held))
    return rows


def _data(data: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if classes := [str(c) for c in data.get("classes", [])]:
        rows.append(("Classes", listed(classes, LISTED)))
    if "positive" in data:
        rows.append(("Favourable answer", f"“{data['positive']}”"))
    if data.get("sensitive"):
        rows.append(("Sensitive columns", ", ".join(data["sensitive"])))
    return rows
