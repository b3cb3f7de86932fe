"""What one forward and one backward pass give for the explained rows, made once for all checks of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.explain.gradcam import Cam, cam_of, cam_pass, named_grids
from auditor.explain.grids import Grid
from auditor.explain.passes import Pass, one_pass
from auditor.explained.samples import Sample, explained_samples, is_image
from auditor.registry import Context

__all__ = ["shared_cams", "shared_gradients"]

CHOOSING = 4  # rows by which the layer is chosen: they are among those of every check that explains as many or more


@dataclass(frozen=True)
class _Row:
    """One row's logits (C,), the gradient of its class to its input, and its maps (h, w) by layer and method."""

    logits: Tensor
    gradient: Tensor
    maps: Mapping[str, Mapping[str, Tensor]]


@dataclass
class _Shared:
    """All that was made so far. `rule` is the layer that the rule has chosen, or why there is none."""

    rows: dict[int, _Row] = field(default_factory=dict)
    places: dict[str, Grid] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    rule: str | NotApplicable = ""


def shared_gradients(ctx: Context, shown: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    """Logits (N, C), and the gradient (N, ...) of each sample's predicted class to its input.

    NotApplicable for inputs or a model without gradients; see `one_pass`.
    """
    shared = _shared(ctx)
    layers = _by_rule(ctx, shared) if is_image(ctx) else ()
    _make(ctx, shared, [s for s in shown if s.row not in shared.rows], layers)
    rows = [shared.rows[s.row] for s in shown]
    return torch.stack([r.logits for r in rows]), torch.stack([r.gradient for r in rows])


def shared_cams(
    ctx: Context, shown: Sequence[Sample], layers: tuple[str, ...] = ()
) -> tuple[tuple[Cam, ...], frozenset[str]]:
    """The maps of each of `layers`, of the one that the rule chooses where none is named, and which run several times.

    NotApplicable where no layer has spatial extent and a gradient; UsageError for a layer that has none.
    """
    shared = _shared(ctx)
    if layers:
        shared.places |= named_grids(ctx.need_model(), shown[0].x[None], layers)
    else:
        layers = _by_rule(ctx, shared)
        if isinstance(shared.rule, NotApplicable):
            raise NotApplicable(*shared.rule.args)
    _make(ctx, shared, [s for s in shown if not set(layers) <= shared.rows.get(s.row, _NOTHING).maps.keys()], layers)
    rows = [shared.rows[s.row] for s in shown]
    cams = (
        Cam(layer, {m: torch.stack([r.maps[layer][m] for r in rows]) for m in rows[0].maps[layer]}) for layer in layers
    )
    return tuple(cams), frozenset(shared.repeated.intersection(layers))


_NOTHING = _Row(torch.empty(0), torch.empty(0), {})


def _shared(ctx: Context) -> _Shared:
    return cast("_Shared", ctx.shared.setdefault("pass", _Shared()))


def _by_rule(ctx: Context, shared: _Shared) -> tuple[str, ...]:
    """The layer that the rule chooses; none where there is none. The same rows choose it, whichever check asks."""
    if not shared.rule:
        shown = explained_samples(ctx, CHOOSING)
        try:
            found, places = cam_pass(ctx.need_model(), *_stacked(shown))
        except NotApplicable as e:
            shared.rule = e
        else:
            (shared.rule,) = places
            shared.places |= places
            _keep(shared, shown, found, (shared.rule,))
    return (shared.rule,) if isinstance(shared.rule, str) else ()


def _make(ctx: Context, shared: _Shared, missing: Sequence[Sample], layers: tuple[str, ...]) -> None:
    for i in range(0, len(missing), ctx.batch_size):
        part = missing[i : i + ctx.batch_size]
        _keep(shared, part, one_pass(ctx.need_model(), *_stacked(part), layers), layers)


def _keep(shared: _Shared, shown: Sequence[Sample], found: Pass, layers: tuple[str, ...]) -> None:
    """Keep what is small: of layers their maps alone."""
    cams = [cam_of(found, layer, shared.places[layer]) for layer in layers]
    shared.repeated |= found.repeated
    for i, s in enumerate(shown):
        before = shared.rows.get(s.row, _NOTHING).maps
        maps = {c.layer: {m: v[i] for m, v in c.variants.items()} for c in cams}
        shared.rows[s.row] = _Row(found.logits[i], found.gradient[i], {**before, **maps})


def _stacked(shown: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    return torch.stack([s.x for s in shown]), torch.tensor([s.predicted for s in shown])
