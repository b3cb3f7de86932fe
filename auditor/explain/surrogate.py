"""A decision tree that answers as the model does, and the rules it is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.explain.batched import Floats
from auditor.explain.conditions import Condition, Flags
from auditor.integers import Integers
from auditor.tables.raw import to_raw

__all__ = [
    "RESAMPLES", "Rule", "Surrogate", "follows", "holds", "jaccard", "mixed_rows", "r_squared", "rules_of", "surrogate",
]  # fmt: skip

Tree = Any  # scikit-learn's, classifier or regressor
SMALLEST_LEAF = 5
DEPTHS = range(3, 7)
RESAMPLES = 5
FOLLOWS, CLOSED = 0.9, 0.5  # fidelity, and share of the gap between the commonest answer and 1


@dataclass(frozen=True)
class Rule:
    """What the tree answers (a class, or a value) where all `conditions` hold; one a column, none for every row."""

    conditions: tuple[Condition, ...]
    answer: float

    def form(self, *, classify: bool) -> frozenset[tuple[Any, ...]]:
        """The rule without its thresholds: columns, the sides that are bounded, the categories, and the class."""
        parts = {(c.column, c.low > -math.inf, c.high < math.inf, c.values) for c in self.conditions}
        return frozenset(parts | ({(self.answer,)} if classify else set()))


@dataclass(frozen=True)
class Surrogate:
    """A tree, its rules, and what share of them (thresholds apart) trees learnt from resamples have, too: 0 to 1."""

    tree: Tree
    rules: tuple[Rule, ...]
    stability: float


def surrogate(
    x: Tensor, answers: Floats, real: int, columns: Sequence[Column], *, classify: bool, seed: int
) -> Surrogate:
    """The tree that says what the model `answers` (N,) for rows (N, F), of which the first `real` ones occur.

    It asks at most 3 questions in a row, up to 6 where fewer do not follow the model in a quarter of the real rows that
    was kept for this; by the same rows it learns from all or from the real ones alone. Then it learns from those, too.
    """
    chance = np.random.default_rng(seed)
    kept = chance.permutation(real)[: real // 4]

    def learn(rows: Integers, depth: int) -> Tree:
        return _tree(x[torch.from_numpy(rows)], answers[rows], depth, classify=classify, seed=seed)

    def trial(rows: int, depth: int) -> tuple[float, bool]:
        tree = learn(np.setdiff1d(np.arange(rows), kept), depth)
        return follows(tree.predict(x[kept].numpy()), answers[kept], classify=classify)

    tried = {(depth, rows): trial(rows, depth) for depth in DEPTHS for rows in (real, len(x))}
    enough = [way for way in tried if tried[way][1]]
    shallow = [way for way in enough if way[0] == enough[0][0]] or list(tried)
    depth, rows = max(shallow, key=lambda way: tried[way][0])
    tree = learn(np.arange(rows), depth)
    rules = rules_of(tree, columns)
    again = [rules_of(learn(chance.integers(0, rows, rows), depth), columns) for _ in range(RESAMPLES)]
    return Surrogate(tree, rules, float(np.mean([jaccard(rules, a, classify=classify) for a in again])))


def follows(said: Floats, told: Floats, *, classify: bool) -> tuple[float, bool]:
    """How well what was `said` (N,) matches what the model `told` (N,), and whether that is enough to show rules.

    The share of equal classes must be at least .9, and close half of the gap between always naming the commonest one
    and 1; of values R2, at least .9.
    """
    if not classify:
        fidelity = r_squared(said, told) or 0.0
        return fidelity, fidelity >= FOLLOWS
    fidelity, majority = float((said == told).mean()), float(np.unique(told, return_counts=True)[1].max() / len(told))
    return fidelity, fidelity >= FOLLOWS and fidelity - majority >= CLOSED * (1 - majority)


def _tree(x: Tensor, answers: Floats, depth: int, *, classify: bool, seed: int) -> Tree:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind = DecisionTreeClassifier if classify else DecisionTreeRegressor
    return kind(max_depth=depth, min_samples_leaf=SMALLEST_LEAF, random_state=seed).fit(x.numpy(), answers)


def mixed_rows(x: Tensor, columns: Sequence[Column], seed: int) -> Tensor:
    """As many further rows as `x` (N, F): each with about half of its columns from other rows, each from its own.

    The model is asked about them, too (Craven & Shavlik 1996, Trepan): they cost no labels.
    """
    chance = np.random.default_rng(seed)
    found = x.clone()
    for c in columns:
        change = torch.from_numpy(chance.random(len(x)) < 0.5)
        donors = torch.from_numpy(chance.integers(0, len(x), len(x)))
        found[change, c.start : c.stop] = x[donors[change], c.start : c.stop]
    return found


def r_squared(said: Floats, answers: Floats) -> float | None:
    """The share of the spread of `answers` (N,) that `said` explains: 1 is all; None where they are all the same."""
    spread = float(((answers - answers.mean()) ** 2).sum())
    return 1 - float(((answers - said) ** 2).sum()) / spread if spread > 0 else None


# ---- rules -------------------------------------------------------------------------------------------------------
def rules_of(tree: Tree, columns: Sequence[Column]) -> tuple[Rule, ...]:
    """The leaves of a tree from left to right; leaves beside each other that say the same class are one."""
    owner = {e: i for i, c in enumerate(columns) for e in range(c.start, c.stop)}
    values = tree.tree_.value[:, 0]
    says = values.argmax(1) if hasattr(tree, "classes_") else values[:, 0]
    answers = tree.classes_[says].astype(np.float64) if hasattr(tree, "classes_") else says
    everything = {
        i: Condition(i, values=frozenset(range(len(c.values) + 1)) if c.kind == "category" else frozenset())
        for i, c in enumerate(columns)
    }

    def below(node: int, held: dict[int, Condition]) -> Iterator[Rule]:
        t = tree.tree_
        if t.children_left[node] < 0 or len({answers[leaf] for leaf in _leaves(t, node)}) == 1:
            # a node above leaves that all say one class is a leaf itself
            leaf = node if t.children_left[node] < 0 else _leaves(t, node)[0]
            told = [held[i] for i in sorted(held) if held[i] != everything[i]]
            yield Rule(tuple(told), float(answers[leaf]))
            return
        element, threshold = int(t.feature[node]), float(t.threshold[node])
        i = owner[element]
        before = held.get(i, everything[i])
        for child, left in ((t.children_left[node], True), (t.children_right[node], False)):
            yield from below(int(child), held | {i: _narrower(before, columns[i], element, threshold, left=left)})

    return tuple(below(0, {}))


def _leaves(t: Any, node: int) -> list[int]:
    if t.children_left[node] < 0:
        return [node]
    return _leaves(t, int(t.children_left[node])) + _leaves(t, int(t.children_right[node]))


def _narrower(before: Condition, column: Column, element: int, threshold: float, *, left: bool) -> Condition:
    """The condition with the answer to one more question."""
    if column.kind == "category":
        value = {element - column.start}
        return Condition(before.column, values=before.values - value if left else before.values & value)
    if left:
        return Condition(before.column, before.low, min(before.high, threshold))
    return Condition(before.column, max(before.low, threshold), before.high)


def holds(rule: Rule, x: Tensor, columns: Sequence[Column]) -> Flags:
    """(N,) where all conditions of the rule hold."""
    raw = to_raw(x, columns)
    found = np.ones(len(x), np.bool_)
    for c in rule.conditions:
        found &= c.holds(raw)
    return found


def jaccard(first: Sequence[Rule], second: Sequence[Rule], *, classify: bool) -> float:
    """The share of rules of either list that both have, thresholds apart: 1 is the same rules, 0 none in common."""
    a, b = ({r.form(classify=classify) for r in rules} for rules in (first, second))
    return len(a & b) / len(a | b)
