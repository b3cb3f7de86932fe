"""The policy file, line by line: the limits of the default policy that can speak of this model, and some to take up."""

from __future__ import annotations

from collections.abc import Iterator

from app.initialising.classes import is_regression
from app.initialising.lines import Line, comment, setting, unset
from app.initialising.plan import Plan
from auditor.policy import load_policy
from auditor.types import Limit, finding_id

__all__ = ["policy_lines"]

OF_MODELS = ("robustness.", "explain.")
OF_PLACES = ("explain.shortcuts",)
# an invisible change: 8/255 of a pixel's range, half of a column's standard deviation, three words
SIZES = {"image": "linf@8/255", "table": "linf@0.5", "tensor": "linf@0.5", "text": "words@3"}
DAY = "2027-01-31"


def policy_lines(plan: Plan) -> Iterator[Line]:
    """Every line of the policy file for `plan`: nothing in it is a law's number, and all of it may be changed."""
    yield from comment("A policy: what the audit is judged by. No law is behind these numbers; they are those of the")
    yield from comment("built-in policy `default`. A limit decides only where a figure lies significantly on one side.")
    for limit in load_policy("default").limits:
        if _speaks(limit, plan):
            yield from _limit(limit)
    yield Line()
    yield from comment("More limits to take up; the numbers are examples.")
    yield from _examples(plan)
    yield Line()
    yield from comment(
        "A finding that somebody answers for, up to and with a day, by the name that the report gives it."
    )
    yield Line("# [[accept]]")
    yield unset("finding", _finding(plan))
    yield unset("owner", "who answers for it")
    yield unset("reason", "why it is accepted")
    yield Line(f"# expires = {DAY}")


def _finding(plan: Plan) -> str:
    """One that an audit by the default policy could have."""
    if plan.data.roles.sensitive:
        column = plan.data.roles.sensitive[0]
        return finding_id("fairness.impact_ratio", "impact_ratio", f"{column.name}={column.names[0]}")
    return finding_id("performance.accuracy", "accuracy", "")


def _speaks(limit: Limit, plan: Plan) -> bool:
    """Whether the check of a limit can say anything of this model and these data."""
    if plan.model is None and limit.check.startswith(OF_MODELS):
        return False
    if limit.check in OF_PLACES and plan.data.kind not in {"image", "text"}:
        return False
    return bool(plan.data.roles.sensitive) or not limit.check.startswith("fairness.")


def _limit(limit: Limit) -> Iterator[Line]:
    yield Line()
    yield Line("[[limit]]")
    yield setting("check", limit.check)
    yield setting("measure", limit.measure)
    if limit.slice is not None:
        yield setting("slice", limit.slice)
    for name, bound in limit.bounds.items():
        yield setting(name, bound)
    yield setting("rationale", limit.rationale)


def _examples(plan: Plan) -> Iterator[Line]:
    if not is_regression(plan):
        yield from _example("performance.accuracy", "accuracy", "", fail_below=0.8)
        if plan.model is not None:
            yield from _example("robustness.curve", "robust_accuracy", SIZES[plan.data.kind], warn_below=0.5)
    gap = "mean_residual_difference" if is_regression(plan) else "demographic_parity_difference"
    for column in plan.data.roles.sensitive:
        yield from _example("fairness.groups", gap, column.name, warn_above=0.1)
    if plan.data.roles.sensitive and not is_regression(plan):
        yield from _example("fairness.groups", "equalized_odds_difference", None, warn_above=0.1)


def _example(check: str, measure: str, about: str | None, **bound: float) -> Iterator[Line]:
    yield Line("#")
    yield Line("# [[limit]]")
    yield unset("check", check)
    yield unset("measure", measure)
    if about is not None:
        yield unset("slice", about)
    for name, value in bound.items():
        yield unset(name, value)
    yield Line("# required = true  # without this figure the audit is incomplete")
