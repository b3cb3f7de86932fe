"""Architectures by name. Built-in and published ones are known code; MODULE:CALLABLE brings code of its own."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import nn

from auditor.config import Grade
from auditor.errors import LoadError, UsageError, one_line
from auditor.intake.zoos import ZOOS, from_zoo

__all__ = ["Built", "build"]

MOST_WEIGHTS = 250_000_000  # 1 GB


@dataclass(frozen=True)
class Built:
    """A module, how far its code can be trusted, the file its code came from, and caveats about its weights."""

    module: nn.Module
    grade: Grade
    source: Path | None = None
    caveats: tuple[str, ...] = ()


def mlp(sizes: str) -> nn.Sequential:
    """Linear layers with ReLU between: `8-16-2` takes 8 inputs and gives 2 logits. Keys are 0.weight, 2.weight ..."""
    if not re.fullmatch(r"[1-9]\d{0,5}(-[1-9]\d{0,5})+", sizes):
        msg = f"architecture 'mlp:{sizes}' needs layer sizes such as mlp:8-16-2"
        raise UsageError(msg)
    widths = [int(size) for size in sizes.split("-")]
    weights = sum((a + 1) * b for a, b in pairwise(widths))
    if weights > MOST_WEIGHTS:
        msg = f"architecture 'mlp:{sizes}' has {weights:,} weights; at most {MOST_WEIGHTS:,} are built"
        raise UsageError(msg)
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def digits_cnn() -> nn.Sequential:
    """The digits demo's network for (N, 1, 8, 8): two convolutions of 32 channels, 128 hidden units, 10 logits."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def efficientnet_lite0() -> nn.Module:
    """EfficientNet-Lite0 for (N, 3, 224, 224), 1000 logits, from the package efficientnet-lite-pytorch."""
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        msg = "architecture 'demo:efficientnet_lite0' needs the extra `demo` (pip install 'torch-auditor[demo]')"
        raise UsageError(msg) from None
    return EfficientNet.from_name("efficientnet-lite0")  # type: ignore[no-any-return]


DEMO: Mapping[str, Callable[[], nn.Module]] = {"digits_cnn": digits_cnn, "efficientnet_lite0": efficientnet_lite0}


def build(name: str, arguments: Mapping[str, Any], folder: Path) -> Built:
    """The architecture `name`: mlp:SIZES, demo:NAME, torchvision:NAME, timm:NAME, transformers:CLASS, MODULE:CALLABLE.

    Of the last the module lies in `folder` or is installed.
    """
    scheme, _, rest = name.partition(":")
    if not rest:
        msg = f"architecture {name!r} is no architecture; give mlp:8-16-2 or MODULE:CALLABLE"
        raise UsageError(msg)
    if scheme in ZOOS:
        return Built(from_zoo(scheme, rest, arguments), "data")
    if arguments and scheme in {"mlp", "demo"}:
        msg = f"architecture {name!r} takes no [model] arguments"
        raise UsageError(msg)
    if scheme == "mlp":
        return Built(mlp(rest), "data")
    if scheme == "demo":
        if rest not in DEMO:
            msg = f"architecture {name!r} does not exist; the demos have {', '.join(f'demo:{n}' for n in DEMO)}"
            raise UsageError(msg)
        return Built(DEMO[rest](), "data")
    return _from_code(name, scheme, rest, arguments, folder)


def _from_code(name: str, module: str, attribute: str, arguments: Mapping[str, Any], folder: Path) -> Built:
    """Runs Python of the user's: the evidence grade says so."""
    beside = folder / f"{module.replace('.', '/')}.py"
    source = beside if beside.is_file() else None
    try:
        found: Any = _import_file(beside, module) if source else importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        built = _module_of(found(**arguments))
    except (Exception, SystemExit) as e:  # noqa: BLE001 - the user's code may raise anything, and leave
        msg = f"architecture {name!r} cannot be built: {type(e).__name__}: {one_line(str(e), 200)}"
        raise LoadError(msg) from None
    if not isinstance(built, nn.Module):
        msg = f"architecture {name!r} returns {type(built).__name__}; expected a torch.nn.Module"
        raise LoadError(msg)
    return Built(built, "code", source)


def _module_of(built: Any) -> Any:
    """The module inside a wrapper with the interface of scikit-learn, as skorch writes them; else `built` itself."""
    if isinstance(built, nn.Module):
        return built
    if not hasattr(built, "module_") and hasattr(built, "initialize"):
        built.initialize()
    return getattr(built, "module_", built)


def _import_file(path: Path, name: str) -> Any:
    """The module at `path`, made afresh: two audits may have a file of the same name beside them."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        msg = f"{path.name!r} is no Python module"
        raise LoadError(msg)
    module = importlib.util.module_from_spec(spec)
    previous = sys.modules.get(name)
    sys.modules[name] = module  # classes of the module look themselves up by name
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
        if previous is not None:
            sys.modules[name] = previous
    return module
