"""The model and the tokenizer of a Hugging Face directory, through transformers: local files, no code of theirs."""

from __future__ import annotations

import importlib
import inspect
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from auditor.errors import LoadError, UsageError, one_line
from auditor.intake.huggingface import MOST_WEIGHTS, Directory

__all__ = ["load_pretrained", "load_tokenizer"]

SPARE = 1_000_000  # what a model may have beyond twice the numbers of its file: buffers, weights under two names


def load_pretrained(found: Directory, tensors: Mapping[str, Tensor]) -> nn.Module:
    """The model that `found` describes with these weights, in float32 and evaluation mode.

    UsageError without the package; LoadError where it cannot be built, is larger than its file, or where any weight is
    missing, left over or of another shape.
    """
    library, name = _transformers(f"model directory {found.path.name!r}"), found.path.name
    kind: Any = getattr(library, found.architecture, None)
    published = inspect.isclass(kind) and issubclass(kind, library.PreTrainedModel)
    if not published:
        msg = f"model directory {name!r}: {found.architecture!r} is no model of the installed transformers"
        raise LoadError(msg)
    if kind.config_class.model_type != found.config.get("model_type"):
        msg = (
            f"model directory {name!r}: its model_type is {found.config.get('model_type')!r:.60}, "
            f"which {found.architecture} is not ({kind.config_class.model_type})"
        )
        raise LoadError(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = kind.config_class.from_dict(dict(found.config))
            _need_room(kind, config, tensors, name)
            # it knows which names a checkpoint of an earlier version has; without a path it reads no file
            module, loading = kind.from_pretrained(
                None, config=config, state_dict=dict(tensors), dtype=torch.float32, output_loading_info=True,
                local_files_only=True, trust_remote_code=False,
            )  # fmt: skip
    except LoadError:
        raise
    except Exception as e:  # noqa: BLE001 - a configuration can hold anything
        msg = f"model directory {name!r} cannot be built: {type(e).__name__}: {one_line(str(e), 160)}"
        raise LoadError(msg) from None
    _need_all(loading, name)
    return module.eval()  # type: ignore[no-any-return]


def _need_room(kind: Any, config: Any, tensors: Mapping[str, Tensor], name: str) -> None:
    """LoadError for a model that is larger than its file, or too large, counted without making room for it."""
    with torch.device("meta"):
        weights = sum(p.numel() for p in kind(config).parameters())
    held = sum(t.numel() for t in tensors.values())
    if weights > min(MOST_WEIGHTS, 2 * held + SPARE):
        said = f"describes {weights:,} weights, its files hold {held:,}"
        msg = f"model directory {name!r}: config.json {said}; at most {MOST_WEIGHTS:,} are built"
        raise LoadError(msg)


def _need_all(loading: Mapping[str, Any], name: str) -> None:
    missing = sorted(n for n in loading["missing_keys"] if not n.endswith("num_batches_tracked"))
    for what, keys in (
        ("missing", missing),
        ("not in the architecture", sorted(loading["unexpected_keys"])),
        ("of another shape", sorted(str(k[0] if isinstance(k, tuple) else k) for k in loading["mismatched_keys"])),
    ):
        if keys:
            msg = f"{name!r} does not fit its config.json: {len(keys)} {what} (first: {keys[0]!r:.80})"
            raise LoadError(msg)


def load_tokenizer(path: Path) -> Any:
    """The tokenizer in the folder `path`; UsageError without the package, LoadError where it cannot be read."""
    library = _transformers(f"tokenizer {path.name!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if {p.name for p in path.iterdir()} & {"config.json", "tokenizer_config.json"}:
                found = library.AutoTokenizer.from_pretrained(str(path), local_files_only=True, trust_remote_code=False)
            else:
                found = library.PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json"))
            found("a")
    except Exception as e:  # noqa: BLE001 - its files can hold anything
        msg = f"tokenizer {path.name!r} cannot be read: {type(e).__name__}: {one_line(str(e), 160)}"
        raise LoadError(msg) from None
    return found


def _transformers(what: str) -> Any:
    """The package, told to stay off the network and to keep quiet; UsageError where it is not installed."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library = importlib.import_module("transformers")
            importlib.import_module("transformers.modeling_utils")
    except (ImportError, RuntimeError) as e:
        reason = f"{type(e).__name__}: {one_line(str(e), 120)}"
        msg = f"{what} needs the package transformers (extra `zoos`), which cannot be imported here ({reason})"
        raise UsageError(msg) from None
    library.utils.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()
    return library
