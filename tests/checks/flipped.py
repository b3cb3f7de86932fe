"""Rows of tables whose groups fairness.flips changes, and models whose answers can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column, Labels
from auditor.registry import CHECKS, Context
from auditor.types import Result
from tests.checks.tables import Function, classifier
from tests.zoo import Case

__all__ = ["CHECK", "SEX", "X", "case", "direct", "mixed", "spied", "two_groups"]

CHECK = "fairness.flips"
SEX, X = Column("sex", 0, 1, kind="flag"), Column("x", 1, 2)


def case(logit: Callable[[Tensor], Tensor], columns: dict[Column, Any], groups: dict[str, list[str]]) -> Case:
    """Rows of plain columns under a model that says yes where the logit is above 0."""
    x = torch.tensor([list(row) for row in zip(*columns.values(), strict=True)], dtype=torch.float32)
    found = classifier(logit, x, tuple(columns))
    labels = {name: Labels.of(values) for name, values in groups.items()}
    return Case(found.model, replace(found.data, groups=labels))


def two_groups(n: int, shift: float, seed: int = 0) -> tuple[list[str], Any, Any]:
    """n rows of two groups, as names and as 0 and 1, and a number that is `shift` larger for the second."""
    random = np.random.default_rng(seed)
    second = random.integers(0, 2, n)
    return [("f", "m")[i] for i in second], second.astype(float), random.normal(size=n) + shift * second


def spied(held: Case) -> tuple[list[np.ndarray[Any, Any]], Case]:
    """The case, and what its model is given."""
    seen: list[np.ndarray[Any, Any]] = []
    inner = held.model.module

    def function(x: Tensor) -> Tensor:
        seen.append(x.numpy().copy())
        return inner(x)

    return seen, Case(replace(held.model, module=Function(function)), held.data)


def mixed(n: int = 300) -> Case:
    """A whole number, a category and a flag that all go with the group."""
    random = np.random.default_rng(1)
    second = random.integers(0, 2, n)
    children = np.clip(random.poisson(1 + 2 * second), 0, 6)
    job = np.where(random.random(n) < 0.3 + 0.5 * second, 2, random.integers(0, 2, n))
    owns = (random.random(n) < 0.2 + 0.6 * second).astype(float)
    x = torch.from_numpy(np.concatenate([children[:, None], np.eye(3)[job], owns[:, None]], 1).astype(np.float32))
    columns = (
        Column("children", 0, 1, integer=True, low=0, high=6, mutable=False),
        Column("job", 1, 4, kind="category", values=("p", "q", "r")),
        Column("owns", 4, 5, kind="flag"),
    )
    made = classifier(lambda r: r[:, 0] - 2 * r[:, 1] + r[:, 4] - 1, x, columns)
    return Case(made.model, replace(made.data, groups={"g": Labels.of(["ab"[i] for i in second])}))


def direct(held: Case, seed: int) -> Result:
    """The result without an audit around it, which would run the preflight."""
    ctx = Context(held.model, held.data, root_seed=seed).of_check(CHECK)
    return CHECKS[CHECK].run(ctx, samples=0, smallest_group=10, templates=())
