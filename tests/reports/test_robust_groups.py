"""Robustness by group in a report: where groups differ most in sight, everything else behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from auditor.registry import CHECKS, Context
from auditor.scores import Scored
from auditor.subject import Data
from auditor.types import Outcome, Status
from reports.parts import Folded, Grid, Heat, Prose
from reports.pillars.robust_groups import robust_groups

CHECK = "fairness.robustness"


def outcome(groups: dict[str, Sequence[str]], at: dict[str, Sequence[float]], rows: int) -> Outcome:
    """Of robust accuracies at the slices `at` of the first `rows` rows."""
    n = len(next(iter(groups.values())))
    ctx = Context(None, Data.of(torch.zeros(n, 1), torch.zeros(n, dtype=torch.long), groups))
    for about, values in at.items():
        scores = np.asarray(values[:rows], np.float32)
        ctx.scored.append(Scored("robustness.curve", "robust_accuracy", about, "higher", np.arange(rows), scores))
    return Outcome(CHECK, "Robustness by group", "", Status.MEASURED, "", result=CHECKS[CHECK].run(ctx))


def blocks(o: Outcome) -> tuple[str, Heat, Grid]:
    _, said, heat, folded = robust_groups(o)
    assert isinstance(said, Prose) and isinstance(heat, Heat) and isinstance(folded, Folded)
    (grid,) = folded.blocks
    return said.text, heat, grid


SCORES = {
    "linf@0": [1.0] * 40,
    "linf@0.1": [1.0] * 38 + [0.0] * 2,
    "linf@0.2": [1.0] * 20 + [0.0] * 20,
    "linf@0.3": [0.0] * 40,
}


def test_the_change_where_groups_differ_most_is_in_sight_and_the_others_behind_it() -> None:
    said, heat, grid = blocks(outcome({"sex": ["f"] * 20 + ["m"] * 20}, SCORES, 40))

    assert said == "By sex: intervals above 0 at 2 of 7 differences."
    assert heat.columns == ("under change", "f", "m", "difference", "difference of falls")
    ((name, cells),) = heat.rows
    assert name == "robust accuracy, changes up to 0.2"
    assert [c.value for c in cells] == ["1.00", "0.00", "1.00", "1.00"]
    assert [c.n for c in cells] == ["n 20", "n 20", "n 40", "n 40"]
    assert [row[0] for row in grid.rows] == [
        "robust accuracy, no change", *(f"robust accuracy, changes up to 0.{k}" for k in (1, 2, 3)),
    ]  # fmt: skip
    assert grid.rows[0][-1] == "" and grid.rows[1][1:3] == ["1.00 (n 20)", "0.90 (n 20)"]
    assert grid.rows[1][3].startswith("0.10 (\N{MINUS SIGN}0.")


def test_with_too_few_rows_the_middle_is_shown_and_no_difference() -> None:
    said, heat, _ = blocks(outcome({"sex": ["f", "m"] * 20}, SCORES, 16))

    assert said == "By sex, too few rows of two groups were put under change to compare them."
    ((name, cells),) = heat.rows
    assert name == "robust accuracy, changes up to 0.2"
    assert [c.value for c in cells] == ["too few"] * 4


def test_names_that_look_like_slices_are_told_apart() -> None:
    groups = {"a=b&linf@0.1": ["x&linf@0.2"] * 20 + ["x"] * 20}
    _, heat, grid = blocks(outcome(groups, SCORES, 40))

    assert heat.columns[1:3] == ("x", "x&linf@0.2")
    assert [c.value for c in heat.rows[0][1]] == ["0.00", "1.00", "1.00", "1.00"]
    assert len(grid.rows) == 4
