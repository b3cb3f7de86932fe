"""What was audited: what the audit file and the files themselves say, and the process only where they cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auditor.config import AuditFile, Grade
from auditor.errors import LoadError
from auditor.intake.recognise import INDEX, recognise, sha256
from auditor.intake.unwrapping import facts_of, unwrapped
from auditor.sandbox.evidence import read_text

__all__ = ["subject_of"]

PROGRAMS = ("torchscript", "torch.export")
MOST = 4 << 20
Word = Annotated[str, Field(max_length=1000)]
Fact = Word | bool | int | float | None | Annotated[list[Word], Field(max_length=100_000)]


class _Told(BaseModel):
    """subject.json as the process leaves it: facts by name, two sections deep."""

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)

    model: Annotated[dict[Word, Fact], Field(max_length=30)]
    data: Annotated[dict[Word, Fact], Field(max_length=30)]


def subject_of(out: Path, file: AuditFile, folder: Path) -> dict[str, Any]:
    """The subject of the audit of `file`: names, digests and the evidence grade are not taken from the process.

    LoadError when what it left is no subject.
    """
    try:
        told = _Told.model_validate_json(read_text(out / "subject.json", MOST))
    except ValidationError:
        msg = "the audit's own process left no subject of ours; its audit is not used"
        raise LoadError(msg) from None
    data = {**told.data, **_of_file(folder, file.data.path), "sensitive": list(file.data.sensitive)}
    subject = {**file.subject.model_dump(), "data": data, "audit_file_sha256": file.digest()}
    if file.model is None:
        return {**subject, "model": {"format": "predictions only", "evidence_grade": "data"}}
    inner, wrapper = unwrapped(file, folder)
    about = _of_file(folder, file.model.path) if wrapper is None else facts_of(file, folder, wrapper)
    model = {**told.model, **about, "evidence_grade": _grade(inner, folder)}
    if file.model.architecture:
        model["architecture"] = file.model.architecture
    return {**subject, "model": model}


def _of_file(folder: Path, name: str) -> dict[str, str]:
    """Name and digest of a single file; of folders, of files in several and of packages the name alone."""
    path = folder / name
    if name.startswith("package:"):
        return {"file": Path(name).name}
    alone = path.is_file() and not name.endswith(INDEX)
    return {"file": path.name, "sha256": sha256(path)} if alone else {"file": path.name}


def _grade(file: AuditFile, folder: Path) -> Grade:
    """The most that the model can bring; a file of weights is no program, whatever is allowed."""
    assert file.model is not None  # noqa: S101 - the caller looked
    path = folder / file.model.path
    if file.grade == "program" and path.is_file() and recognise(path) not in PROGRAMS:
        return "data"
    return file.grade
