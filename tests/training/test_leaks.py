"""Audited rows that a training would see are counted."""

from __future__ import annotations

import torch

from auditor.subject import Data
from auditor.training.leaks import leaks


def data(first: int, last: int) -> Data:
    return Data.of(torch.arange(first, last).float()[:, None].expand(-1, 3), torch.zeros(last - first).long())


def test_rows_of_both_are_said() -> None:
    assert leaks(data(0, 100), data(90, 200)) == (
        "10 of 100 audited rows are among [data] reference too: what was learnt from them flatters the figures after.",
    )


def test_nothing_is_said_where_there_are_none() -> None:
    assert leaks(data(0, 100), data(100, 200)) == ()
