"""manifest.json: the digest of every file of an audit, and what of a folder is not as it says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from auditor.errors import LoadError
from auditor.folders import MANIFEST, SIGNATURES, need_audit
from auditor.schema import canonical

__all__ = [
    "canonical_or_none", "changes", "digests", "manifest", "need_as_written", "not_as_written", "parsed_once",
    "read_manifest",
]  # fmt: skip

DIGEST = re.compile(r"[0-9a-f]{64}")


def manifest(folder: Path) -> dict[str, str]:
    """The sha256 of every file in `folder` by its path there, but for manifest.json itself and the signatures.

    LoadError for what is no ordinary file: a link or a device could stand for other bytes tomorrow.
    """
    found = digests(folder)
    if odd := [name for name, digest in found.items() if digest is None]:
        msg = f"{odd[0]!r:.200} is no ordinary file that can be read; a manifest lists ordinary files alone"
        raise LoadError(msg)
    return {name: digest for name, digest in found.items() if digest is not None}


def digests(folder: Path) -> dict[str, str | None]:
    """The sha256 of whatever in `folder` is no folder, by its path there; None of what is no ordinary file.

    LoadError for a folder that cannot be looked through.
    """
    return {name: _sha256(path) for name, path in sorted(_files(folder))}


def read_manifest(folder: Path) -> dict[str, str]:
    """The digests that manifest.json lists, by path. LoadError when it is none, or not as the auditor writes it."""
    if (folder / MANIFEST).is_symlink():
        msg = f"{MANIFEST} is a link, which could stand for another file tomorrow"
        raise LoadError(msg)
    try:
        text = (folder / MANIFEST).read_bytes()
        listed = parsed_once(text)
    except (OSError, ValueError, RecursionError) as e:
        msg = f"{MANIFEST} cannot be read ({getattr(e, 'strerror', None) or type(e).__name__})"
        raise LoadError(msg) from None
    if not isinstance(listed, dict) or not all(isinstance(d, str) and DIGEST.fullmatch(d) for d in listed.values()):
        msg = f"{MANIFEST} is no list of digests"
        raise LoadError(msg)
    if canonical_or_none(listed) != text:
        msg = f"{MANIFEST} is not as the auditor writes it"
        raise LoadError(msg)
    return listed


def changes(found: Mapping[str, str | None], listed: Mapping[str, str]) -> list[str]:
    """What of the `found` digests is not as `listed`, a line each: `changed: PATH`, `missing: PATH`, and so on."""
    lines = [f"no ordinary file: {name}" for name, digest in found.items() if digest is None]
    lines += [f"changed: {n}" for n in listed if found.get(n) is not None and found[n] != listed[n]]
    lines += [f"missing: {name}" for name in listed if name not in found]
    lines += [f"added: {name}" for name, digest in found.items() if digest is not None and name not in listed]
    lines += [f"one name written in two ways: {name}" for name in _alike({*found, *listed})]
    return lines


def need_as_written(folder: Path) -> None:
    """LoadError where `folder` holds no audit, or a file that its manifest lists is changed or missing.

    What was added may stand. Otherwise what is made of these files would be listed anew, and pass for what was
    measured. A folder without a manifest, as older audits are, is taken as it is, unless it was signed.
    """
    need_audit(folder)
    signed = [name for name in SIGNATURES if os.path.lexists(folder / name)]
    if not signed and not os.path.lexists(folder / MANIFEST):
        return
    try:
        listed = read_manifest(folder)
        problems = changes({n: _sha256(path) for n, path in sorted(_files(folder)) if n in listed}, listed)
    except LoadError as e:
        problems = [str(e)]
    if problems:
        msg = f"{not_as_written(folder, problems)}; give a folder whose files are those that its {MANIFEST} lists"
        raise LoadError(msg)


def not_as_written(folder: Path, problems: Sequence[str]) -> str:
    """That `folder` is not as it was written, with the first of its problems and how many more there are."""
    more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{str(folder)!r:.200} is not as it was written ({problems[0]:.200}{more})"


def parsed_once(text: bytes) -> Any:
    """The JSON of `text`; ValueError where it is none, or where an object has a key twice."""
    return json.loads(text, object_pairs_hook=_once)


def canonical_or_none(value: object) -> bytes | None:
    """The canonical bytes of `value`; None where it has none."""
    try:
        return canonical(value)
    except (ValueError, TypeError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a key stands there twice"
        raise ValueError(msg)
    return found


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Whatever in `folder` is no folder, by its path there; links are not followed."""
    for place, folders, files in os.walk(folder, onerror=_raised):
        for name in (*files, *(f for f in folders if (Path(place) / f).is_symlink())):
            path = Path(place) / name
            inside = path.relative_to(folder).as_posix()
            if inside not in (MANIFEST, *SIGNATURES):
                yield inside, path


def _raised(error: OSError) -> None:
    msg = f"{Path(str(error.filename)).name!r:.200} cannot be listed ({error.strerror})"
    raise LoadError(msg)


def _sha256(path: Path) -> str | None:
    """The sha256 of an ordinary file; None for what is none, or cannot be read."""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with path.open("rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    except OSError:
        return None


def _alike(names: Iterable[str]) -> list[str]:
    """Names that are one on a disk which tells neither case nor composed characters apart."""
    folded = {name: unicodedata.normalize("NFC", name).casefold() for name in names}
    times = Counter(folded.values())
    return sorted(name for name, same in folded.items() if times[same] > 1)
