"""robustness.shift: a shift is found and its cost foretold, none is invented, and what cannot be compared says so."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from auditor.audit import run
from auditor.columns import Column, Labels
from auditor.config import load_audit_file
from auditor.data.read import read_data
from auditor.given import Given
from auditor.registry import CHECKS, Context
from auditor.selection import Selection
from auditor.subject import Data
from auditor.types import Result
from tests import zoo
from tests.checks.audited import measures, outcome_of, result_of
from tests.checks.tables import classifier, normal, regression
from tests.shared import AUDITS, needs_shared, real

CHECK = "robustness.shift"
COLUMNS = (
    Column("age", 0, 1, mean=40.0, std=10.0),
    Column("sort", 1, 4, "category", ("a", "b", "c")),
    Column("flag", 4, 5, "flag"),
)


def rows(n: int, seed: int, older: float = 0.0, flagged: float = 0.3) -> torch.Tensor:
    draw = np.random.default_rng(seed)
    sort = np.eye(3)[draw.choice(3, n, p=(0.5, 0.3, 0.2))]
    parts = [draw.normal(older, 1, (n, 1)), sort, (draw.random((n, 1)) < flagged).astype(float)]
    return torch.from_numpy(np.concatenate(parts, 1)).float()


def case(x: torch.Tensor, noise: int = 0) -> zoo.Case:
    """Says yes to the old; `noise` of the labels are the other one."""
    found = classifier(lambda x: x[:, 0], x, COLUMNS)
    y = found.data.y.copy()
    y[:noise] = 1 - y[:noise]
    return zoo.Case(found.model, replace(found.data, y=y))


@cache
def moved() -> Result:
    return result_of(case(rows(300, 1, older=1.0), 60), CHECK, case(rows(250, 2), 10).data)


def test_a_shift_is_found_by_columns_and_by_a_classifier() -> None:
    one = measures(moved(), "shift_auc")["features=columns"]
    count = measures(moved(), "shifted_columns")["features=columns"]
    table = next(t for t in moved().tables if t.title.startswith("Columns"))

    assert one.low > 0.55
    assert (count.value, count.n) == (1, 3)
    assert table.rows[0][0] == "age"
    assert table.rows[0][3] < 1e-6
    assert 35 < float(table.rows[0][4].removeprefix("median ")) < 45  # years, as in the file


def test_accuracies_of_both_sides_and_their_difference_are_counted() -> None:
    found = measures(moved(), "accuracy")
    fall = measures(moved(), "accuracy_difference")["data=audited"]

    assert found["data=audited"].counts == (240, 300)
    assert found["data=reference"].counts[1] == 200  # `samples` at the quick profile
    assert fall.value == pytest.approx(0.8 - found["data=reference"].value)
    assert set(measures(moved(), "predicted_accuracy")) <= {"method=atc", "method=doc"}


def test_labels_that_moved_are_counted_and_estimated() -> None:
    found = measures(moved(), "label_shift")
    y = case(rows(300, 1, older=1.0), 60).data.y

    assert found["method=counted"].value == pytest.approx(abs(y.mean() - 0.5), abs=0.1)
    assert found["method=bbse"].low > 0.1  # answers moved from half to .84 yes
    assert measures(moved(), "label_shift_error")["method=bbse"].value > 0


@pytest.mark.parametrize("seed", range(4))
def test_two_halves_of_the_same_data_show_no_shift(seed: int) -> None:
    result = result_of(case(rows(200, 2 * seed)), CHECK, case(rows(200, 2 * seed + 1)).data)

    assert measures(result, "shift_auc")["features=columns"].low < 0.55
    assert measures(result, "shifted_columns")["features=columns"].value == 0
    assert measures(result, "label_shift")["method=counted"].low < 0.02


def test_images_are_compared_by_statistics_and_by_the_models_own_features() -> None:
    one = zoo.batch_norm()
    dark = zoo.labelled(one.model, zoo.images(3, seed=9) * 0.3)
    result = result_of(one, CHECK, dark)

    found = measures(result, "shift_auc")
    assert found["features=statistics"].low > 0.55
    assert set(found) == {"features=model", "features=statistics"}
    table = next(t for t in result.tables if t.title.startswith("Statistics"))
    assert {row[0] for row in table.rows} >= {"mean of channel 0", "power above 0.375 cycles a pixel"}
    assert measures(result, "shifted_columns")["features=statistics"].value >= 6


def test_texts_are_compared_by_their_lengths_and_the_models_features() -> None:
    one = zoo.texts()
    result = result_of(one, CHECK, one.data.at(np.arange(0, zoo.ROWS, 2)))

    assert {row[0] for row in result.tables[1].rows} == {"model", "statistics"}
    shared = "12 of 24 audited rows have the very inputs of one of the 12 reference rows"
    assert any(shared in c for c in result.caveats)


def test_of_a_value_the_errors_of_both_sides_stand_beside_the_columns() -> None:
    one, other = regression(lambda x: x[:, 0], normal(60, 2)), regression(lambda x: x[:, 0], normal(60, 2, seed=1))
    off = replace(other.data, y=other.data.y + 0.5)
    result = result_of(one, CHECK, off)

    found = measures(result, "mean_absolute_error")
    assert found["data=reference"].value == pytest.approx(0.5, abs=1e-6)
    assert found["data=audited"].value == pytest.approx(0, abs=1e-6)
    assert not measures(result, "accuracy")


def test_at_quick_the_model_sees_few_images() -> None:
    one = zoo.batch_norm()
    x = zoo.images(3).repeat(20, 1, 1, 1) * torch.linspace(0.5, 1, 480)[:, None, None, None]
    y = torch.zeros(480, dtype=torch.long)
    seen: list[int] = []
    with one.model.frozen():
        ctx = Context(one.model, Data.of(x, y), Data.of(x.flip(3), y))
        _ = ctx.predictions  # the answers of all audited rows are everybody's
        one.model.module.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
        CHECKS[CHECK].run(ctx, **CHECKS[CHECK].params({}, "quick"))

    assert sum(seen) == 64  # 32 of each side


# ---- what is not there -------------------------------------------------------------------------------------------
def test_without_a_reference_there_is_nothing_to_compare() -> None:
    assert "no reference data" in outcome_of(case(rows(50, 0)), CHECK).reason


def test_a_reference_that_is_the_audited_data_is_called_so() -> None:
    one = case(rows(50, 0))
    outcome = outcome_of(one, CHECK, one.data)

    assert outcome.result is None
    assert "the reference is the audited data itself" in outcome.reason
    turned = outcome_of(one, CHECK, one.data.at(np.arange(50)[::-1]))
    assert "the reference is the audited data itself" in turned.reason


def test_a_reference_too_small_is_called_so_and_answers_that_are_no_numbers_are_left_out() -> None:
    one, other = case(rows(60, 0)), case(rows(12, 1))
    result = result_of(one, CHECK, other.data)
    assert any("12 reference rows are compared with 60" in c for c in result.caveats)

    x = rows(60, 3)
    x[:7, 0] = torch.nan
    odd = result_of(one, CHECK, case(x).data)
    assert measures(odd, "accuracy")["data=reference"].counts[1] == 53
    assert any("7 reference rows have answers that are NaN or infinity" in c for c in odd.caveats)
    other_way = CHECKS[CHECK].run(Context(one.model, case(x).data, one.data), samples=0, rows=0)
    assert measures(other_way, "accuracy")["data=audited"].counts[1] == 53
    assert all(m.value is None or np.isfinite(m.value) for m in other_way.measures)


def test_predictions_alone_still_show_shifted_columns() -> None:
    one, other = case(rows(200, 1, older=1.0)).data, case(rows(200, 2)).data
    names = ("no", "yes")
    sides = [replace(d, given=Given(names, d.y, None)) for d in (one, other)]
    audit = run(None, sides[0], reference=sides[1], selection=Selection("quick", (CHECK,)))
    result = audit.outcome(CHECK).result

    assert measures(result, "shifted_columns")["features=columns"].value == 1
    assert measures(result, "accuracy")["data=audited"].value == 1
    assert any("only decisions are known" in c for c in result.caveats)


def test_predictions_of_a_file_without_inputs_are_compared_by_answers_alone() -> None:
    y = np.array([0, 1] * 20)
    p = np.stack([np.where(y == 0, 0.9, 0.2), np.where(y == 0, 0.1, 0.8)], 1).astype(np.float32)

    def side(n: int) -> Data:
        given = Given(("no", "yes"), y[:n], p[:n])
        return Data(lambda r: torch.zeros(len(r), 0), y[:n], np.arange(n), {"g": Labels.of(["a"] * n)}, given=given)

    audit = run(None, side(40), reference=side(30), selection=Selection("quick", (CHECK,)))
    result = audit.outcome(CHECK).result

    assert not measures(result, "shift_auc")
    assert measures(result, "label_shift")["method=bbse"].value == pytest.approx(0, abs=1e-9)


def test_one_row_one_class_constant_columns_and_gaps() -> None:
    one = case(rows(1, 0))
    single = result_of(one, CHECK, case(rows(40, 1)).data)
    assert measures(single, "shift_auc")["features=columns"].value is None
    assert measures(single, "shifted_columns")["features=columns"].n == 3

    same = torch.cat([torch.full((40, 1), 2.0), rows(40, 3)[:, 1:]], 1)
    still = result_of(case(same), CHECK, case(same.flip(0)[:30]).data)
    assert measures(still, "label_shift")["method=bbse"].value is None
    assert any("one class only" in c for c in still.caveats)
    assert any("ATC foretells nothing" in c for c in still.caveats)
    row = next(r for t in still.tables if t.title.startswith("Columns") for r in t.rows if r[0] == "age")
    assert row[1:4] == ("does not vary", None, None)

    x = rows(60, 4)
    x[::3, 0] = torch.nan
    gaps = classifier(lambda x: x[:, 4] - 0.5, x, COLUMNS)
    found = result_of(classifier(lambda x: x[:, 4] - 0.5, rows(60, 5), COLUMNS), CHECK, gaps.data)
    row = next(r for t in found.tables if t.title.startswith("Columns") for r in t.rows if r[0] == "age")
    assert "33.3 % missing" in row[4] and row[1] == "Kolmogorov-Smirnov, missing"


def test_more_columns_than_rows() -> None:
    wide = result_of(classifier(lambda x: x[:, 0], normal(20, 200)), CHECK,
                     classifier(lambda x: x[:, 0], normal(20, 200, seed=1)).data)  # fmt: skip

    assert measures(wide, "shifted_columns")["features=columns"].value == 0
    assert measures(wide, "shift_auc")["features=columns"].low < 0.55


# ---- a real shift ------------------------------------------------------------------------------------------------
@cache
def copies() -> tuple[zoo.Case, Data]:
    """resnet20 with the JPEG copies of CIFAR's test images, and lossless ones."""
    one = real("cifar10_resnet20")
    file = load_audit_file(AUDITS / "cifar10_resnet20.toml")
    jpeg = file.data.model_copy(update={"path": "../images/cifar10_test1000_jpeg.npz"})
    file = file.model_copy(update={"data": jpeg})
    return zoo.Case(one.model, read_data(file, AUDITS).data), one.data


@needs_shared
def test_images_that_were_compressed_are_a_shift_whose_cost_is_foretold() -> None:
    audited, lossless = copies()
    result = result_of(audited, CHECK, lossless, samples=300, rows=300)

    known = measures(result, "accuracy")
    assert known["data=reference"].value == pytest.approx(0.93, abs=1e-6)
    assert known["data=audited"].value == pytest.approx(0.793, abs=1e-6)
    found = measures(result, "shift_auc")
    assert found["features=model"].low > 0.6
    assert found["features=statistics"].low > 0.55
    assert measures(result, "shifted_columns")["features=statistics"].value >= 1
    foretold = measures(result, "predicted_accuracy")
    off = measures(result, "prediction_error")
    assert off["method=atc"].low < 0 < off["method=atc"].high
    assert foretold["method=atc"].value == pytest.approx(0.793, abs=0.05)
    assert 0.793 < foretold["method=doc"].value < 0.93  # the confidence falls, less than the accuracy does
    assert off["method=doc"].low > 0
    assert any("DoC foretells 0.090 more than the accuracy that was measured" in c for c in result.caveats)


@needs_shared
@pytest.mark.slow
def test_two_halves_of_the_compressed_images_show_none() -> None:
    audited, _ = copies()
    alarms = 0
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(1000)
        halves = [audited.data.at(np.sort(part)) for part in (order[:500], order[500:])]
        result = result_of(zoo.Case(audited.model, halves[0]), CHECK, halves[1], samples=300, rows=200)
        alarms += any(m.low > 0.55 for m in measures(result, "shift_auc").values())
        alarms += measures(result, "shifted_columns")["features=statistics"].value > 0

    assert alarms <= 1
