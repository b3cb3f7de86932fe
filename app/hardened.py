"""What a defence leaves: a file of weights, a wrapper, or a Hugging Face directory with new weights."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from auditor.config import AuditFile
from auditor.errors import LoadError, UsageError
from auditor.intake.header import described_safetensors
from auditor.intake.huggingface import is_directory, read_directory
from auditor.intake.located import locate
from auditor.intake.wrapper import KINDS, read_wrapper
from auditor.sandbox.reach import files_of_audit

__all__ = ["as_audited", "laid_out", "need_place"]

WEIGHTS = "model.safetensors"


def need_place(file: AuditFile, folder: Path, method: str, out: Path) -> None:
    """UsageError unless `out` can take what the defence `method` of this audit file gives."""
    assert file.model is not None  # noqa: S101 - the caller looked
    if out.resolve() == (folder / file.model.path).resolve():
        msg = f"--out {str(out)!r} is the model itself, which is never overwritten; give another file"
        raise UsageError(msg)
    if out.resolve() in {path.resolve() for path in files_of_audit(file, folder)}:
        msg = f"--out {str(out)!r} is read by this audit, and is never overwritten; give another file"
        raise UsageError(msg)
    _need_replaceable(out)
    if method not in KINDS and _is_directory(file, folder):
        if out.suffix or out.exists():
            msg = f"--out {str(out)!r}: the model is a directory; give the name of a new one"
            raise UsageError(msg)
        return
    ending = ".json" if method in KINDS else ".safetensors"
    if out.suffix != ending or out.is_dir():
        msg = f"--out {str(out)!r} must be a file that ends in {ending}"
        raise UsageError(msg)
    if method not in KINDS and file.model.trust == "pickle" and not file.model.architecture:
        msg = (
            f"{file.model.path!r:.100} is a pickled module, and new weights alone could not be loaded again; "
            "give its weights, and [model] architecture"
        )
        raise UsageError(msg)


def _need_replaceable(out: Path) -> None:
    """UsageError for a file that is neither weights nor a wrapper: no defence left it there."""
    if not out.is_file():
        return
    try:
        (read_wrapper if out.suffix == ".json" else described_safetensors)(out)
    except LoadError:
        msg = f"--out {str(out)!r} is a file that no defence left there; give another name"
        raise UsageError(msg) from None


def laid_out(file: AuditFile, folder: Path, method: str, made: Path, out: Path) -> Path:
    """What the audit file can name in the place of its model, laid out beside the file `made` and called as `out`."""
    place = made.with_name(out.name)
    if method in KINDS or not _is_directory(file, folder):
        return made.rename(place)
    assert file.model is not None  # noqa: S101 - see need_place
    place.mkdir()
    for beside in read_directory(locate(file.model.path, folder, "model file")).files:
        shutil.copyfile(beside, place / beside.name)
    made.rename(place / WEIGHTS)
    return place


def as_audited(file: AuditFile, out: Path, folder: Path) -> AuditFile:
    """The same audit file with what lies at `out` in the place of its model, or around it."""
    assert file.model is not None  # noqa: S101 - see need_place
    version = f"{file.subject.version}, hardened".removeprefix(", ")
    path = os.path.relpath(out.resolve(), folder.resolve())
    trust = file.model.trust if out.suffix == ".json" else "data"
    return file.model_copy(
        update={
            "model": file.model.model_copy(update={"path": path, "trust": trust}),
            "subject": file.subject.model_copy(update={"version": version}),
        }
    )


def _is_directory(file: AuditFile, folder: Path) -> bool:
    assert file.model is not None  # noqa: S101 - see need_place
    return is_directory(locate(file.model.path, folder, "model file"))
