"""What the evidence says of each method in one line: usable, weak or misleading here, with the figures behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.types import Audit, Measure, Outcome
from reports.parts import Grid
from reports.pillars.common import result_of
from reports.words import counted, number

__all__ = ["MEANING", "Worth", "worth_called", "worth_grid", "worth_of", "worths"]

USABLE, WEAK, MISLEADING, UNDECIDED = "usable", "weak", "misleading here", "undecided"
FEWEST = 8  # rows below which a test over several methods can hardly come out
ALIKE, SAME = 0.3, 0.5  # rank correlations with the explanation of random weights
STEADY = 0.95
Figures = Mapping[str, Measure]
MEANING = (
    "Usable: beats chance and what stands out without the model in most measures, and is gone with the weights. "
    "Misleading: chance is better in most measures, or random weights leave it as it is. Weak: neither. "
    f"Undecided: fewer than {FEWEST} rows."
)


METHODS = {  # whose maps a check shows first
    "explain.gradcam": "Grad-CAM",
    "explain.lrp": "LRP",
    "explain.integrated_gradients": "Integrated gradients",
    "explain.smoothgrad": "SmoothGrad x input",
    "explain.attention": "Attention rollout",
    "explain.occlusion": "Occlusion",
    "explain.rise": "RISE",
    "explain.shap": "SHAP",
    "explain.lime": "LIME",
}


@dataclass(frozen=True)
class Worth:
    """A method by its name: the word for it, and the figures in words."""

    method: str
    word: str
    figures: str

    @property
    def line(self) -> str:
        """`Weak here: beats chance ...`."""
        word = self.word if self.word.endswith("here") else f"{self.word} here"
        return f"{word[0].upper()}{word[1:]}: {self.figures}."


def worths(audit: Audit) -> dict[str, Worth]:
    """Every method that faithfulness was measured of, by its name; empty where it was not."""
    found = {check: _by_method(audit, f"explain.{check}") for check in ("faithfulness", "sanity", "stability")}
    return {
        m: _of(m, own, found["sanity"].get(m, {}), found["stability"].get(m, {}))
        for m, own in found["faithfulness"].items()
    }


def worth_of(found: Mapping[str, Worth], o: Outcome) -> Worth | None:
    """What is said of the method that a check shows first; None where nothing is."""
    own = METHODS.get(o.check, "")
    expected = own == "Integrated gradients" and o.params.get("baseline") == "expected"
    return found.get("Expected gradients" if expected else own)


def worth_called(found: Mapping[str, Worth], shown: str) -> Worth | None:
    """What is said of the method that is called `shown`; None where that is no method's name."""
    return next((w for w in found.values() if w.method.lower() == shown.lower()), None)


def worth_grid(found: Mapping[str, Worth]) -> Grid:
    """The lines as a table."""
    rows = [[w.method, w.word, w.figures] for w in found.values()]
    return Grid("What the evidence says of each method", ("method", "here", "figures"), rows)


def _by_method(audit: Audit, check: str) -> dict[str, dict[str, Measure]]:
    """A check's measures of whole methods, by method and name."""
    result = result_of(audit, check)
    found: dict[str, dict[str, Measure]] = {}
    for m in result.measures if result else ():
        attribute, _, method = m.slice.partition("=")
        if attribute == "method" and "&measure=" not in method:
            found.setdefault(method, {})[m.name] = m
    return found


def _of(
    method: str, faithful: Mapping[str, Measure], sane: Mapping[str, Measure], stable: Mapping[str, Measure]
) -> Worth:
    speaks, against, told = (int(_value(faithful, f"evidence_{n}") or 0) for n in ("for", "against", "measures"))
    rows = faithful["evidence_for"].n
    figures = [f"beats chance and model-free orders in {speaks} of {counted(told, 'measure')} ({counted(rows, 'row')})"]
    if against:
        figures.append(f"chance beats it in {against}")
    random, steady = sane.get("random_correlation"), stable.get("steady")
    if random is not None and random.value is not None:
        figures.append(f"correlation with random weights {number(random.value)}")
    if steady is not None and steady.value is not None:
        figures.append(f"steady in {steady.value:.0%} of {counted(steady.n, 'row')}")
    return Worth(method, _word(speaks, against, told, rows, random, steady), "; ".join(figures))


def _word(speaks: int, against: int, told: int, rows: int, random: Measure | None, steady: Measure | None) -> str:
    low = random.low if random is not None else None
    if (low is not None and low > SAME) or (against > speaks and 2 * against >= told):
        return MISLEADING
    if rows < FEWEST or not told:
        return UNDECIDED
    gone = random is None or random.value is None or random.value < ALIKE
    shaky = steady is not None and steady.high is not None and steady.high < STEADY
    return USABLE if 2 * speaks > told and not against and gone and not shaky else WEAK


def _value(measures: Figures, name: str) -> float | None:
    return measures[name].value if name in measures else None
