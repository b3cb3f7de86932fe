"""Which architecture a file of weights belongs to: names and shapes compared, with nothing loaded and nothing run."""

from __future__ import annotations

import ast
import importlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from app.initialising.tensors import Tensors, chain_of, mlp_of
from auditor.intake.architectures import DEMO
from auditor.intake.zoos import ZOOS

__all__ = ["Architecture", "architecture_of"]

# a tensor that only these of torchvision's architectures have; regnet cannot be built without making room for it
TORCHVISION: Mapping[str, str] = {
    "features.0.weight": r"alexnet|vgg\d.*|squeezenet.*",
    "features.0.0.weight": r"convnext.*|efficientnet.*|mobilenet.*|swin.*",
    "features.conv0.weight": r"densenet.*",
    "layer1.0.conv1.weight": r"resnet\d.*|resnext.*|wide_resnet.*",
    "conv1.conv.weight": r"googlenet",
    "conv1.0.weight": r"shufflenet.*",
    "Conv2d_1a_3x3.conv.weight": r"inception_v3",
    "stem.0.0.weight": r"maxvit.*",
    "layers.0.weight": r"mnasnet.*",
    "class_token": r"vit_.*",
}
PUBLISHED_CLASSES = 1000  # what torchvision and timm build when nobody says another number
COUNTERS = "num_batches_tracked"  # older checkpoints lack it
MOST_FILES, MOST_SOURCE, MOST_NAMES = 20, 256 << 10, 12


@dataclass(frozen=True, slots=True)
class Architecture:
    """Its `name` and `arguments` as an audit file has them, "" where it is not known, and what else it could be."""

    name: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    candidates: tuple[str, ...] = ()
    note: str = ""


def architecture_of(tensors: Tensors, outputs: int | None, file: str, folder: Path) -> Architecture:
    """What holds exactly these tensors; where nothing known does, what to look at, with the code that lies beside."""
    if sizes := mlp_of(tensors):
        note = "The names and shapes are those of mlp: (linear layers with ReLU between); the file cannot say ReLU."
        return Architecture(f"mlp:{sizes}", note=note)
    demo = [f"demo:{name}" for name, build in DEMO.items() if _holds(build, tensors)]
    if len(demo) == 1:
        return Architecture(demo[0], note="Every name and shape agrees.")
    given = {} if outputs in (None, PUBLISHED_CLASSES) else {"num_classes": outputs}
    published = [*_torchvision(tensors, given), *_timm(tensors, given, file)]
    if published:
        more = f" So do {', '.join(published[1:])}." if published[1:] else ""
        return Architecture(published[0], given, tuple(published[1:]), f"Every name and shape agrees.{more}")
    beside = tuple(_beside(folder))
    if sizes := chain_of(tensors):
        how = f"Its linear layers chain as {sizes}, under other names than mlp:{sizes} has (0.weight, 2.weight ...)"
        return Architecture(candidates=beside, note=f"{how}, so that something stands between or before them.")
    return Architecture(candidates=beside, note="No architecture that is known here has these names and shapes.")


def _holds(build: Callable[[], nn.Module], tensors: Tensors) -> bool:
    """Whether the module has these tensors, as `auditor.intake.weights.fill` asks, and could be built at all."""
    try:
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            wanted = {name: tuple(t.shape) for name, t in build().state_dict().items()}
    except Exception:  # noqa: BLE001 - packages may be absent, or need real numbers
        return False
    given = {name: t.shape for name, t in tensors.items()}
    first = next(iter(wanted), "")
    places = [""] if first in given else [n.removesuffix(first) for n in given if n.endswith(f".{first}")]
    return any(_agree({n.removeprefix(p): s for n, s in given.items() if n.startswith(p)}, wanted) for p in places)


def _agree(given: Mapping[str, Sequence[int]], wanted: Mapping[str, Sequence[int]]) -> bool:
    missing = [n for n in wanted if n not in given and not n.endswith(COUNTERS)]
    return not missing and all(n in wanted and tuple(s) == tuple(wanted[n]) for n, s in given.items())


# ---- published ---------------------------------------------------------------------------------------------------
def _torchvision(tensors: Tensors, given: Mapping[str, Any]) -> Iterator[str]:
    patterns = [p for key, p in TORCHVISION.items() if any(n == key or n.endswith(f".{key}") for n in tensors)]
    package = _package("torchvision") if patterns else None
    if package is None:
        return
    listed = package.models.list_models(module=package.models)
    for name in (n for n in listed if any(re.fullmatch(p, n) for p in patterns)):
        if _holds(ZOOS["torchvision"](name, given), tensors):
            yield f"torchvision:{name}"


def _timm(tensors: Tensors, given: Mapping[str, Any], file: str) -> Iterator[str]:
    """The architecture that the file is called after, as timm's own files are: the longest name in it."""
    package = _package("timm") if len(tensors) > 2 else None
    if package is None:
        return
    stem = re.sub(r"[^a-z0-9]+", "_", file.lower())
    inside = [n for n in package.list_models() if re.search(rf"(?<![a-z0-9]){re.escape(n)}(?![a-z0-9])", stem)]
    if inside and _holds(ZOOS["timm"](max(inside, key=len), given), tensors):
        yield f"timm:{max(inside, key=len)}"


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError):
        return None


# ---- code beside the audit file ----------------------------------------------------------------------------------
def _beside(folder: Path) -> Iterator[str]:
    """MODULE:CALLABLE of what the Python files in `folder` define for others; they are parsed, and not run."""
    left = MOST_NAMES
    for path in sorted(folder.glob("*.py"))[:MOST_FILES]:
        names = list(_defined(path))[:left] if path.stem.isidentifier() else []
        left -= len(names)
        yield from (f"{path.stem}:{name}" for name in names)


def _defined(path: Path) -> Iterator[str]:
    try:
        if path.stat().st_size > MOST_SOURCE:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from [node.name] * (not node.name.startswith("_"))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Lambda):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (t.id for t in targets if isinstance(t, ast.Name) and not t.id.startswith("_"))
