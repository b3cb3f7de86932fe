"""explain.gradcam: which region of an image moved the class."""

from __future__ import annotations

import torch

from auditor.errors import NotApplicable
from auditor.explain.followed import how_followed
from auditor.explain.gradcam import gradcam
from auditor.registry import Context, check, sizes
from auditor.samples import explained_samples, heatmap, is_image, original
from auditor.stats import mean
from auditor.types import Measure, Result


@check(
    "explain.gradcam",
    title="Grad-CAM",
    source="Selvaraju et al. 2017, arXiv:1610.02391; Draelos & Carin 2020, arXiv:2011.08891",
)
def explain_gradcam(ctx: Context, *, samples: int = sizes(4, 16, 64)) -> Result:
    """Which region of an image moved the class, on the grid of the last layer that has one.

    What it measures: for `samples` images (0: all) the activations of that layer, weighted by their mean gradient to
    the predicted class. `hirescam_correlation` says how far the map agrees with HiResCAM, which takes each cell's own
    gradient and is exact where the rest of the network is linear: 1 is full agreement; None where a map is flat.

    How to read it: orange cells speak for the class. The map has no more detail than its grid. Where the correlation
    is low, the averaging of gradients has moved the map: trust LRP there rather than this.

    When it misleads: it hides what speaks against the class, and early layers would tell another story.

    A program (TorchScript, `.pt2`) is explained with its operators run one by one; a caveat says so. Its layers have
    the names that they had in the module; a frozen one has none left, and its last operator with a grid is taken.
    """
    ctx.need_classes()
    model = ctx.need_model()
    if not is_image(ctx):
        what = "texts" if ctx.is_text else "inputs"
        msg = f"Grad-CAM needs images; these {what} have no height and width"
        raise NotApplicable(msg)
    shown = explained_samples(ctx, samples)
    x, target = torch.stack([s.x for s in shown]), torch.tensor([s.predicted for s in shown])
    cams = [gradcam(model, x[i : i + 16], target[i : i + 16]) for i in range(0, len(x), 16)]
    measures, images, agreements = [], [], []
    maps, agreement = torch.cat([c.maps for c in cams]), torch.cat([c.agreement for c in cams])
    for s, cam, value in zip(shown, maps, agreement.tolist(), strict=True):
        known = value == value  # noqa: PLR0124 - NaN
        agreements += [value] if known else []
        measures.append(Measure("hirescam_correlation", f"row={s.row}", value if known else None, 1, better="higher"))
        words = f"Grad-CAM for {model.classes[s.predicted]} on a grid of {len(cam)} by {len(cam[0])}"
        images += [original(ctx, s), heatmap(ctx, s, cam, words)]
    caveats = [f"The maps are those of layer {cams[0].layer!r}, a grid of {len(maps[0])} by {len(maps[0][0])} cells."]
    flat = int((maps.flatten(1).amax(1) <= 0).sum())
    caveats += how_followed(model)
    if flat:
        caveats.append(f"{flat} of {len(maps)} maps are empty: nothing in this layer speaks for the class.")
    whole = mean("hirescam_correlation", agreements, better="higher")
    return Result((whole, *measures), (), tuple(images), tuple(caveats))
