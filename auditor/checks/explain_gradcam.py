"""explain.gradcam: which region of an image moved the class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auditor.errors import NotApplicable
from auditor.explain.cams import METHODS
from auditor.explain.followed import how_followed
from auditor.explain.gradcam import Cam
from auditor.explained.samples import Sample, explained_samples, heatmap, is_image, original
from auditor.explained.shared_pass import shared_cams, shared_gradients
from auditor.registry import Context, check, sizes
from auditor.stats import mean_correlation
from auditor.types import Image, Measure, Result, Scalar, Table

WITNESS = "HiResCAM"


@check(
    "explain.gradcam",
    title="Grad-CAM",
    measures=("hirescam_correlation",),
    source="Selvaraju et al. 2017, arXiv:1610.02391; Draelos & Carin 2020, arXiv:2011.08891; "
    "Chattopadhay et al. 2018, arXiv:1710.11063; Jiang et al. 2021, doi:10.1109/TIP.2021.3089943",
)
def explain_gradcam(ctx: Context, *, samples: int = sizes(4, 16, 64), layers: tuple[str, ...] = ()) -> Result:
    """Which region of an image moved the class, on the grid of the last layer that has one.

    What it measures: for `samples` images (0: all) the activations of that layer, weighted by their mean gradient to
    the predicted class. The layer is the last with spatial extent and a gradient that is not zero, or each of `layers`,
    by their names in the model. `hirescam_correlation` says how far the map of the first agrees with HiResCAM, which
    takes each cell's own gradient and is exact where the rest of the network is linear: 1 is full agreement; None where
    a map is flat. The table says the same of Grad-CAM++ and LayerCAM, made from the same pass.

    How to read it: orange cells speak for the class. The map has no more detail than its grid. Where the correlation
    is low, the averaging of gradients has moved the map: trust LRP there rather than this.

    When it misleads: it hides what speaks against the class, and early layers would tell another story.

    A program (TorchScript, `.pt2`) is explained with its operators run one by one; a caveat says so. Its layers have
    the names that they had in the module; a frozen one has none left, and its last operator with a grid is taken.
    """
    model = ctx.need_model()
    if not is_image(ctx):
        what = "texts" if ctx.is_text else "inputs"
        msg = f"Grad-CAM needs images; these {what} have no height and width"
        raise NotApplicable(msg)
    shown = explained_samples(ctx, samples)
    cams, repeated = shared_cams(ctx, shown, tuple(dict.fromkeys(layers)))
    figures = [None if v != v else v for v in cams[0].agreement.tolist()]  # noqa: PLR0124 - NaN
    measures = [
        Measure("hirescam_correlation", f"row={s.row}", v, 1, better="higher")
        for s, v in zip(shown, figures, strict=True)
    ]
    whole = mean_correlation("hirescam_correlation", [v for v in figures if v is not None], better="higher")
    _keep(ctx, shown, cams)
    caveats = [*_of_layers(cams), *how_followed(model), *_doubts(ctx, shown, cams, repeated)]
    return Result((whole, *measures), (_variants(cams),), tuple(_pictures(ctx, shown, cams)), tuple(caveats))


# ---- what is shown -----------------------------------------------------------------------------------------------
def _pictures(ctx: Context, shown: Sequence[Sample], cams: Sequence[Cam]) -> list[Image]:
    """Each sample and its Grad-CAM on every layer."""
    images = []
    for i, s in enumerate(shown):
        images.append(original(ctx, s))
        for k, cam in enumerate(cams):
            if not bool(cam.maps[i].isfinite().all()):
                continue
            h, w = cam.maps.shape[1:]
            words = f"Grad-CAM for {s.answer} on a grid of {h} by {w}"
            if k == 0:
                images.append(heatmap(ctx, s, cam.maps[i], words))
            else:
                name = ctx.keep(f"layer-{k + 1}-row-{s.row}", cam.maps[i].numpy())
                images.append(Image(s.title, name, "map", f"{words}, layer {cam.layer}"))
    return images


def _keep(ctx: Context, shown: Sequence[Sample], cams: Sequence[Cam]) -> None:
    """All maps as evidence, (N, h, w) a method and layer."""
    ctx.keep("rows", np.array([s.row for s in shown]))
    for k, cam in enumerate(cams):
        for method, maps in cam.variants.items():
            ctx.keep(f"{method.lower()}" + (f"-layer-{k + 1}" if k else ""), maps.numpy())


def _variants(cams: Sequence[Cam]) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for cam in cams:
        for method in METHODS:
            if method != WITNESS:
                found = cam.agreement_of(method)
                m = mean_correlation(method, found[~found.isnan()].tolist())
                rows.append((cam.layer, method, m.value, m.low, m.high, m.n))
    return Table("Variants", ("layer", "method", f"correlation with {WITNESS}", "low", "high", "n"), tuple(rows))


# ---- what is to be said ------------------------------------------------------------------------------------------
def _of_layers(cams: Sequence[Cam]) -> list[str]:
    return [
        f"The {'further ' if k else ''}maps are those of layer {c.layer!r}, "
        f"a grid of {c.maps.shape[1]} by {c.maps.shape[2]} cells."
        for k, c in enumerate(cams)
    ]


def _doubts(ctx: Context, shown: Sequence[Sample], cams: Sequence[Cam], repeated: frozenset[str]) -> list[str]:
    """Why maps are empty or say little, so that none of them is taken for a finding."""
    said = [f"Layer {name!r} runs several times; the maps are those of its last run." for name in sorted(repeated)]
    n = len(shown)
    for cam in cams:
        where = "this layer" if len(cams) == 1 else f"layer {cam.layer!r}"
        if k := int((cam.maps.flatten(1).amax(1) <= 0).sum()):
            said.append(f"{k} of {n} maps are empty: nothing in {where} speaks for the class.")
        if k := n - int(cam.maps.flatten(1).isfinite().all(1).sum()):
            said.append(f"{k} of {n} rows have no map: gradients of {where} are NaN or infinite.")
    _, gradient = shared_gradients(ctx, shown)
    if k := int((gradient.flatten(1).abs().amax(1) == 0).sum()):
        why = " (probabilities have none where they are rounded to 0 or 1)" if _squashed(ctx) else ""
        said.append(f"In {k} of {n} rows the class has no gradient to the input at all{why}: their maps say nothing.")
    if k := sum(bool(s.x.flatten().amax() == s.x.flatten().amin()) for s in shown):
        said.append(f"{k} of {n} images have one value everywhere: their maps show the network's own bias.")
    if n > 1 and not ctx.is_regression and len({s.predicted for s in shown}) == 1:
        said.append(
            f"All {n} rows are called {ctx.classes[shown[0].predicted]}: no map shows what another class needs."
        )
    return said


def _squashed(ctx: Context) -> bool:
    return ctx.need_model().output == "probabilities"
