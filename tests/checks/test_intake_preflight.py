"""intake.preflight: what is wrong with a model or its inputs is said before anything else is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from auditor.audit import run
from auditor.errors import LoadError
from auditor.given import Given
from auditor.intervals import wilson
from auditor.selection import Selection
from auditor.subject import Data, Model, Normalize
from tests import zoo
from tests.checks.audited import result_of
from tests.shared import needs_shared, real

CHECK = "intake.preflight"


def test_clean_accuracy_is_counted_with_its_interval() -> None:
    accuracy, _ = result_of(zoo.planted_patch(), CHECK).measures
    expected = wilson(22, 24)

    assert (accuracy.name, accuracy.value, accuracy.n) == ("clean_accuracy", 22 / 24, 24)
    assert (accuracy.low, accuracy.high) == (expected.low, expected.high)


def test_what_goes_in_and_comes_out_is_listed() -> None:
    table = {row[0]: row[1] for row in result_of(zoo.softmax_output(), CHECK).tables[0].rows}

    assert table["shape of one input"] == "1 x 8 x 8"
    assert table["outputs"] == "probabilities"
    assert table["bounds"] == "0 to 1"
    assert table["classes"] == "3"
    assert table["classified correctly"] == "20 of 24 (0.833)"


def test_outputs_that_contradict_what_was_declared_are_a_caveat() -> None:
    (caveat,) = result_of(zoo.softmax_output(), CHECK).caveats

    assert "output = 'logits' was declared, but the model gives probabilities" in caveat
    assert result_of(zoo.planted_patch(), CHECK).caveats == ()


def test_chance_level_is_said_in_words_and_the_audit_goes_on() -> None:
    case = zoo.inplace_relu()
    with torch.no_grad():
        own = case.model(case.data.read(np.arange(24))).argmax(1).numpy()
    wrong = Data(case.data.read, (own + np.arange(24)) % 3, case.data.row_ids)  # a third of them right

    audit = run(case.model, wrong, selection=Selection("quick", only=("performance.*",)))
    preflight = audit.outcome(CHECK)

    assert any("on 3 classes is chance level" in c and "are mean, std" in c for c in preflight.result.caveats)
    assert audit.outcome("performance.accuracy").result.measures[0].counts == (8, 24)


@pytest.mark.parametrize(
    ("right", "words"),
    [
        (0, "0.0 % on 3 classes is below chance level (33.3 %): are the order of the classes, mean, std"),
        (8, "33.3 % on 3 classes is chance level (33.3 %): are mean, std"),
        (10, "41.7 % on 3 classes cannot be told from chance level (33.3 %) with 24 rows: are mean, std"),
        (16, None),
    ],
)
def test_chance_is_told_from_worse_and_from_too_few_rows(right: int, words: str | None) -> None:
    case = zoo.inplace_relu()
    with torch.no_grad():
        own = case.model(case.data.read(np.arange(24))).argmax(1).numpy()
    labels = (own + (np.arange(24) >= right)) % 3

    caveats = result_of(zoo.Case(case.model, Data(case.data.read, labels, case.data.row_ids)), CHECK).caveats

    assert [c for c in caveats if "chance" in c] == [c for c in caveats if words and c.startswith(words)]
    assert len([c for c in caveats if "another order" not in c]) == (1 if words else 0)


class Noisy(torch.nn.Module):
    """Draws its outputs in part: dropout that never ends."""

    def __init__(self, inner: torch.nn.Module, amount: float) -> None:
        super().__init__()
        self.inner, self.amount = inner, amount

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.inner(x)
        return y + self.amount * torch.randn_like(y)


@pytest.mark.parametrize(("amount", "said"), [(1.0, True), (0.0, False)])
def test_a_model_that_draws_random_numbers_is_named(amount: float, said: bool) -> None:
    case = zoo.planted_patch()
    model = replace(case.model, module=Noisy(case.model.module, amount).eval())

    caveats = " ".join(result_of(zoo.Case(model, case.data), CHECK).caveats)

    assert ("Two runs on the same 16 rows give outputs up to" in caveats) is said


@pytest.mark.parametrize("amount", [1.0, 0.0])
def test_how_far_two_passes_lie_apart_is_a_figure(amount: float) -> None:
    case = zoo.planted_patch()
    module = Noisy(case.model.module, amount).eval()
    result = result_of(zoo.Case(replace(case.model, module=module), case.data), CHECK)
    (apart,) = [m for m in result.measures if m.name == "repeat_difference"]
    table = {row[0]: row[1] for row in result.tables[1].rows}

    assert (apart.n, apart.slice, apart.low, apart.better) == (16, "", None, "lower")
    if amount:  # the difference of two draws of 16 x k normal numbers
        assert 1 < apart.value < 8
        assert table["two passes over the same rows"].startswith(f"up to {apart.value:.3g} apart")
    else:
        assert apart.value == 0


def test_predictions_have_no_passes_to_compare() -> None:
    given = Given(("a", "b"), np.zeros(6, np.int64), None)
    data = replace(Data.of(torch.zeros(6, 0), torch.arange(6) % 2), given=given)

    assert [m.name for m in run(None, data).outcome(CHECK).result.measures] == ["clean_accuracy"]


class Relative(torch.nn.Module):
    """Sees each row against the mean of its batch, as batch norm in training does."""

    def __init__(self, inner: torch.nn.Module, amount: float) -> None:
        super().__init__()
        self.inner, self.amount = inner, amount

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.inner(x - self.amount * x.mean(0))
        return y


@pytest.mark.parametrize(("amount", "said"), [(1.0, True), (0.0, False)])
def test_a_model_that_looks_at_the_rest_of_the_batch_is_named(amount: float, said: bool) -> None:
    case = zoo.planted_patch()
    model = replace(case.model, module=Relative(case.model.module, amount).eval())

    caveats = " ".join(result_of(zoo.Case(model, case.data), CHECK).caveats)

    assert ("Rows alone and in a batch of 16 give outputs up to" in caveats) is said


def test_what_the_model_is_made_of_and_how_it_runs_is_listed() -> None:
    table = {row[0]: row[1] for row in result_of(zoo.batch_norm(), CHECK).tables[1].rows}
    convolution, head = 27 * 4 * 6 * 6, 16 * 3

    assert table["parameters"] == f"{27 * 4 + 4 + 4 + 4 + 16 * 3 + 3} in 3 layers with weights"
    assert table["floating-point operations for one sample"].startswith(f"{2 * (convolution + head):,} for matrix")
    assert table["evaluation mode"] == "eval() reaches all of its 7 parts"
    assert table["dropout"] == "no such layer"
    assert table["two passes over the same rows"] == "the same outputs for 16 rows"
    assert table["rows alone and in a batch"] == "the same outputs"
    assert table["BatchNorm"].startswith("1 layers; 20 of 24 right by the running statistics, ")


def test_what_else_was_tried_is_listed() -> None:
    table = {row[0]: row[1] for row in result_of(zoo.batch_norm(), CHECK).tables[0].rows}

    assert table["other preprocessing"].startswith("right more often with none of 6: no normalisation, values from 0")
    assert table["another order of the classes"] == "none that is right more often"


@pytest.mark.parametrize(("called", "said"), [(199, True), (150, False)])
def test_a_model_that_calls_nearly_everything_the_same_is_named(called: int, said: bool) -> None:
    predicted = np.arange(200) >= called
    given = Given(("a", "b"), predicted.astype(np.int64), None)
    data = replace(Data.of(torch.zeros(200, 0), torch.arange(200) % 2), given=given)
    preflight = run(None, data, selection=Selection("quick", only=(CHECK,))).outcome(CHECK)

    found = "The model calls 199 of 200 samples 'a'; 100 are labelled so."
    assert (found in preflight.result.caveats) is said
    assert len(preflight.result.tables) == 1  # no module, so nothing to say of one


def test_a_class_that_nearly_all_labels_have_may_be_what_is_nearly_always_said() -> None:
    given = Given(("a", "b"), (np.arange(200) > 198).astype(np.int64), None)
    data = replace(Data.of(torch.zeros(200, 0), (torch.arange(200) > 195).long()), given=given)

    caveats = run(None, data, selection=Selection("quick", only=(CHECK,))).outcome(CHECK).result.caveats

    assert not any("are labelled so" in c for c in caveats)


def test_outputs_that_hardly_move_are_named() -> None:
    case = zoo.planted_patch()
    module = torch.nn.Sequential(case.model.module, torch.nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        module[1].weight.copy_(torch.eye(2) * 1e-3)
    faint = zoo.Case(replace(case.model, module=module), case.data)

    (caveat,) = result_of(faint, CHECK).caveats
    assert "The outputs hardly move: no probability differs by more than" in caveat


@pytest.mark.parametrize(("slope", "said"), [(1.0, False), (1e-4, True)])
def test_values_that_hardly_move_are_named(slope: float, said: bool) -> None:
    x = torch.linspace(0, 1, 24)[:, None]
    head = torch.nn.Linear(1, 1)
    with torch.no_grad():
        head.weight.fill_(slope)
    model = Model(head, (), output="value", bounds=(torch.zeros(1), torch.ones(1)))

    caveats = result_of(zoo.Case(model, Data.of(x, x[:, 0])), CHECK).caveats

    assert (
        any("The outputs hardly move: the values lie within 0.0001, the targets within 1" in c for c in caveats) is said
    )


@pytest.mark.parametrize(
    ("case", "caveat"),
    [(zoo.constant(), "same output for every input"), (zoo.linear_table(), None)],
)
def test_a_model_that_does_not_listen_is_named(case: zoo.Case, caveat: str | None) -> None:
    caveats = " ".join(result_of(case, CHECK).caveats)

    assert (caveat in caveats) if caveat else not caveats


def test_one_prediction_for_everything_is_named() -> None:
    case = zoo.planted_patch()
    lopsided = zoo.Case(case.model, Data(case.data.read, case.data.y, case.data.row_ids))
    with torch.no_grad():
        lopsided.model.module[1].bias.copy_(torch.tensor([-2.0, 2.0]))

    assert any("calls every one of the 24 samples 'bright'" in c for c in result_of(lopsided, CHECK).caveats)


def test_only_one_class_is_a_caveat_and_no_refusal() -> None:
    case = zoo.planted_patch()
    rows = np.flatnonzero(case.data.y == 0)

    caveats = result_of(zoo.Case(case.model, case.data.at(rows)), CHECK).caveats

    assert any("Only the class 'dark' occurs" in c for c in caveats)


def test_inputs_outside_the_bounds_are_counted() -> None:
    case = zoo.planted_patch()
    loud = Data(lambda r: case.data.read(r) * 255, case.data.y, case.data.row_ids)

    caveats = result_of(zoo.Case(case.model, loud), CHECK).caveats

    assert any("24 of 24 samples leave the bounds (0 to 1): are they in other units?" in c for c in caveats)


@pytest.mark.parametrize(
    ("x", "message"),
    [(float("nan"), "NaN or infinity"), (float("inf"), "NaN or infinity")],
)
def test_inputs_that_are_no_numbers_end_the_audit(x: float, message: str) -> None:
    case = zoo.linear_table()
    values = case.data.read(np.arange(24)).clone()
    values[20, 1] = x

    with pytest.raises(LoadError, match=message):
        result_of(zoo.Case(case.model, Data.of(values, torch.from_numpy(case.data.y))), CHECK)


def test_nan_far_down_the_data_ends_the_audit_even_if_the_model_swallows_it() -> None:
    class Swallows(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([(x[:, 0] > 0).float(), (x[:, 0] <= 0).float()], 1)

    x = torch.rand(70_000, 3)
    x[66_000, 1] = torch.nan
    model = replace(zoo.linear_table().model, module=Swallows())

    with pytest.raises(LoadError, match="the inputs of 1 rows hold NaN or infinity"):
        result_of(zoo.Case(model, Data.of(x, torch.zeros(70_000).long())), CHECK)


def test_predictions_alone_have_no_inputs_to_look_at() -> None:
    given = Given(("a", "b"), np.array([0, 1, 1, 0]), None)
    data = replace(Data.of(torch.zeros(4, 0), torch.tensor([0, 1, 0, 0])), given=given)
    preflight = run(None, data, selection=Selection("quick", only=(CHECK,))).outcome(CHECK)

    rows = {row[0]: row[1] for row in preflight.result.tables[0].rows}
    assert rows["outputs"] == "predictions that came with the data"
    assert "smallest and largest input" not in rows
    assert preflight.result.measures[0].counts == (3, 4)


def test_a_label_without_an_output_ends_the_audit() -> None:
    case = zoo.linear_table()
    y = torch.from_numpy(case.data.y.copy())
    y[17] = 2

    with pytest.raises(LoadError, match=r"label 2 \(row 17\) has no output: the model has 2 classes, 0 to 1"):
        result_of(zoo.Case(case.model, Data.of(case.data.read(np.arange(24)), y)), CHECK)


def test_a_regression_model_is_measured_by_its_error() -> None:
    case = zoo.linear_table()
    x = case.data.read(np.arange(24))
    head = torch.nn.Linear(3, 1)
    model = Model(head, (), output="value", bounds=case.model.bounds)
    with torch.no_grad():
        target = head(x)[:, 0] + 0.5

    error, _ = result_of(zoo.Case(model, Data.of(x, target)), CHECK).measures

    assert error.name == "mean_absolute_error"
    assert error.value == pytest.approx(0.5, abs=1e-6)
    assert (error.low, error.high) == pytest.approx((0.5, 0.5), abs=1e-6)


@needs_shared
@pytest.mark.parametrize(
    ("name", "right", "of"),
    [
        ("cifar10_resnet20", 279, 300),
        ("cifar10_cnn_a_adv", 221, 300),
        ("cifar10_vit_ibp", 199, 300),
        ("mnist_small", 980, 1000),
        ("mnist_kw", 982, 1000),
    ],
)
def test_real_models_reach_their_measured_accuracy(name: str, right: int, of: int) -> None:
    opened = real(name)

    accuracy, repeated = result_of(opened, CHECK).measures

    assert accuracy.counts == (right, of)
    assert repeated.value == 0  # one processor, one thread: the same sums in the same order


@pytest.mark.slow
@needs_shared
def test_efficientnet_reaches_its_measured_accuracy() -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra `demo` is not installed")
    opened = real("imagenet_efficientnet")

    accuracy, _ = result_of(opened, CHECK).measures

    assert accuracy.counts[1] == 200
    assert abs(accuracy.counts[0] - 175) <= 1


@needs_shared
def test_a_wrong_normalisation_is_reported_as_chance_level() -> None:
    opened = real("cifar10_resnet20")
    wrong = Model(
        opened.model.module, opened.model.classes, normalize=Normalize(torch.full((3,), 120.0), torch.full((3,), 60.0))
    )

    caveats = " ".join(result_of(zoo.Case(wrong, opened.data.take(100, 0)), CHECK).caveats)

    assert "chance level (10.0 %)" in caveats and "are mean, std" in caveats
    assert "0 normalisation: the audit file is probably wrong." in caveats.replace("ImageNet", "CIFAR-10")
