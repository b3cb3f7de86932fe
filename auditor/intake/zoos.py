"""Architectures by name from the packages that publish them: torchvision, timm, transformers. Never their weights.

Nothing is downloaded, and nothing that an audit file says is a path, an address or code to them.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import torch
from torch import nn

from auditor.errors import AuditError, LoadError, UsageError, one_line

__all__ = ["ZOOS", "from_zoo"]

MOST_WEIGHTS = 2_000_000_000  # 8 GB
FORBIDDEN = frozenset(
    """
    pretrained weights weights_backbone checkpoint_path pretrained_cfg pretrained_cfg_overlay cache_dir auto_map
    """.split()  # noqa: SIM905 - a list of names
)
Build = Callable[[], nn.Module]


def from_zoo(zoo: str, name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The architecture `name` of the package `zoo` (a key of ZOOS) with random weights.

    UsageError where there is none of that name, the package is not installed, or an argument could name a file or code;
    LoadError where it cannot be built or would be larger than MOST_WEIGHTS.
    """
    for key, value in arguments.items():
        if key in FORBIDDEN or key.startswith("_") or not _is_plain(value):
            msg = f"[model] arguments: {key!r:.40} is not given to {zoo}; only numbers and plain words describe a model"
            raise UsageError(msg)
    try:
        importlib.import_module(zoo)
    except (ImportError, RuntimeError) as e:
        reason = f"{type(e).__name__}: {one_line(str(e), 120)}"
        needed = f"architecture '{zoo}:{name:.80}' needs the package {zoo}, which cannot be imported here ({reason})"
        msg = f"{needed}; install torch-auditor[zoos], with a torchvision built for torch {torch.__version__}"
        raise UsageError(msg) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about weights that are replaced anyway
            build = ZOOS[zoo](name, arguments)
            _need_size(f"{zoo}:{name}", build)
            return build()
    except AuditError:
        raise
    except Exception as e:  # noqa: BLE001 - arguments can be anything
        msg = f"architecture '{zoo}:{name:.80}' cannot be built: {type(e).__name__}: {one_line(str(e), 160)}"
        raise LoadError(msg) from None


def _need_size(name: str, build: Build) -> None:
    """LoadError for more weights than MOST_WEIGHTS, counted without making room for them."""
    try:
        with torch.device("meta"):
            weights = sum(p.numel() for p in build().parameters())
    except Exception:  # noqa: BLE001 - some architectures need real numbers while they are built; those are small
        return
    if weights > MOST_WEIGHTS:
        msg = f"architecture {name!r:.100} has {weights:,} weights; at most {MOST_WEIGHTS:,} are built"
        raise LoadError(msg)


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(_is_plain(k) and _is_plain(v) for k, v in value.items())
    return isinstance(value, (bool, int, float)) or (isinstance(value, str) and not set(value) & set("/\\:"))


def _known(zoo: str, name: str, names: Sequence[str]) -> str:
    """`name`, which must be one of `names`."""
    if name not in names:
        near = get_close_matches(name, names, 3)
        hint = f"; near it: {', '.join(near)}" if near else f"; there are {len(names):,}"
        msg = f"architecture '{zoo}:{name:.80}' does not exist{hint}"
        raise UsageError(msg)
    return name


def _torchvision(name: str, arguments: Mapping[str, Any]) -> Build:
    from torchvision import models

    known = _known("torchvision", name, models.list_models(module=models))
    return partial(models.get_model, known, weights=None, **arguments)


def _timm(name: str, arguments: Mapping[str, Any]) -> Build:
    import timm

    known = _known("timm", name, timm.list_models())
    return partial(timm.create_model, known, pretrained=False, **arguments)


def _transformers(name: str, arguments: Mapping[str, Any]) -> Build:
    """A classifier of images or texts by its class; the arguments are those of its configuration."""
    import transformers

    names = [n for n in dir(transformers) if n.endswith(("ForImageClassification", "ForSequenceClassification"))]
    kind = getattr(transformers, _known("transformers", name, names))
    config = kind.config_class(**arguments)
    return partial(kind, config)


ZOOS: Mapping[str, Callable[[str, Mapping[str, Any]], Build]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "transformers": _transformers,
}
