"""What every mitigation must leave as it is."""

from __future__ import annotations

import pytest

from auditor.defend import defence
from tests.defend.planted import figures, patient


@pytest.mark.parametrize("method", ["exponentiated_gradient", "fairness_penalty", "reweighing"])
def test_a_model_is_left_alone_where_nothing_is_planted(method: str) -> None:
    model, data, unseen = patient(lean=0.0)
    before = figures(model, unseen)

    after = figures(model, unseen, defence(method)(model, data, 0).module)

    assert abs(before.selection) < 0.05 and abs(after.selection) < 0.05
    assert after.accuracy > before.accuracy - 0.01
