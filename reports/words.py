"""Figures and verdicts in words: how numbers are written, what a finding says."""

from __future__ import annotations

import re
import unicodedata

from auditor.sentences import n_words
from auditor.types import Audit, Bound, Measure, Outcome, Status, Verdict

__all__ = [
    "MINUS",
    "NOT_KNOWN",
    "ROUNDING",
    "STATUS",
    "VERDICT",
    "bound_words",
    "change_words",
    "epsilons",
    "figure",
    "figure_words",
    "isolated",
    "number",
    "signed",
    "size",
    "slice_words",
    "subject_name",
]

VERDICT = {
    Verdict.PASS: "Pass",
    Verdict.CONDITIONS: "Pass with conditions",
    Verdict.FAIL: "Fail",
    Verdict.INCOMPLETE: "Incomplete",
}
STATUS = {
    Status.PASS: "Passed",
    Status.WARN: "Warning",
    Status.FAIL: "Failed",
    Status.INCONCLUSIVE: "Undecided",
    Status.MEASURED: "Measured",
    Status.NOT_APPLICABLE: "Not applicable",
    Status.SKIPPED: "Skipped",
    Status.ERROR: "Error",
}
NOT_KNOWN = "not known"
ROUNDING = 1e-12  # a smaller change is none
MINUS = "\N{MINUS SIGN}"
# measures whose name is not yet the word for them
NAMES = {
    "brier": "Brier score",
    "certified_accuracy": "accuracy proved by bounds",
    "attacked_accuracy": "accuracy under attack",
    "corruption_accuracy": "accuracy under corruption",
    "missing_accuracy": "accuracy with values missing",
    "consensus": "agreement of methods",
    "max_sensitivity": "largest change of an explanation",
    "sensitivity_n": "faithfulness (sensitivity-n)",
    "rules_fired": "signs of a failed attack",
    "demographic_parity_difference": "gap in favourable answers",
    "equal_opportunity_difference": "gap in true positive rates",
    "equalized_odds_difference": "gap in rates of errors",
    "predictive_parity_difference": "gap in precision",
    "accuracy_difference": "gap in accuracy",
    "majority_share": "share of the commonest class",
    "tpr": "true positive rate",
    "fpr": "false positive rate",
    "tnr": "true negative rate",
    "fnr": "false negative rate",
    "ppv": "favourable answers that are true",
    "npv": "unfavourable answers that are true",
    "fdr": "favourable answers that are false",
    "for": "unfavourable answers that are false",
    "auc": "area under ROC",
    "auroc": "area under ROC",
    "ece": "calibration error",
    "mcc": "Matthews correlation",
    "fpr95": "foreign rows that pass",
}
DIFFERENCES = (("_fall_difference", "gap in the fall of"), ("_difference", "gap in"))
OURS = {"corruption", "missing", "method", "detector", "attack"}  # attributes whose groups have names of our own
FROM_THE_RIGHT = {"R", "AL", "AN"}  # bidirectional classes of characters
# R&D is one name, sex=F&race=B are two groups, attack=A&linf@0.1 is an attack and how far it may go
SIZE = r"(?:linf|l2|l1|l0|words)@\d+(?:\.\d+)?(?:e[+-]?\d+)?"
CROSSED = re.compile(rf"&(?=[^&=]+=|{SIZE}$)")


# ---- numbers -----------------------------------------------------------------------------------------------------
def number(value: float | None, digits: int = 2) -> str:
    """A figure for reading: `digits` decimals, more where it is small, powers of ten where it is tiny, a real minus."""
    if value is None:
        return NOT_KNOWN
    if value < 0:
        return f"{MINUS}{number(-value, digits)}"
    if value == 0 or value >= 0.5 * 10**-digits:
        return f"{value:,.{digits}f}" if value < 1e6 else f"{value:,.0f}"
    return f"{value:.2g}"


def signed(value: float | None, digits: int) -> str:
    """A change with its sign, a real minus among them; 0 of one that is the rounding of two figures computed apart."""
    if value is None:
        return NOT_KNOWN
    value = 0.0 if abs(value) < ROUNDING else value
    shown = f"{value:+.{digits}f}" if value == 0 or abs(value) >= 0.5 * 10**-digits else f"{value:+.1g}"
    return shown.replace("-", MINUS)


def figure(m: Measure, digits: int = 2) -> str:
    """A measure with its interval and n."""
    if m.low is None or m.high is None:
        return f"{number(m.value, digits)} (n = {m.n:,})"
    interval = f"95 % interval {number(m.low, digits)} to {number(m.high, digits)}"
    return f"{number(m.value, digits)} ({interval}; {n_words(m)})"


def size(epsilon: float) -> str:
    """An epsilon as people write it: 2/255 for pixels in bytes, a decimal otherwise."""
    bytes_ = epsilon * 255
    if abs(epsilon - round(epsilon, 3)) < 1e-9 or abs(bytes_ * 2 - round(bytes_ * 2)) > 1e-6:
        return f"{epsilon:.3g}"
    return f"{bytes_:g}/255"


def epsilons(outcome: Outcome | None) -> dict[str, float]:
    """The audited epsilons of a curve by slice; a slice itself holds three digits only."""
    found, tables = (outcome.measures, outcome.tables) if outcome else ((), ())
    rows = next((t.rows for t in tables if t.columns[0] == "epsilon"), ())
    exact = {f"{row[0]:.3g}": float(row[0]) for row in rows if isinstance(row[0], float)}
    parts = {m.slice: m.slice.partition("@")[2] for m in found if "@" in m.slice}
    return {s: exact.get(e, float(e)) for s, e in parts.items()}


def figure_words(name: str) -> str:
    """A measure by its name as people say it."""
    ending, gap = next(((e, words) for e, words in DIFFERENCES if name.endswith(e)), ("", ""))
    if name not in NAMES and gap:
        return f"{gap} {figure_words(name.removesuffix(ending))}"
    return NAMES.get(name, name.replace("_", " "))


def isolated(name: str) -> str:
    """A name from the data; one that runs from right to left held apart, so that figures beside it keep their place."""
    turns = any(unicodedata.bidirectional(c) in FROM_THE_RIGHT for c in name)
    return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}" if turns else name


def bound_words(bound: Bound) -> str:
    """`at least 0.80`, with the measure's name where the limit is one."""
    if bound.value is None:
        return f"the value of {figure_words(bound.measure)}, which is {NOT_KNOWN}"
    words = "at least" if bound.side == "below" else "at most"
    exact = number(bound.value) if round(bound.value, 2) == bound.value else f"{bound.value:.4g}"
    if bound.side == "worse":
        return f"{words} {exact} worse than the baseline"
    return f"{words} {exact}" + (f" ({figure_words(bound.measure)})" if bound.measure else "")


def slice_words(text: str) -> str:
    """`sex=Female&race=B` as `sex = Female, race = B`; `linf@0.15` as `changes up to 0.15`."""
    return ", ".join(f"{isolated(a)} = {_value(a, group)}" if group else _alone(a) for a, group in groups_of(text))


def _value(attribute: str, group: str) -> str:
    return group.replace("_", " ") if attribute in OURS else isolated(group)


def change_words(text: str, largest: float) -> str:
    """How far inputs may change at a slice such as `linf@0.15` or `words@2`, whose exact size is `largest`."""
    count = f"{largest:.0f} changed {{}}{'s' if largest != 1 else ''}"
    match text.rpartition("&")[2].partition("@")[0]:
        case "words":
            return f"At most {count.format('word')}"
        case "l0":
            return f"At most {count.format('element')}"
        case "l1":
            return f"Changes that add up to at most {size(largest)}"
        case "l2":
            return f"Changes of length {size(largest)} at most"
        case _:
            return f"Changes of at most {size(largest)}"


def _alone(text: str) -> str:
    """An attribute without a group, or how far inputs may change."""
    if not re.fullmatch(SIZE, text):  # a column may be called me@work
        return isolated(text)
    kind, _, largest = text.partition("@")
    if largest == "0":
        return "no change"
    if kind == "linf":
        return f"changes up to {largest}"
    said = change_words(text, float(largest))
    return said[0].lower() + said[1:]


def groups_of(text: str) -> list[tuple[str, str]]:
    """`sex=Female&dept=R&D` as its attributes with their groups; an attribute alone has the group ""."""
    return [(attribute, group) for attribute, _, group in (part.partition("=") for part in CROSSED.split(text))]


def counted(n: int, what: str) -> str:
    """`1 limit`, `2 limits`, `1,000 rows`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def subject_name(audit: Audit) -> str:
    """What was audited: its declared name and version, else its file."""
    name = audit.subject.get("name") or audit.subject.get("model", {}).get("file") or "predictions"
    return f"{name} {audit.subject.get('version') or ''}".strip()
