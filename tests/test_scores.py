"""What each row counts in a figure adds up to the figure."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from auditor.audit import run
from auditor.progress import Finished, Listener
from auditor.scores import SCORED_ROWS, score_key
from auditor.selection import Selection
from tests import zoo

SCORED = {  # checks that keep scores, and the measures they keep them of
    "performance.accuracy": {"accuracy", "brier"},
    "robustness.curve": {"robust_accuracy"},
    "robustness.certified": {"certified_accuracy"},
    "explain.agreement": {"consensus"},
    "explain.stability": {"max_sensitivity", "steady"},
    "explain.faithfulness": {"deletion", "insertion", "road", "sensitivity_n", "infidelity"},
}
INAPPLICABLE = {("robustness.certified", "texts"), ("explain.stability", "texts")}
CASES = {"a table": zoo.linear_table, "pictures": zoo.batch_norm, "categories": zoo.categories, "texts": zoo.texts}


@pytest.mark.parametrize(("check", "case"), [p for p in product(SCORED, CASES) if p not in INAPPLICABLE])
def test_scores_add_up_to_the_figure(check: str, case: str) -> None:
    patient, seen = CASES[case](), list[Finished]()
    run(patient.model, patient.data, selection=Selection("quick", (check,)), tell=Listener(finished=seen.append))
    result, arrays = seen[-1].outcome.result, seen[-1].arrays
    assert result is not None, seen[-1].outcome.reason
    scored = [m for m in result.measures if f"{check}/{score_key(m.name, m.slice)}" in arrays]

    assert {m.name for m in scored} == SCORED[check] & {m.name for m in result.measures}
    assert len(scored) == sum(m.name in SCORED[check] for m in result.measures)
    assert scored
    rows = arrays[f"{check}/{SCORED_ROWS}"]
    assert set(rows) <= set(patient.data.row_ids) and len(set(rows)) == len(rows)
    for m in scored:
        scores = arrays[f"{check}/{score_key(m.name, m.slice)}"]
        assert scores.shape == rows.shape and np.isfinite(scores).sum() == m.n
        if m.value is not None:
            assert np.nanmean(scores) == pytest.approx(m.value)


def test_measures_of_another_name_or_slice_have_scores_of_their_own() -> None:
    keys = {
        score_key("accuracy", ""),
        score_key("accuracy", "sex=a"),
        score_key("recall", ""),
        score_key("", "accuracy"),
    }

    assert len(keys) == 4
