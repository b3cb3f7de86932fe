"""Slices in a report: what the other half says of each in sight, what was searched behind it, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from auditor.given import Given
from auditor.registry import CHECKS, Context
from auditor.subject import Data
from auditor.types import Outcome, Status
from reports.parts import CheckHead, Folded, Heat, Prose, Section
from reports.pillars.found_slices import NONE, found_slices
from reports.rendering import environment
from tests.reports.records import HOSTILE

CHECK = "fairness.slices"


def outcome(wrong: np.ndarray, groups: dict[str, Sequence[str]]) -> Outcome:
    """Of predictions that are wrong as said."""
    n = len(wrong)
    data = Data.of(torch.zeros(n, 0), torch.zeros(n, dtype=torch.long), groups)
    data = Data(data.read, data.y, data.row_ids, data.groups, given=Given(("a", "b"), wrong.astype(np.int64), None))
    settings = {"top": 10, "depth": 3, "alpha": 0.95}
    return Outcome(CHECK, "Slices", "", Status.MEASURED, "", result=CHECKS[CHECK].run(Context(None, data), **settings))


def crossed(high: float, low: float, seed: int = 0) -> Outcome:
    """Women over 40 are wrong at the rate `high`, all others at `low`."""
    random = np.random.default_rng(seed)
    sex, age = random.choice(["f", "m"], 3000), random.choice(["up to 40", "over 40"], 3000)
    wrong = random.random(3000) < np.where((sex == "f") & (age == "over 40"), high, low)
    return outcome(wrong, {"sex": sex.tolist(), "age": age.tolist()})


def test_a_confirmed_slice_is_said_and_stands_with_its_figures() -> None:
    o = crossed(0.5, 0.1)
    head, said, heat, folded = found_slices(o)
    assert isinstance(head, CheckHead) and isinstance(said, Prose)
    assert isinstance(heat, Heat) and isinstance(folded, Folded)
    known = {(m.name, m.slice): m for m in o.result.measures}
    k, n, others, rest = known["error_gap", "sex=f&age=over 40"].counts

    assert "confirmed on the other. The largest difference: sex = f, age = over 40, wrong in " in said.text
    assert said.text.endswith(f"wrong in {k / n:.2f} of {n:,} rows, in {others / rest:.2f} of the {rest:,} others.")
    name, cells = heat.rows[0]
    assert name == "sex = f, age = over 40"
    assert [c.value for c in cells] == [f"{k / n:.2f}", f"{others / rest:.2f}", f"{k / n - others / rest:.2f}",
                                        "< 0.001", "yes"]  # fmt: skip
    assert [c.n for c in cells[:3]] == [f"n {n:,}", f"n {rest:,}", f"n {n + rest:,}"]
    found, searched = folded.blocks
    assert found.rows[0][0] == "sex=f&age=over 40" and [row[0] for row in searched.rows] == ["sex", "age"]


def test_slices_that_are_not_confirmed_are_told_apart_from_none_found() -> None:
    unconfirmed = next(o for o in (crossed(0.1, 0.1, seed) for seed in range(20)) if o.result.tables[0].rows)
    _, said, heat, _ = found_slices(unconfirmed)

    assert said.text == "Of 1 slice found on one half of the rows, none is confirmed on the other."
    assert heat.rows[0][1][-1].value == "no"

    _, said, folded = found_slices(outcome(np.zeros(400), {"sex": ["f", "m"] * 200}))
    assert said.text == NONE and isinstance(folded, Folded)


def test_hostile_names_are_escaped() -> None:
    groups = {HOSTILE[1]: [HOSTILE[0], HOSTILE[4]] * 500}
    blocks = found_slices(outcome(np.arange(1000) % 2 == 0, groups))
    page = environment().get_template("parts.html.j2").module
    html = "".join(str(page.block(b)) for b in Section("fairness", "Fairness", "", blocks).blocks)

    assert "<script>alert(1)" not in html and "&lt;script&gt;alert(1)" in html
    assert "<img src=x" not in html and "49" not in [c.value for c in blocks[2].rows[0][1]]
