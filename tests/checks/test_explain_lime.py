"""explain.lime: weights with their fit; where it does not hold, that is said and nothing is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.columns import Column
from auditor.subject import Data, Model
from auditor.words import Words
from reports.html import render
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, result_of
from tests.reports.records import audited

CHECK = "explain.lime"


class Probability(nn.Module):
    """Gives what a function of its input says as the probability of class 1."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        p = self.function(x).clamp(0.01, 0.99)
        return torch.stack([(1 - p).log(), p.log()], 1)


def case(function: object, columns: int = 3) -> zoo.Case:
    x = torch.randn(60, columns, generator=torch.Generator().manual_seed(0))
    model = Model(Probability(function), ("no", "yes"), bounds=(torch.full((columns,), -5.0), torch.full((columns,), 5.0)))  # fmt: skip # noqa: E501
    return zoo.Case(model, replace(zoo.labelled(model, x), groups={}))


def slope(x: Tensor) -> Tensor:
    return 0.5 + 0.08 * x[:, 0] - 0.04 * x[:, 1]


def wave(x: Tensor) -> Tensor:
    return 0.5 + 0.4 * torch.sin(9 * x[:, 0])


def test_a_classifier_that_is_linear_is_fitted_and_weighed() -> None:
    found = case(slope)
    result = result_of(found, CHECK, samples=2, neighbours=2000)
    spread = found.data.read(np.arange(60)).std(0, correction=0).tolist()

    assert all(m.value > 0.99 for m in measures(result, "fidelity").values())
    assert all(m.value > 0.99 for m in measures(result, "stability").values())
    assert measures(result, "drawn")[""].counts == (2, 2)
    assert measures(result, "neighbours")[""].value == 2000
    assert result.caveats == ("Columns vary as they do in 60 rows of the audited data, as no reference was given.",)
    for table in result.tables:
        sign = 1 if table.title.rpartition(" (")[0].endswith("yes") else -1
        weights = {r[0]: r[2:5] for r in table.rows}
        assert {r[0]: r[5] for r in table.rows} == pytest.approx({f"c{i}": spread[i] for i in range(3)})
        assert weights["c0"][0] == pytest.approx(sign * 0.08 * spread[0], rel=0.02)
        assert weights["c1"][0] == pytest.approx(-sign * 0.04 * spread[1], rel=0.02)
        assert weights["c2"][1] < 0 < weights["c2"][2]
        assert all(low < weight < high for weight, low, high in weights.values())


def test_a_classifier_that_is_not_linear_here_is_measured_and_not_drawn() -> None:
    result = result_of(case(wave), CHECK, samples=2, neighbours=200, most=800)

    assert measures(result, "fidelity")[""].value < 0.5
    assert measures(result, "drawn")[""].counts == (0, 2)
    assert measures(result, "neighbours")[""].value == 800
    assert result.tables == ()
    assert any(c.startswith("In 2 of 2 rows the fidelity is below 0.5") and "800" in c for c in result.caveats)


def test_too_few_neighbours_for_the_columns_are_said_to_be_too_few() -> None:
    found = case(lambda x: 0.5 + 0.02 * x[:, :40].sum(1), 500)
    result = result_of(found, CHECK, samples=1, neighbours=200, most=400)

    assert result.tables == ()
    assert any("too few for 500 columns: raise `most`" in c for c in result.caveats)


def test_weights_that_would_not_come_again_are_not_drawn_until_there_are_more_neighbours() -> None:
    """24 equal columns, and one that moves the answer too fast to be seen."""
    found = case(lambda x: 0.5 + 0.02 * x[:, :24].sum(1) + 0.08 * torch.sin(50 * x[:, 24]), 25)
    few, more = (result_of(found, CHECK, samples=2, neighbours=100, most=n) for n in (100, 400))

    assert measures(few, "fidelity")[""].value > 0.5
    assert measures(few, "stability")[""].value < 0.9
    assert few.tables == ()
    assert any(c.startswith("In 2 of 2 rows the stability is below 0.9") for c in few.caveats)
    assert any("too few for 25 columns: raise `most`" in c for c in few.caveats)
    assert measures(more, "stability")[""].value > 0.9
    assert len(more.tables) == 2


def test_the_reference_gives_the_spread_where_there_is_one() -> None:
    found = case(slope)
    wide = Data.of(found.data.read(np.arange(60)) * 2, torch.from_numpy(found.data.y))

    with_it, without = (result_of(found, CHECK, r, samples=1, neighbours=2000) for r in (wide, None))

    assert with_it.caveats[0] == "Columns vary as they do in 60 rows of the reference data."
    first, second = (abs(float(r.tables[0].rows[0][2] or 0)) for r in (with_it, without))
    assert first == pytest.approx(2 * second, rel=0.05)


def test_columns_that_do_not_vary_have_no_weight_and_are_named() -> None:
    found = case(slope)
    x = found.data.read(np.arange(60)).clone()
    x[:, 1] = 2.0
    result = result_of(zoo.Case(found.model, zoo.labelled(found.model, x)), CHECK, samples=1)

    assert [r[0] for r in result.tables[0].rows] == ["c0", "c2"]
    assert "1 of 3 columns have no weight, as they do not vary: c1." in result.caveats


def test_the_value_of_a_model_without_classes_is_explained() -> None:
    head = nn.Linear(1, 1)
    head.weight.data[:] = 3.0
    x = torch.randn(50, 1, generator=torch.Generator().manual_seed(1))
    model = Model(head, (), bounds=(torch.tensor([-9.0]), torch.tensor([9.0])), output="value")
    data = replace(Data.of(x, x[:, 0] * 3), columns=(Column("only", 0, 1),))
    (table,) = result_of(zoo.Case(model, data), CHECK, samples=1, neighbours=1000).tables

    assert table.columns == ("column", "value", "weight on the value", "low", "high", "standard deviation")
    assert table.rows[0][2] == pytest.approx(3 * float(x.std(correction=0)), rel=0.01)


# ---- images and texts --------------------------------------------------------------------------------------------
def test_parts_of_an_image_are_weighed_in_grey_and_in_colour() -> None:
    for found in (zoo.planted_patch(), zoo.batch_norm()):
        settings = {"samples": 2, "neighbours": 300, "superpixels": 16}
        result = result_of(found, CHECK, **settings)
        arrays = arrays_of(found.model, found.data, CHECK, **settings)

        assert len([i for i in result.images if i.role == "map"]) == 2
        maps = [a for n, a in arrays.items() if n.startswith(CHECK) and not n.endswith("interval")]
        assert all(a.shape == (8, 8) for a in maps)
    arrays = arrays_of(found.model, found.data, CHECK, samples=1, superpixels=300)  # more than there are pixels
    assert any(n.endswith("interval") and a.shape == (2, 64) for n, a in arrays.items())


def test_the_planted_patch_has_the_weight() -> None:
    found = zoo.planted_patch()
    patch = arrays_of(found.model, found.data, CHECK, samples=1, neighbours=600, superpixels=64)
    (shares,) = (a for n, a in patch.items() if n.startswith(CHECK) and not n.endswith("interval"))
    inside = np.zeros((8, 8), bool)
    inside[zoo.PATCH] = True

    assert np.abs(shares[inside]).min() > np.abs(shares[~inside]).max()


def texts(words: list[list[str]]) -> zoo.Case:
    """Texts of the zoo's bag of ten tokens, each word one."""
    found = zoo.texts()
    ids = torch.full((len(words), 6), -1)
    for row, held in enumerate(words):
        ids[row, : len(held)] = torch.tensor([int(w[4:]) for w in held], dtype=torch.long)

    def of_rows(rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[Words]:
        of_token = np.arange(6)
        return [Words(tuple(words[r]), np.where(of_token < len(words[r]), of_token, -1)) for r in rows.tolist()]

    y = np.zeros(len(words), np.int64)
    own = replace(
        found.data, read=lambda rows: ids[torch.from_numpy(rows)], y=y, row_ids=np.arange(len(words)), groups={},
        words=of_rows, texts=lambda rows: [" ".join(words[r]) for r in rows.tolist()],
    )  # fmt: skip
    return zoo.Case(found.model, own)


def test_the_words_of_a_text_are_weighed_in_their_order_with_intervals() -> None:
    found = texts([["word1", "word2", "word3"], ["word4", "word5", "word6", "word7"]])
    result = result_of(found, CHECK, samples=0, neighbours=400, most=3000)

    assert result.caveats[0] == "An absent word is taken out of the text."
    assert len(result.tables) == 2
    for table in result.tables:
        words = {"row 0": 3, "row 1": 4}[table.title.partition(":")[0]]
        assert table.columns == ("word", "weight", "low", "high")
        assert len(table.rows) == words
        assert all(low <= weight <= high for _, weight, low, high in table.rows)


def test_a_text_without_words_is_left_out_and_the_others_are_explained() -> None:
    found = texts([["word1", "word2", "word3"], []])
    bag = found.model.module
    found = zoo.Case(replace(found.model, module=Never(bag)), found.data)

    result = result_of(found, CHECK, samples=0, neighbours=400, most=3000)

    assert len(measures(result, "fidelity")) == 2  # the whole and one row
    assert any(c == "1 of 2 rows are left out: the text of row 1 has no words." for c in result.caveats)


class Never(nn.Module):
    """Gives a number for an empty text too."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def get_input_embeddings(self) -> nn.Module:
        return self.inner.get_input_embeddings()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return torch.nan_to_num(self.inner(input_ids, attention_mask))


def test_a_text_of_one_word_and_an_image_of_one_pixel_have_no_neighbours() -> None:
    model = Model(nn.Sequential(nn.Flatten(), nn.Linear(1, 2)), ("a", "b"))
    dot = zoo.Case(model, Data.of(torch.rand(4, 1, 1, 1), torch.zeros(4).long()))

    assert "row 0 is one word only" in not_applicable(texts([["word3"]]), CHECK, samples=1)
    assert "is one part only" in not_applicable(dot, CHECK)


# ---- what it does not apply to -----------------------------------------------------------------------------------
def test_an_answer_that_does_not_change_is_nothing_to_explain() -> None:
    assert "the answer does not change around row" in not_applicable(zoo.constant(), CHECK)


def test_one_row_whose_answer_does_not_change_is_said() -> None:
    found = case(lambda x: torch.where(x[:, 2] > 20, 0.7, slope(x)))
    x = found.data.read(np.arange(60)).clone()
    x[0, 2] = 500.0
    reference = Data.of(found.data.read(np.arange(60)), torch.zeros(60).long())
    result = result_of(zoo.Case(found.model, zoo.labelled(found.model, x)), CHECK, reference, samples=0, neighbours=50, most=50)  # fmt: skip # noqa: E501

    assert measures(result, "fidelity")["row=0"].value is None
    assert any(c == "The answer does not change around row 0: nothing to explain." for c in result.caveats)


def test_answers_that_are_no_numbers_are_said() -> None:
    found = case(lambda x: torch.where(x[:, 0].abs() > 3.5, torch.nan, slope(x)))

    assert "does not answer with numbers around row" in not_applicable(found, CHECK, samples=2, neighbours=4000)


def test_a_background_of_one_row_lets_nothing_vary() -> None:
    found = case(slope)
    one = found.data.at(np.arange(1))

    assert "no column varies around row 0" in not_applicable(zoo.Case(found.model, one), CHECK, samples=1)


def test_inputs_that_are_neither_pictures_nor_columns_are_none_of_its_business() -> None:
    model = Model(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), ("a", "b"))

    assert "neither images nor rows of columns" in not_applicable(
        zoo.Case(model, Data.of(torch.rand(6, 3, 4), torch.zeros(6).long())), CHECK
    )


# ---- the report --------------------------------------------------------------------------------------------------
def test_the_report_draws_intervals_of_what_holds_and_no_bars_of_what_does_not() -> None:
    held, bent = (audited(case(f)) for f in (slope, wave))

    assert "The thin lines are 95 % intervals." in render(held)
    assert "not locally linear here" in render(bent)
    assert [render(r).count("<strong>LIME.</strong>") for r in (held, bent)] == [2, 0]
