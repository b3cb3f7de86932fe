"""What a finding says: a figure as a sentence about rows and answers, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.types import Acceptance, Audit, Judgement, Measure, Scalar, Status, Table
from reports.gaps import GAPS, gap_words
from reports.words import change_words, epsilons, isolated, number, slice_words

__all__ = ["BEHIND", "WARNS", "accepted_words", "advice", "category_slice", "say"]

# of a table of impact ratios the columns behind the attributes, and the one that holds the share of each ratio
BEHIND, SHARES = 7, {"impact_ratio": "selection rate", "scoring_impact_ratio": "scoring rate"}

WARNS = "counts as a warning while accepted"  # whatever the rows say of it

PLAIN = {
    "ledger_error": "LRP leaves at most {value} of what it explains unaccounted for.",
    "confirmed_slices": "Slices that are wrong more often than other rows, confirmed on half of the rows: {count}.",
    "shortcuts": "One place or one word decides {count} of {n} classes, whatever else a row shows.",
}
OF_GROUPS = {
    "attribute_auc": "In {pairs} of 100 pairs of rows all inputs tell {where}; in 50 chance would.",
    "attribute_auc_without_itself": "In {pairs} of 100 pairs of rows all others tell {where}; in 50 chance would.",
    "score_gap": "The mean score of rows with {where} less that of all others is {value}.",
    "cross_group_excess": (
        "By {where}, rows differ from their like of another group more often than from that of their own, by {value}."
    ),
}


def say(audit: Audit, check: str, m: Measure) -> str:
    """What a measure says, as a sentence about rows and answers."""
    value, where = number(m.value), slice_words(m.slice)
    match m.name:
        case "accuracy" if not m.slice:
            share = next((o.value for o in audit.measures(check) if o.name == "majority_share"), None)
            beside = f"; always naming the commonest class reaches {number(share)}" if share else ""
            return f"The model is right in {value} of the rows{beside}."
        case "impact_ratio" | "scoring_impact_ratio":
            got = "get the favourable answer" if m.name == "impact_ratio" else "score above the median"
            whom = _reference(audit, m)
            unsaid = f"How many times as often rows with {where} {got} as {whom} cannot be said."
            return unsaid if m.value is None else f"Rows with {where} {got} {value} times as often as {whom}."
        case "ledger_error" | "shortcuts" | "confirmed_slices":
            plain = PLAIN[m.name].format(value=value, count=f"{m.value or 0:.0f}", n=f"{m.n:,}")
            return " ".join((*_shortcuts(audit, check)[:1], plain)) if m.name == "shortcuts" else plain
        case "robust_accuracy" if check != "fairness.robustness":
            largest = epsilons(audit.outcome(check))[m.slice]
            change = f"{change_words(m.slice, largest)} leave the model" if largest else "Without a change the model is"
            return f"{change} right in {value} of the attacked rows."
        case name if name in GAPS and check == "fairness.groups":
            return gap_words(audit.measures(check), m)
        case _:
            about = f" for {where}" if m.slice else ""
            plain = "" if m.value is None else OF_GROUPS.get(m.name, "")
            otherwise = f"{m.name.replace('_', ' ').capitalize()}{about} is {value}."
            return plain.format(value=value, where=where, pairs=f"{100 * (m.value or 0):.0f}") or otherwise


def _shortcuts(audit: Audit, check: str) -> list[str]:
    """The sentence of every shortcut that was found, as its table has them."""
    tables = audit.tables(check)
    return [str(row[-1]) for t in tables if t.columns[-1:] == ("shortcut",) for row in t.rows if row[-1]]


def category_slice(table: Table, row: Sequence[Scalar]) -> str:
    """The slice of the category in a row of a table of impact ratios: `sex=Female&race=B`."""
    names = zip(table.columns[:-BEHIND], row[:-BEHIND], strict=True)
    return "&".join(f"{attribute}={group}" for attribute, group in names)


def _reference(audit: Audit, m: Measure) -> str:
    """The category that an impact ratio is taken against."""
    share = SHARES[m.name]
    for table in audit.tables("fairness.impact_ratio"):
        if share in table.columns[-BEHIND:] and any(category_slice(table, row) == m.slice for row in table.rows):
            best = next((row for row in table.rows if row[-BEHIND] == "reference"), None)
            if best is not None:
                names = zip(table.columns, best[:-BEHIND], strict=False)
                return f"rows with {', '.join(f'{isolated(a)} = {isolated(str(group))}' for a, group in names)}"
    return "the group that gets it most"


def advice(j: Judgement, check: str) -> str:
    """What to do about a judgement that did not pass."""
    if j.status is Status.INCONCLUSIVE:
        return j.sentence.partition("; ")[2].partition(". ")[2] or "Audit more rows."
    return {
        "accuracy": "Look at the preflight first: is this the model, and are inputs and labels those of training?",
        "impact_ratio": "Decide with the people concerned whether the difference is justified; look at errors, too.",
        "ledger_error": "Do not show LRP pictures of this model until the functions without a rule are known.",
        "shortcuts": "Look at the place or the word below; if it should not decide, train without it.",
        "robust_accuracy": "Harden it (auditor defend), or state that inputs must come from a trusted source.",
    }.get(j.measure, f"Look at {check} below, and decide whether the limit or the model must change.")


def accepted_words(a: Acceptance, *, expired: bool) -> str:
    """Who answers for a finding, until when, what it counts as meanwhile, and why."""
    until = f"{a.expires:%-d %b %Y}"
    if expired:
        return f"{a.owner} accepted it until {until}, which has passed: {a.reason}"
    return f"Accepted by {a.owner} until {until} ({WARNS}): {a.reason}"
