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

__all__ = ["need_harmless_source"]

FORBIDDEN = frozenset(
    "from_file save load load_library _save read open manual_seed set_grad_enabled _set_grad_enabled".split()  # noqa: SIM905
)
OPERATORS = ("ops.prim.", "ops.aten.", "ops.quantized.")
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
    """What in the source is more than arithmetic."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ON_LOAD:
            yield f"runs code while it is loaded ({node.name})"
        if not isinstance(node, ast.Attribute) or isinstance(node.ctx, ast.Store):
            continue
        dotted = _dotted(node)
        if dotted.startswith(("torch.", "ops.")) and node.attr in FORBIDDEN:
            yield f"uses the forbidden operator {node.attr}"
        if dotted.startswith("ops.") and dotted.count(".") > 1 and not dotted.startswith(OPERATORS):
            yield f"uses an operator that is not torch's own ({dotted:.80})"


def _dotted(node: ast.Attribute) -> str:
    """`torch.nn.functional.relu` of its node, "" for an attribute of anything but names."""
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    return ".".join([inner.id, *reversed(parts)]) if isinstance(inner, ast.Name) else ""


def _refused(path: Path, what: str) -> LoadError:
    return LoadError(f"the TorchScript program {path.name!r} {what}, which no audit needs; it is not loaded")
