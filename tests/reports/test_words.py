"""Figures as people read them."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.fairness.contributions import mean_difference
from auditor.stats import rate, ratio
from auditor.types import Bound, Limit, Measure
from reports.findings import findings
from reports.glossary import GLOSSARY
from reports.headline import headline, most_telling_size
from reports.saying import say
from reports.words import bound_words, figure, groups_of, number, signed, size, slice_words
from tests.reports.records import record, with_policy


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "not known"), (0, "0.00"), (0.5, "0.50"), (0.004, "0.004"), (2.4e-7, "2.4e-07"), (1234.5, "1,234.50"),
     (-0.25, "\N{MINUS SIGN}0.25"), (3e7, "30,000,000")],
)  # fmt: skip
def test_numbers(value: float | None, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(
    ("change", "words"),
    [(None, "not known"), (1e-16, "+0.00"), (-2.2e-16, "+0.00"), (-0.0, "+0.00"), (6e-8, "+6e\N{MINUS SIGN}08"),
     (0.004, "+0.004"), (-0.25, "\N{MINUS SIGN}0.25")],
)  # fmt: skip
def test_a_change_that_is_the_rounding_of_two_figures_is_none(change: float | None, words: str) -> None:
    assert signed(change, 2) == words


@pytest.mark.parametrize(
    ("epsilon", "words"),
    [(1 / 255, "1/255"), (0.5 / 255, "0.5/255"), (8 / 255, "8/255"), (0.1, "0.1"), (0.3, "0.3"), (2.0, "2")],
)
def test_sizes_of_changes(epsilon: float, words: str) -> None:
    assert size(epsilon) == words


def test_figures_carry_their_interval_and_n() -> None:
    assert figure(rate("a", 80, 100)) == "0.80 (95 % interval 0.71 to 0.87; n = 100)"
    assert figure(ratio("r", (10, 50), (20, 60))).endswith("n = 50 against 60)")
    assert figure(rate("a", 0, 0)) == "not known (n = 0)"


def test_a_column_that_looks_like_a_size_keeps_its_name() -> None:
    assert slice_words("user@example.org") == "user@example.org"
    assert slice_words("words@home") == "words@home"
    assert slice_words("linf@0.1") == "changes up to 0.1" and slice_words("words@2") == "at most 2 changed words"


def test_limits_and_slices() -> None:
    assert bound_words(Bound("warn", "below", 0.8)) == "at least 0.80"
    assert bound_words(Bound("fail", "above", 1e-4)) == "at most 0.0001"
    assert bound_words(Bound("warn", "below", 0.9, "majority_share")) == "at least 0.90 (share of the commonest class)"
    assert slice_words("sex=f&race=b") == "sex = f, race = b"
    assert slice_words("linf@0.0314") == "changes up to 0.0314"
    assert slice_words("sex=f&linf@0.1") == "sex = f, changes up to 0.1"
    assert slice_words("me@work") == "me@work"  # a column, of which no size is told
    assert slice_words("sex=f&words@2") == "sex = f, at most 2 changed words"
    assert slice_words("sex=f&missing=random&share=0.1") == "sex = f, missing = random, share = 0.1"
    assert slice_words("attack=LinfPGD&linf@0.0314") == "attack = LinfPGD, changes up to 0.0314"


def test_findings_are_worst_first_and_numbered() -> None:
    found = findings(
        with_policy(
            record("biased_table"),
            Limit("fairness.impact_ratio", "impact_ratio", warn_below=0.8),
            Limit("performance.accuracy", "accuracy", slice="", fail_below=0.999),
        ).audit
    )

    assert [f.key for f in found] == [f"F{i}" for i in range(1, len(found) + 1)]
    assert [str(f.status) for f in found] == sorted(
        (str(f.status) for f in found), key=["fail", "warn", "inconclusive"].index
    )
    assert any(
        "group = b get the favourable answer 0.00 times as often as rows with group = a" in f.sentence for f in found
    )


def test_the_headline_is_filled_with_what_tells_most() -> None:
    audit = record().audit
    found = findings(audit)

    top = headline(audit, found)

    assert len(top) == 3
    assert any("leave the model right in" in f.sentence for f in top)


def test_the_size_that_tells_most_is_where_half_is_lost() -> None:
    robust = [rate("r", k, 10, slice=f"linf@{i}") for i, k in enumerate((9, 8, 4, 0))]

    assert most_telling_size(robust) == robust[2]
    assert most_telling_size(robust[:2]) == robust[1]
    assert most_telling_size([]) is None


def test_terms_are_explained_once() -> None:
    assert len({t.name for t in GLOSSARY}) == len(GLOSSARY)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("sex=f", [("sex", "f")]),
        ("sex=f&dept=R&D", [("sex", "f"), ("dept", "R&D")]),
        ("dept=R&D&sex=f", [("dept", "R&D"), ("sex", "f")]),
        ("x=a=b", [("x", "a=b")]),
        ("sex", [("sex", "")]),
        ("dept=R&l2@home", [("dept", "R&l2@home")]),
        ("attack=LinfPGD(steps=3)&linf@1e-05", [("attack", "LinfPGD(steps=3)"), ("linf@1e-05", "")]),
    ],
)
def test_a_slice_is_its_attributes_and_groups(text: str, groups: list[tuple[str, str]]) -> None:
    assert groups_of(text) == groups


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [("attribute_auc", 0.934, "In 93 of 100 pairs of rows all inputs tell sex; in 50 chance would."),
     ("cross_group_excess", None, "Cross group excess for sex is not known."),
     ("score_gap", -0.2, "The mean score of rows with sex less that of all others is \N{MINUS SIGN}0.20.")],
)  # fmt: skip
def test_what_is_measured_of_groups_is_a_sentence(name: str, value: float | None, sentence: str) -> None:
    assert say(record().audit, "fairness.proxies", Measure(name, "sex", value, 9)) == sentence


def test_two_groups_of_means_have_an_n_each() -> None:
    m = mean_difference("score_gap", np.arange(9.0), np.arange(30.0), "sex=f")

    assert figure(m).endswith("n = 9 against 30)")
