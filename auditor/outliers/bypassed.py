"""Detectors against adversarial inputs that ignore them, those that know them, and random changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.attacks.balls import Norm, ball_of
from auditor.attacks.goals import another_class
from auditor.attacks.seen import Seen
from auditor.attacks.strongest import found_by_all
from auditor.errors import NotApplicable
from auditor.outliers.auroc import auroc_fall, paired_auroc
from auditor.outliers.aware import Aware, Search, surest
from auditor.outliers.detectors import Detector
from auditor.subject import Data, Model
from auditor.types import Measure, Scalar, Table

__all__ = ["ATTACKS", "BYPASSED", "Broken", "Scored", "Spent", "broken_rows", "figures", "scored", "view_of"]

Scores = np.ndarray[tuple[int], np.dtype[np.float64]]
ATTACKS = ("unaware", "surest", "aware", "noise")
MOST = 0.9  # of the rows break at the size that is audited: where they only just break nothing is left to bypass with
BYPASSED = 0.2
NOTICED = 0.7  # an area from which on a detector also fires on random changes
SHARE = 4  # passes at once of an attack that knows a detector with three squeezers


@dataclass(frozen=True)
class Spent:
    """How rows are attacked: gradient steps a round, and how many rows at once."""

    norm: Norm
    steps: int
    seed: int
    batch_size: int


@dataclass(frozen=True)
class Broken:
    """Rows (N, ...) of classes (N,) that are right as they are, and inputs within `epsilon` that break them.

    `changed` by little, the size of each change being its `distance` (N,), and `far` (N, ...) as far as it goes.
    `tried` counts the rows that were attacked.
    """

    epsilon: float
    x: Tensor
    y: Tensor
    changed: Tensor
    distance: Tensor
    far: Tensor
    tried: int


@dataclass(frozen=True)
class Scored:
    """Scores (N,) of a detector: of rows as they are, and of each of ATTACKS; NaN where the model has no answer."""

    name: str
    inside: Scores
    attacked: dict[str, Scores]


def broken_rows(seen: Seen, data: Data, ladder: Sequence[float], spent: Spent) -> Broken:
    """Rows of `data`, which the model has right, that break at the first of `ladder` that breaks nine in ten.

    At the last one where none does; NotApplicable where nothing breaks even there.
    """
    parts = [(b.x, b.y) for b in data.batches(spent.batch_size)]
    found = [found_by_all(seen, x, y, ladder, norm=spent.norm, steps=spent.steps, seed=spent.seed) for x, y in parts]
    index = torch.cat([f.index for f in found])
    k = next((k for k in range(len(ladder)) if float((index <= k).float().mean()) >= MOST), len(ladder) - 1)
    if not bool((index <= k).any()):
        at = f"{spent.norm} {ladder[k]:.3g}"
        msg = f"none of {len(index)} rows breaks within {at}: nothing is to be detected; give larger epsilons"
        raise NotApplicable(msg)
    search, picked = _search(seen, parts[0][0], ladder[k], spent), []
    for (x, y), f in zip(parts, found, strict=True):
        rows = (f.index <= k).nonzero()[:, 0]
        if len(rows):
            far = surest(search, x[rows], y[rows], f.witness[rows])
            picked.append((x[rows], y[rows], f.witness[rows], f.distance[rows], far))
    x, y, changed, distance, far = (torch.cat(part) for part in zip(*picked, strict=True))
    return Broken(ladder[k], x, y, changed, distance, far, len(index))


def view_of(seen: Seen) -> Model:
    """The model whose gradients show most."""
    return seen.searches[-1] if seen.searches else seen.model


def _search(seen: Seen, x: Tensor, epsilon: float, spent: Spent) -> Search:
    ball = ball_of(spent.norm, seen.model, x)
    return Search(seen.model, view_of(seen), another_class(seen.model, seen.least), ball, epsilon, spent.steps)


def scored(seen: Seen, detector: Detector, rows: Broken, spent: Spent) -> Scored:
    """What `detector` says of the rows, of what breaks them with and without knowing it, and of random changes."""
    random, search = torch.Generator().manual_seed(spent.seed), _search(seen, rows.x, rows.epsilon, spent)
    inside, attacked = [], {a: [torch.zeros(0)] for a in ATTACKS}
    for at in torch.arange(len(rows.y)).split(max(1, spent.batch_size // SHARE)):
        x, y, changed, far = rows.x[at], rows.y[at], rows.changed[at], rows.far[at]
        attacked["aware"].append(Aware(search, detector, x, y, changed, far).run().score)
        with torch.no_grad():
            inside.append(detector.score(seen.model, x))
            attacked["unaware"].append(detector.score(seen.model, changed))
            attacked["surest"].append(detector.score(seen.model, far))
            attacked["noise"].append(detector.score(seen.model, search.ball.noise(x, rows.distance[at], random)))
    return Scored(detector.name, _numbers(inside), {a: _numbers(parts) for a, parts in attacked.items()})


def figures(found: Sequence[Scored], at: str) -> tuple[tuple[Measure, ...], Table, list[str]]:
    """The areas and falls of every detector `at` a size, a table, and what has to be said."""
    measures: list[Measure] = []
    rows: list[tuple[Scalar, ...]] = []
    said: list[str] = []
    for s in found:
        areas, lost = _areas(s)
        fall = auroc_fall(areas["unaware"], areas["aware"], slice=f"detector={s.name}")
        measures += [*areas.values(), fall]
        rows.append(
            (s.name, *(areas[a].value for a in ATTACKS), fall.value, areas["aware"].n // 2, _found(areas, fall))
        )
        said += _doubts(s.name, areas, fall, lost)
    columns = ("detector", *ATTACKS, "fall", "rows", "found")
    return (
        tuple(measures),
        Table(f"How well detectors tell adversarial inputs within {at} (AUROC)", columns, tuple(rows)),
        said,
    )


def _areas(s: Scored) -> tuple[dict[str, Measure], int]:
    """The area of each attack over rows that all have a score, and how many have not."""
    known = np.isfinite(np.stack([s.inside, *s.attacked.values()])).all(0)
    areas = {
        a: paired_auroc("auroc", s.inside[known], s.attacked[a][known], slice=f"detector={s.name}&attack={a}")
        for a in ATTACKS
    }
    return areas, int((~known).sum())


def _found(areas: dict[str, Measure], fall: Measure) -> str:
    if fall.value is None:
        return "not known"
    if fall.value > BYPASSED:
        return "bypassable" if _is_sure(fall) else "undecided"
    low = areas["unaware"].low
    return "tells nothing as it is" if low is None or low <= 0.5 else "not bypassed by this attack"


def _is_sure(fall: Measure) -> bool:
    """Whether it is no chance that the area falls at all."""
    return fall.low is not None and fall.low > 0


def _doubts(name: str, areas: dict[str, Measure], fall: Measure, lost: int) -> list[str]:
    said = []
    unaware, far, aware, noise = (areas[a].value for a in ATTACKS)
    if fall.value is not None and fall.value > BYPASSED and not _is_sure(fall):
        said.append(
            f"{name}: the area falls by {fall.value:.2f}, which so few rows do not decide ({fall.low or 0:.2f} to "
            f"{fall.high or 0:.2f}); raise `samples`."
        )
    elif fall.value is not None and fall.value > BYPASSED:
        said.append(
            f"{name} is bypassable: an area of {unaware:.2f} against small changes, {far:.2f} against larger ones "
            f"that know as little of it, and {aware:.2f} against those that do."
        )
    if noise is not None and noise > NOTICED:
        said.append(f"{name} fires on random changes of the same size too (area {noise:.2f}), which break nothing.")
    if lost:
        said.append(f"{name}: {lost} rows for which the model gives NaN or infinity are left out.")
    return said


def _numbers(parts: Sequence[Tensor]) -> Scores:
    found: Scores = torch.cat([p.double() for p in parts]).numpy()
    return found
