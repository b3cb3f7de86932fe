"""explain.shortcuts: finds the watermark and the token that were planted, and nothing where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.registry import CHECKS, Context
from auditor.shortcuts.telltales import _replaced, _without
from auditor.subject import Data, Model
from auditor.types import Result, Scalar, Status
from auditor.words import Words
from tests import zoo
from tests.checks.audited import measures, not_applicable, outcome_of, result_of
from tests.explain.planted import MARK, VOCABULARY, clean, one_token, trained, watermark
from tests.shared import needs_shared, real
from tests.zoo import Bag, Case

CHECK = "explain.shortcuts"


def cheating() -> Case:
    """The model that decides class 3 by its mark, with the images."""
    model, x, y, _ = watermark()
    return Case(model, Data.of(x, y))


def by_class(result: Result) -> dict[Scalar, dict[str, Scalar]]:
    """The table's rows by class."""
    (table,) = result.tables
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


class Steps(nn.Module):
    """The same answers without a gradient."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.detach()).detach()


class Closed(nn.Module):
    """The same answers to texts, without a gradient."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        with torch.no_grad():
            return self.inner(input_ids, attention_mask)


class Rounded(nn.Module):
    """Nearly the same answers, with a gradient of 0."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner((x * 8).round() / 8)


# ---- what was planted --------------------------------------------------------------------------------------------
def test_the_watermark_is_a_finding_in_words() -> None:
    result = result_of(cheating(), CHECK)
    found = by_class(result)["3"]

    share = measures(result, "concentration")["class=3"]
    assert share.value >= 0.8
    assert share.low < share.value < share.high
    assert share.n == 6  # half of the 12 rows: the other half is where it was looked for
    assert measures(result, "shortcuts")[""].value == 1
    assert measures(result, "paste_rate")["class=3"].value > 0.95
    assert measures(result, "hide_rate")["class=3"].value > 0.9
    assert found["place"] == "bottom-left 4 x 4 patch"
    assert found["its size"] == 16 / 256
    turned = measures(result, "paste_rate")["class=3"].counts[0]
    assert result.caveats[0] == (
        f"{100 * share.value:.0f} % of the relevance of class 3 lies in the bottom-left 4 x 4 patch; pasting it into "
        f"40 rows of other classes turns {turned} of them to class 3, as much from elsewhere turns 0."
    )
    assert found["shortcut"] == result.caveats[0]
    assert [row["shortcut"] for name, row in by_class(result).items() if name != "3"] == [""] * 9


def test_of_two_classes_the_one_with_the_mark_is_found() -> None:
    _, x, y, _ = watermark()
    y = (y == 3).long()
    model = replace(trained(x[::2], y[::2], passes=5), classes=tuple("0123456789"))
    result = result_of(Case(model, Data.of(x, y)), CHECK)

    assert [name for name, row in by_class(result).items() if row["shortcut"]] == ["1"]
    assert by_class(result)["1"]["place"] == "bottom-left 4 x 4 patch"


def test_the_same_network_without_the_mark_has_no_shortcut() -> None:
    model, x, y = clean()
    result = result_of(Case(model, Data.of(x, y)), CHECK)

    assert measures(result, "shortcuts")[""].value == 0
    assert measures(result, "shortcuts")[""].n == 10
    assert all(row["shortcut"] == "" for row in by_class(result).values())
    assert all((m.value or 0) < 0.3 for m in measures(result, "paste_rate").values())


@pytest.mark.parametrize(
    ("wrapper", "words"), [(Steps, "no gradient can be followed"), (Rounded, "all gradients are 0")]
)
def test_without_gradients_cells_are_hidden_one_by_one(wrapper: type[nn.Module], words: str) -> None:
    case = cheating()
    model = replace(case.model, module=wrapper(case.model.module))
    rows = np.flatnonzero(np.isin(case.data.y, (0, 3, 6)))[:150]

    result = result_of(Case(model, case.data.at(rows)), CHECK, classes=3)

    assert any(words in c for c in result.caveats)
    assert [name for name, row in by_class(result).items() if row["shortcut"]] == ["3"]
    assert by_class(result)["3"]["place"] == "bottom-left 4 x 4 patch"


def test_the_token_is_a_finding_in_words() -> None:
    result = result_of(one_token(), CHECK, rows=24)

    assert measures(result, "concentration")["class=spam"].value > 0.8
    assert 'of class spam lies on the word "word7" where it stands; putting it into 40 rows' in result.caveats[0]
    assert measures(result, "shortcuts")[""].value == 1
    assert measures(result, "hide_rate")["class=spam"].value > 0.9
    (row,) = [r for r in by_class(result).values() if r["shortcut"]]
    assert row["by another"] == row["without another"] == "0 of 40"


def test_without_gradients_words_are_taken_out_one_by_one() -> None:
    case = one_token()
    model = replace(case.model, module=Closed(case.model.module))
    result = result_of(Case(model, case.data), CHECK, rows=24)

    assert any("by how much the probability drops" in c for c in result.caveats)
    assert [name for name, row in by_class(result).items() if row["shortcut"]] == ["spam"]


# ---- what is no shortcut -----------------------------------------------------------------------------------------
def centred(n: int = 300) -> tuple[Tensor, Tensor]:
    """Noisy images of 20 by 20 pixels with a shape of 8 by 8 in the middle, of another kind in each of four classes."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(n) % 4
    grid = torch.arange(8)
    kinds = torch.stack([
        (grid[:, None] % 4 < 2).expand(8, 8), (grid[None] % 4 < 2).expand(8, 8),
        grid[:, None] + grid[None] < 8, (grid[:, None] - 3.5) ** 2 + (grid[None] - 3.5) ** 2 < 9,
    ]).float()  # fmt: skip
    x = torch.rand(n, 1, 20, 20, generator=generator) * 0.4
    x[:, 0, 6:14, 6:14] += kinds[y] * 0.6
    return x, y


def test_objects_in_the_middle_are_no_shortcut() -> None:
    x, y = centred()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(648, 4))
        optimiser = torch.optim.Adam(module.parameters(), 3e-3)
        for _ in range(60):
            optimiser.zero_grad()
            functional.cross_entropy(module(x), y).backward()
            optimiser.step()
    model = Model(module, ("rows", "columns", "corner", "disc"))
    result = result_of(Case(model, Data.of(x, y)), CHECK, rows=24)

    with torch.no_grad():
        assert float((model(x).argmax(1) == y).float().mean()) > 0.95
    assert measures(result, "shortcuts")[""].value == 0


def test_a_text_decided_by_all_its_words_has_no_shortcut() -> None:
    case = one_token()
    x = case.data.read(np.arange(len(case.data)))
    y = ((torch.where(x >= 0, torch.where(x % 2 == 0, 1, -1), 0)).sum(1) > 0).long()  # more even words than odd ones
    with torch.random.fork_rng():
        torch.manual_seed(0)
        bag = Bag()
        bag.tokens, bag.head = nn.Embedding(VOCABULARY, 8), nn.Linear(8, 2)
        model = replace(case.model, module=bag, classes=("odd", "even"))
        optimiser = torch.optim.Adam(bag.parameters(), 0.05)
        for _ in range(150):
            optimiser.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimiser.step()
    result = result_of(Case(model, replace(case.data, y=y.numpy())), CHECK, rows=100)

    with torch.no_grad():
        assert float((model(x).argmax(1) == y).float().mean()) > 0.95
    assert measures(result, "shortcuts")[""].value == 0
    assert measures(result, "concentration")


@needs_shared
@pytest.mark.parametrize("name", ["mnist_small", "cifar10_cnn_a_adv"])
def test_published_models_raise_no_alarm(name: str) -> None:
    result = result_of(real(name), CHECK, rows=24)

    assert measures(result, "shortcuts")[""].n == 10
    assert measures(result, "shortcuts")[""].value == 0


# ---- what it does not apply to -----------------------------------------------------------------------------------
def test_with_one_class_or_two_rows_there_is_nothing_to_compare() -> None:
    case = cheating()
    threes = np.flatnonzero(case.data.y == 3)
    with torch.no_grad():
        sure = threes[case.model(case.data.read(threes)).argmax(1).numpy() == 3]

    assert "every row is predicted as 3" in not_applicable(Case(case.model, case.data.at(sure)), CHECK)
    assert "no class is predicted for at least 10 rows" in not_applicable(
        Case(case.model, case.data.at(np.arange(2))), CHECK
    )


def test_classes_left_out_are_named() -> None:
    case = cheating()
    few = np.concatenate([np.flatnonzero(case.data.y == c)[: 3 if c == 9 else 20] for c in (0, 1, 2, 3, 9)])
    result = result_of(Case(case.model, case.data.at(few)), CHECK, classes=3)

    left_out = [c for c in result.caveats if c.startswith("Not looked at")]
    assert "9" in left_out[0] and "fewer than 10 rows" in left_out[0]
    assert "less often than those looked at" in left_out[1]
    assert len(by_class(result)) == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("linear_table", "the inputs are rows of columns"),
        ("constant", "every row is predicted as"),
        ("texts", "no class has positive relevance"),
    ],
)
def test_where_it_does_not_apply(name: str, words: str) -> None:
    assert words in not_applicable(zoo.ZOO[name](), CHECK)


def test_a_value_has_no_classes() -> None:
    model = Model(nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), (), output="value")
    case = Case(model, Data.of(zoo.images(), torch.zeros(zoo.ROWS)))

    assert "not classes" in not_applicable(case, CHECK)


# ---- words in other texts ----------------------------------------------------------------------------------------
IDS = torch.tensor([90, 11, 12, 21, 31, 91, -1, -1])
TEXT = Words(("a", "b", "c"), np.array([-1, 0, 0, 1, 2, -1, -1, -1]))


def test_a_word_takes_the_place_of_another() -> None:
    assert _replaced(IDS, TEXT, 1, torch.tensor([71, 72])).tolist() == [90, 11, 12, 71, 72, 31, 91, -1]
    assert _replaced(IDS, TEXT, 0, torch.tensor([71])).tolist() == [90, 71, 21, 31, 91, -1, -1, -1]


def test_a_text_that_grows_too_long_loses_its_last_words_but_no_special_token() -> None:
    assert _replaced(IDS, TEXT, 0, torch.arange(70, 75)).tolist() == [90, 70, 71, 72, 73, 74, 21, 91]


def test_words_are_taken_out() -> None:
    assert _without(IDS, TEXT, [0, 2]).tolist() == [90, 21, 91, -1, -1, -1, -1, -1]


def test_the_mark_is_where_it_is_said_to_be() -> None:
    *_, where = watermark()

    assert where[MARK].all()
    assert int(where.sum()) == 16


def test_the_default_policy_warns_of_one_that_was_found() -> None:
    (judgement,) = outcome_of(cheating(), CHECK).judgements

    assert (judgement.measure, judgement.status) == ("shortcuts", Status.WARN)


def test_no_more_images_than_a_batch_go_through_the_model_at_once() -> None:
    case = cheating()
    seen: list[int] = []

    def counted(x: Tensor) -> Tensor:
        seen.append(len(x))
        return x

    ctx = Context(replace(case.model, feed=counted), case.data, batch_size=64, check=CHECK)
    CHECKS[CHECK].run(ctx, rows=100, classes=10)

    assert max(seen) == 64
