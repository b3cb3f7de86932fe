"""robustness.ood: models that are surest of noise are told from those that know what they were made for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.subject import Data, Model
from auditor.types import Result
from tests import zoo
from tests.attacks.patients import Behind, digits, patient
from tests.checks.audited import measures, not_applicable, outcome_of, result_of
from tests.zoo import Case

CHECK = "robustness.ood"
KINDS = ("noise", "shuffled", "constant", "held-out")
SCORES = ("softmax", "energy", "mahalanobis", "knn")


def clusters(n: int, seed: int) -> Data:
    """Rows of 12 numbers around one of three corners far apart."""
    random = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 3
    corners = torch.eye(3).repeat_interleave(4, 1) * 4
    return Data.of(corners[y] + 0.1 * torch.randn(n, 12, generator=random), y)


def corner_model() -> Model:
    """Features are the input itself; the logits are its mean in each third."""
    head = nn.Linear(12, 3, bias=False)
    head.weight.data = torch.eye(3).repeat_interleave(4, 1)
    return Model(nn.Sequential(head), ("a", "b", "c"), (torch.full((12,), -1.0), torch.full((12,), 5.0)))


def areas(result: Result, name: str = "auroc") -> dict[tuple[str, str], float | None]:
    """By score and kind."""
    found: dict[tuple[str, str], float | None] = {}
    for at, m in measures(result, name).items():
        score, kind = (part.partition("=")[2] for part in at.split("&"))
        found[score, kind] = m.value
    return found


def digits_case() -> tuple[Case, Data]:
    x, y = digits()
    return Case(patient("plain").model, Data.of(x[1300:], y[1300:])), Data.of(x[:1300], y[:1300])


# ---- models with a known answer ----------------------------------------------------------------------------------
def test_classes_far_apart_and_noise_far_from_them_are_told() -> None:
    result = result_of(Case(corner_model(), clusters(150, 0)), CHECK, clusters(300, 1), samples=0)
    found, errors = areas(result), areas(result, "fpr95")

    for score in ("mahalanobis", "knn"):
        assert all(found[score, kind] > 0.99 for kind in ("noise", "shuffled", "constant", "held-out"))
        assert all(errors[score, kind] <= 0.05 for kind in ("noise", "shuffled", "held-out"))
    assert not any("surer of foreign" in c for c in result.caveats)
    assert result.caveats == (next(c for c in result.caveats if c.startswith("held-out: 50 rows of class a")),)


def test_a_model_that_is_surest_of_noise_is_told_so() -> None:
    def surer_the_rougher(net: nn.Module, x: Tensor) -> Tensor:
        rough = x.diff(dim=3).abs().flatten(1).mean(1)
        return net(x) / net(x).norm(dim=1, keepdim=True) * 100 * rough[:, None] ** 4

    x, y = digits()
    smooth = nn.functional.avg_pool2d(x, 3, 1, 1)
    model = Model(Behind(patient("plain").model.module, surer_the_rougher).eval(), tuple("0123456789"))
    result = result_of(Case(model, Data.of(smooth[1300:], y[1300:])), CHECK, samples=100)

    noise = measures(result, "auroc")["score=softmax&against=noise"]
    assert noise.high < 0.2
    assert any("surer of foreign inputs than of rows of the data: softmax against noise" in c for c in result.caveats)


def test_figures_are_those_of_scikit_learn_on_the_same_rows() -> None:
    from sklearn.metrics import roc_auc_score

    case, reference = digits_case()
    result = result_of(case, CHECK, reference, samples=0, reference_rows=0)
    x, y = digits()
    logits = case.model.module(x[1300:]).detach()
    inside = y[1300:] != y[1300:].bincount().argmax()
    expected = roc_auc_score(inside, logits.logsumexp(1))

    assert areas(result)["energy", "held-out"] == pytest.approx(expected, abs=1e-6)
    assert set(areas(result)) == {(s, k) for s in SCORES for k in KINDS}
    assert all(m.n == 2 * 497 for at, m in measures(result, "auroc").items() if "held-out" not in at)


def test_digits_are_told_from_noise() -> None:
    case, reference = digits_case()
    result = result_of(case, CHECK, reference, samples=200, reference_rows=1000)

    assert all(areas(result)[score, "noise"] > 0.85 for score in SCORES)  # measured: .92 to 1.00
    assert areas(result)["knn", "noise"] > areas(result)["softmax", "noise"]


def test_tables_hold_every_score_and_kind() -> None:
    case, reference = digits_case()
    result = result_of(case, CHECK, reference, samples=60, reference_rows=200)
    first, second = result.tables

    for table, name in ((first, "auroc"), (second, "fpr95")):
        assert table.columns == ("score", *KINDS)
        assert [row[0] for row in table.rows] == list(SCORES)
        shown = {(row[0], k): v for row in table.rows for k, v in zip(KINDS, row[1:], strict=True)}
        assert shown == areas(result, name)


def test_parts_and_repetition_change_nothing() -> None:
    from auditor.registry import CHECKS, Context

    case, reference = digits_case()
    settings = CHECKS[CHECK].params({"samples": 40, "reference_rows": 100})
    found = []
    for size in (16, 16, 500):
        with case.model.frozen():
            ctx = Context(case.model, case.data, reference, batch_size=size)
            found.append(CHECKS[CHECK].run(ctx.of_check(CHECK), **settings))

    assert found[0] == found[1]
    ours, theirs = (areas(f) for f in (found[0], found[2]))
    assert all(ours[pair] == pytest.approx(theirs[pair], abs=0.01) for pair in ours if pair[1] == "held-out")


def test_quick_asks_for_no_more_rows_than_it_says() -> None:
    passed: list[int] = []

    def counting(net: nn.Module, x: Tensor) -> Tensor:
        passed.append(len(x))
        return net(x)

    from auditor.registry import CHECKS, Context

    case, reference = digits_case()
    model = Model(Behind(case.model.module, counting).eval(), case.model.classes)
    with model.frozen():
        CHECKS[CHECK].run(Context(model, case.data, reference).of_check(CHECK), **CHECKS[CHECK].params({}, "quick"))

    assert sum(passed) == 16 * 4 + 64


# ---- rows and models that are not as they should be --------------------------------------------------------------
def said(case: Case, reference: Data | None = None, **settings: object) -> str:
    return " ".join(result_of(case, CHECK, reference, **settings).caveats)


def test_without_reference_one_half_is_fitted_on() -> None:
    case, _ = digits_case()
    result = result_of(case, CHECK, samples=0)

    assert "No reference data were given" in " ".join(result.caveats)
    assert {m.n for at, m in measures(result, "auroc").items() if "noise" in at} == {2 * 249}


def test_reference_rows_that_are_also_asked_about_are_said() -> None:
    case, _ = digits_case()

    assert "50 of 50 rows asked about are also among the rows" in said(case, case.data, samples=50, reference_rows=0)


def test_one_class_has_nothing_to_hold_out() -> None:
    data = clusters(90, 0)
    one = data.at(np.flatnonzero(data.y == 1))
    result = result_of(Case(corner_model(), one), CHECK, one, samples=0)

    assert "The rows hold one class only" in " ".join(result.caveats)
    assert {k for _, k in areas(result)} == {"noise", "shuffled", "constant"}


def test_one_row_has_figures_without_a_claim() -> None:
    case, reference = digits_case()
    result = result_of(Case(case.model, case.data.at(np.zeros(1, np.int64))), CHECK, reference)

    assert "1 of the data's rows say little about where" in " ".join(result.caveats)
    assert all(m.high - m.low > 0.7 for m in measures(result, "auroc").values())


def test_a_model_that_always_says_the_same_tells_nothing_by_its_outputs() -> None:
    case = zoo.constant()
    result = result_of(case, CHECK, samples=0)

    assert all(v == 0.5 for (s, _), v in areas(result).items() if s in {"softmax", "energy"})
    assert all(v == 1 for (s, _), v in areas(result, "fpr95").items() if s in {"softmax", "energy"})


def test_fewer_reference_rows_than_neighbours_leave_knn_out() -> None:
    case, reference = digits_case()
    few = reference.take(6, 0)
    result = result_of(case, CHECK, few, samples=20)

    assert "neighbours = 10: only 6 rows to fit on; knn is left out" in " ".join(result.caveats)
    assert {s for s, _ in areas(result)} == {"softmax", "energy", "mahalanobis"}
    assert "1 row to fit on has no covariance" in said(case, reference.take(1, 0), samples=20)


def test_rows_without_an_answer_are_left_out_and_said() -> None:
    def fails_on_noise(net: nn.Module, x: Tensor) -> Tensor:
        dark = (x == 0).flatten(1).any(1)  # every digit has black pixels, noise has none
        return torch.where(dark[:, None], net(x), torch.nan)

    case, reference = digits_case()
    model = Model(Behind(case.model.module, fails_on_noise).eval(), case.model.classes)
    result = result_of(Case(model, case.data), CHECK, reference, samples=40)

    assert "are left out: 40 of noise, 40 of constant" in " ".join(result.caveats)
    assert areas(result)["softmax", "noise"] is None
    assert areas(result)["softmax", "shuffled"] is not None


def test_probabilities_have_no_energy() -> None:
    result = result_of(zoo.sigmoid_output(), CHECK, samples=0)

    assert "energy is left out" in " ".join(result.caveats)
    assert "energy" not in {s for s, _ in areas(result)}


def test_columns_that_nobody_may_change_stay_as_they_are() -> None:
    result = result_of(zoo.several_inputs(), CHECK, samples=0)

    assert areas(result)["softmax", "noise"] is not None


# ---- what it is not about ----------------------------------------------------------------------------------------
def test_texts_values_fixed_inputs_and_predictions_do_not_apply() -> None:
    values = Case(Model(nn.Linear(3, 1), (), output="value"), Data.of(torch.rand(9, 3), torch.rand(9)))
    fixed = zoo.linear_table()
    held = Case(Model(fixed.model.module, fixed.model.classes, fixed.model.bounds, unit=0.0), fixed.data)

    assert "the inputs are texts" in not_applicable(zoo.texts(), CHECK)
    assert "a value, not classes" in not_applicable(values, CHECK)
    assert "no element of the input may take any other value" in not_applicable(held, CHECK)
    assert "neighbours = 0" in outcome_of_error(fixed)


def outcome_of_error(case: Case) -> str:
    from auditor.errors import UsageError

    with pytest.raises(UsageError) as error:
        outcome_of(case, CHECK, neighbours=0)
    return str(error.value)
