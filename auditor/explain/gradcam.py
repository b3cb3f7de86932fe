"""Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) and its variants of one pass, on a layer that is found by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from auditor.errors import NotApplicable, UsageError
from auditor.explain.cams import METHODS, correlation
from auditor.explain.followed import followed
from auditor.explain.grids import Grid, grids
from auditor.explain.passes import Pass, need_finite, one_pass
from auditor.subject import Model

__all__ = ["Cam", "cam_of", "cam_pass", "gradcam", "named_grids"]

AT_ONCE = 16  # in ViTs that are read out from the class token, the last with a gradient is the 14th from the end
NAMED = 5


@dataclass(frozen=True)
class Cam:
    """Maps of N samples on the grid of one layer.

    `variants` are the maps (N, h, w) by method, at least 0 but for HiResCAM, which keeps what speaks against the class.
    """

    layer: str
    variants: Mapping[str, Tensor]

    @property
    def maps(self) -> Tensor:
        """Grad-CAM's maps (N, h, w), at least 0."""
        return self.variants["Grad-CAM"]

    @property
    def agreement(self) -> Tensor:
        """(N,) the correlation of Grad-CAM with HiResCAM, NaN where either map is flat."""
        return self.agreement_of("Grad-CAM")

    def agreement_of(self, method: str) -> Tensor:
        """(N,) the correlation of a method's maps with what speaks for the class in HiResCAM's.

        HiResCAM is exact where the rest of the network is linear. NaN where either map is flat.
        """
        return correlation(self.variants[method], self.variants["HiResCAM"].clamp_min(0))


def gradcam(model: Model, x: Tensor, target: Tensor) -> Cam:
    """Grad-CAM of class `target` (N,) for images (N, C, H, W); the model is frozen and in evaluation mode.

    The layer is the last with spatial extent whose gradient is not zero. Tokens (N, T, D) are folded back into their
    grid, class tokens left out. NotApplicable when there is no such layer, or for a program that cannot be followed.
    """
    found, places = cam_pass(model, x, target)
    (name,) = places
    return cam_of(found, name, places[name])


def cam_pass(model: Model, x: Tensor, target: Tensor) -> tuple[Pass, dict[str, Grid]]:
    """The pass of images (N, C, H, W), and the one layer among its own that the rule chooses, with its grid.

    NotApplicable when no layer has spatial extent and a gradient.
    """
    need_finite(x)
    model = followed(model, x)
    places = grids(model, x[:1])
    names = list(places)
    if not names:
        msg = "no layer of the model has spatial extent"
        raise NotApplicable(msg)
    for end in range(len(names), 0, -AT_ONCE):
        among = names[max(0, end - AT_ONCE) : end]
        found = one_pass(model, x, target, among)
        for name in reversed(among):
            if bool(places[name].folded(found.layers[name][1]).any()):
                return found, {name: places[name]}
    msg = f"no layer of the model has spatial extent and a gradient: it is 0 in all {len(names)} layers with a grid"
    if model.output == "probabilities":
        msg += "; the model gives probabilities, which have no gradient where they are rounded to 0 or 1"
    raise NotApplicable(msg)


def named_grids(model: Model, x: Tensor, layers: tuple[str, ...]) -> dict[str, Grid]:
    """The grids of the named layers for images (N, C, H, W); UsageError for one that does not exist or has no grid."""
    need_finite(x)
    places = grids(model, x[:1])
    for name in layers:
        if name not in places:
            near = ", ".join(map(repr, list(places)[-NAMED:])) or "none"
            msg = f"no layer {name!r} with spatial extent runs in the model; the last that do: {near}"
            raise UsageError(msg)
    return {name: places[name] for name in layers}


def cam_of(found: Pass, layer: str, grid: Grid) -> Cam:
    """All maps of one layer of a pass."""
    activations, gradients = (grid.folded(t) for t in found.layers[layer])
    return Cam(layer, {method: f(activations, gradients).cpu() for method, f in METHODS.items()})
