"""What improved, what got worse, what did not move, and what cannot be said: pillar by pillar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from auditor.comparing.changes import Change
from auditor.stats import holm
from auditor.types import Audit, Outcome, Status
from reports.words import ROUNDING, groups_of

__all__ = ["COUNTED", "PILLARS", "Judged", "Pillar", "Summed", "Word", "summary"]

LEVEL = 0.05
COUNTED = "rules_fired"  # signs of a failed attack: seen or not, no rate with an interval


class Word(StrEnum):
    """How a figure has moved."""

    IMPROVED = "improved"
    WORSE = "got worse"
    UNMOVED = "did not move"
    UNSAID = "cannot be said"


@dataclass(frozen=True)
class Pillar:
    """A part of the summary: the checks that fill it, and which of their figures (name, slice) it is about.

    They are chosen by what they are, before any is seen: those that carry a check's message.
    """

    key: str
    title: str
    checks: tuple[str, ...]
    holds: Callable[[str, str], bool]


@dataclass(frozen=True)
class Judged:
    """A change with its word; `p` is that it is none, adjusted for all figures of the summary."""

    change: Change
    word: Word
    p: float


@dataclass(frozen=True)
class Summed:
    """A pillar with its figures, the most telling first; `why` there are none."""

    pillar: Pillar
    figures: tuple[Judged, ...]
    why: str

    def of(self, word: Word) -> list[Judged]:
        """Its figures of that word."""
        return [j for j in self.figures if j.word is word]


def _named(*names: str) -> Callable[[str, str], bool]:
    return lambda name, _: name in names


def _at_sizes(*names: str) -> Callable[[str, str], bool]:
    """Those at every size of a change but 0, which is plain accuracy."""
    return lambda name, about: name in names and not about.endswith("@0")


def _attacked(name: str, about: str) -> bool:
    return name == COUNTED or _at_sizes("robust_accuracy", "stable_rate")(name, about)


def _corrupted(name: str, about: str) -> bool:
    """Over all severities, not at each; of missing values those that are missing at random."""
    if name in ("missing_accuracy", "missing_error"):
        return about.startswith("missing=random&")
    return name in ("corruption_accuracy", "corruption_error", "spatial_accuracy") and "&" not in about


def _gap(name: str, about: str) -> bool:
    """Gaps in selection and in errors, and ratios, of single attributes: the more figures, the less each can show."""
    return name in COUNTED_GAPS and len(groups_of(about)) == 1 and "&" not in about


COUNTED_GAPS = frozenset({
    "demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference",
    "predictive_parity_difference", "accuracy_difference", "mean_residual_difference",
    "mean_absolute_error_difference", "impact_ratio",
})  # fmt: skip
PILLARS = (
    Pillar(
        "performance",
        "Performance",
        ("performance.accuracy", "intake.preflight"),
        _named("accuracy", "mean_absolute_error"),
    ),  # of a regression the preflight measures its error
    Pillar("robustness", "Robustness", ("robustness.curve", "robustness.trust"), _attacked),
    Pillar("bounds", "Bounds", ("robustness.certified",), _at_sizes("certified_accuracy")),
    Pillar("corruption", "Corruption", ("robustness.corruption", "robustness.missing"), _corrupted),
    Pillar("calibration", "Calibration", ("performance.accuracy", "performance.calibration"), _named("brier")),
    Pillar(
        "explanations",
        "Explanations",
        ("explain.agreement", "explain.stability", "explain.faithfulness"),
        _named("consensus", "max_sensitivity", "sensitivity_n"),
    ),
    Pillar("fairness", "Fairness", ("fairness.groups", "fairness.impact_ratio"), _gap),
)


def summary(found: Sequence[Change], a: Audit, b: Audit) -> tuple[Summed, ...]:
    """Every pillar with its figures, judged together: in about 5 % at most is any wrongly said to have moved.

    Holm's correction runs over the figures of all pillars, each with the p-value at which its interval leaves 0 out.
    """
    chosen = [(p, c) for p in PILLARS for c in found if c.check in p.checks and p.holds(c.name, c.slice)]
    tested = [(p, c) for p, c in chosen if _can_be_said(c)]
    adjusted = dict(zip(((p.key, _key(c)) for p, c in tested), holm([_p(c) for _, c in tested]), strict=True))
    summed = []
    for pillar in PILLARS:
        own = [(c, adjusted.get((pillar.key, _key(c)))) for p, c in chosen if p is pillar]
        judged = sorted((Judged(c, _word(c, p), 1.0 if p is None else p) for c, p in own), key=_order)
        summed.append(Summed(pillar, tuple(judged), "" if judged else _why(pillar, a, b)))
    return tuple(summed)


def _key(c: Change) -> tuple[str, str, str]:
    return c.check, c.name, c.slice


def _can_be_said(c: Change) -> bool:
    return c.moved is not None and c.ends is not None and not c.doubt and c.better != "neither"


def _p(c: Change) -> float:
    return c.moved.p if c.moved else 1.0


def _word(c: Change, p: float | None) -> Word:
    if c.name == COUNTED and c.value is not None and c.doubt in ("", "no interval"):
        return Word.UNMOVED if c.value == 0 else Word.WORSE if c.value > 0 else Word.IMPROVED
    if p is None or c.value is None:
        return Word.UNSAID
    if p > LEVEL or abs(c.value) < ROUNDING:
        return Word.UNMOVED
    return Word.IMPROVED if (c.value > 0) == (c.better == "higher") else Word.WORSE


def _order(j: Judged) -> tuple[int, float, float]:
    """Worse first, and what is surest and has moved most."""
    words = (Word.WORSE, Word.IMPROVED, Word.UNMOVED, Word.UNSAID)
    return words.index(j.word), j.p, -abs(j.change.value or 0.0)


def _why(pillar: Pillar, a: Audit, b: Audit) -> str:
    """Why nothing of a pillar was measured, on the sides where it was not."""
    every = [(side, check, x.outcome(check)) for check in pillar.checks for side, x in (("before", a), ("after", b))]
    told = [(side, o) for side, _, o in every if o is not None and o.status is not Status.SKIPPED]
    if not told:
        return "no check of it was run"
    reasons = dict.fromkeys(_reason(o) for _, o in told)
    return "; ".join(reasons)


def _reason(o: Outcome) -> str:
    if o.status is Status.NOT_APPLICABLE:
        return f"{o.check} does not apply: {o.reason}"
    if o.status is Status.ERROR:
        return f"{o.check} ended with an error: {o.reason}"
    return f"{o.check} has no figure of it"
