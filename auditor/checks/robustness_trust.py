"""robustness.trust: whether the attacks behind a robust accuracy can be believed."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from auditor.attacked.doubts import held_columns, of_rejection
from auditor.attacked.found import search_view
from auditor.attacked.sizes import at_size, doubts_of_size, ladder_of
from auditor.attacks.goals import another_class
from auditor.attacks.handles import tolerant
from auditor.errors import NotApplicable, UsageError
from auditor.percents import percent
from auditor.registry import Context, check, sizes
from auditor.stats import rate
from auditor.subject import Data
from auditor.trust.checklist import checklist
from auditor.trust.rules import LEAST, Verdict, misses, verdicts
from auditor.trust.runs import Budget, Lab, Runs, runs_of
from auditor.types import Measure, Result, Table

Epsilon = Annotated[float, Field(gt=0, allow_inf_nan=False)]
FEWEST = 8
FEW = 30


@check(
    "robustness.trust",
    title="Can the attack be believed?",
    measures=("adapted_accuracy", "naive_accuracy", "naive_gap", "rules_fired", "unit_test"),
    source="Carlini et al. 2019, arXiv:1902.06705; Zimmermann et al. 2022, arXiv:2206.13991",
)
def trust(
    ctx: Context,
    *,
    norm: Literal["linf", "l2"] = "linf",
    epsilons: tuple[Epsilon, ...] = (),
    samples: int = sizes(8, 48, 128),
    steps: Annotated[int, Field(ge=4, le=10_000)] = sizes(10, 40, 100),
    questions: Annotated[int, Field(ge=2)] = sizes(30, 500, 2000),
    lessons: Annotated[int, Field(ge=0)] = sizes(0, 100, 400),
) -> Result:
    """Whether the model only hides its gradients, so that usual attacks fail on it though it is not robust.

    What it measures: `rules_fired`, how many of nine signs of a failed attack the model shows, on at most `samples`
    rows (0: all) that are right, at the one of `epsilons` (of `norm`, linf or l2) where about half of them break: zero
    gradients (R1), attacks by answers alone or by the gradients of a copy that do better than gradients (R2), rows that
    stand though everything may change (R3), weak attacks that do better than strong ones (R4), gradients that differ
    between two passes (R5), random changes that do better (R6), planted adversarial examples that are not found (R7),
    steps that were too few (R8), and losses that disagree (R9). `naive_accuracy` is what projected gradient descent on
    the cross-entropy leaves, the figure that most tools print; `adapted_accuracy` what everything leaves that
    `robustness.curve` has too, but for making changes smaller; `naive_gap` how many rows the usual figure calls robust
    that are not. `unit_test` is how many planted examples the adapted attack finds. `steps` are those of each gradient
    attack, `questions` those of the attack by squares, `lessons` times 64 those that teach the copy (0: none).

    How to read it: a rule that fired says that usual attacks cannot be believed here, and the table says why; the
    figures of `robustness.curve` are those of attacks that adapted. A gap near 0 and no rule fired is evidence for
    the attacks, not for the model.

    When it misleads: on few rows; and an attack made by a person for this very model may still find more.
    """
    ctx.need_classes()
    model = ctx.need_model()
    if ctx.is_text:
        msg = "the inputs are texts; the rules are about attacks by gradients of numbers"
        raise NotApplicable(msg)
    if not bool(torch.as_tensor(model.unit).any()):
        msg = "no column is a number that may change by any amount and either way, which is what the rules are about"
        raise NotApplicable(msg)
    ladder = ladder_of(ctx, model, norm, epsilons)
    data = _right(ctx, samples)
    budget = Budget(steps, questions, lessons)
    seen = search_view(ctx, model, data, another_class(model), lambda batch, _: batch.y)
    runs = runs_of(Lab(tolerant(model), seen, norm, budget, ctx.seed), data, ctx.batch_size, ladder)
    found = verdicts(runs)
    table = Table(
        "Nine signs of a failed attack",
        ("rule", "asked", "found", "fired"),
        tuple((v.rule, v.asks, v.found, _said(v.fired)) for v in found),
    )
    measures = _measures(runs, found, at_size(norm, runs.epsilon))
    caveats = [
        *of_rejection(model),
        *_caveats(runs, found),
        *held_columns(ctx, model),
        *doubts_of_size(ctx, model, norm, ladder),
    ]
    return Result(measures, (table, checklist(runs, seen, norm, budget)), (), tuple(caveats))


def _right(ctx: Context, samples: int) -> Data:
    """Rows that are right as they are: of others nothing is to be broken."""
    right = np.flatnonzero(ctx.right)
    if len(right) < FEWEST:
        msg = f"{len(right)} rows are right as they are; the rules need at least {FEWEST}"
        raise NotApplicable(msg)
    if 0 < samples < FEWEST:
        msg = f"samples = {samples}: the rules need at least {FEWEST} rows (0: all)"
        raise UsageError(msg)
    return ctx.data.at(right).take(samples, ctx.seed)


def _measures(runs: Runs, found: list[Verdict], at: str) -> tuple[Measure, ...]:
    n, place = runs.n, runs.epsilons.index(runs.epsilon)
    broken = runs.adapted[place] | runs.any_broken
    fired = sum(v.fired is True for v in found)
    test = runs.adapted_unit_test
    return (
        Measure("rules_fired", "", float(fired), n, better="lower"),
        rate("naive_accuracy", int((~runs.pgd.broken).sum()), n, slice=at),
        rate("adapted_accuracy", int((~broken).sum()), n, slice=at),
        rate("naive_gap", int((broken & ~runs.pgd.broken).sum()), n, slice=at, better="lower"),
        *([rate("unit_test", test.found, test.n)] if test.n else []),
    )


def _said(fired: bool | None) -> str:
    return "undecided" if fired is None else "fired" if fired else "no"


def _caveats(runs: Runs, found: list[Verdict]) -> list[str]:
    said = []
    names = [v.rule for v in found if v.fired]
    if names:
        said.append(
            f"{', '.join(names)} fired: attacks as most tools make them cannot be believed on this model. The figures "
            "of robustness.curve are those of attacks that adapted."
        )
    test = runs.adapted_unit_test
    if misses(test):
        said.append(
            f"The adapted attack finds {test.found} of {test.n} planted examples, fewer than {percent(LEAST)}: its "
            "figures may be too high as well."
        )
    if not bool(runs.any_broken.any()):
        said.append(
            f"Nothing breaks within {runs.epsilon:.3g}, so that rules that compare attacks compared nothing: give "
            "larger epsilons."
        )
    if runs.n < FEW:
        said.append(f"On {runs.n} rows a sign has to be strong to be seen: take more samples.")
    return said
