"""Two audits side by side as one page: findings, flips, what cannot be compared, churn, what moved, every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from auditor.comparing.changes import Change, same_rows
from auditor.folders import COMPARISON, COMPARISON_JSON
from auditor.store import Record
from auditor.types import Audit, Measure
from reports.comparing.apart import nothing_in_common
from reports.comparing.blocks import summary_section
from reports.comparing.churned import churn_section, churn_words
from reports.comparing.compared import Compared, compared, readable
from reports.comparing.curves import curves_section
from reports.comparing.ended import ended_section
from reports.comparing.machine import as_json
from reports.comparing.naming import n_words
from reports.comparing.opening import apart_section, findings_section, findings_words, flips_section
from reports.comparing.pairs import pair, pair_columns
from reports.comparing.sentence import answer
from reports.comparing.tradeoff import tradeoff_section
from reports.dates import measured_on
from reports.legible import legible
from reports.parts import Folded, Grid, Section
from reports.rendering import content_security_policy, environment, stylesheet
from reports.words import VERDICT, figure_words, slice_words, subject_name

__all__ = ["Side", "render", "write"]

LONGEST = 200  # figures of a check


@dataclass(frozen=True)
class Side:
    """One of the two audits, as the page's head shows it: its verdict is as it was by its own policy."""

    label: str
    name: str
    verdict: str
    verdict_words: str
    facts: Sequence[tuple[str, str]]


def render(before: Record, after: Record, labels: tuple[str, str] = ("Before", "After")) -> str:
    """compare.html for two audits; `labels` say which is which."""
    return _page(compared(before, after), labels)


def write(
    before: Record, after: Record, folder: Path, labels: tuple[str, str] = ("Before", "After"), *,
    notes: Sequence[str] = (),
) -> Compared:  # fmt: skip
    """Write compare.html and compare.json into `folder`, which exists; what they say.

    `notes` are sentences on how the second came about.
    """
    found = compared(before, after)
    told, page = as_json(found), _page(found, labels, notes)  # both before either is written
    (folder / COMPARISON_JSON).write_bytes(told)
    (folder / COMPARISON).write_text(page, "utf-8")
    return found


def _page(found: Compared, labels: tuple[str, str], notes: Sequence[str] = ()) -> str:
    c = readable(found)
    a, b = c.before.audit, c.after.audit
    sections = [
        findings_section(c),
        flips_section(c),
        apart_section(c),
        churn_section(c),
        summary_section(c.summed),
        tradeoff_section(a, b, c.changes, labels),
        curves_section(a, b, c.changes, labels),
        ended_section(a, b, labels),
        _all_figures(a, b, c.changes, labels),
    ]
    template, said = environment().get_template("compare.html.j2"), f"Findings: {findings_words(c.findings)}."
    return template.render(
        title=f"{labels[0]} and {labels[1].lower()}: two audits compared",
        opening=" ".join(filter(None, (nothing_in_common(c.changes, c.differences), said, churn_words(c)))),
        answer=answer(c.summed),
        same=_same_words(c),
        notes=legible(tuple(notes)),
        sides=_sides(c, labels),
        sections=[s for s in sections if s is not None],
        policy=content_security_policy(),
        style=Markup(stylesheet()),  # noqa: S704 - our own
    )


# ---- the two sides -----------------------------------------------------------------------------------------------
def _sides(c: Compared, labels: tuple[str, str]) -> list[Side]:
    records, here = (c.before, c.after), (c.first, c.second)
    return [_side(*of) for of in zip(records, labels, c.digests, here, strict=True)]


def _side(record: Record, label: str, digest: str, here: Audit) -> Side:
    audit = record.audit
    model, data = audit.subject.get("model", {}), audit.subject.get("data", {})
    weights = str(model.get("weights_sha256") or "")
    facts = [
        ("Model", str(model.get("file", "predictions only"))),
        ("Weights", f"sha256 {weights[:12]}" if weights else ""),
        ("Data", f"{data.get('file', '')}, {data.get('rows', 0):,} rows"),
        ("Policy", audit.policy.name),
        ("In this comparison", _otherwise(audit, here)),
        ("Measured", measured_on(record)),
        ("audit.json", f"sha256 {digest[:12]}"),
        ("Its baseline", _baseline_words(audit)),
    ]
    return Side(label, subject_name(audit), str(audit.verdict), VERDICT[audit.verdict], [(k, v) for k, v in facts if v])


def _otherwise(audit: Audit, here: Audit) -> str:
    """The verdict that an audit has in the comparison, where that is another than its own."""
    return "" if here.verdict is audit.verdict else f"“{VERDICT[here.verdict]}” by {here.policy.name}"


def _baseline_words(audit: Audit) -> str:
    """The audit that this one was itself compared with when it was made; "" where there was none."""
    b = audit.baseline
    return f"{b.name}, sha256 {b.sha256[:12]}, “{VERDICT[b.verdict]}” by {b.policy}" if b else ""


def _model(audit: Audit) -> dict[str, Any]:
    found: dict[str, Any] = audit.subject.get("model", {})
    return found


def _same_words(c: Compared) -> str:
    a, b = c.before.audit, c.after.audit

    def same(part: str, digest: str) -> bool:
        first, second = (x.subject.get(part, {}).get(digest) for x in (a, b))
        return bool(first) and first == second

    first, second = ((m.get("wrapper"), m.get("sha256") if m.get("wrapper") else "") for m in (_model(a), _model(b)))
    models = "The same model" if same("model", "weights_sha256") and first == second else "Two models"
    if not any(x.subject.get("model", {}).get("weights_sha256") for x in (a, b)):
        models = "Two sets of predictions"
    if same_rows(a, b):
        return (
            f"{models} on the same data.{' Both are one and the same audit.' if c.digests[0] == c.digests[1] else ''}"
        )
    data = "different rows of the same data" if same("data", "sha256") else "different data"
    return f"{models} on {data}, so that figures may differ for that reason."


# ---- every figure ------------------------------------------------------------------------------------------------
def _measures(audit: Audit) -> dict[tuple[str, str, str], Measure]:
    return {(o.check, m.name, m.slice): m for o in audit.outcomes if o.result for m in o.result.measures}


def _all_figures(a: Audit, b: Audit, found: Sequence[Change], labels: tuple[str, str]) -> Section:
    by_check: dict[str, list[list[str]]] = {}
    first, second = _measures(a), _measures(b)
    for c in found:
        key = (c.check, c.name, c.slice)
        cells = [figure_words(c.name), slice_words(c.slice), *pair(first.get(key), second.get(key), c), _rows_words(c)]
        by_check.setdefault(c.check, []).append(cells)
    columns = ("figure", "about", *pair_columns(labels), "rows")
    blocks = [
        Folded(
            f"{check}: {len(rows)} figures",
            [Grid(check, columns, rows[:LONGEST], frozenset(range(2, 7)), max(0, len(rows) - LONGEST))],
        )
        for check, rows in by_check.items()
    ]
    answer = "Differences of the same rows are paired; the intervals are those of each figure alone, at 95 %."
    return Section("all", "Every figure", answer, blocks)


def _rows_words(c: Change) -> str:
    return "; ".join(words for words in (n_words(c), c.doubt) if words)
