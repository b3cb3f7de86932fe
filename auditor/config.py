"""The audit file as data. Unknown keys are errors that list the known ones."""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from auditor.characters import unreadable
from auditor.errors import UsageError, one_line
from auditor.requirements import need_known
from auditor.settings import Profile
from auditor.validation import as_json, first_error

__all__ = [
    "BUILT_IN", "KNOWN_CODE", "AuditFile", "ColumnSpec", "DataSpec", "Grade", "InputSpec", "ModelSpec",
    "PolicySpec", "load_audit_file",
]  # fmt: skip

BUILT_IN = ("default", "eu-ai-act", "nist-ai-rmf", "nyc-ll144", "four-fifths")  # policies
KNOWN_CODE = ("mlp", "demo", "torchvision", "timm", "transformers")  # architectures that bring no Python of their own
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # so begin files of some editors
Grade = Literal["data", "program", "code"]
Kind = Literal["image", "table", "text", "tensor"]
Output = Literal["logits", "probabilities", "value"]
Resample = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Pixels = Annotated[int, Field(gt=0)]
Number = int | float
Text = Annotated[str, Field(max_length=10_000)]


def _need_readable(name: str) -> str:
    if odd := unreadable(name):
        msg = f"the name {one_line(name, 60)!r} holds the character {odd}, which cannot be read; leave it out"
        raise ValueError(msg)
    return name


Name = Annotated[str, Field(max_length=300), AfterValidator(_need_readable)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SubjectSpec(_Section):
    """Printed, never judged."""

    name: Name = ""
    version: Name = ""
    provider: Name = ""
    purpose: Text = ""
    intended_use: Text = ""
    out_of_scope: Text = ""


class ModelSpec(_Section):
    """Where the weights are and what they belong to."""

    path: str
    architecture: str = ""
    arguments: dict[str, Any] = {}
    output: Output = "logits"
    trust: Literal["data", "program", "pickle"] = "data"

    @property
    def grade(self) -> Grade:
        """The most that the model can bring: data alone, a program, or code of its own."""
        if self.trust == "pickle" or (self.architecture and self.architecture.partition(":")[0] not in KNOWN_CODE):
            return "code"
        return "program" if self.trust == "program" else "data"


class InputSpec(_Section):
    """How a file's samples become the model's inputs."""

    kind: Kind | None = None
    layout: Literal["channels_first", "channels_last"] = "channels_first"
    resize: Pixels | tuple[Pixels, Pixels] | None = None
    size: tuple[Pixels, Pixels] | None = None
    resample: Resample = "bicubic"
    mean: tuple[Number, ...] | None = None
    std: tuple[Annotated[Number, Field(gt=0)], ...] | None = None
    bounds: tuple[Number, Number] | None = None
    tokenizer: str | None = None
    max_length: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.mean is None) != (self.std is None):
            msg = "mean and std are given together or not at all"
            raise ValueError(msg)
        if self.mean is not None and self.std is not None and len(self.mean) != len(self.std):
            msg = f"mean has {len(self.mean)} values and std {len(self.std)}; both need one a channel"
            raise ValueError(msg)
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            msg = f"bounds are {list(self.bounds)}; the first must be below the second"
            raise ValueError(msg)
        return self


class DataSpec(_Section):
    """Where the samples are and what their columns mean."""

    path: str
    inputs: str | tuple[str, ...] | None = None
    target: str | None = None
    header: bool = True
    columns: tuple[str, ...] | None = None
    labels: str | None = None
    classes: tuple[Name, ...] | str | None = None
    positive: int | str | None = None
    sensitive: tuple[str, ...] = ()
    where: dict[str, str | int | float | bool] = {}
    limit: Annotated[int, Field(gt=0)] | None = None
    reference: str | None = None
    missing: tuple[str, ...] = ("", "?")
    score: str | tuple[str, ...] | None = None
    prediction: str | None = None
    threshold: float = 0.5

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        twice = next((name for name, times in Counter(self.sensitive).items() if times > 1), None)
        if twice is not None:
            msg = f"sensitive names {twice!r:.80} twice; name each column once"
            raise ValueError(msg)
        return self


class ColumnSpec(_Section):
    """How one column of a table becomes elements of the input vector."""

    name: str
    kind: Literal["number", "category", "flag"] = "number"
    values: tuple[str | int | float | bool, ...] = ()
    mean: float | None = None
    std: Annotated[float, Field(gt=0)] | None = None
    mutable: bool = True
    min: float | None = None
    max: float | None = None
    integer: bool = False
    increasing_only: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "category" and not self.values:
            msg = f"column {self.name!r} is a category without values; list them in the order of the model's inputs"
            raise ValueError(msg)
        if (self.mean is None) != (self.std is None):
            msg = f"column {self.name!r}: mean and std are given together or not at all"
            raise ValueError(msg)
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = f"column {self.name!r}: min is {self.min:g} and max {self.max:g}; min may not be above max"
            raise ValueError(msg)
        ordered = (self.min is not None, self.max is not None, self.integer, self.increasing_only)
        if self.kind == "category" and any(ordered):
            msg = f"column {self.name!r} is a category: min, max, integer and increasing_only are for numbers and flags"
            raise ValueError(msg)
        return self


class RelationSpec(_Section):
    """A linear relation of table columns that changes must keep."""

    weights: dict[str, float]
    equals: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.equals is None) == (self.at_most is None):
            msg = "a relation needs equals or at_most, and not both"
            raise ValueError(msg)
        zero = next((name for name, weight in self.weights.items() if weight == 0), None)
        if zero is not None or not self.weights:
            what = f"the weight 0 for {zero!r}" if zero is not None else "no weights"
            msg = f"a relation has {what}; expected a weight other than 0 for each of its columns"
            raise ValueError(msg)
        return self


class ChecksSpec(_Section):
    """Which checks run, how large, and their own settings by id."""

    profile: Profile = "standard"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    device: str = "cpu"
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    settings: dict[str, dict[str, Any]] = {}


class PolicySpec(_Section):
    """The policy file, or a built-in name."""

    path: str = "default"


class AuditFile(_Section):
    """One audit file; its paths are relative to where it lies."""

    subject: SubjectSpec = SubjectSpec()
    statements: dict[str, Text] = {}
    model: ModelSpec | None = None
    input: InputSpec = InputSpec()
    data: DataSpec
    columns: tuple[ColumnSpec, ...] = ()
    relations: tuple[RelationSpec, ...] = ()
    checks: ChecksSpec = ChecksSpec()
    defend: dict[str, dict[str, Any]] = {}
    policy: PolicySpec = PolicySpec()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.columns and self.data.inputs:
            msg = "[[columns]] and [data] inputs both say what the inputs are; keep one"
            raise ValueError(msg)
        if self.model is None and not (self.data.score or self.data.prediction):
            msg = "no [model], and [data] names no score or prediction column; one of them is needed"
            raise ValueError(msg)
        if self.data.score and self.data.prediction:
            msg = "[data] names both score and prediction; keep one"
            raise ValueError(msg)
        return self

    @property
    def grade(self) -> Grade:
        """The most that its model can bring; predictions are data."""
        return self.model.grade if self.model else "data"

    def digest(self) -> str:
        """The sha256 of its settings, defaults filled in."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def files(self) -> list[tuple[str, str]]:
        """Every file and folder that it names, each with the key that names it."""
        given = {
            "[model] path": self.model.path if self.model else None,
            "[input] tokenizer": self.input.tokenizer,
            "[data] path": self.data.path,
            "[data] labels": self.data.labels,
            "[data] classes": self.data.classes if isinstance(self.data.classes, str) else None,
            "[data] reference": self.data.reference,
            "[policy] path": None if self.policy.path in BUILT_IN else self.policy.path,
        }
        return [(key, name) for key, name in given.items() if name is not None]


def load_audit_file(path: Path) -> AuditFile:
    """The audit file at `path`, checked; UsageError with one line when it cannot be read or does not fit."""
    try:
        given = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        msg = f"no audit file {path.name!r} in {path.resolve().parent.name!r}; give the path of a TOML file"
        raise UsageError(msg) from None
    except IsADirectoryError:
        msg = f"{str(path)!r:.200} is a folder; give the path of an audit file (TOML), such as audit.toml in it"
        raise UsageError(msg) from None
    except OSError as e:
        msg = f"audit file {path.name!r} cannot be read: {e.strerror}"
        raise UsageError(msg) from None
    except UnicodeDecodeError as e:
        known = "an audit file is expected, which `auditor init MODEL DATA` writes for a model file"
        found = "its text is UTF-16; save it as UTF-8" if e.object[:2] in UTF_16 else f"it is no text; {known}"
        msg = f"{path.name!r:.200} is not TOML: {found}"
        raise UsageError(msg) from None
    except (ValueError, RecursionError) as e:  # TOMLDecodeError, numbers and nesting beyond measure
        msg = f"audit file {path.name!r} is not TOML: {e}"
        raise UsageError(msg) from None
    return parse_audit_file(given, path.name)


def parse_audit_file(given: Mapping[str, Any], name: str = "audit file") -> AuditFile:
    """An audit file from its parsed TOML."""
    gathered = _with_settings_gathered(given, name)
    try:
        file = AuditFile.model_validate_json(as_json(gathered), strict=True)
    except ValidationError as e:
        msg = f"{name}: {first_error(e, _known_keys, gathered)}"
        raise UsageError(msg) from None
    need_known([key for key in file.statements if ":" in key], f"{name}: [statements] (keys of your own have no colon)")
    return file


def _with_settings_gathered(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Tables under a check's id become the key `settings` of [checks], which a file itself may not use."""
    checks = given.get("checks")
    if not isinstance(checks, dict):
        return dict(given)
    if "settings" in checks:
        msg = f'{name}: [checks] has no key settings; the settings of a check stand in [checks."CHECK.ID"]'
        raise UsageError(msg)
    plain = {k: v for k, v in checks.items() if "." not in k}
    return {**given, "checks": plain | {"settings": {k: v for k, v in checks.items() if "." in k}}}


def _known_keys(parents: list[int | str]) -> list[str]:
    """The keys that the section at `parents` may have."""
    section: Any = AuditFile
    for part in parents:
        if isinstance(part, str) and part in section.model_fields:
            section = _section_of(section.model_fields[part].annotation) or section
    keys = sorted(section.model_fields)
    return [k for k in keys if k != "settings"] + (['"CHECK.ID"'] if section is ChecksSpec else [])


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments = getattr(annotation, "__args__", ())
    return next((s for a in arguments if (s := _section_of(a)) is not None), None)
