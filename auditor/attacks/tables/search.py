"""Search over legal rows by forward passes alone: one column after another, then whole generations of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.attacks.tables.front import Front
from auditor.integers import Integers
from auditor.tables.constraints import Which
from auditor.tables.file_units import Rows

__all__ = ["by_column", "evolved"]

ROUNDS = 8
WHOLE = 8  # whole numbers a column has at most, to be tried one by one
MOST, HELD = (
    768,
    200_000,
)  # changes of single columns tried at once for a row, and times columns; of more, some are drawn
PARTNERS = 6  # columns of a relation that take up a change alone, each in turn
KEPT, BORN = 12, 12  # rows of a generation, and their children


# ---- one column after another ------------------------------------------------------------------------------------
def by_column(front: Front) -> Front:
    """`front` with the best rows found by changing columns one by one, and those together that help alone.

    Every round tries each column at the ends of its range, half way to them, and at every value of a category, flag or
    short range; the changes that help most are made together, 1, 2, 3, ... of them. It ends where none helps.
    """
    left = np.flatnonzero(front.margin <= 0)
    here = front.at(left)
    for turn in range(ROUNDS):
        if not len(left):
            break
        was = here.margin
        for places in here.blocks(_most(here)):
            here = here.with_those(places, _round(here.at(places), turn))
        front = front.with_those(left, here)
        keep = np.flatnonzero((here.margin > was) & (here.margin <= 0))
        left, here = left[keep], here.at(keep)
    return front


@dataclass(frozen=True)
class _Moves:
    """M changes of N rows: the `column` (M,), its `value` (N, M), and which column `alone` (M,) takes up what a
    relation asks for; -1 where all of them do."""

    column: Integers
    value: Rows
    alone: Integers


def _most(front: Front) -> int:
    """How many changes of a single column are tried at once for a row."""
    return max(32, min(MOST, HELD // int(front.best.shape[1])))


def _moves(front: Front, turn: int) -> _Moves:
    ball = front.ball
    low, high = ball.ranges(front.own, front.epsilon)
    whole, unit, free = ball.constraints.whole, ball.constraints.unit_of, ~ball.discrete & ball.constraints.movable
    found: list[tuple[int, Rows, int]] = []
    for i in np.flatnonzero(ball.constraints.movable).tolist():
        choices = ball.choices[i]
        if choices is not None:
            values = [np.full(len(front.of), v) for v in choices]
        elif not (low[:, i] < high[:, i]).any():
            continue
        elif whole[i] and (high[:, i] - low[:, i]).max() < WHOLE:
            values = [np.minimum(low[:, i] + k, high[:, i]) for k in range(int((high[:, i] - low[:, i]).max()) + 1)]
        else:
            now = front.best[:, i]
            values = [low[:, i], high[:, i], (low[:, i] + now) / 2, (now + high[:, i]) / 2]
        partners = np.flatnonzero((unit == unit[i]) & free)
        partners = partners[partners != i][:PARTNERS]
        found += [(i, v, p) for v in values for p in (-1, *(partners.tolist() if len(partners) > 1 else ()))]
    if len(found) > _most(front):
        some = np.sort(np.random.default_rng(turn).permutation(len(found))[: _most(front)])
        found = [found[i] for i in some]
    value = np.stack([v for _, v, _ in found], 1) if found else np.zeros((len(front.of), 0))
    return _Moves(np.array([i for i, _, _ in found], np.int64), value, np.array([p for *_, p in found], np.int64))


def _round(front: Front, turn: int) -> Front:
    """The best of all single changes, and of the first 1, 2, 3, ... of them together."""
    moves = _moves(front, turn)
    n, m = moves.value.shape
    if not n or not m:
        return front
    of, move = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
    wanted = front.best[of]
    wanted[np.arange(len(of)), moves.column[move]] = moves.value.ravel()
    rows = front.near(of, wanted, _held(front, moves)[move])
    differs = (rows != front.best[of]).any(1)
    margin = np.full(len(of), -np.inf)
    margin[differs] = front.judged(of[differs], rows[differs])
    best, each = margin.reshape(n, m).argmax(1), np.arange(n)
    found = _together(front, moves, rows.reshape(n, m, -1), margin.reshape(n, m))
    return found.with_best(rows.reshape(n, m, -1)[each, best], margin.reshape(n, m)[each, best])


def _held(front: Front, moves: _Moves) -> Which:
    """(M, columns) which columns a relation may not move: the changed one, and all but the one that takes it up."""
    held = np.eye(front.best.shape[1], dtype=np.bool_)[moves.column]
    some = moves.alone >= 0
    held[some] = ~np.eye(front.best.shape[1], dtype=np.bool_)[moves.alone[some]]
    return held


def _together(front: Front, moves: _Moves, rows: Rows, margin: Rows) -> Front:
    """The best single change of each unit, the strongest of them made together: 2, 3, ... of those that help."""
    of_column = front.ball.constraints.unit_of
    unit = of_column[moves.column]
    held = np.unique(unit)
    top = np.stack([np.where(unit == u, margin, -np.inf).argmax(1) for u in held], 1)  # (N, units)
    each = np.arange(len(top))
    gain = margin[each[:, None], top]
    order = np.argsort(-gain, 1, kind="stable")
    helps = (gain > front.margin[:, None]).sum(1)
    numbers = {*range(2, 9), *(2**k for k in range(4, 13)), len(held)}
    wanted, found = front.best.copy(), front
    for k in range(int(helps.max(initial=0))):
        place = order[:, k]
        changed = (of_column == held[place][:, None]) & (helps > k)[:, None]
        wanted = np.where(changed, rows[each, top[each, place]], wanted)
        some = np.flatnonzero(helps > k)
        if k + 1 in numbers:
            found = found.with_those(some, found.at(some).with_best(wanted[some], found.judged(some, wanted[some])))
    return found


# ---- generations -------------------------------------------------------------------------------------------------
def evolved(front: Front, generations: int) -> Front:
    """`front` with the best rows of an evolution from random legal rows and the best so far; a broken row stops.

    Children take each unit of columns from one of two parents; some units are drawn anew. The best of both stay.
    (Search beside gradients, as MOEVA in Simonetto et al. 2024, arXiv:2406.00775; here for the margin alone.)
    """
    left, here = np.arange(len(front.of)), front
    rows = np.concatenate([front.best[:, None], front.random(KEPT - 1)], 1)
    margin = _judged(here, rows)
    for _ in range(generations + 1):
        best = margin.argmax(1)
        here = here.with_best(rows[np.arange(len(left)), best], margin.max(1, initial=-np.inf))
        front = front.with_those(left, here)
        keep = np.flatnonzero(here.margin <= 0)
        left, here, rows, margin = left[keep], here.at(keep), rows[keep], margin[keep]
        if not len(left):
            break
        born = _children(here, rows)
        rows, margin = np.concatenate([rows, born], 1), np.concatenate([margin, _judged(here, born)], 1)
        order = np.argsort(-margin, 1, kind="stable")[:, :KEPT]
        rows, margin = np.take_along_axis(rows, order[:, :, None], 1), np.take_along_axis(margin, order, 1)
    return front


def _judged(front: Front, rows: Rows) -> Rows:
    """(N, k) margins of legal rows (N, k, columns)."""
    n, k, columns = rows.shape
    return front.judged(np.repeat(np.arange(n), k), rows.reshape(-1, columns)).reshape(n, k)


def _children(front: Front, rows: Rows) -> Rows:
    """(N, BORN, columns) children of the generation `rows` (N, k, columns)."""
    n, k, columns = rows.shape
    unit = front.ball.constraints.unit_of
    many = int(unit.max()) + 1
    fresh = front.random(BORN)
    u = np.stack([g.random((BORN, 3 + 2 * many)) for g in front.draws])
    parents = (u[:, :, :2] * k).astype(np.int64)
    first, second = (np.take_along_axis(rows, parents[:, :, j, None], 1) for j in range(2))
    crossed = (u[:, :, 3 : 3 + many] < 0.5)[:, :, unit]
    anew = (u[:, :, 3 + many :] < np.maximum(1.5 / many, u[:, :, 2:3] * 0.3))[:, :, unit]
    child = np.where(crossed, first, second)
    child = np.where(anew, fresh, child)
    return front.near(np.repeat(np.arange(n), BORN), child.reshape(-1, columns)).reshape(n, BORN, columns)
