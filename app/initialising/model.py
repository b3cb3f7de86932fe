"""What a model file shows of itself: how it may be loaded, what it takes, what it answers. Nothing of it is run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from app.initialising.architecture import Architecture, architecture_of
from app.initialising.tensors import Shapes, shapes_of
from auditor.errors import UsageError
from auditor.intake.huggingface import read_directory
from auditor.intake.inspection import Inspection, inspect_model
from auditor.intake.located import locate
from auditor.intake.wrapper import read_wrapper

__all__ = ["ModelFound", "model_at"]


@dataclass(frozen=True, slots=True)
class ModelFound:
    """A model file as an audit file has to name it.

    `architecture` is None where the file needs none. `labels` are the classes that a directory names; `has_tokenizer`
    is None for a model of no texts, as far as is known.
    """

    file: str
    format: str
    trust: Literal["data", "program", "pickle"]
    shapes: Shapes
    architecture: Architecture | None = None
    labels: tuple[str, ...] | None = None
    has_tokenizer: bool | None = None
    is_regression: bool = False
    notes: tuple[str, ...] = field(default=())


def model_at(path: Path, folder: Path) -> ModelFound:
    """The model file at `path`, for an audit file in `folder`; LoadError as `auditor inspect` has it."""
    found = inspect_model(path)
    if found.format == "wrapper":
        around = locate(read_wrapper(path).model, folder, f"the model file of the wrapper {path.name!r:.60},")
        inner = inspect_model(around)
        if inner.format == "wrapper":
            msg = f"{path.name!r:.60} wraps {around.name!r:.60}, a wrapper itself; expected a model file"
            raise UsageError(msg)
        return replace(_described(inner, around, folder), file=found.file, format="wrapper", notes=found.notes)
    return _described(found, path, folder)


def _described(found: Inspection, path: Path, folder: Path) -> ModelFound:
    shapes = shapes_of(found.tensors)
    plain = ModelFound(found.file, found.format, found.trust, shapes, notes=found.notes)
    if found.format == "hugging face":
        directory = read_directory(path)
        shapes = replace(shapes, kind=directory.kind, outputs=len(directory.labels) if directory.labels else None)
        tokenizer = bool(directory.vocabulary) if directory.kind == "text" else None
        plain = replace(plain, shapes=shapes, labels=directory.labels, has_tokenizer=tokenizer)
        return replace(plain, is_regression=directory.is_regression)
    if not found.needs_architecture:
        return plain
    return replace(plain, architecture=architecture_of(found.tensors, shapes.outputs, path.name, folder))
