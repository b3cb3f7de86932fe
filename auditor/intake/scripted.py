"""What the source of a TorchScript program may do, read without running any of it.

A program can read and write files (`torch.from_file`, `torch.save`) and act while it is loaded (`__setstate__`). Its
source, which lies in the archive, is parsed; any operator beyond torch's own arithmetic is refused.
"""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator
from pathlib import Path

from auditor.errors import LoadError

__all__ = ["FORBIDDEN", "need_harmless_source"]

FORBIDDEN = frozenset(
    "from_file save load load_library _save read open manual_seed set_grad_enabled _set_grad_enabled".split()  # noqa: SIM905
)
OPERATORS = ("ops.prim.", "ops.aten.", "ops.quantized.")
ROOTS = frozenset({"torch", "ops"})
ON_LOAD = ("__setstate__", "__getstate__")


def need_harmless_source(path: Path, z: zipfile.ZipFile) -> None:
    """LoadError when any source file of the TorchScript archive `z` does more than compute."""
    for name in z.namelist():
        if "/code/" in name and name.endswith(".py"):
            _need_harmless(path, name, z.read(name))


def _need_harmless(path: Path, name: str, source: bytes) -> None:
    if b"__torch__.torch.classes." in source:
        raise _refused(path, "uses a native class")
    try:
        tree = ast.parse(source.decode("utf-8"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(path, f"has source that cannot be checked ({name!r:.80})") from None
    for what in _harms(tree):
        raise _refused(path, what)


def _harms(tree: ast.Module) -> Iterator[str]:
    """What in the source is more than arithmetic.

    Operators are reached through `torch` and `ops` alone, and only where they are called: neither may be given another
    name, or be looked into by getattr.
    """
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    rooted: set[int] = set()
    for node in ast.walk(tree):  # outermost first, so that a chain is seen before its parts
        match node:
            case ast.FunctionDef(name=name) if name in ON_LOAD:
                yield f"runs code while it is loaded ({name})"
            case ast.Name(id=name) if name in ROOTS and id(node) not in rooted:
                yield f"gives {name} another name"
            case ast.arg(arg=name) if name in ROOTS:
                yield f"calls an argument {name}"
            case ast.Attribute():
                if node.attr in FORBIDDEN:
                    yield f"uses the forbidden operator {node.attr}"
                names = _chain(node)
                dotted = ".".join(n.id if isinstance(n, ast.Name) else n.attr for n in reversed(names))
                if dotted.partition(".")[0] not in ROOTS or id(node) in rooted:
                    continue
                rooted.update(map(id, names))
                if id(node) not in called:
                    yield f"uses an operator without calling it ({dotted:.80})"
                if dotted.startswith("ops.") and not dotted.startswith(OPERATORS):
                    yield f"uses an operator that is not torch's own ({dotted:.80})"


def _chain(node: ast.Attribute) -> list[ast.Attribute | ast.Name]:
    """`torch.nn.functional.relu` as its parts, outermost first; ends early where it begins in anything but a name."""
    parts: list[ast.Attribute | ast.Name] = [node]
    inner: ast.expr = node.value
    while isinstance(inner, ast.Attribute):
        parts.append(inner)
        inner = inner.value
    return [*parts, inner] if isinstance(inner, ast.Name) else parts


def _refused(path: Path, what: str) -> LoadError:
    return LoadError(f"the TorchScript program {path.name!r} {what}, which no audit needs; it is not loaded")
