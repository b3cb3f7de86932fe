"""What Carlini et al. 2019 (arXiv:1902.06705) ask of an evaluation of robustness: done, or not done and why."""

from __future__ import annotations

from auditor.attacks.seen import MOST_BLIND, Seen
from auditor.percents import percent
from auditor.trust.planted import Planted
from auditor.trust.rules import misses
from auditor.trust.runs import Budget, Runs
from auditor.types import Table

__all__ = ["checklist"]


def checklist(runs: Runs, seen: Seen, norm: str, budget: Budget) -> Table:
    """One row for each point: what is asked; whether it was done, or was done and fails; how, or why not."""
    adapted = [
        *(["mean of answers that are random"] if seen.random else []),
        *(["logits in the place of probabilities"] if seen.recovered else []),
        *([f"straight through {', '.join(seen.met[:3])}"] if seen.adapted is not None else []),
    ]
    copied = runs.copied is not None
    standing, test = int((~runs.unbounded).sum()), runs.adapted_unit_test
    rows = (
        ("threat model stated", "done", f"changes of at most epsilon in {norm}, inside the bounds; the model is known"),
        ("adapted to the model", *_adapted(seen, adapted)),
        ("an attack without gradients", "done", f"squares, {budget.questions:,} questions a row"),
        ("transfer from another model", *_done(copied, f"a copy, {budget.lessons:,} lessons", "`lessons` is 0")),
        ("accuracy falls to 0 without a limit", "done" if standing == 0 else "fails", f"{standing} of {runs.n} stand"),
        ("accuracy against size of change", "done", f"robustness.curve, and {len(runs.epsilons)} sizes here"),
        ("smallest over attacks, row by row", "done", "a row is broken where any attack breaks it"),
        ("tests that the attack can find what is there", *_unit_test(test)),
        ("more steps do not help", "done", "R8"),
        ("compared with random changes", "done", "R6"),
        ("settings and seeds stated", "done", f"{budget.steps:,} steps a stage; all settings stand in the report"),
        ("clean accuracy beside it", "done", "size 0 of robustness.curve"),
        ("attack's source open", "done", "auditor/attacks"),
        ("attacks from other norms", "not done", f"one norm is audited at a time: set norm beside {norm}"),
        ("an expert's attack made for this model", "not done", "it takes a person who knows the defence"),
    )
    return Table("Checklist of Carlini et al. 2019", ("asked", "done", "how, or why not"), rows)


def _done(done: bool, how: str, why_not: str) -> tuple[str, str]:
    return ("done", how) if done else ("not done", why_not)


def _adapted(seen: Seen, how: list[str]) -> tuple[str, str]:
    if not seen.searches:
        return "fails", "; ".join([*how, "no gradient was found; by answers and a copy alone"])
    if seen.still_blind > MOST_BLIND:
        return "fails", "; ".join([*how, f"no gradient at {percent(seen.still_blind)} of the rows tried"])
    return "done", "; ".join(how) or "nothing was found that hides gradients"


def _unit_test(test: Planted) -> tuple[str, str]:
    if not test.n:
        return "not done", "none could be planted"
    return "fails" if misses(test) else "done", f"{test.found} of {test.n} planted examples"
