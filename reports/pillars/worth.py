"""What the evidence says of each method in one line: usable, weak or misleading here, with the figures behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.percents import percent
from auditor.types import Audit, Measure, Outcome
from reports.parts import Grid
from reports.words import NOT_KNOWN, counted

__all__ = ["MEANING", "Worth", "worth_called", "worth_grid", "worth_of", "worths"]

USABLE, WEAK, MISLEADING, UNTOLD = "usable", "weak", "misleading here", "cannot be told"
FEWEST = 8  # rows below which a test over several methods can hardly come out
ALIKE, SAME = 0.3, 0.5  # rank correlations with the explanation of random weights
STEADY = 0.95
Figures = Mapping[str, Measure]
MEANING = (
    "Beats both: in how many measures of faithfulness it is significantly better than chance and than what stands out "
    "without the model. Random weights: how far its maps stay the same without the model's. Usable: beats both in most "
    "measures, and is gone with the weights. Misleading: chance is better in most, or random weights leave it as it "
    "is. Weak: neither. "
    f"Cannot be told: fewer than {FEWEST} rows, or no measure that says anything."
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
    """A method by its name: the word for it, and the figures that it follows from.

    It beats chance and model-free orders in `speaks` of `told` measures on `rows` rows, and chance beats it in
    `against`. `random` is the correlation with its maps of random weights, `steady` the rate of rows in which it stands
    still and `of` how many there were; None where they were not measured.
    """

    method: str
    word: str
    speaks: int
    against: int
    told: int
    rows: int
    random: float | None = None
    steady: float | None = None
    of: int = 0

    @property
    def figures(self) -> str:
        """What the word follows from, in words."""
        beaten = f"beats chance and model-free orders in {self.speaks} of {counted(self.told, 'measure')}"
        found = [f"{beaten} ({counted(self.rows, 'row')})"]
        found += [f"chance beats it in {self.against}"] * (self.against > 0)
        if self.random is not None:
            found.append(f"correlation with random weights {_signed(self.random)}")
        if self.steady is not None:
            found.append(f"steady in {percent(self.steady)} of {counted(self.of, 'row')}")
        return "; ".join(found)

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
    """The words with their figures as a table."""
    rows = [
        [
            w.method,
            w.word,
            f"{w.speaks} of {w.told}",
            f"{w.against} of {w.told}",
            NOT_KNOWN if w.random is None else _signed(w.random),
            NOT_KNOWN if w.steady is None else percent(w.steady),
            f"{w.rows:,}",
        ]
        for w in found.values()
    ]
    columns = ("method", "here", "beats both", "chance beats it", "random weights", "steady rows", "rows")
    return Grid("What the evidence says of each method", columns, rows, frozenset(range(2, 7)))


def _signed(value: float) -> str:
    """A correlation with two decimals and a true minus; no zero has one."""
    shown = f"{value:.2f}"
    return "0.00" if shown == "-0.00" else shown.replace("-", "\N{MINUS SIGN}")


def _by_method(audit: Audit, check: str) -> dict[str, dict[str, Measure]]:
    """A check's measures of whole methods, by method and name."""
    found: dict[str, dict[str, Measure]] = {}
    for m in audit.measures(check):
        attribute, _, method = m.slice.partition("=")
        if attribute == "method" and "&measure=" not in method:
            found.setdefault(method, {})[m.name] = m
    return found


def _of(
    method: str, faithful: Mapping[str, Measure], sane: Mapping[str, Measure], stable: Mapping[str, Measure]
) -> Worth:
    speaks, against, told = (int(_value(faithful, f"evidence_{n}") or 0) for n in ("for", "against", "measures"))
    rows = faithful["evidence_for"].n
    random, steady = sane.get("random_correlation"), stable.get("steady")
    word = _word(speaks, against, told, rows, random, steady)
    known = (None if random is None else random.value, None if steady is None else steady.value)
    return Worth(method, word, speaks, against, told, rows, *known, 0 if steady is None else steady.n)


def _word(speaks: int, against: int, told: int, rows: int, random: Measure | None, steady: Measure | None) -> str:
    low = random.low if random is not None else None
    if (low is not None and low > SAME) or (against > speaks and 2 * against >= told):
        return MISLEADING
    if rows < FEWEST or not told:
        return UNTOLD
    gone = random is None or random.value is None or random.value < ALIKE
    shaky = steady is not None and steady.high is not None and steady.high < STEADY
    return USABLE if 2 * speaks > told and not against and gone and not shaky else WEAK


def _value(measures: Figures, name: str) -> float | None:
    return measures[name].value if name in measures else None
