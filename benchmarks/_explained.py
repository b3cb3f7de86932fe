"""One architecture through every explanation that is made of gradients, with the figure that each proves itself by."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from auditor.errors import AuditError, NotApplicable, one_line
from auditor.explain.attention import attention
from auditor.explain.composites import COMPOSITES, with_attention
from auditor.explain.entries import Entry
from auditor.explain.gradcam import gradcam
from auditor.explain.integrated import integrated_gradients
from auditor.explain.lrp import lrp
from auditor.subject import Model
from benchmarks._architectures import ARCHITECTURES, CLASSES, IMAGES, TEXTS, Architecture
from benchmarks._nets import ConvNet1d, RecurrentClassifier, TabTransformer, mlp_with_norms, regression, single_logit

__all__ = ["LEDGER", "STEPS", "SUBJECTS", "TOLERANCE", "Explained", "Subject", "explain"]

LEDGER, TOLERANCE = 1e-4, 0.01
STEPS, FEW = (16, 32, 64, 128), 2
ROWS, SEEN, WORDS, LENGTH = 4, 8, 50, 12

T = TypeVar("T")


@dataclass(frozen=True)
class Subject:
    """A model to explain: its name, and what makes it with some inputs."""

    name: str
    open: Callable[[], tuple[Model, Tensor]]


@dataclass(frozen=True)
class Explained:
    """How an architecture came out.

    `cam` is Grad-CAM's layer with its grid, or why there is none; `ledger` the largest ledger error of all composites
    and of AttnLRP, `constants` the part that constants hold under LRP-0; `completeness` the largest error of integrated
    gradients, `unresolved` how many samples stay above 1 %; `attention` layers and heads, or why there are none.
    `milliseconds` are those of one sample by Grad-CAM and LRP. `misses` are what should have worked and did not.
    """

    name: str
    cam: str
    ledger: float | None
    constants: float | None
    completeness: float | None
    unresolved: int
    attention: str
    milliseconds: float
    misses: tuple[str, ...]


def explain(subject: Subject) -> Explained:
    """The subject through Grad-CAM, LRP by every composite, integrated gradients and attention."""
    model, x = subject.open()
    misses: list[str] = []
    with model.frozen():
        with torch.no_grad():
            logits = model(x)
        target = logits.reshape(len(x), -1).argmax(1)
        cam = _tried(lambda: _cam(model, x, target), misses if x.ndim == 4 else [])
        found = _tried(lambda: _ledgers(model, x, target), misses)
        ledger, constants = found if isinstance(found, tuple) else (None, None)
        complete = _tried(lambda: _completeness(model, x, target), misses)
        completeness, unresolved = complete if isinstance(complete, tuple) else (None, 0)
        attended = _tried(lambda: _attention(model, x, target), misses if _attends(model.module) else [])
        spent = _milliseconds(model, x, target)
    if ledger is not None and not ledger <= LEDGER:
        misses.append(f"LRP: a ledger error of {ledger:.1e}")
    return Explained(
        subject.name, str(cam), ledger, constants, completeness, unresolved, str(attended), spent, tuple(misses)
    )


def _tried(what: Callable[[], T], misses: list[str]) -> T | str:
    """What it gives, or the one line that it refuses with."""
    try:
        return what()
    except AuditError as e:
        misses.append(one_line(str(e), 160))
        return f"none: {one_line(str(e), 60)}"


def _milliseconds(model: Model, x: Tensor, target: Tensor) -> float:
    """Of Grad-CAM and LRP for one sample of the batch."""
    start = time.perf_counter()
    for method in (_cam, lrp):
        _tried(lambda method=method: method(model, x, target), [])  # type: ignore[misc]
    return (time.perf_counter() - start) / len(x) * 1000


def _cam(model: Model, x: Tensor, target: Tensor) -> str:
    if x.ndim != 4:
        return "no image"
    found = gradcam(model, x, target)
    return f"`{found.layer}` {' x '.join(map(str, found.maps.shape[1:]))}"


def _ledgers(model: Model, x: Tensor, target: Tensor) -> tuple[float, float]:
    plain = lrp(model, x, target, composite=COMPOSITES["epsilon"])
    others = [c for name, c in COMPOSITES.items() if name != "epsilon"] + [with_attention("epsilon", "attnlrp")]
    errors = [plain, *(lrp(model, x, target, composite=c) for c in others)]
    return max(float(e.ledger_error.max()) for e in errors), float(plain.constant_share.mean())


def _completeness(model: Model, x: Tensor, target: Tensor) -> tuple[float, int]:
    x, target = x[:FEW], target[:FEW]

    def start(_: Tensor, known: Sequence[Entry]) -> Sequence[Tensor]:
        return [torch.zeros_like(e.values) for e in known]

    found = integrated_gradients(model, x, target, start, steps=STEPS)
    return float(found.completeness_error.nan_to_num(0).max()), int(found.unresolved.sum())


def _attention(model: Model, x: Tensor, target: Tensor) -> str:
    try:
        found = attention(model, x, target)
    except NotApplicable as e:
        if "the model has no attention" in str(e):
            return "no"
        raise
    return f"{len(found.weights)} layers, {sum(w.shape[1] for w in found.weights)} heads"


def _attends(module: nn.Module) -> bool:
    return any("attention" in type(part).__name__.lower() for part in module.modules())


# ---- the list ----------------------------------------------------------------------------------------------------
def settled(module: nn.Module, x: Tensor) -> nn.Module:
    """The module in evaluation mode; its BatchNorm knows inputs like `x`, with a scale and a shift of its own."""
    module.eval()
    generator = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.reset_running_stats()
            part.momentum, part.training = None, True
    with torch.no_grad():
        module(x)
        for part in module.modules():
            if isinstance(part, _BatchNorm):
                for weight in (part.weight, part.bias):
                    weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.1)
    return module.eval()


def _published(architecture: Architecture) -> Subject:
    def make() -> tuple[Model, Tensor]:
        module, x = architecture.settled(), architecture.inputs(ROWS)
        part = "logits" if architecture.name.startswith("transformers:") else None
        return Model(module, tuple("abc"), part=part), x

    return Subject(architecture.name, make)


def _small(name: str, make: Callable[[], nn.Module], rows: Callable[[int], Tensor], output: str = "logits") -> Subject:
    def opened() -> tuple[Model, Tensor]:
        torch.manual_seed(0)
        module = settled(make(), rows(SEEN))
        return Model(module, () if output == "value" else tuple("abc"), output=output), rows(ROWS)  # type: ignore[arg-type]

    return Subject(name, opened)


def _drawn(*shape: int) -> Callable[[int], Tensor]:
    return lambda n: torch.randn(n, *shape, generator=torch.Generator().manual_seed(2))


def _ids(n: int) -> Tensor:
    return torch.randint(3, WORDS, (n, LENGTH), generator=torch.Generator().manual_seed(2))


VISION = """
    alexnet vgg11_bn resnet18 resnext50_32x4d wide_resnet50_2 densenet121 mobilenet_v2 mobilenet_v3_small
    efficientnet_b0 efficientnet_v2_s convnext_tiny vit_b_16 swin_t swin_v2_t regnet_y_400mf shufflenet_v2_x0_5
    squeezenet1_1 mnasnet0_5 googlenet inception_v3 maxvit_t
""".split()  # noqa: SIM905 - a list of names
SIZES: Mapping[str, int] = {"inception_v3": 160, "maxvit_t": 224}
KINDS = [f"{name}ForSequenceClassification" for name in ("Bert", "DistilBert", "Roberta", "GPT2")]
KINDS += [f"{name}ForImageClassification" for name in ("ViT", "DeiT", "Swin", "ConvNext")]


def _torchvision(name: str) -> Architecture:
    known = {a.name: a for a in ARCHITECTURES}
    side = SIZES.get(name, 64)
    return known.get(f"torchvision:{name}") or Architecture(f"torchvision:{name}", CLASSES, (3, side, side))


def _transformers(kind: str) -> Architecture:
    short = kind.removesuffix("ForImageClassification").removesuffix("ForSequenceClassification")
    return Architecture(f"transformers:{kind}", (IMAGES if "Image" in kind else TEXTS)[short])


SUBJECTS: tuple[Subject, ...] = (
    *(_published(_torchvision(name)) for name in VISION),
    *(_published(_transformers(kind)) for kind in KINDS),
    _small("MLP with BatchNorm", mlp_with_norms, _drawn(8)),
    _small("TabTransformer-like", TabTransformer, TabTransformer.rows),
    _small("LSTM text classifier", lambda: RecurrentClassifier(nn.LSTM(16, 16, batch_first=True)), _ids),
    _small(
        "GRU text classifier, both ways",
        lambda: RecurrentClassifier(nn.GRU(16, 16, bidirectional=True, batch_first=True)),
        _ids,
    ),
    _small("1-D CNN", ConvNet1d, _drawn(4, 32)),
    _small("single logit", single_logit, _drawn(8)),
    _small("regression", regression, _drawn(8), "value"),
)
