"""explain.rise: the planted patch stands out, chance is told, and only images are masked."""

from __future__ import annotations

import numpy as np
import pytest

from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, result_of

CHECK = "explain.rise"


def test_what_the_model_looks_at_stands_out() -> None:
    case = zoo.planted_patch()
    arrays = arrays_of(case.model, case.data, CHECK, samples=6, masks=1000)
    maps = [a for name, a in arrays.items() if name.startswith(f"{CHECK}/row")]

    assert len(maps) == 6
    for shares in maps:
        inside = shares[zoo.PATCH]
        assert inside.min() > np.delete(shares, np.s_[0:6], 0).max()  # of the rows that no cell of the patch reaches


def test_the_two_halves_agree_where_there_is_something_to_see() -> None:
    result = result_of(zoo.planted_patch(), CHECK, samples=6, masks=1000)

    assert measures(result, "split_correlation")[""].value > 0.7
    assert measures(result, "split_correlation")[""].n == 6
    assert result.caveats == ("A hidden part of an image is shown in the image's mean colour.",)


def test_too_few_masks_show_as_a_caveat() -> None:
    result = result_of(zoo.ZOO["residual"](), CHECK, samples=8, masks=16)

    assert any("two halves of the masks agree by less than 0.5: raise `masks`" in c for c in result.caveats)


def test_where_the_answer_never_changes_there_is_nothing_to_compare() -> None:
    result = result_of(zoo.ZOO["constant"](), CHECK, samples=3)

    assert measures(result, "split_correlation")[""].value is None
    assert any("In 3 of 3 rows no mask changes the answer" in c for c in result.caveats)


@pytest.mark.parametrize(("name", "words"), [("texts", "the inputs are texts"), ("linear_table", "of shape 3")])
def test_only_images_are_masked(name: str, words: str) -> None:
    assert words in not_applicable(zoo.ZOO[name](), CHECK)
