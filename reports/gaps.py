"""Gaps between groups in words: what lies apart, between whom, and whom that harms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.types import Measure
from reports.words import groups_of, isolated, number

__all__ = [
    "ALLOCATION", "CRITERIA", "GAPS", "QUALITY", "Between", "Criterion", "attributes_of", "between", "by_words",
    "gap_words", "without_about",
]  # fmt: skip

MISSING = "(missing)"
ALLOCATION, QUALITY = "allocation", "quality of service"

# what a gap lies between, by its name: the figures of groups that it is made of, and what these are shares of
GAPS: dict[str, tuple[tuple[str, ...], str]] = {
    "demographic_parity_difference": (("selection_rate",), "the shares that get the favourable answer"),
    "equal_opportunity_difference": (("tpr",), "the shares of the truly favourable that are found"),
    "equalized_odds_difference": (("tpr", "fpr"), "the shares that are rightly found, or wrongly favoured,"),
    "fpr_difference": (("fpr",), "the shares of the others that are wrongly favoured"),
    "predictive_parity_difference": (("ppv",), "the shares of favourable answers that are true"),
    "npv_difference": (("npv",), "the shares of unfavourable answers that are true"),
    "accuracy_difference": (("accuracy",), "accuracies"),
    "base_rate_difference": (("base_rate",), "the shares that are truly favourable"),
    "mean_score_difference": (("mean_score",), "mean scores"),
    "brier_difference": (("brier",), "Brier scores"),
    "auc_difference": (("auc",), "areas under the ROC curve"),
    "mean_residual_difference": (("mean_residual",), "mean residuals"),
    "mean_absolute_error_difference": (("mean_absolute_error",), "mean absolute errors"),
    "mean_value_difference": (("mean_value",), "mean values"),
}


# what a gap that is the larger of two lies in, by the figure of the groups that are furthest apart
LARGER = {"tpr": GAPS["equal_opportunity_difference"][1], "fpr": GAPS["fpr_difference"][1]}


@dataclass(frozen=True)
class Criterion:
    """A criterion of groups being treated alike: the gap that measures it, and the harm where it does not hold."""

    name: str
    gap: str
    harm: str


CRITERIA = (
    Criterion("Independence (demographic parity)", "demographic_parity_difference", ALLOCATION),
    Criterion("Separation (equalised odds)", "equalized_odds_difference", QUALITY),
    Criterion("Equal opportunity", "equal_opportunity_difference", QUALITY),
    Criterion("Sufficiency (predictive parity)", "predictive_parity_difference", QUALITY),
    Criterion("Equal accuracy", "accuracy_difference", QUALITY),
    Criterion("Equal residuals", "mean_residual_difference", QUALITY),
    Criterion("Equal errors", "mean_absolute_error_difference", QUALITY),
    Criterion("Equal values", "mean_value_difference", ALLOCATION),
)


@dataclass(frozen=True)
class Between:
    """The two groups that lie furthest apart in a figure, of those that a gap compares.

    `about` ends their slices, such as `&class=cat`, where each class in turn is the favourable one; else it is "".
    """

    highest: Measure
    lowest: Measure
    about: str

    @property
    def ends(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """The group with the highest figure and that with the lowest in words, such as `f, a`, each with its figure."""
        first, second = ((group_words(m.slice.removesuffix(self.about)), m.value) for m in (self.highest, self.lowest))
        return (first[0], number(first[1])), (second[0], number(second[1]))


def between(measures: Iterable[Measure], gap: Measure) -> Between | None:
    """The groups that `gap` lies between, among the `measures` of its check; None where they are not there."""
    figures, _ = GAPS.get(gap.name, ((), ""))
    attributes, about = attributes_of(gap.slice)
    pairs = [
        m for m in measures if m.name in figures and m.value is not None and _is_group_of(m, attributes, about, gap)
    ]
    found = []
    for figure in figures:
        own = sorted((m for m in pairs if m.name == figure), key=lambda m: m.value or 0.0)
        if len(own) > 1:
            found.append(Between(own[-1], own[0], about))
    return max(found, key=lambda b: (b.highest.value or 0.0) - (b.lowest.value or 0.0), default=None)


def attributes_of(text: str) -> tuple[list[str], str]:
    """The attributes of a gap's slice, as in `sex&race` or `sex&class=cat`, and what follows them, as `&class=cat`.

    Attributes of a gap have no group there, so that one of them may be called `class`, too.
    """
    names = text.partition("&class=")[0].split("&")
    return names, text[len("&".join(names)) :]


def without_about(text: str, abouts: Iterable[str]) -> str:
    """A group's slice without that one of `abouts` that ends it, such as `&class=cat`; the slices of gaps have them."""
    return text.removesuffix(next((a for a in abouts if text.endswith(a)), ""))


def _is_group_of(m: Measure, attributes: Sequence[str], about: str, gap: Measure) -> bool:
    if not m.slice.endswith(about):
        return False
    named = groups_of(m.slice.removesuffix(about))
    compared = _blocks(gap)
    return [a for a, _ in named] == list(attributes) and MISSING not in (g for _, g in named) and (
        not compared or tuple(m.counts) in compared
    )  # fmt: skip


def _blocks(gap: Measure) -> set[tuple[float, ...]]:
    """The counts of the groups that a gap compares, where they stand in pairs; a group left out is not between."""
    if gap.method not in {"largest-gap", "largest-of-two-gaps"}:
        return set()
    pairs = gap.counts[len(gap.counts) % 2 :]
    return set(zip(pairs[::2], pairs[1::2], strict=True))


def by_words(text: str) -> str:
    """`sex&race` as `sex and race`; `sex&class=cat` as `sex, favourable answer cat`."""
    names, about = attributes_of(text)
    attributes = [isolated(name) for name in names]
    favourable = f", favourable answer {isolated(about.removeprefix('&class='))}" if about else ""
    return (" and ".join(attributes) if len(attributes) < 3 else ", ".join(attributes)) + favourable


def group_words(text: str) -> str:
    """`sex=f&race=a` as `f, a`."""
    return ", ".join(isolated(group) for _, group in groups_of(text))


def gap_words(measures: Iterable[Measure], gap: Measure) -> str:
    """What lies how far apart between whom, in a sentence."""
    figures, what = GAPS.get(gap.name, ((), gap.name.replace("_", " ")))
    ends = between(measures, gap)
    if ends is not None and len(figures) > 1:
        what = LARGER[ends.highest.name]
    sentence = f"By {by_words(gap.slice)}, {what} differ by {number(gap.value)}"
    if ends is None:
        return f"{sentence}."
    (high, most), (low, least) = ends.ends
    return f"{sentence}: {most} of {high}, {least} of {low}."
