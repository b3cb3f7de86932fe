"""What an audit needs to read: the files that its audit file names, Python with its packages, parts of the system."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import auditor
from auditor.config import AuditFile
from auditor.errors import UsageError
from auditor.intake.located import locate
from auditor.intake.recognise import INDEX
from auditor.intake.unwrapping import unwrapped

__all__ = ["devices", "files_of_audit", "files_of_python"]

SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/zero", "/dev/urandom",
    "/dev/random", "/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/sys/devices/system/cpu",
)  # fmt: skip
OF_A_GPU = ("/dev/nvidia*", "/dev/dri/*", "/dev/kfd")
PLUGINS = "auditor.checks"  # entry points of others' checks


def files_of_audit(file: AuditFile, folder: Path, *, uploaded: bool = False) -> list[Path]:
    """The files and folders that `file` in `folder` names; its whole folder where it brings Python of its own.

    Of a wrapper also the model file that it wraps, which with `uploaded` must lie in `folder`.
    """
    inner, wrapper = unwrapped(file, folder, uploaded=uploaded)
    named = [locate(file.model.path, folder, "model file")] if wrapper and file.model else []
    for _, name in inner.files():
        path = folder / name
        if name.startswith("package:"):
            named += _package(name.removeprefix("package:").partition("/")[0])
        elif path.name.endswith(INDEX):
            parts = list(path.parent.glob("*.safetensors"))
            named += [path, *(p for p in parts if p.is_file())]
            _need_inside(file, path.parent, [p for p in parts if p.is_symlink()])
        else:
            links = list(_links(path))
            named += [path, *links]
            _need_inside(file, path, links)
    if file.grade == "code":
        module = file.model.architecture.partition(":")[0] if file.model else ""
        named += [folder, *_package(module.partition(".")[0])]
    return [p.absolute() for p in named]


def _need_inside(file: AuditFile, folder: Path, links: Iterable[Path]) -> None:
    """UsageError for a link out of `folder` where the audit brings code, which could read whatever it leads to.

    The files of a Hugging Face cache lie in `blobs`, two folders up.
    """
    if file.grade != "code":
        return
    inside = (folder.resolve(), folder.resolve().parent.parent / "blobs")
    odd = next((p for p in links if not any(p.resolve().is_relative_to(i) for i in inside)), None)
    if odd is not None:
        where = odd.relative_to(folder)
        msg = (
            f"{str(where)!r:.100} in {folder.name!r} is a link that leads out of it, to where code of this audit could "
            "read; copy what it leads to, or name that in the audit file"
        )
        raise UsageError(msg)


def files_of_python() -> list[Path]:
    """Python, what is installed for it, ourselves, and the parts of the system that they read."""
    entries = [Path(p) for p in sys.path if p and Path(p).is_dir() and not _is_working_folder(Path(p))]
    ours = Path(next(iter(auditor.__path__)))
    plugins = {e.module.partition(".")[0] for e in metadata.entry_points(group=PLUGINS)}
    others = [path for name in sorted(plugins) for path in _package(name)]
    prefixes = [Path(p) for p in (sys.prefix, sys.base_prefix, sys.exec_prefix)]
    found = [*map(Path, SYSTEM), *prefixes, *entries, ours, *others]
    return [*found, Path(sys.executable)]


def devices(device: str) -> list[Path]:
    """The device files that `device` works through; none for the CPU."""
    if device == "cpu":
        return []
    return [Path("/dev/nvidiactl"), *(p for pattern in OF_A_GPU for p in Path("/").glob(pattern.removeprefix("/")))]


def _is_working_folder(path: Path) -> bool:
    """Whether `path` is on the path only because Python was started there; then it can hold anything."""
    return path.resolve() == Path.cwd() and path.resolve() != Path(next(iter(auditor.__path__))).parent


def _package(name: str) -> Iterator[Path]:
    """Where the top-level package or module `name` lies; it is found and not imported."""
    try:
        spec = importlib.util.find_spec(name) if name else None
    except (ImportError, ValueError):
        return
    if spec is not None:
        yield from map(Path, spec.submodule_search_locations or ([spec.origin] if spec.origin else []))


def _links(folder: Path) -> Iterator[Path]:
    """The links in a folder, which lead out of it: caches and data sets are often full of them."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent) / name
            if path.is_symlink():
                yield path
