"""The model of an audit file: its file and architecture become a handle, with the facts the report prints of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from auditor.config import InputSpec, ModelSpec
from auditor.errors import LoadError, UsageError
from auditor.feeds import Packed, Tokens, arguments_of, channels_last
from auditor.intake.architectures import Built, build
from auditor.intake.huggingface import read_directory
from auditor.intake.inspection import Inspection, inspect_model
from auditor.intake.located import locate
from auditor.intake.outputs import first_outputs
from auditor.intake.pretrained import load_pretrained
from auditor.intake.programs import load_pickle, load_program
from auditor.intake.recognise import Format, recognise, sha256
from auditor.intake.weights import digest, fill, need_finite_weights, read_weights
from auditor.intake.zoos import ZOOS
from auditor.subject import Data, Model, Normalize, as_it_is

__all__ = ["Loaded", "load_model"]

PROGRAMS = ("torchscript", "torch.export")


@dataclass(frozen=True)
class Loaded:
    """A model handle, what the report prints of it, and reasons to doubt what was read."""

    model: Model
    facts: dict[str, Any]
    caveats: tuple[str, ...] = ()


def load_model(
    spec: ModelSpec,
    given: InputSpec,
    data: Data,
    *,
    folder: Path,
    classes: Sequence[str] | None,
    bounds: tuple[Tensor | float, Tensor | float],
    unit: Tensor | float = 1.0,
    feed: Tokens | Packed | None = None,
    device: str = "cpu",
    uploaded: bool = False,
) -> Loaded:
    """The model that `spec` names, seen with the first rows of `data`, called with what `feed` makes of them.

    Without `classes` there are as many as the model gives outputs, named 0, 1, 2 ... With `uploaded` only weights in a
    built-in architecture are accepted. LoadError or UsageError, in one line, for everything else.
    """
    if uploaded and spec.grade == "code":
        what = "trust = 'pickle'" if spec.trust == "pickle" else f"architecture {spec.architecture!r}"
        msg = f"{what} runs Python of its own, which is refused here; use `auditor run`"
        raise UsageError(msg)
    path = locate(spec.path, folder, "model file", uploaded=uploaded)
    inspected = _inspected(path, spec)
    kind = inspected.format
    built = _built(path, kind, spec, folder)
    module = built.module
    if kind not in PROGRAMS:
        module.eval()
    module = _on_device(module, device)
    model = Model(
        module,
        tuple(classes or ()),
        bounds=bounds,
        normalize=_normalize(given, data, device),
        output=spec.output,
        device=device,
        unit=unit,
        feed=_feed(module, feed, given, float(torch.as_tensor(bounds[1]).max())),
    )
    if not classes and spec.output != "value":
        _, y = first_outputs(model, data)
        outputs = 2 if y.ndim == 1 or y.shape[1] == 1 else y.shape[1]
        model = Model(**{**vars(model), "classes": tuple(map(str, range(outputs)))})
    return Loaded(model, _facts(inspected, spec, built, module), built.caveats)


def _inspected(path: Path, spec: ModelSpec) -> Inspection:
    """What the file is; with trust = 'pickle' what cannot be read as data or a program is taken for a module."""
    try:
        return inspect_model(path)
    except LoadError:
        if spec.trust != "pickle" or not path.is_file():
            raise
        return Inspection(path.name, "pickled module", "pickle", False, sha256(path), path.stat().st_size, {})


def _built(path: Path, kind: Format, spec: ModelSpec, folder: Path) -> Built:
    if kind == "pickled module":
        return Built(load_pickle(path, folder), "code")
    if kind == "hugging face":
        return _pretrained(path, spec)
    return _program(path, kind, spec) if kind in PROGRAMS else _weights(path, kind, spec, folder)


def _weights(path: Path, kind: Format, spec: ModelSpec, folder: Path) -> Built:
    tensors = read_weights(path, kind)
    if not spec.architecture:
        msg = f"{path.name!r} holds weights alone; say what they belong to with [model] architecture"
        raise UsageError(msg)
    built = build(spec.architecture, spec.arguments, folder)
    try:
        return replace(built, caveats=fill(built.module, tensors, path.name))
    except LoadError as e:
        if spec.architecture.partition(":")[0] not in ZOOS:
            raise
        msg = f"{e}; [model] arguments give a published architecture its sizes, such as num_classes"
        raise LoadError(msg) from None


def _pretrained(path: Path, spec: ModelSpec) -> Built:
    """The model of a Hugging Face directory; its architecture stands in its own config.json."""
    if spec.architecture or spec.arguments:
        msg = f"{path.name!r} says itself what its weights belong to (config.json); leave [model] architecture out"
        raise UsageError(msg)
    found = read_directory(path)
    module = load_pretrained(found, read_weights(found.weights, recognise(found.weights)))
    bare = found.kind == "image" and not found.input
    said = f"{path.name!r} brings no image processor (preprocessor_config.json): what it was trained with is not known."
    return Built(module, "data", caveats=(said,) if bare else ())


def _feed(module: nn.Module, feed: Tokens | Packed | None, given: InputSpec, largest: float) -> Any:
    """What makes the arguments of `module`; LoadError where they are not those that its forward has."""
    if given.layout == "channels_last":
        return channels_last
    if feed is None:
        return as_it_is
    names = arguments_of(module)
    if isinstance(feed, Tokens):
        _need_vocabulary(module, largest)
        return replace(feed, names=tuple(n for n in feed.names if n in names))
    odd = next((p.name for p in feed.parts if names and p.name not in names), None)
    if odd is not None:
        msg = f"[data] inputs names {odd!r:.60}, which the model does not take; its forward has: {', '.join(names)}"
        raise LoadError(msg)
    return feed


def _need_vocabulary(module: nn.Module, largest: float) -> None:
    """LoadError for a tokenizer with ids that the embedding of the model has no row for."""
    find: Any = getattr(module, "get_input_embeddings", None)
    embedding = None if find is None else find()
    if isinstance(embedding, nn.Embedding) and largest >= embedding.num_embeddings:
        msg = (
            f"the tokenizer gives ids up to {int(largest):,}, the model has {embedding.num_embeddings:,} tokens; "
            "they do not belong together"
        )
        raise LoadError(msg)


def _program(path: Path, kind: Format, spec: ModelSpec) -> Built:
    if spec.trust != "program":
        msg = f"{path.name!r} is a {kind} program and runs code of its own; allow it with [model] trust = 'program'"
        raise UsageError(msg)
    module = load_program(path, kind)
    for name, t in module.state_dict().items():
        need_finite_weights(name, t, path.name)
    return Built(module, "program")


def _on_device(module: nn.Module, device: str) -> nn.Module:
    try:
        return module.to(torch.device(device))
    except (RuntimeError, AssertionError) as e:
        msg = f"device {device!r} cannot be used: {e}; 'cpu' always can"
        raise UsageError(msg) from None


def _normalize(given: InputSpec, data: Data, device: str) -> Any:
    if given.mean is None or given.std is None:
        return as_it_is
    channels = data.shape[0]
    if len(given.mean) not in (1, channels):
        msg = f"[input] mean has {len(given.mean)} values; the inputs have {channels} channels"
        raise UsageError(msg)
    return Normalize(torch.tensor(given.mean, device=device), torch.tensor(given.std, device=device))


def _facts(inspected: Inspection, spec: ModelSpec, built: Built, module: nn.Module) -> dict[str, Any]:
    return {
        "file": inspected.file,
        "format": inspected.format,
        "sha256": inspected.sha256,
        "weights_sha256": digest(module),
        "architecture": spec.architecture or type(module).__name__,
        "architecture_sha256": sha256(built.source) if built.source else "",
        "parameters": sum(p.numel() for p in module.parameters()),
        "evidence_grade": built.grade,
    }
