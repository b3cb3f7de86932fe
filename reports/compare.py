"""Two audits side by side as one page: what moved, the two curves of robust accuracy, verdicts, every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from auditor.comparing.changes import Change, changes, same_rows
from auditor.folders import COMPARISON, COMPARISON_JSON
from auditor.store import Record
from auditor.types import Audit, Measure, Outcome, Status
from reports.charts import Line, curve, figure_svg
from reports.comparing.blocks import summary_section
from reports.comparing.machine import as_json
from reports.comparing.naming import n_words
from reports.comparing.pairs import pair, pair_columns
from reports.comparing.sentence import answer
from reports.comparing.summary import Summed, summary
from reports.comparing.tradeoff import tradeoff_section
from reports.dates import measured_on
from reports.legible import legible
from reports.parts import Chart, Folded, Grid, Section, tag
from reports.pillars.frontier import robust_measures
from reports.rendering import content_security_policy, environment, stylesheet
from reports.words import STATUS, VERDICT, figure_words, number, size, slice_words, subject_name

__all__ = ["Side", "render", "write"]

LONGEST = 200  # figures of a check


@dataclass(frozen=True)
class Side:
    """One of the two audits, as the page's head shows it."""

    label: str
    name: str
    verdict: str
    verdict_words: str
    facts: tuple[tuple[str, str], ...]


def render(before: Record, after: Record, labels: tuple[str, str] = ("Before", "After")) -> str:
    """compare.html for two audits; `labels` say which is which."""
    found = changes(before, after)
    return _page(before, after, found, summary(found, before.audit, after.audit), labels)


def write(
    before: Record, after: Record, folder: Path, labels: tuple[str, str] = ("Before", "After"), *,
    notes: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Write compare.html and compare.json into `folder`, which exists; the path of the page.

    `notes` are sentences on how the second came about.
    """
    found = changes(before, after)
    summed = summary(found, before.audit, after.audit)
    machine = as_json(found, summed, same_rows=same_rows(before.audit, after.audit))
    (folder / COMPARISON_JSON).write_bytes(machine)
    (folder / COMPARISON).write_text(_page(before, after, found, summed, labels, notes), "utf-8")
    return folder / COMPARISON


def _page(
    before: Record, after: Record, found: Sequence[Change], summed: Sequence[Summed], labels: tuple[str, str],
    notes: Sequence[str] = (),
) -> str:  # fmt: skip
    before, after = (replace(r, audit=legible(r.audit)) for r in (before, after))
    a, b, found, summed = before.audit, after.audit, legible(found), legible(summed)
    sections = [
        summary_section(summed),
        tradeoff_section(a, b, found, labels),
        _curves(a, b, found, labels),
        _verdicts(a, b, labels),
        _all_figures(a, b, found, labels),
    ]
    template = environment().get_template("compare.html.j2")
    return template.render(
        title=f"{labels[0]} and {labels[1].lower()}: two audits compared",
        answer=answer(summed),
        same=_same_words(a, b),
        notes=legible(tuple(notes)),
        sides=[_side(r, label) for r, label in zip((before, after), labels, strict=True)],
        sections=[s for s in sections if s is not None],
        policy=content_security_policy(),
        style=Markup(stylesheet()),  # noqa: S704 - our own
    )


def _side(record: Record, label: str) -> Side:
    audit = record.audit
    model, data = audit.subject.get("model", {}), audit.subject.get("data", {})
    facts = (
        ("Model", str(model.get("file", "predictions only"))),
        ("Weights", f"sha256 {str(model.get('weights_sha256', ''))[:12]}"),
        ("Data", f"{data.get('file', '')}, {data.get('rows', 0):,} rows"),
        ("Measured", measured_on(record)),
    )
    return Side(label, subject_name(audit), str(audit.verdict), VERDICT[audit.verdict], facts)


def _model(audit: Audit) -> dict[str, Any]:
    found: dict[str, Any] = audit.subject.get("model", {})
    return found


def _same_words(a: Audit, b: Audit) -> str:
    def same(part: str, digest: str) -> bool:
        first, second = (x.subject.get(part, {}).get(digest) for x in (a, b))
        return bool(first) and first == second

    first, second = ((m.get("wrapper"), m.get("sha256") if m.get("wrapper") else "") for m in (_model(a), _model(b)))
    models = "The same model" if same("model", "weights_sha256") and first == second else "Two models"
    if not any(x.subject.get("model", {}).get("weights_sha256") for x in (a, b)):
        models = "Two sets of predictions"
    if same("data", "sha256") and same("data", "rows_sha256"):
        return f"{models} on the same data."
    data = "different rows of the same data" if same("data", "sha256") else "different data"
    return f"{models} on {data}, so that figures may differ for that reason."


# ---- sections ----------------------------------------------------------------------------------------------------
def _curves(a: Audit, b: Audit, found: Sequence[Change], labels: tuple[str, str]) -> Section | None:
    outcomes = [audit.outcome("robustness.curve") for audit in (a, b)]
    curves = [robust_measures(o) for o in outcomes if o is not None and o.result is not None]
    if len(curves) < 2 or list(curves[0]) != list(curves[1]):
        return None
    first, second = curves
    lines = [_line(labels[0], first, "s1"), _line(labels[1], second, "s3")]
    gains = {e: (second[e].value or 0.0) - (first[e].value or 0.0) for e in first}
    at = max((e for e in gains if e > 0), key=lambda e: abs(gains[e]), default=0.0)
    said = f"At {size(at)} it goes from {number(first[at].value)} to {number(second[at].value)}; "
    said += f"clean from {number(first[min(first)].value)} to {number(second[min(second)].value)}."
    said = said if any(gains.values()) else "Both stand the same at every size."
    title = "Accuracy under the strongest attack found."
    draw = curve([size(e) for e in first], lines, "largest change of an input, one step an audited size")
    moved = {(c.name, c.slice): c for c in found if c.check == "robustness.curve"}
    rows = [[size(e), *pair(m, second[e], moved.get((m.name, m.slice)))] for e, m in first.items()]
    grid = Grid("Robust accuracy by largest change", ("change", *pair_columns(labels)), rows, frozenset(range(1, 6)))
    chart = Chart(title, said, figure_svg("c-two", title, said, draw), grid, "The bands are 95 % intervals.")
    return Section("robustness", "Robustness", said, [chart])


def _line(label: str, measures: dict[float, Measure], kind: str) -> Line:
    every = list(measures.values())
    return Line(
        label.lower(), [m.value or 0.0 for m in every], kind, [m.low or 0.0 for m in every],
        [1.0 if m.high is None else m.high for m in every],
    )  # fmt: skip


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


def _verdicts(a: Audit, b: Audit, labels: tuple[str, str]) -> Section:
    rows: list[list[Any]] = []
    for check in dict.fromkeys(o.check for o in (*a.outcomes, *b.outcomes)):
        sides = [audit.outcome(check) for audit in (a, b)]
        rows.append([check, *(_status(o) for o in sides), "changed" if _differs(*sides) else ""])
    changed = sum(row[-1] != "" for row in rows)
    answer = f"{changed} of {len(rows)} checks end differently." if changed else "Every check ends as before."
    return Section("verdicts", "Verdicts", answer, [Grid("How each check ended", ("check", *labels, ""), rows)])


def _status(o: Outcome | None) -> str:
    return tag(o.status) if o else STATUS[Status.SKIPPED]


def _differs(a: Outcome | None, b: Outcome | None) -> bool:
    return (a.status if a else None) is not (b.status if b else None)
