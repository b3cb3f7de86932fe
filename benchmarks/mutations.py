"""Mutated model files through the look and the loaders: a refusal in one line or a correct load, and nothing else.

A parent that has imported everything forks a locked process for each file. What it loads must be what the look
described; where the format has checksums that were not made to fit, it must be the very tensors that were saved.
Anything else (a crash, no end, an exception, a file left behind) is counted, named and gives exit 1.
    python -m benchmarks.mutations             # 2,000 files
    python -m benchmarks.mutations 1234 ...    # those files alone, and what was said of each
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import select
import shutil
import signal
import statistics
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from auditor.errors import AuditError
from auditor.intake.inspection import inspect_model
from auditor.intake.outputs import first_outputs
from auditor.intake.programs import load_program
from auditor.intake.weights import need_finite_weights, read_weights
from auditor.sandbox.limits import GB, Limits
from auditor.sandbox.lock import lock
from auditor.sandbox.reach import files_of_python
from auditor.subject import Data, Model
from tests.intake.modelfiles import Small

CASES, SECONDS = 2000, 20
REFUSED_BY_LOOK, REFUSED_BY_LOADER, LOADED = "refused by the look", "refused as it was loaded", "loaded correctly"
CLEAN = (REFUSED_BY_LOOK, REFUSED_BY_LOADER, LOADED)
CHECKSUMS = ("state_dict", "TorchScript", ".pt2")
WORDS = (
    b"posix\nsystem", b"builtins\neval", b"torch.save", b"torch.from_file('/etc/passwd')", b"..", b"\x00" * 8,
    b"\xff" * 8, b"-1", b"1e999", b"9" * 40, b"[" * 400, b"__import__('os')", b"torch.ops.aten.from_file.default",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One mutated file: its format, what was done to it, and its bytes."""

    number: int
    kind: str
    done: str
    content: bytes


@dataclass(frozen=True)
class Ended:
    """How a case ended, what was said, and the milliseconds it took."""

    outcome: str
    said: str
    took: float


# ---- files -------------------------------------------------------------------------------------------------------
def originals(folder: Path) -> dict[str, Path]:
    """The network in every format."""
    torch.manual_seed(0)
    module, x = Small().eval(), torch.rand(2, 1, 8, 8)
    paths = {
        kind: folder / name
        for kind, name in {
            "state_dict": "w.pt", "legacy": "w.pth", "safetensors": "w.safetensors", "TorchScript": "m.pt",
            ".pt2": "m.pt2",
        }.items()
    }  # fmt: skip
    torch.save(module.state_dict(), paths["state_dict"])
    torch.save(module.state_dict(), paths["legacy"], _use_new_zipfile_serialization=False)
    paths["legacy"].write_bytes(_with_small_keys(paths["legacy"].read_bytes()))
    save_file(module.state_dict(), paths["safetensors"])
    torch.jit.script(module).save(str(paths["TorchScript"]))
    program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    torch.export.save(program, paths[".pt2"])
    return paths


def _with_small_keys(content: bytes) -> bytes:
    """The old format names storages by their addresses, which no two runs share."""
    keys = dict.fromkeys(re.findall(rb"\d{13,15}", content))
    for i, key in enumerate(keys):
        content = content.replace(key, str(i).zfill(len(key)).encode())
    return content


def flipped(content: bytes, draw: random.Random) -> bytes:
    """One to eight bits turned, anywhere."""
    found = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def cut(content: bytes, draw: random.Random) -> bytes:
    """An end, a start or a piece missing."""
    a, b = sorted(draw.sample(range(len(content) + 1), 2))
    return draw.choice((content[:a], content[a:], content[:a] + content[b:]))


def edited(content: bytes, draw: random.Random) -> bytes:
    """A piece written over, put in, doubled, or exchanged for a word of an attacker."""
    start = draw.randrange(len(content))
    stop = min(len(content), start + draw.randrange(1, 24))
    piece = draw.choice((draw.randbytes(stop - start), draw.choice(WORDS), content[start:stop] * 2, b""))
    return content[:start] + piece + content[stop:]


def renumbered(content: bytes, draw: random.Random) -> bytes:
    """One digit is another."""
    digits = [i for i, byte in enumerate(content) if 48 <= byte < 58]
    if not digits:
        return flipped(content, draw)
    place = draw.choice(digits)
    return content[:place] + str(draw.randrange(10)).encode() + content[place + 1 :]


def changed(content: bytes, draw: random.Random) -> bytes:
    """In one of these ways."""
    return draw.choice((flipped, edited, renumbered))(content, draw)


def header_edited(content: bytes, kind: str, draw: random.Random) -> bytes:
    """The description changed and everything around it made to fit: lengths, checksums, directories."""
    if kind == "safetensors":
        (length,) = struct.unpack("<Q", content[:8])
        header = changed(content[8 : 8 + length], draw)
        return struct.pack("<Q", len(header)) + header + content[8 + length :]
    if kind == "legacy":
        head = content.index(b"e.", content.index(b"_metadata")) + 2  # the pickles; tensors follow
        return changed(content[:head], draw) + content[head:]
    return _member_edited(content, draw)


def _member_edited(content: bytes, draw: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as z, zipfile.ZipFile(out, "w") as new:
        told = [n for n in z.namelist() if n.endswith((".pkl", ".json", ".py", "model.pt"))]
        chosen = draw.choice(told)
        for name in z.namelist():
            new.writestr(name, changed(z.read(name), draw) if name == chosen else z.read(name))
    return out.getvalue()


MUTATIONS: Mapping[str, Callable[[bytes, str, random.Random], bytes]] = {
    "bits": lambda content, _, draw: flipped(content, draw),
    "cut": lambda content, _, draw: cut(content, draw),
    "edit": lambda content, _, draw: edited(content, draw),
    "header": header_edited,
}
TURNS = ("bits", "cut", "edit", "header", "header", "header")  # those that get furthest most often


def case_of(number: int, contents: Mapping[str, bytes]) -> Case:
    """The case of that number: formats and mutations in turn, the rest by chance."""
    draw = random.Random(number)  # noqa: S311 - to be drawn again, not to be secret
    kind = list(contents)[number % len(contents)]
    done = TURNS[number // len(contents) % len(TURNS)]
    return Case(number, kind, done, MUTATIONS[done](contents[kind], kind, draw))


# ---- one file ----------------------------------------------------------------------------------------------------
def tried(path: Path, original: Mapping[str, Tensor] | None) -> tuple[str, str]:
    """Look at the file and load it: how that ended, and what was said.

    `original` are the tensors that must come out where any do, None where others may.
    """
    try:
        found = inspect_model(path)
    except AuditError as e:
        return REFUSED_BY_LOOK, str(e)
    try:
        if found.needs_architecture:
            tensors = read_weights(path, found.format)
        else:
            module = load_program(path, found.format)
            tensors = module.state_dict()
            for name, t in tensors.items():
                need_finite_weights(name, t, path.name)
            x = torch.linspace(0, 1, 2 * 64).reshape(2, 1, 8, 8)
            first_outputs(Model(module, ()), Data.of(x, torch.zeros(2).long()))
    except AuditError as e:
        return REFUSED_BY_LOADER, str(e)
    described = {name: (t.dtype, t.shape) for name, t in found.tensors.items()}
    loaded = {name: (str(t.dtype).removeprefix("torch."), tuple(t.shape)) for name, t in tensors.items()}
    same = loaded.items() <= described.items() if found.format == "torchscript" else loaded == described
    if not same:  # of TorchScript tensors are described that are attributes and no weights
        return "loaded something else than was described", str(set(loaded.items()) ^ set(described.items()))
    if original is not None and not all(torch.equal(t, original[name]) for name, t in tensors.items()):
        return "loaded other numbers past a checksum", ""
    return LOADED, found.format


def run(case: Case, place: Path, scratch: Path, readable: Sequence[Path], original: Mapping[str, Tensor]) -> Ended:
    """The case in a locked process of its own."""
    path = place / f"{case.number}{'.pt2' if case.kind == '.pt2' else '.pt'}"
    path.write_bytes(case.content)
    out, to_parent = os.pipe()
    start = time.perf_counter()
    if (pid := os.fork()) == 0:
        _child(path, scratch, readable, to_parent, _expected(case, original))
    os.close(to_parent)
    said, status = _heard(out, pid)
    took = (time.perf_counter() - start) * 1000
    path.unlink()
    if left := [p.name for p in scratch.rglob("*")]:
        return Ended("left a file behind", str(left), took)
    if status:
        how = f"signal {signal.Signals(os.WTERMSIG(status)).name}" if os.WIFSIGNALED(status) else f"exit {status >> 8}"
        return Ended("no end" if said == b"late" else "crashed", f"{how} {said!r:.200}", took)
    outcome, words = json.loads(said)
    return Ended("refused in several lines" if "\n" in words else outcome, words, took)


def _expected(case: Case, original: Mapping[str, Tensor]) -> Mapping[str, Tensor] | None:
    return original if case.kind in CHECKSUMS and case.done != "header" else None


def _child(
    path: Path, scratch: Path, readable: Sequence[Path], to_parent: int, original: Mapping[str, Tensor] | None
) -> None:
    """Never returns."""
    status = 1
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.chdir(scratch)
        lock([*readable, path], [scratch], Limits(memory=8 * GB, seconds=SECONDS, disk=64 << 20))
        os.write(to_parent, json.dumps(tried(path, original)).encode()[:60_000])
        status = 0
    except BaseException as e:  # noqa: BLE001 - whatever got through is the finding
        os.write(to_parent, f"{type(e).__name__}: {e}".encode()[:1000])
    finally:
        os._exit(status)  # no clean-up of the parent's


def _heard(out: int, pid: int) -> tuple[bytes, int]:
    """What the process said and how it ended; it is killed when it takes longer than SECONDS."""
    said = b""
    deadline = time.monotonic() + SECONDS
    with os.fdopen(out, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if not (got := pipe.read(1 << 16)):
                return said, os.waitpid(pid, 0)[1]
            said += got
    os.kill(pid, signal.SIGKILL)
    return b"late", os.waitpid(pid, 0)[1]


# ---- all of them -------------------------------------------------------------------------------------------------
def warm(paths: Mapping[str, Path]) -> dict[str, Tensor]:
    """Load every original once, so that each process finds everything imported; the tensors they hold."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for path in paths.values():
        outcome, said = tried(path, None)
        if outcome != LOADED:
            msg = f"{path.name} itself is not loaded: {said}"
            raise SystemExit(msg)
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    if threads > 1:
        print(f"{threads} threads run in the parent; each process has one of its own")
    return read_weights(paths["state_dict"], "state_dict")


def table(found: Sequence[tuple[Case, Ended]]) -> str:
    """Counts by format and outcome, and the time."""
    outcomes = [*CLEAN, *sorted({e.outcome for _, e in found} - set(CLEAN))]
    lines = []
    for kind in dict.fromkeys(case.kind for case, _ in found):
        counts = Counter(e.outcome for case, e in found if case.kind == kind)
        lines.append(f"{kind:12} " + ", ".join(f"{counts[o]:4} {o}" for o in outcomes))
    wrong = sum(e.outcome not in CLEAN for _, e in found)
    times = [e.took for _, e in found]
    lines.append(f"{len(found):,} files: {wrong} ended otherwise than by a refusal in one line or a correct load")
    lines.append(f"{statistics.median(times):.0f} ms a file in the middle, {max(times):,.0f} ms the longest")
    return "\n".join(lines)


def main() -> None:
    """Print the figures; exit 1 when any file ended otherwise than it may."""
    named = [int(text) for text in sys.argv[1:]]
    folder = Path(tempfile.mkdtemp())
    try:
        (place := folder / "files").mkdir()
        (scratch := folder / "scratch").mkdir()
        paths = originals(folder)
        original = warm(paths)
        contents = {kind: path.read_bytes() for kind, path in paths.items()}
        readable = files_of_python()
        found = []
        for number in named or range(CASES):
            case = case_of(number, contents)
            ended = run(case, place, scratch, readable, original)
            found.append((case, ended))
            if named or ended.outcome not in CLEAN:
                print(f"{number} ({case.kind}, {case.done}): {ended.outcome}: {ended.said:.200}", flush=True)
    finally:
        shutil.rmtree(folder)
    print(table(found))
    raise SystemExit(any(e.outcome not in CLEAN for _, e in found))


if __name__ == "__main__":
    main()
