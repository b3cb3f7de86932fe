"""The figures of one group, and the gaps between groups that are made of them.

Each figure is a name, what is better, a method of `auditor.stats` and its counts. A gap takes the counts of one or two
figures of all groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor.contingency import Cell
from auditor.counting.ordered import Ranks
from auditor.counting.tally import Sums
from auditor.counting.values import Spreads
from auditor.stats import measured
from auditor.types import Better, Measure
from auditor.unsaid import TOO_FEW_GROUPS

__all__ = ["GAPS", "RATES", "Gap", "gaps", "of_answers", "of_area", "of_distance", "of_scores", "of_values"]

Counts = tuple[float, ...]
RATES: dict[str, Better] = {
    "selection_rate": "neither",
    "base_rate": "neither",
    "tpr": "higher",
    "fpr": "lower",
    "fnr": "lower",
    "tnr": "higher",
    "ppv": "higher",
    "npv": "higher",
    "fdr": "lower",
    "for": "lower",
    "accuracy": "higher",
}


# ---- one group ---------------------------------------------------------------------------------------------------
def of_answers(cell: Cell, where: str) -> Iterator[Measure]:
    """What the answers of a group come to: the rates of `RATES`, and what several of them come to together."""
    for name, better in RATES.items():
        counts = getattr(cell, name if name != "for" else "for_")
        yield measured(name, where, "wilson", counts, n=counts[1], better=better)
    four = (cell.tp, cell.fp, cell.fn, cell.tn)
    yield measured("balanced_accuracy", where, "balanced-accuracy", four, n=cell.n, better="higher")
    yield measured("mcc", where, "mcc", four, n=cell.n, better="higher")
    yield measured("fn_fp_ratio", where, "odds", (cell.fn, cell.fp), n=cell.fn + cell.fp)
    entropy = (cell.fp, cell.fn, cell.n)
    yield measured("generalized_entropy", where, "generalized-entropy", entropy, n=cell.n, better="lower")


def of_scores(sums: Sums, g: int, where: str) -> Iterator[Measure]:
    """What the scores of a group come to: their mean, the Brier score and the expected calibration error."""
    n = sums.mean(g)[2]
    yield measured("mean_score", where, "wilson-of-scores", sums.mean(g), n=n)
    yield measured("brier", where, "wilson-of-scores", sums.brier(g), n=n, better="lower")
    yield measured("ece", where, "ece", sums.bins(g), n=n, better="lower")


def of_area(ranks: Ranks, g: int, where: str) -> Iterator[Measure]:
    """The area under a group's own ROC curve."""
    positives, negatives = int(ranks.positives[g]), int(ranks.negatives[g])
    wins = float(ranks.wins[g]) / max(1, negatives)  # positives, each by the share of negatives that lie below it
    yield measured("auc", where, "mann-whitney", (wins, positives, negatives), n=positives + negatives, better="higher")


def of_distance(ranks: Ranks, g: int, where: str) -> Iterator[Measure]:
    """How far the distribution of a group's scores lies from that of all other rows."""
    sizes = ranks.positives + ranks.negatives
    n, others = int(sizes[g]), int(sizes.sum() - sizes[g])
    if others:
        yield measured("ks_distance", where, "ks", (float(ranks.apart[g]), n, others), n=n)


def of_values(spreads: Spreads, g: int, where: str) -> Iterator[Measure]:
    """How far off the values of a group are, and what they are, in the mean."""
    for name in spreads.means:
        counts = spreads.of(name, g)
        if name == "mean_absolute_error":
            yield measured(name, where, "student-of-sizes", counts, n=counts[0], better="lower")
        else:
            yield measured(name, where, "student", counts, n=counts[0], better="neither")


# ---- between groups ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Gap:
    """A gap in one or two `figures` by a `method` of `auditor.stats`; `rows` gives how many of a group it is about."""

    figures: tuple[str, ...]
    method: str
    better: Better = "lower"
    block: Callable[[Counts], Counts] = tuple
    rows: Callable[[Counts], float] = lambda counts: counts[-1]


def _all_errors(counts: Counts) -> Counts:
    """Of (missed, wrongly favoured) how many errors are missed ones: odds are equal where these shares are."""
    return counts[0], counts[0] + counts[1]


GAPS: Mapping[str, Gap] = {
    "demographic_parity_difference": Gap(("selection_rate",), "largest-gap"),
    "demographic_parity_ratio": Gap(("selection_rate",), "smallest-ratio", "higher"),
    "equal_opportunity_difference": Gap(("tpr",), "largest-gap"),
    "equal_opportunity_ratio": Gap(("tpr",), "smallest-ratio", "higher"),
    "equalized_odds_difference": Gap(("tpr", "fpr"), "largest-of-two-gaps"),
    "equalized_odds_mean_difference": Gap(("tpr", "fpr"), "mean-of-two-gaps"),
    "equalized_odds_ratio": Gap(("tpr", "fpr"), "smaller-of-two-ratios", "higher"),
    "fpr_difference": Gap(("fpr",), "largest-gap"),
    "predictive_parity_difference": Gap(("ppv",), "largest-gap"),
    "predictive_parity_ratio": Gap(("ppv",), "smallest-ratio", "higher"),
    "npv_difference": Gap(("npv",), "largest-gap"),
    "accuracy_difference": Gap(("accuracy",), "largest-gap"),
    "accuracy_ratio": Gap(("accuracy",), "smallest-ratio", "higher"),
    "treatment_equality_difference": Gap(("fn_fp_ratio",), "largest-gap", block=_all_errors, rows=sum),
    "base_rate_difference": Gap(("base_rate",), "largest-gap", "neither"),
    "between_group_generalized_entropy": Gap(("generalized_entropy",), "between-entropy"),
    "mean_score_difference": Gap(("mean_score",), "largest-gap-of-scores"),
    "brier_difference": Gap(("brier",), "largest-gap-of-scores"),
    "auc_difference": Gap(("auc",), "largest-gap-of-areas", rows=lambda counts: min(counts[1:])),
    "mean_residual_difference": Gap(("mean_residual",), "largest-gap-of-means", rows=lambda counts: counts[0]),
    "mean_absolute_error_difference": Gap(
        ("mean_absolute_error",), "largest-gap-of-means", rows=lambda counts: counts[0]
    ),
    "mean_value_difference": Gap(("mean_value",), "largest-gap-of-means", rows=lambda counts: counts[0]),
}


def gaps(found: Sequence[Measure], where: str, smallest: int) -> Iterator[Measure]:
    """Every gap between the groups whose figures are `found`, of those with `smallest` rows that a figure is about.

    None where there are no two such groups.
    """
    blocks: dict[str, list[Counts]] = {}
    for m in found:
        blocks.setdefault(m.name, []).append(m.counts)
    for name, gap in GAPS.items():
        if not all(figure in blocks for figure in gap.figures):
            continue
        large = [[c for c in blocks[figure] if gap.rows(c) >= smallest] for figure in gap.figures]
        n = int(sum(gap.rows(c) for c in large[0]))
        if min(map(len, large)) < 2:
            yield Measure(name, where, None, n, better=gap.better, why=TOO_FEW_GROUPS)
            continue
        counts = tuple(v for side in large for c in side for v in gap.block(c))
        lead = (len(large[0]),) if len(large) > 1 else ()
        yield measured(name, where, gap.method, (*lead, *counts), n=n, better=gap.better)
