"""What an audit file leaves out and the model's own directory says: classes, preprocessing, tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from auditor.config import AuditFile, InputSpec
from auditor.errors import UsageError
from auditor.intake.huggingface import Directory, is_directory, most_tokens, read_directory
from auditor.intake.located import locate

__all__ = ["completed"]

PIXELS = ("resize", "size", "resample", "mean", "std")


def completed(file: AuditFile, folder: Path, *, uploaded: bool = False) -> AuditFile:
    """`file` with what the Hugging Face directory that it names says; what stands in the file itself wins.

    Of an image processor all is taken or nothing: one that the file says in part is its own.
    """
    if file.model is None:
        return file
    path = locate(file.model.path, folder, "model file", uploaded=uploaded)
    if not is_directory(path):
        return file
    found = read_directory(path)
    model, data = file.model, file.data
    if found.is_regression and "output" not in model.model_fields_set:
        model = model.model_copy(update={"output": "value"})
    if data.classes is None and found.labels is not None and len(found.labels) > 1:
        data = data.model_copy(update={"classes": found.labels})
    given = _input(file, found, folder, model.path, uploaded=uploaded)
    return file.model_copy(update={"model": model, "data": data, "input": given})


def _input(file: AuditFile, found: Directory, folder: Path, own: str, *, uploaded: bool) -> InputSpec:
    given, update = file.input, dict[str, Any]()
    most = found.longest
    if most is not None and given.max_length is not None and given.max_length > most:
        msg = f"[input] max_length is {given.max_length:,}; the model takes at most {most:,} tokens"
        raise UsageError(msg)
    if most is not None and given.max_length is None and given.tokenizer is not None:
        theirs = most_tokens(locate(given.tokenizer, folder, "tokenizer", uploaded=uploaded))
        update["max_length"] = most if theirs is None else min(most, theirs)
    if given.kind is None:
        update["kind"] = found.kind
    if found.kind == "text" and given.tokenizer is None and found.vocabulary:
        update["tokenizer"] = own
    if found.kind == "image" and not given.model_fields_set & set(PIXELS):
        update |= found.input
    return given.model_copy(update=update)
