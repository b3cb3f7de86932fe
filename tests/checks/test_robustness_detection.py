"""robustness.detection: detectors that fall to an attack that knows them are called bypassable, others are not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.errors import UsageError
from auditor.registry import CHECKS, Context
from auditor.subject import Data, Model
from auditor.types import Result
from tests import zoo
from tests.attacks.patients import Behind, digits, patient
from tests.attacks.steady import steady
from tests.checks.audited import measures, not_applicable, outcome_of, result_of
from tests.zoo import Case

CHECK = "robustness.detection"
DETECTORS = ("squeezing", "mahalanobis", "lid")
ATTACKS = ("unaware", "surest", "aware", "noise")


@cache
def found(name: str) -> Result:
    x, y = digits()
    case = Case(steady() if name == "hardened" else patient(name).model, Data.of(x[1300:], y[1300:]))
    return result_of(case, CHECK, Data.of(x[:1300], y[:1300]), samples=48, steps=20, reference_rows=1000)


def areas(result: Result) -> dict[tuple[str, str], float | None]:
    """By detector and attack."""
    shown: dict[tuple[str, str], float | None] = {}
    for at, m in measures(result, "auroc").items():
        detector, attack = (part.partition("=")[2] for part in at.split("&"))
        shown[detector, attack] = m.value
    return shown


def said(case: Case, reference: Data | None = None, **settings: object) -> str:
    return " ".join(result_of(case, CHECK, reference, **settings).caveats)


# ---- detectors with a known answer -------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["plain", "hardened"])
@pytest.mark.parametrize("detector", DETECTORS)
def test_on_digits_every_detector_is_bypassed(name: str, detector: str) -> None:
    """Measured of the hardened network: squeezing .52 to .07, mahalanobis .69 to .15, lid .73 to .29."""
    result = found(name)
    fall = measures(result, "auroc_fall")[f"detector={detector}"]

    assert fall.value > 0.3 and fall.low > 0.2
    assert areas(result)[detector, "aware"] < 0.4
    assert any(c.startswith(f"{detector} is bypassable") for c in result.caveats)
    assert {row[0]: row[-1] for row in result.tables[0].rows}[detector] == "bypassable"


@pytest.mark.parametrize("detector", DETECTORS)
def test_what_bypasses_is_the_knowledge_and_not_the_size(detector: str) -> None:
    """Changes just as large that know of no detector are told far better."""
    shown = areas(found("plain"))

    assert shown[detector, "surest"] - shown[detector, "aware"] > 0.25


def test_random_changes_of_that_size_are_not_noticed_on_digits() -> None:
    assert all(abs(areas(found("plain"))[d, "noise"] - 0.5) < 0.1 for d in DETECTORS)


def narrow(n: int, seed: int) -> Data:
    """Two classes at -1 and 1 of the first of 12 numbers, which hardly moves; the others are noise."""
    random = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, 12, generator=random), torch.arange(n) % 2
    x[:, 0] = 2.0 * y - 1 + 0.01 * x[:, 0]
    return Data.of(x, y)


def by_the_first() -> Model:
    """Its features are the input; class 1 where the first number is above 0."""
    head = nn.Linear(12, 2, bias=False)
    head.weight.data = torch.zeros(2, 12)
    head.weight.data[:, 0] = torch.tensor([-3.0, 3.0])
    return Model(nn.Sequential(head), ("a", "b"), (torch.full((12,), -5.0), torch.full((12,), 5.0)))


def test_a_detector_that_no_input_can_pass_stands() -> None:
    """Within 1.2 the first number can't come nearer to the other class than .8, ten of the deviations that count."""
    result = result_of(Case(by_the_first(), narrow(80, 0)), CHECK, narrow(400, 1), samples=40, steps=20, epsilons=[1.2])
    shown = areas(result)

    assert shown["mahalanobis", "unaware"] > 0.98 and shown["mahalanobis", "aware"] > 0.98
    assert {row[0]: row[-1] for row in result.tables[0].rows}["mahalanobis"] == "not bypassed by this attack"
    assert not any(c.startswith("mahalanobis is bypassable") for c in result.caveats)


def test_a_detector_that_fires_on_noise_too_is_said() -> None:
    """Rows of zeros and ones are what rounding leaves alone: whatever moves the first number is noticed.

    Half of the changes would leave the bounds and move nothing, so that three quarters are told: .5 + .5 / 2.
    """
    random = torch.Generator().manual_seed(0)
    x = torch.randint(0, 2, (60, 12), generator=random).float()
    x[:, 0] = torch.arange(60) % 2
    head = nn.Linear(12, 2)
    head.weight.data, head.bias.data = torch.zeros(2, 12), torch.tensor([0.5, -0.5])
    head.weight.data[:, 0] = torch.tensor([-1.0, 1.0])
    case = Case(Model(nn.Sequential(head), ("a", "b")), Data.of(x, (x[:, 0] > 0.5).long()))
    result = result_of(case, CHECK, samples=0, steps=10, epsilons=[0.55])

    assert areas(result)["squeezing", "noise"] == pytest.approx(0.75, abs=0.05)
    assert "squeezing fires on random changes of the same size too" in " ".join(result.caveats)


# ---- what is printed ---------------------------------------------------------------------------------------------
def test_every_detector_has_all_figures_with_intervals_and_a_row() -> None:
    result = found("plain")
    (table,) = result.tables

    assert set(areas(result)) == {(d, a) for d in DETECTORS for a in ATTACKS}
    for m in result.measures:
        assert m.low <= m.value <= m.high
        assert m.n % 2 == 0 and 86 <= m.n <= 96  # pairs of a row and its change; nine in ten break at least
    assert table.columns == ("detector", *ATTACKS, "fall", "rows", "found")
    for row in table.rows:
        assert list(row[1:5]) == [areas(result)[str(row[0]), a] for a in ATTACKS]
        assert row[5] == pytest.approx(row[1] - row[3])


def test_repetition_changes_nothing_and_parts_hardly() -> None:
    case = patient("plain").case
    settings = CHECKS[CHECK].params({"samples": 12, "steps": 8, "epsilons": [0.15]})
    results = []
    for size in (64, 64, 5):
        with case.model.frozen():
            results.append(
                CHECKS[CHECK].run(Context(case.model, case.data, batch_size=size).of_check(CHECK), **settings)
            )

    assert results[0] == results[1]
    assert {m.n for m in results[2].measures} == {m.n for m in results[0].measures}
    assert "No reference data were given" in " ".join(results[0].caveats)


def test_lengths_of_changes_are_audited_too() -> None:
    result = result_of(patient("plain").case, CHECK, norm="l2", samples=12, steps=10, epsilons=[0.5, 1.0, 1.5])

    assert result.tables[0].title.startswith("How well detectors tell adversarial inputs within l2@1")
    assert areas(result)["mahalanobis", "aware"] < areas(result)["mahalanobis", "unaware"]


# ---- models that hide, fail or never move ------------------------------------------------------------------------
def test_hidden_gradients_are_passed_by_and_said() -> None:
    result = result_of(patient("rounded input").case, CHECK, samples=24, steps=20)

    assert "The model hides gradients (round)" in " ".join(result.caveats)
    assert areas(result)["mahalanobis", "aware"] < areas(result)["mahalanobis", "unaware"]


def test_an_attack_that_is_blind_is_said() -> None:
    result = result_of(patient("rounded by numpy").case, CHECK, samples=8, steps=4, epsilons=[0.3])

    assert "an attack that knows the detector is blind here" in " ".join(result.caveats)


def test_answers_that_fail_are_left_out_and_never_flatter() -> None:
    """NaN as soon as a pixel is no 16th, as no squeezed or attacked one is; the features are there all the same."""

    def fails(net: nn.Module, x: Tensor) -> Tensor:
        whole = ((x * 16).round() / 16 - x).abs().flatten(1).amax(1) < 1e-6
        return torch.where(whole[:, None], net(x), torch.nan)

    model = Model(Behind(patient("plain").model.module, fails).eval(), tuple("0123456789"))
    result = result_of(Case(model, patient("plain").case.data), CHECK, samples=8, steps=4, epsilons=[0.1])

    assert "for which the model gives NaN or infinity are left out" in " ".join(result.caveats)
    assert {row[0]: row[-1] for row in result.tables[0].rows}["squeezing"] == "not known"
    assert all(m.value is None and m.n == 0 for m in result.measures if "squeezing" in m.slice)
    assert areas(result)["mahalanobis", "aware"] is not None


def test_few_reference_rows_leave_detectors_out() -> None:
    case = patient("plain").case
    few = Data.of(*(t[:6] for t in digits()))
    result = result_of(case, CHECK, few, samples=6, steps=4, epsilons=[0.2])

    assert {d for d, _ in areas(result)} == {"squeezing", "mahalanobis"}
    assert "lid needs 20 neighbours; only 6 rows to fit on" in " ".join(result.caveats)
    assert "areas of so few are vague" in " ".join(result.caveats)


def test_one_row_is_no_claim() -> None:
    case = patient("plain").case
    right = np.flatnonzero((case.model.module(patient("plain").x).argmax(1) == patient("plain").y).numpy())
    one = Case(case.model, case.data.at(right[:1]))
    result = result_of(one, CHECK, Data.of(*(t[:200] for t in digits())), steps=4, epsilons=[0.3])

    assert all(m.high - m.low > 0.7 for m in result.measures)


# ---- what it is not about ----------------------------------------------------------------------------------------
def test_what_it_does_not_apply_to() -> None:
    values = Case(Model(nn.Linear(3, 1), (), output="value"), Data.of(torch.rand(9, 3), torch.rand(9)))
    table = zoo.linear_table()
    held = Case(Model(table.model.module, table.model.classes, table.model.bounds, unit=0.0), table.data)
    with torch.no_grad():
        never = 1 - table.model(torch.zeros(20, 3)).argmax(1)
    wrong = Case(table.model, Data.of(torch.zeros(20, 3), never))

    assert "the inputs are texts" in not_applicable(zoo.texts(), CHECK)
    assert "a value, not classes" in not_applicable(values, CHECK)
    assert "no column is a number that may change" in not_applicable(held, CHECK)
    assert "none of 20 rows is right as it is" in not_applicable(wrong, CHECK)


def test_rows_of_which_none_breaks_have_nothing_to_detect() -> None:
    case = patient("plain").case

    assert "breaks within linf 1e-07: nothing is to be detected" in not_applicable(
        case, CHECK, epsilons=[1e-7], samples=6
    )
    assert "nothing is to be detected" in not_applicable(zoo.constant(), CHECK)


def test_steps_that_are_none_are_refused() -> None:
    with pytest.raises(UsageError, match="steps = 1"):
        outcome_of(patient("plain").case, CHECK, steps=1)


def test_large_inputs_are_left_alone_where_it_must_be_quick() -> None:
    case = zoo.inplace_relu()

    said = not_applicable(case, CHECK, largest_input=63)

    assert "an input has 64 numbers" in said and "`largest_input = 0`" in said
