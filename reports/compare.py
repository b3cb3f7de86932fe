"""Two audits side by side as one page: verdicts, figures, and the two curves of robust accuracy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from auditor.stats import newcombe
from auditor.store import Record
from auditor.types import Audit, Measure, Outcome, Status
from reports.charts import MINUS, Line, curve, figure_svg
from reports.html import measured_on
from reports.legible import legible
from reports.parts import (
    Chart,
    Folded,
    Grid,
    Section,
    content_security_policy,
    environment,
    interval_words,
    stylesheet,
    tag,
)
from reports.pillars.frontier import robust_measures
from reports.words import STATUS, VERDICT, number, size, slice_words, subject_name

__all__ = ["Side", "render"]

NAMES = ("accuracy", "robust_accuracy", "impact_ratio", "demographic_parity_difference", "equalized_odds_difference")


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
    before, after = (replace(r, audit=legible(r.audit)) for r in (before, after))
    a, b = before.audit, after.audit
    sections = [_curves(a, b, labels), _key_figures(a, b, labels), _verdicts(a, b, labels), _all_figures(a, b, labels)]
    template = environment().get_template("compare.html.j2")
    return template.render(
        title=f"{labels[0]} and {labels[1].lower()}: two audits compared",
        same=_same_words(a, b),
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
def _curves(a: Audit, b: Audit, labels: tuple[str, str]) -> Section | None:
    found = [audit.outcome("robustness.curve") for audit in (a, b)]
    curves = [robust_measures(o) for o in found if o is not None and o.result is not None]
    if len(curves) < 2 or list(curves[0]) != list(curves[1]):
        return None
    first, second = curves
    lines = [_line(labels[0], first, "s1"), _line(labels[1], second, "s3")]
    gains = {e: (second[e].value or 0.0) - (first[e].value or 0.0) for e in first}
    at = max(gains, key=lambda e: abs(gains[e]))
    said = f"At {size(at)} it goes from {number(first[at].value)} to {number(second[at].value)}; "
    said += f"clean from {number(first[min(first)].value)} to {number(second[min(second)].value)}."
    said = said if gains[at] else "Both stand the same at every size."
    title = "Accuracy under the strongest attack found."
    draw = curve([size(e) for e in first], lines, "largest change of an input, one step an audited size")
    rows = [[size(e), *_pair(first[e], second[e])] for e in first]
    grid = Grid("Robust accuracy by largest change", ("change", *_pair_columns(labels)), rows, frozenset(range(1, 6)))
    chart = Chart(title, said, figure_svg("c-two", title, said, draw), grid, "The bands are 95 % intervals.")
    return Section("robustness", "Robustness", said, [chart])


def _line(label: str, measures: dict[float, Measure], kind: str) -> Line:
    every = list(measures.values())
    return Line(
        label.lower(), [m.value or 0.0 for m in every], kind, [m.low or 0.0 for m in every],
        [1.0 if m.high is None else m.high for m in every],
    )  # fmt: skip


def _pair_columns(labels: tuple[str, str]) -> tuple[str, ...]:
    first, second = (label.lower() for label in labels)
    return (first, "95 % interval", second, "95 % interval", "difference")


def _pair(a: Measure | None, b: Measure | None) -> list[str]:
    return [*_side_cells(a), *_side_cells(b), _difference(a, b)]


def _difference(a: Measure | None, b: Measure | None) -> str:
    """Second minus first; of two rates with the interval of independent samples."""
    if a is None or b is None or a.value is None or b.value is None:
        return ""
    words = f"{b.value - a.value:+.3f}"
    if a.method == b.method == "wilson":
        i = newcombe(*b.counts, *a.counts)
        words += f" ({i.low:+.3f} to {i.high:+.3f})"
    return words.replace("-", MINUS)


def _side_cells(m: Measure | None) -> list[str]:
    return [number(m.value, 3), interval_words(m)] if m else ["not measured", ""]


def _measures(audit: Audit) -> dict[tuple[str, str, str], Measure]:
    return {(o.check, m.name, m.slice): m for o in audit.outcomes if o.result for m in o.result.measures}


def _key_figures(a: Audit, b: Audit, labels: tuple[str, str]) -> Section:
    rows = _rows(a, b, [k for k in _keys(a, b) if k[1] in NAMES])
    grid = Grid(
        "Accuracy, robustness and fairness in both audits",
        ("figure", "about", *_pair_columns(labels)),
        rows,
        frozenset(range(2, 7)),
    )
    answer = "Differences whose interval holds 0 may be chance; intervals are those of independent samples."
    return Section("figures", "Key figures", answer, [grid])


def _all_figures(a: Audit, b: Audit, labels: tuple[str, str]) -> Section:
    by_check: dict[str, list[tuple[str, str, str]]] = {}
    for key in _keys(a, b):
        by_check.setdefault(key[0], []).append(key)
    columns = ("figure", "about", *_pair_columns(labels))
    blocks = [
        Folded(
            f"{check}: {len(keys)} figures",
            [Grid(check, columns, _rows(a, b, keys[:200]), frozenset(range(2, 7)), max(0, len(keys) - 200))],
        )
        for check, keys in by_check.items()
    ]
    return Section("all", "Every figure", "", blocks)


def _keys(a: Audit, b: Audit) -> list[tuple[str, str, str]]:
    """Figures of either audit, in the order of the first; figures of single rows are left out."""
    keys = dict.fromkeys([*_measures(a), *_measures(b)])
    return [k for k in keys if not k[2].startswith("row=")]


def _rows(a: Audit, b: Audit, keys: list[tuple[str, str, str]]) -> list[list[str]]:
    first, second = _measures(a), _measures(b)
    return [[k[1].replace("_", " "), slice_words(k[2]), *_pair(first.get(k), second.get(k))] for k in keys]


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
