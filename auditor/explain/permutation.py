"""Permutation: what happens to each row when a column's value comes from another row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.explain.batched import Floats, Run, in_batches
from auditor.integers import Integers

__all__ = ["partners", "permuted"]


def permuted(
    run: Run,
    effect: Callable[[Floats], Floats],
    x: Tensor,
    columns: Sequence[Column],
    groups: Sequence[Integers],
    *,
    repeats: int,
    size: int,
    seed: int,
) -> Iterator[Floats]:
    """For each of `columns` the mean (N, ...), over the repeats, of the effect on each row of shuffling it.

    `run` gives outputs (k, ...) of inputs (k, F), `effect` what is to be said (N, ...) of the outputs (N, ...) with the
    column shuffled. It is shuffled among the rows of the same group in `groups` (N,): all of one group is the
    importance of Breiman 2001 (Mach. Learn. 45:5), groups that are alike in the other columns the conditional one of
    Strobl et al. 2008 (BMC Bioinformatics 9:307). Every row gets another row's value, never its own, which makes the
    mean unbiased (Fisher et al. 2019, JMLR 20:177, e_switch).
    """
    found = in_batches(run, _shuffled(x, columns, groups, repeats, seed), size)
    for _ in columns:
        yield np.mean([effect(next(found)) for _ in range(repeats)], 0)


def _shuffled(
    x: Tensor, columns: Sequence[Column], groups: Sequence[Integers], repeats: int, seed: int
) -> Iterator[Tensor]:
    for i, (c, group) in enumerate(zip(columns, groups, strict=True)):
        chance = np.random.default_rng([seed, i])
        for _ in range(repeats):
            shuffled = x.clone()
            shuffled[:, c.start : c.stop] = x[torch.from_numpy(partners(group, chance)), c.start : c.stop]
            yield shuffled


def partners(group: Integers, chance: np.random.Generator) -> Integers:
    """(N,) for each row another row of its group, each row once; itself where it is the only one."""
    order = np.lexsort((chance.random(len(group)), group))  # by group, in each by chance
    ordered = group[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    first = np.append(True, last[:-1])
    following = np.append(order[1:], 0)
    following[last] = order[first]
    found = np.empty_like(order)
    found[order] = following
    return found
