"""What the units of layers do over many samples: how far they move, where they rest, and which samples excite them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.explain.followed import followed
from auditor.explain.grids import grids
from auditor.explain.layers import driven, heard, layer_outputs, leaf, own_rows
from auditor.explain.passes import need_finite
from auditor.explain.units import Units
from auditor.subject import Batch, Model

__all__ = ["Activity", "activity", "feature_maps"]

STILL = 1e-6
NEAR = 0.01
NEARLY_ALL = 0.95


@dataclass(frozen=True)
class Activity:
    """What U units of a layer did over all places of N samples.

    `low` and `high` (U,) are their smallest and largest values, `at_ends` (U,) the share of values within 1 % of an
    end of the layer's function. `peaks` (k, U) are the largest values of single samples, strongest first, `rows` (k, U)
    those samples' numbers. `selectivity` (U,) says how much higher the mean of one class lies than that of all other
    samples, in standard deviations over samples, for the class where it is largest; NaN where that cannot be said.
    `odd` counts values that are NaN or infinite.
    """

    units: Units
    samples: int
    low: Tensor
    high: Tensor
    at_ends: Tensor
    peaks: Tensor
    rows: Tensor
    selectivity: Tensor
    odd: int
    repeated: bool

    @property
    def saturated(self) -> Tensor:
        """(U,) whether at least 95 % of a unit's values lie within 1 % of an end of the layer's function."""
        return self.at_ends >= NEARLY_ALL

    @property
    def dead(self) -> Tensor:
        """(U,) whether a unit never moves, to 1e-6 of the layer's range, and is not saturated."""
        moved = self.high - self.low
        known = moved.isfinite()
        widest = moved[known].amax() if bool(known.any()) else moved.new_zeros(())
        return known & (moved <= STILL * widest) & ~self.saturated

    @property
    def silent(self) -> Tensor:
        """(U,) whether a unit is never above 0."""
        return self.high <= 0


def activity(
    model: Model, batches: Iterable[Batch], layers: Sequence[Units], *, most: int = 5, classes: int = 0
) -> tuple[Activity, ...]:
    """What the units of each of `layers` do over the samples of `batches`, of which nothing else is kept.

    The `most` samples that excite a unit most are remembered; with `classes`, targets are indices of so many classes.
    Of a layer that runs several times the last run counts; places without a token do not. NotApplicable for inputs that
    are not finite, for a layer that does not run, and for a program that cannot be followed.
    """
    known = [_Running(units, most, classes) for units in layers]
    for batch in batches:
        need_finite(batch.x)
        at = 0
        own = followed(model, batch.x)
        for rows in driven(own, batch.x):
            found, repeated = _one_run(own, rows, layers)
            y = batch.y[at : at + len(rows)] if classes else None
            ids = torch.from_numpy(batch.row_ids[at : at + len(rows)])
            at += len(rows)
            for running in known:
                running.add(found[running.units.layer], ids, y)
                running.repeated |= running.units.layer in repeated
    return tuple(r.activity() for r in known)


def feature_maps(model: Model, x: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
    """By layer, the mean over units of |activation| at each cell, (N, h, w), for images (N, C, H, W).

    Layers without a grid are left out.
    """
    places, outputs = grids(model, x[:1]), layer_outputs(model, x)
    return {name: places[name].folded(outputs[name]).float().abs().mean(1).cpu() for name in layers if name in places}


@dataclass(frozen=True)
class _Seen:
    """One batch: extremes (U,), values near an end (U,) of `values` (U,), a sample's largest and mean value (n, U)."""

    low: Tensor
    high: Tensor
    near: Tensor
    values: int
    peaks: Tensor
    means: Tensor
    odd: int


def _one_run(model: Model, rows: Tensor, layers: Sequence[Units]) -> tuple[dict[str, _Seen], set[str]]:
    by_name = {units.layer: units for units in layers}
    found: dict[str, _Seen] = {}
    repeated: set[str] = set()

    def note(name: str, output: Tensor) -> None:
        repeated.update({name} & found.keys())
        output = own_rows(rows, model, output.detach())
        units = by_name[name]
        if output.ndim > 1 and output.shape[units.axis] == units.count and len(output) == len(rows):
            found[name] = _seen(units, units.by_place(output).float(), _present(rows, output))

    with heard(model.module, dict.fromkeys(by_name, note)):
        model.raw(leaf(rows, model).clone())
    if missing := sorted(by_name.keys() - found.keys()):
        msg = f"the layer {missing[0]!r} does not run for every input"
        raise NotApplicable(msg)
    return found, repeated


def _present(rows: Tensor, output: Tensor) -> Tensor | None:
    """(n, T) which of an output's places stand for a token; None where that is not a question."""
    if rows.is_floating_point() or rows.ndim != 2 or output.ndim != 3:
        return None
    tokens = rows >= 0
    longest = max(1, int(tokens.sum(1).max()))  # columns without any token may be left out
    places = output.shape[1]
    return tokens[:, :places].to(output.device) if places in {longest, tokens.shape[1]} else None


def _seen(units: Units, values: Tensor, present: Tensor | None) -> _Seen:
    """Of values (n, places, U)."""
    finite = values.isfinite()
    counted = torch.ones_like(finite) if present is None else present[..., None].expand_as(finite)
    odd = int((counted & ~finite).sum())
    counted = counted & finite
    span = (units.high or 0.0) - (units.low or 0.0)
    near = torch.zeros_like(finite)
    if units.high is not None:
        near = near | (values >= units.high - NEAR * span)
    if units.low is not None:
        near = near | (values <= units.low + NEAR * span)
    return _Seen(
        low=values.masked_fill(~counted, torch.inf).amin((0, 1)).cpu(),
        high=values.masked_fill(~counted, -torch.inf).amax((0, 1)).cpu(),
        near=(near & counted).sum((0, 1)).cpu(),
        values=int(counted[..., 0].sum()),
        peaks=values.masked_fill(~counted, -torch.inf).amax(1).cpu(),
        means=(values.double().masked_fill(~counted, 0).sum(1) / counted.sum(1).clamp_min(1)).cpu(),
        odd=odd,
    )


@dataclass
class _Running:
    """What is remembered of one layer from batch to batch."""

    units: Units
    most: int
    classes: int
    low: Tensor = field(init=False)
    high: Tensor = field(init=False)
    near: Tensor = field(init=False)
    peaks: Tensor = field(init=False)
    rows: Tensor = field(init=False)
    sums: Tensor = field(init=False)
    squares: Tensor = field(init=False)
    counts: Tensor = field(init=False)
    values: int = 0
    samples: int = 0
    odd: int = 0
    repeated: bool = False

    def __post_init__(self) -> None:
        u = self.units.count
        self.low, self.high = torch.full((u,), torch.inf), torch.full((u,), -torch.inf)
        self.near, self.squares = torch.zeros(u, dtype=torch.long), torch.zeros(u, dtype=torch.double)
        self.peaks, self.rows = torch.empty(0, u), torch.empty(0, u, dtype=torch.long)
        self.sums = torch.zeros(self.classes, u, dtype=torch.double)
        self.counts = torch.zeros(self.classes, dtype=torch.double)

    def add(self, seen: _Seen, ids: Tensor, y: Tensor | None) -> None:
        """Take in a batch of samples with these numbers (n,) and targets (n,)."""
        self.low, self.high = torch.minimum(self.low, seen.low), torch.maximum(self.high, seen.high)
        self.near, self.values, self.odd = self.near + seen.near, self.values + seen.values, self.odd + seen.odd
        self.samples += len(ids)
        peaks = torch.cat([self.peaks, seen.peaks])
        rows = torch.cat([self.rows, ids[:, None].expand(-1, self.units.count)])
        order = torch.sort(peaks, dim=0, descending=True, stable=True).indices[: self.most]
        self.peaks, self.rows = peaks.gather(0, order), rows.gather(0, order)
        if y is not None:
            self.sums.index_add_(0, y, seen.means)
            self.counts.index_add_(0, y, torch.ones(len(y), dtype=torch.double))
            self.squares += (seen.means**2).sum(0)

    def activity(self) -> Activity:
        """What was seen of all batches."""
        at_ends = self.near / max(self.values, 1)
        found = (self.low, self.high, at_ends, self.peaks, self.rows, self._selectivity(), self.odd, self.repeated)
        return Activity(self.units, self.samples, *found)

    def _selectivity(self) -> Tensor:
        n, total = self.counts.sum(), self.sums.sum(0)
        deviation = (self.squares / n - (total / n) ** 2).clamp_min(0).sqrt()
        deviation = deviation.masked_fill(deviation <= STILL * (total / n).abs(), torch.nan)
        rest = n - self.counts
        some = (self.counts > 1) & (rest > 1)
        own = self.sums / self.counts[:, None]
        others = (total - self.sums) / rest[:, None]
        found = ((own - others) / deviation)[some]
        return found.amax(0) if len(found) else torch.full((self.units.count,), torch.nan, dtype=torch.double)
