"""robustness.corruption: hand counts, patients that fall and that stand, tables and texts, and what it is not for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.checks.robustness_corruption import CHOSEN
from auditor.columns import Column
from auditor.corruptions.images import FAMILIES, corrupted
from auditor.intervals import newcombe_paired, wilson
from auditor.registry import derive_seed
from auditor.scores import SCORED_ROWS, score_key
from auditor.subject import Data, Model
from auditor.types import Status
from tests.attacks.worded import bag, worded
from tests.checks.audited import arrays_of, measures, not_applicable, outcome_of, result_of
from tests.shared import needs_shared, real
from tests.zoo import Case, linear_table, normalized, several_inputs

CHECK = "robustness.corruption"


class Brighter(nn.Module):
    """Class 1 where the mean of the image, or its element at `place`, is above `level`."""

    def __init__(self, level: float, place: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.level, self.place = level, place

    def forward(self, x: Tensor) -> Tensor:
        seen = x.mean((1, 2, 3)) if self.place is None else x[:, 0, *self.place]
        return torch.stack([self.level - seen, seen - self.level], 1) * 10


def constants(*grey: float) -> Tensor:
    """Images of one colour each."""
    return torch.tensor(grey)[:, None, None, None].expand(-1, 1, 8, 8).contiguous()


def at_mean(*grey: float, y: list[int], level: float = 0.5) -> Case:
    return Case(Model(Brighter(level), ("dark", "bright")), Data.of(constants(*grey), torch.tensor(y)))


# ---- counted by hand ---------------------------------------------------------------------------------------------
def test_brightness_and_contrast_of_constant_images_by_hand() -> None:
    """At 8 pixels brightness adds .05, .15 and .3: of five dark images one, three and four are called bright."""
    case = at_mean(0.46, 0.38, 0.36, 0.22, 0.05, 0.9, y=[0, 0, 0, 0, 0, 1])
    result = result_of(case, CHECK, samples=0, severities=3)
    accuracy, rise = measures(result, "corruption_accuracy"), measures(result, "relative_error")

    assert [accuracy[f"corruption=brightness&severity={s}"].counts for s in (1, 3, 5)] == [(5, 6), (3, 6), (2, 6)]
    # of each row the share of severities that it stands: 0, 1/3, 1/3, 2/3, 1, 1
    whole = accuracy["corruption=brightness"]
    assert whole.value == pytest.approx(10 / 18)
    assert (whole.low, whole.high) == pytest.approx((wilson(10 / 3, 6).low, wilson(10 / 3, 6).high))
    assert whole.n == 6
    assert rise["corruption=brightness"].value == pytest.approx(8 / 18)
    for kept in ("contrast", "defocus_blur", "zoom_blur", "motion_blur", "pixelate"):
        assert accuracy[f"corruption={kept}"].value == 1
        assert rise[f"corruption={kept}"].value == 0
    assert measures(result, "clean_accuracy")[""].counts == (6, 6)


def test_the_rise_of_the_error_is_that_of_the_same_rows() -> None:
    """A row that is wrong as it is and one that becomes wrong: 1 of 4 errors before, 2 after."""
    case = at_mean(0.45, 0.1, 0.9, 0.8, y=[0, 1, 1, 1])
    rise = measures(result_of(case, CHECK, samples=0), "relative_error")["corruption=brightness"]
    expected = newcombe_paired(2, 1, 1, 4)

    assert rise.value == 0.25
    assert (rise.low, rise.high) == (expected.low, expected.high)


def test_every_figure_is_that_of_the_corrupted_inputs() -> None:
    """Counted again from the corruptions themselves, family by family, whatever the batches were."""
    case = normalized()
    scores = arrays_of(case.model, case.data, CHECK, samples=0, severities=3)[f"{CHECK}/scores"]
    x = case.data.read(np.arange(len(case.data)))
    seed = derive_seed(0, CHECK)

    for f, family in enumerate(FAMILIES.values()):
        for s, severity in enumerate(CHOSEN[3]):
            changed = corrupted(family, severity, x, case.model.bounds, rows=case.data.row_ids.tolist(), seed=seed)
            with torch.no_grad(), case.model.frozen():
                right = case.model(changed).argmax(1).numpy() == case.data.y
            assert scores[f, s].tolist() == right.astype(float).tolist()


def test_what_each_row_counts_is_kept_and_its_mean_is_the_figure() -> None:
    case = normalized()
    arrays = arrays_of(case.model, case.data, CHECK, samples=12, severities=3)
    result = result_of(case, CHECK, samples=12, severities=3)
    of_severities = arrays[f"{CHECK}/scores"]  # (families, severities, rows)
    accuracy = measures(result, "corruption_accuracy")

    assert arrays[f"{CHECK}/{SCORED_ROWS}"].tolist() == arrays[f"{CHECK}/rows"].tolist()
    for f, family in enumerate(FAMILIES):
        kept = arrays[f"{CHECK}/{score_key('corruption_accuracy', f'corruption={family}')}"]
        assert kept == pytest.approx(of_severities[f].mean(0))
        assert kept.mean() == pytest.approx(accuracy[f"corruption={family}"].value)
    for name in ("clean_accuracy", "corruption_accuracy", "spatial_accuracy", "mean_spatial_accuracy"):
        kept = arrays[f"{CHECK}/{score_key(name, '')}"]
        assert kept.mean() == pytest.approx(measures(result, name)[""].value)


def test_rows_are_the_unit_whatever_the_severities() -> None:
    case = normalized()
    for severities in (1, 3, 5):
        result = result_of(case, CHECK, samples=20, severities=severities)
        assert {m.n for m in result.measures} == {20}
        names = {m.slice for m in measures(result, "corruption_accuracy").values() if "severity" in m.slice}
        assert names == {f"corruption={f}&severity={s}" for f in FAMILIES for s in CHOSEN[severities]}


def test_parts_give_what_the_whole_gives() -> None:
    from auditor.registry import CHECKS, Context

    case = normalized()
    settings = CHECKS[CHECK].params({"samples": 0, "severities": 3})

    def found(size: int) -> list[float | None]:
        with case.model.frozen():
            ctx = Context(case.model, case.data, batch_size=size).of_check(CHECK)
            return [m.value for m in CHECKS[CHECK].run(ctx, **settings).measures]

    assert found(24) == found(7)


# ---- patients ----------------------------------------------------------------------------------------------------
def scene(place: tuple[int, int], n: int = 60) -> Tensor:
    """Dim images with random pixels, which are dark or bright at `place`."""
    x = 0.4 * torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    x[:, 0, *place] = torch.arange(n) % 2 * 0.3 + 0.35
    return x


def test_a_model_that_looks_at_one_pixel_falls_when_pixels_move_and_mix() -> None:
    place = (4, 4)
    case = Case(Model(Brighter(0.5, place), ("off", "on")), Data.of(scene(place), torch.arange(60) % 2))
    result = result_of(case, CHECK, samples=0, severities=3)
    rise = measures(result, "relative_error")

    assert measures(result, "clean_accuracy")[""].value == 1
    for family in ("motion_blur", "elastic_transform", "brightness"):
        assert rise[f"corruption={family}"].low > 0.05
    assert measures(result, "spatial_accuracy")[""].counts == (30, 60)  # bright pixels leave their place, none comes
    assert measures(result, "mean_spatial_accuracy")[""].value < 0.7


def test_a_model_that_looks_at_the_mean_stands_what_keeps_it() -> None:
    x = torch.cat([0.3 * scene((4, 4)), 1 - 0.3 * scene((4, 4))])
    case = Case(Model(Brighter(0.5), ("dark", "bright")), Data.of(x, (torch.arange(120) >= 60).long()))
    result = result_of(case, CHECK, samples=0, severities=5)
    accuracy, rise = measures(result, "corruption_accuracy"), measures(result, "relative_error")

    for family in ("gaussian_noise", "defocus_blur", "glass_blur", "motion_blur", "contrast", "pixelate"):
        assert accuracy[f"corruption={family}"].value == 1
        assert rise[f"corruption={family}"].high < 0.05
    assert measures(result, "spatial_accuracy")[""].value == 1


def test_a_model_without_skill_and_one_that_gives_nothing_are_told() -> None:
    dull = result_of(at_mean(0.1, 0.2, 0.3, 0.9, y=[0, 0, 0, 1], level=2.0), CHECK, samples=0)

    assert any("commonest class" in c for c in dull.caveats)


class Failing(Brighter):
    """Raises for images in which a pixel is above .97."""

    def forward(self, x: Tensor) -> Tensor:
        if float(x.max()) > 0.97:
            raise RuntimeError("too bright")
        return super().forward(x)


def test_corrupted_inputs_that_the_model_fails_for_count_as_wrong() -> None:
    model = Model(Failing(0.5), ("dark", "bright"))
    case = Case(model, Data.of(constants(0.1, 0.2, 0.9, 0.95), torch.tensor([0, 0, 1, 1])))
    result = result_of(case, CHECK, samples=0)

    assert measures(result, "corruption_accuracy")["corruption=brightness"].counts == (2, 4)  # .9 + .15 is cut at 1
    assert measures(result, "corruption_accuracy")["corruption=contrast"].value == 1
    assert any("raises an error" in c and "count as wrong" in c for c in result.caveats)


def test_a_value_has_mean_absolute_errors() -> None:
    """The mean of the image is the value: brightness of severity 3 adds .15 to it, contrast nothing."""

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((1, 2, 3))

    grey = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    case = Case(Model(Mean(), (), output="value"), Data.of(constants(*grey), torch.tensor(grey) + 0.1))
    result = result_of(case, CHECK, samples=0)

    assert measures(result, "clean_error")[""].value == pytest.approx(0.1, abs=1e-6)
    assert measures(result, "corruption_error")["corruption=brightness"].value == pytest.approx(0.05, abs=1e-6)
    assert measures(result, "relative_error")["corruption=brightness"].value == pytest.approx(-0.05, abs=1e-6)
    assert measures(result, "relative_error")["corruption=contrast"].value == pytest.approx(0, abs=1e-6)
    assert measures(result, "spatial_error")[""].value >= measures(result, "mean_spatial_error")[""].value


# ---- pictures ----------------------------------------------------------------------------------------------------
def test_one_row_is_pictured_under_every_family_at_every_severity() -> None:
    case = normalized()
    result, arrays = result_of(case, CHECK, severities=3), arrays_of(case.model, case.data, CHECK, severities=3)

    assert len(result.images) == len({i.array for i in result.images}) == 45
    assert [i.title.partition(" at ")[2] for i in result.images[::15]] == ["severity 1", "severity 3", "severity 5"]
    assert [i.alt.partition(",")[0].replace(" ", "_") for i in result.images[:15]] == list(FAMILIES)
    assert all(arrays[i.array].shape == (8, 8, 3) and arrays[i.array].dtype == np.uint8 for i in result.images)
    assert all("called" in i.alt for i in result.images)


def test_pictures_are_small() -> None:
    x = torch.rand(2, 3, 130, 200, generator=torch.Generator().manual_seed(0))
    case = Case(Model(Brighter(0.5), ("dark", "bright")), Data.of(x, torch.tensor([0, 1])))
    arrays = arrays_of(case.model, case.data, CHECK, samples=1)

    assert {a.shape for name, a in arrays.items() if "/row-" in name} == {(43, 66, 3)}


# ---- tables ------------------------------------------------------------------------------------------------------
def test_a_unit_mistake_turns_a_model_that_relies_on_one_number() -> None:
    """One column: yes above 40 in units of the file. Severity 3 multiplies by 1000, so that every no becomes a yes."""
    head = nn.Linear(1, 2)
    head.weight.data, head.bias.data = torch.tensor([[0.0], [1.0]]), torch.tensor([0.0, 0.0])
    columns = (Column("age", 0, 1, mean=40.0, std=10.0),)
    x = (torch.tensor([[20.0], [30.0], [35.0], [50.0], [60.0]]) - 40) / 10
    case = Case(Model(head, ("no", "yes")), Data.of(x, (x[:, 0] > 0).long(), columns=columns))
    result = result_of(case, CHECK, samples=0, severities=3)
    accuracy = measures(result, "corruption_accuracy")

    assert [accuracy[f"corruption=unit_mistake&severity={s}"].counts for s in (1, 3, 5)] == [(2, 5)] * 3
    # 35 is 40 when rounded to one digit, which is no yes; nothing else moves across 40
    assert accuracy["corruption=rounding"].value == 1
    assert "corruption=swapped_columns" not in accuracy
    assert any("none were swapped" in c for c in result.caveats)
    assert not measures(result, "spatial_accuracy")
    assert any("became" in str(row[2]) for row in result.tables[-1].rows)


def test_a_model_of_a_flag_alone_stands_mistakes_in_numbers() -> None:
    case = several_inputs()
    with torch.no_grad():
        case.model.module.head.weight[:, 3:] = 0  # what the numbers add
    x = case.data.read(np.arange(len(case.data)))
    with torch.no_grad(), case.model.frozen():
        y = case.model(x).argmax(1).numpy()
    result = result_of(Case(case.model, replace(case.data, y=y)), CHECK, samples=0, severities=3)

    assert measures(result, "corruption_accuracy")[""].value == 1
    assert any("change by swaps alone: kind" in c for c in result.caveats)


# ---- texts -------------------------------------------------------------------------------------------------------
VOCABULARY = {"unk": 0, "good": 1, "fine": 2, "terrible": 3, "film": 4, "story": 5}


def reader() -> Case:
    """Good where the words of it outweigh; words that it does not know say nothing."""
    vectors = [[0.0, 0.0], [1.0, 0.1], [1.0, 0.0], [-1.2, 0.0], [0.0, 1.0], [0.0, 0.9]]
    texts = ["terrible film", "good story", "fine film", "terrible story", "a terrible story", "good fine film"]
    return worded(bag(vectors, [1.0, 0.0], bias=0.05), VOCABULARY, texts)


def test_typos_turn_a_model_of_whole_words_and_case_does_not() -> None:
    """An unknown word says nothing, so that `terrible` mistyped is called good; the vocabulary has small letters."""
    result = result_of(reader(), CHECK, samples=0, severities=3)
    accuracy = measures(result, "corruption_accuracy")

    assert measures(result, "clean_accuracy")[""].value == 1
    assert accuracy["corruption=typos"].value < 1
    assert accuracy["corruption=case"].value == 1
    assert accuracy["corruption=synonyms"].value == 1  # good and fine, film and story mean the same to it
    assert any("no input at all" in c and "case" in c for c in result.caveats)
    (table,) = result.tables[2:]
    assert len(table.rows) == 5 * 3


def test_without_a_vocabulary_it_does_not_apply() -> None:
    case = reader()
    assert "how a changed text" in not_applicable(Case(case.model, replace(case.data, vocabulary=None)), CHECK)


# ---- what it is not for ------------------------------------------------------------------------------------------
def test_vectors_without_columns_are_not_applicable() -> None:
    case = linear_table()
    reason = not_applicable(Case(case.model, replace(case.data, columns=())), CHECK)

    assert "neither pictures" in reason
    assert "shape 3" in reason


def test_pictures_without_a_range_are_not_applicable() -> None:
    model = Model(Brighter(0.5), ("dark", "bright"), bounds=(-float("inf"), float("inf")))
    assert "bounds" in not_applicable(Case(model, Data.of(constants(0.1, 0.9), torch.tensor([0, 1]))), CHECK)


def test_severities_are_one_to_five() -> None:
    from auditor.errors import UsageError

    with pytest.raises(UsageError, match="severities = 6"):
        outcome_of(normalized(), CHECK, severities=6)


@needs_shared
@pytest.mark.slow
def test_a_real_model_loses_more_at_harder_severities() -> None:
    result = result_of(real("cifar10_resnet20"), CHECK, samples=48, severities=3)
    accuracy = measures(result, "corruption_accuracy")
    mean = {s: np.mean([accuracy[f"corruption={f}&severity={s}"].value for f in FAMILIES]) for s in (1, 3, 5)}

    assert mean[1] > mean[3] > mean[5]
    assert measures(result, "relative_error")[""].low > 0
    assert outcome_of(real("cifar10_resnet20"), CHECK, samples=8).status is Status.MEASURED
