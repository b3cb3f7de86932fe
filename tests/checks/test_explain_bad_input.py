"""Inputs that are too small, too odd or too many, and models that say nothing: a figure, a caveat or words, no more."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.audit import run
from auditor.columns import Column
from auditor.errors import LoadError
from auditor.feeds import Tokens
from auditor.integers import Integers
from auditor.progress import Finished, Listener
from auditor.registry import CHECKS
from auditor.selection import Selection
from auditor.subject import Data, Model
from auditor.types import Outcome, Result, Scalar, Status
from auditor.words import Words
from tests.checks.tables import Function
from tests.zoo import Bag, Case, case, labelled

ROWS = 24
SMALL: dict[str, dict[str, Any]] = {
    "explain.counterfactuals": {"samples": 2, "starts": 20},
    "explain.gradcam": {"samples": 2},
    "explain.integrated_gradients": {"samples": 2, "draws": 4},
    "explain.lime": {"samples": 2, "neighbours": 60, "most": 60, "superpixels": 6},
    "explain.lrp": {"samples": 2},
    "explain.rules": {"samples": 2, "draws": 20},
    "explain.shap": {"samples": 2, "budget": 40, "background": 5, "superpixels": 6},
    "explain.smoothgrad": {"samples": 2, "draws": 4},
}
EXPLAIN = sorted(c for c in CHECKS if c.startswith("explain."))


@dataclass(frozen=True)
class Patient:
    """A model with data it can hardly be explained on, and the reference data, where there is any."""

    case: Case
    reference: Data | None = None


# ---- tables ------------------------------------------------------------------------------------------------------
def normal(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def table(x: Tensor, reference: Tensor | None = None) -> Patient:
    """A small network of two classes on the rows `x`."""
    module = nn.Sequential(nn.Linear(x.shape[1], 6), nn.ReLU(), nn.Linear(6, 2))
    found = case(module, x, 2, bounds=wide(x))
    if reference is None:
        return Patient(found)
    return Patient(found, Data.of(reference, torch.arange(len(reference)) % 2, columns=found.data.columns))


def wide(x: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds that no row comes near."""
    return torch.full(x.shape[1:], -50.0), torch.full(x.shape[1:], 50.0)


def with_nan(x: Tensor, column: int, rows: slice) -> Tensor:
    x = x.clone()
    x[rows, column] = math.nan
    return x


def constant_columns(*constant: int) -> Tensor:
    x = normal(ROWS, 3)
    x[:, list(constant)] = 1.5
    return x


def one_category() -> Patient:
    """A single column, a category of three values."""
    x = torch.eye(3)[torch.arange(ROWS) % 3]
    found = case(nn.Linear(3, 2), x, 2, unit=torch.zeros(3))
    columns = (Column("city", 0, 3, kind="category", values=("x", "y", "z")),)
    return Patient(Case(found.model, replace(found.data, columns=columns)))


def value() -> Patient:
    """A value of one column."""
    return Patient(valued(nn.Linear(1, 1), normal(ROWS, 1)))


def valued(module: nn.Module, x: Tensor) -> Case:
    model = Model(module, (), bounds=wide(x), output="value")
    with torch.no_grad():
        y = model(x)
    return Case(model, Data.of(x, y, columns=tuple(Column(f"c{i}", i, i + 1) for i in range(x.shape[1]))))


def black_box(x: Tensor) -> Patient:
    """Two classes by a function of all elements that gives no gradients."""
    says = Function(lambda x: torch.stack([-x.flatten(1).sum(1), x.flatten(1).mean(1) * 3 + x.flatten(1)[:, 0]], 1))
    model = Model(says, ("no", "yes"), bounds=wide(x))
    return Patient(Case(model, labelled(model, x, wrong=4)))


def same(x: Tensor, *, gradients: bool = True) -> Patient:
    """Always the second class, whatever comes in; with gradients of 0 or none at all."""

    def says(x: Tensor) -> Tensor:
        return torch.tensor([[0.0, 2.0]]).repeat(len(x), 1)

    module: nn.Module = Function(says)
    if gradients:
        module = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 2))
        module[1].weight.data.zero_()
        module[1].bias.data = torch.tensor([0.0, 2.0])
    model = Model(module, ("no", "yes"), bounds=wide(x))
    return Patient(Case(model, labelled(model, x, wrong=4)))


def same_value() -> Patient:
    """A value that is always the same."""
    head = nn.Linear(3, 1)
    head.weight.data.zero_()
    return Patient(valued(head, normal(ROWS, 3)))


# ---- images ------------------------------------------------------------------------------------------------------
def pictures(side: int, channels: int = 1) -> Tensor:
    return torch.rand(ROWS, channels, side, side, generator=torch.Generator().manual_seed(side))


def image(side: int, channels: int = 1) -> Patient:
    """A convolution and a linear layer on images of that side."""
    module = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * side * side, 3))
    return Patient(case(module, pictures(side, channels), 3))


def flat_image() -> Patient:
    """Images of one colour each: no segment can be told from another."""
    x = torch.linspace(0, 1, ROWS)[:, None, None, None].expand(-1, 1, 8, 8).contiguous()
    return Patient(case(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)), x, 3))


# ---- texts -------------------------------------------------------------------------------------------------------
class Counted(Bag):
    """A Bag that also has an answer to the empty text."""

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None
    ) -> Tensor:
        embedded = self.tokens(input_ids) if inputs_embeds is None else inputs_embeds
        mask = attention_mask[..., None]
        return self.head((embedded * mask).sum(1) / mask.sum(1).clamp_min(1))


class Deaf(Counted):
    """A Bag whose answer does not depend on the text."""

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None
    ) -> Tensor:
        return 0 * super().forward(input_ids, attention_mask, inputs_embeds) + torch.tensor([0.0, 2.0])


def text(lengths: Tensor, module: nn.Module | None = None) -> Patient:
    """Texts of so many words each, a token a word."""
    x = torch.randint(0, 10, (ROWS, 6), generator=torch.Generator().manual_seed(5))
    x[torch.arange(6) >= lengths[:, None]] = -1
    found = case(module or Counted(), x, 2, feed=Tokens(pad=0), bounds=(-1.0, 9.0))

    def words(rows: Integers) -> list[Words]:
        held = [[f"word{i}" for i in row[row >= 0].tolist()] for row in found.data.read(rows)]
        return [Words(tuple(row), np.where(np.arange(6) < len(row), np.arange(6), -1)) for row in held]

    texts = lambda rows: [" ".join(row.words) for row in words(rows)]  # noqa: E731
    return Patient(Case(found.model, replace(found.data, columns=(), texts=texts, words=words)))


def silent_text() -> Patient:
    """Texts read by a black box of token ids."""

    class Closed(Counted):
        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:  # type: ignore[override]
            return torch.from_numpy(super().forward(input_ids, attention_mask).detach().numpy().copy())

        get_input_embeddings = None  # type: ignore[assignment]

    return text(1 + torch.arange(ROWS) % 6, Closed())


PATIENTS: Mapping[str, Callable[[], Patient]] = {
    "one column": lambda: table(normal(ROWS, 1)),
    "one category": one_category,
    "value of one column": value,
    "a constant column": lambda: table(constant_columns(1)),
    "constant columns only": lambda: table(constant_columns(0, 1, 2)),
    "NaN in the reference": lambda: table(normal(ROWS, 3), with_nan(normal(ROWS, 3, 1), 1, slice(0, 5))),
    "a NaN column in the reference": lambda: table(normal(ROWS, 3), with_nan(normal(ROWS, 3, 1), 1, slice(None))),
    "NaN in every reference row": lambda: table(normal(ROWS, 3), torch.full((ROWS, 3), math.nan)),
    "a background of one row": lambda: table(normal(ROWS, 3), normal(1, 3, 1)),
    "a background of one row, the row itself": lambda: table(normal(1, 3).repeat(ROWS, 1), normal(1, 3)),
    "500 columns": lambda: table(normal(ROWS, 500)),
    "black box": lambda: black_box(normal(ROWS, 3)),
    "black box of images": lambda: black_box(pictures(8)),
    "black box of texts": silent_text,
    "same answer": lambda: same(normal(ROWS, 3)),
    "same answer, black box": lambda: same(normal(ROWS, 3), gradients=False),
    "same answer to images": lambda: same(pictures(8)),
    "same answer to images, black box": lambda: same(pictures(8), gradients=False),
    "same answer to texts": lambda: text(1 + torch.arange(ROWS) % 6, Deaf()),
    "same value": same_value,
    "image 4 x 4": lambda: image(4),
    "image 2 x 2": lambda: image(2),
    "image 1 x 1": lambda: image(1),
    "image 1 x 1 of 3 channels": lambda: image(1, 3),
    "image of one colour": flat_image,
    "an empty text": lambda: text(torch.arange(ROWS) % 6),
    "empty texts only": lambda: text(torch.zeros(ROWS).long()),
    "texts of one word": lambda: text(torch.ones(ROWS).long()),
}


def every() -> pytest.MarkDecorator:
    """All patients with all checks."""
    cases = [pytest.param(p, c, id=f"{p}-{c}") for p in PATIENTS for c in EXPLAIN]
    return pytest.mark.parametrize(("name", "check"), cases)


@cache
def audited(name: str) -> tuple[Mapping[str, Outcome], Mapping[str, Mapping[str, Any]]]:
    """The outcomes of all checks that explain, by their ids, and the evidence of each."""
    patient = PATIENTS[name]()
    seen: list[Finished] = []
    selection = Selection("quick", ("explain.*",), (), SMALL)
    audit = run(
        patient.case.model, patient.case.data, reference=patient.reference, selection=selection,
        tell=Listener(finished=seen.append),
    )  # fmt: skip
    return {o.check: o for o in audit.outcomes}, {f.outcome.check: f.arrays for f in seen}


def measured(name: str, check: str) -> Result:
    """What the check found of the patient, of which it must find something."""
    outcome = audited(name)[0][check]
    if outcome.result is None:
        pytest.fail(f"{check} of {name!r} has no result: {outcome.reason}")
    return outcome.result


# ---- every patient, every check ----------------------------------------------------------------------------------
@every()
def test_it_ends_in_finite_figures_or_in_words(name: str, check: str) -> None:
    outcomes, arrays = audited(name)
    outcome = outcomes[check]
    if outcome.result is None:
        assert outcome.status is Status.NOT_APPLICABLE, outcome.reason
        assert is_sentence(outcome.reason), outcome.reason
        return
    # a measure itself refuses NaN and infinity
    assert outcome.result.measures
    assert all(math.isfinite(v) for t in outcome.result.tables for v in numbers(t.rows))
    drawn = {name: a for name, a in arrays[check].items() if "/scores-" not in name}  # NaN: the row has no part
    assert all(np.isfinite(a).all() for a in drawn.values() if a.dtype.kind == "f")
    assert all(is_sentence(c) for c in outcome.result.caveats), outcome.result.caveats


@every()
def test_some_figure_can_be_said_or_words_say_why_none_can(name: str, check: str) -> None:
    result = audited(name)[0][check].result
    if result is None or any(m.value is not None for m in result.measures if m.name not in COUNTS):
        return
    assert any(NOTHING.search(c) for c in result.caveats), result.caveats


@every()
def test_nothing_that_is_all_zero_is_shown_without_a_word(name: str, check: str) -> None:
    outcomes, arrays = audited(name)
    result = outcomes[check].result
    if result is None or not zeros(result, arrays[check]):
        return
    assert any(NOTHING.search(c) for c in result.caveats), (zeros(result, arrays[check]), result.caveats)


COUNTS = ("evidence_against", "evidence_for", "evidence_measures", "passes")  # of work done, of nothing seen
NOTHING = re.compile(
    r"same answer|one answer|does not change|does not depend|no part alone|no mask changes|is 0 without|shares are 0"
    r"|maps are empty|no finite|no number|no importance here"
)
CODE = re.compile(r"Traceback|Error|Exception|0x[0-9a-f]|tensor\(|array\(|[a-z]\(\)|NoneType|\bdtype\b|__|\n")


def is_sentence(text: str) -> bool:
    """Whether it is one line of at least four words, and nothing of a program in it."""
    return len(text.split()) >= 4 and not CODE.search(text)


def numbers(rows: tuple[tuple[Scalar, ...], ...]) -> list[float]:
    return [v for row in rows for v in row if isinstance(v, float)]


def zeros(result: Result, arrays: Mapping[str, Any]) -> list[str]:
    """The maps, and the tables of single rows, that hold nothing but 0."""
    maps = [i.alt for i in result.images if i.role == "map" and not arrays[i.array].any()]
    of_rows = (t for t in result.tables if t.columns[0] in ("column", "word", "sentence"))
    return maps + [t.title for t in of_rows if numbers(t.rows) and not any(numbers(t.rows))]


# ---- in particular -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["same answer", "same answer to images", "same value"])
def test_explanations_that_say_nothing_do_not_agree(name: str) -> None:
    found = {m.name: m.value for m in measured(name, "explain.agreement").measures}

    assert found["consensus"] is None


def test_without_any_method_that_says_something_nothing_is_compared() -> None:
    outcome = audited("same answer to texts")[0]["explain.agreement"]

    assert outcome.status is Status.NOT_APPLICABLE
    assert "no method says which parts matter" in outcome.reason


@pytest.mark.parametrize("check", ["lime", "occlusion", "shap"])
def test_an_empty_text_does_not_take_the_others_with_it(check: str) -> None:
    lengths = 3 + torch.arange(ROWS) % 4
    lengths[0] = 0  # the first of the errors
    patient = text(lengths)
    selection = Selection("quick", ("explain.*",), (), {f"explain.{check}": {"samples": 0}})
    audit = run(patient.case.model, patient.case.data, selection=selection)
    (result,) = [o.result for o in audit.outcomes if o.check == f"explain.{check}"]
    caveats = result.caveats if result else ()

    assert any(c.startswith("1 of 24 ") and "left out" in c for c in caveats)


@pytest.mark.parametrize("name", ["constant columns only", "a background of one row, the row itself"])
def test_columns_of_one_value_are_not_said_to_be_without_effect(name: str) -> None:
    result = measured(name, "explain.global")

    assert not any("depends on none" in c for c in result.caveats)
    assert any("One value in all of these rows" in c for c in result.caveats)


def test_a_column_of_one_value_is_worth_nothing_exactly() -> None:
    found = {
        m.name: m.value for m in measured("a constant column", "explain.global").measures if m.slice == "column=c1"
    }

    assert found["permutation_importance"] == 0  # exchanging its values changes no row


def test_rows_of_the_background_with_nan_are_left_out_and_counted() -> None:
    (said, *_) = measured("NaN in the reference", "explain.shap").caveats

    assert said.endswith("from 2 rows of the reference data; 3 more hold NaN or infinity and are left out.")


def test_a_table_is_not_said_to_be_like_an_empty_text() -> None:
    assert not any("empty text" in c for c in measured("NaN in the reference", "explain.occlusion").caveats)


def test_a_background_of_one_row_is_named_as_a_doubt() -> None:
    (said, *_) = measured("a background of one row", "explain.shap").caveats

    assert said.endswith("from 1 row of the reference data: all figures are in comparison with that one.")


def test_inputs_with_nan_are_refused_in_words() -> None:
    x = normal(ROWS, 3)
    patient = table(x)
    x[:5, 1] = math.nan

    with pytest.raises(LoadError, match="the inputs hold NaN or infinity"):
        run(patient.case.model, patient.case.data, selection=Selection("quick", ("explain.*",)))
