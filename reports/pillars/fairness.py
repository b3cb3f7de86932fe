"""Fairness: who gets the favourable answer, and who bears which errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from auditor.sentences import n_words
from auditor.store import Record
from auditor.types import Outcome
from reports.parts import Section, interval_words
from reports.pillars.calibrated import calibrated
from reports.pillars.common import plain_blocks, ran
from reports.pillars.consistency import consistency
from reports.pillars.flips import flip_blocks
from reports.pillars.found_slices import found_slices
from reports.pillars.gap_parts import gap_parts
from reports.pillars.groups import groups
from reports.pillars.impact import impact, most_surely_behind
from reports.pillars.proxies import proxies
from reports.pillars.robust_groups import robust_groups
from reports.pillars.tradeoff import tradeoff
from reports.saying import say
from reports.since import beside_baseline

__all__ = ["fairness"]

BLOCKS: dict[str, Callable[[Outcome], Sequence[Any]]] = {
    "fairness.impact_ratio": impact,
    "fairness.groups": groups,
    "fairness.calibration": calibrated,
    "fairness.slices": found_slices,
    "fairness.flips": flip_blocks,
    "fairness.proxies": proxies,
    "fairness.explanations": gap_parts,
    "fairness.consistency": consistency,
    "fairness.tradeoff": tradeoff,
    "fairness.robustness": robust_groups,
}


def fairness(record: Record) -> Section | None:
    """The section, None when no check of it ran."""
    outcomes = ran(record.audit, "fairness")
    if not outcomes:
        return None
    blocks: list[Any] = []
    answer = ""
    order = {check: i for i, check in enumerate(BLOCKS)}
    for o in sorted(outcomes, key=lambda o: order.get(o.check, len(order))):
        if o.check == "fairness.impact_ratio":
            answer = _lowest(record, o)
        blocks += beside_baseline(record.audit, o.check, BLOCKS.get(o.check, plain_blocks)(o))
    return Section("fairness", "Fairness", answer, blocks)


def _lowest(record: Record, o: Outcome) -> str:
    behind = most_surely_behind(o)
    if behind is None:
        return ""
    sentence = _lower(say(record.audit, o.check, behind)).removesuffix(".")
    within = f"95 % interval {interval_words(behind, 2)}; {n_words(behind)}"
    return f"Of all groups compared, most surely behind: {sentence} ({within})."


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
