"""What a torch.export program (.pt2) may hold, read without torch: torch's own operators, sizes that are arithmetic.

torch.export.load has no weights_only. It unpickles what is marked so, evaluates symbolic sizes as Python, and runs
shape guards at the first call; native code of AOTInductor is loaded outright. All of it stands in JSON and can be
looked at.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from auditor.errors import LoadError
from auditor.intake.archive import need_members, sound_archive
from auditor.intake.described import Described
from auditor.intake.pickled import described_pickle
from auditor.intake.scripted import FORBIDDEN

__all__ = ["described_program", "need_harmless_program"]

GRAPH, SAMPLES = "models/model.json", "data/sample_inputs/model.pt"
WEIGHTS = "data/weights/model_weights_config.json"
OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|prim|quantized_decomposed)\.(?P<name>\w+)(\.\w+)?|"
    r"torch\.ops\.higher_order\.(wrap_with_(set_grad_enabled|autocast)|cond|while_loop|map_impl|scan)|"
    r"_operator\.(add|sub|mul|truediv|floordiv|mod|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)|"
    r"math\.(ceil|floor|trunc|sqrt|log2)|torch\.(sym_|_sym_)\w+"
)
WEIGHT = re.compile(r"(weight|tensor)_\d+")
WORD = re.compile(r"[A-Za-z_][\w.]*")
SIZE_NAMES = re.compile(r"[suz][uf]?\d+|zuf\d+")
SIZE_FUNCTIONS = frozenset(
    """
    Add Mul Pow Max Min Mod FloorDiv CleanDiv CeilDiv PythonMod ModularIndexing Where Abs Eq Ne Le Lt Ge Gt And Or Not
    Piecewise floor ceiling ToFloat TruncToInt IntTrueDiv FloatTrueDiv RoundToInt true false int_oo oo Identity Symbol
    Integer
    """.split()  # noqa: SIM905 - a list of names
)
GUARD_NAMES, GUARD_FUNCTIONS = re.compile(r"L|args"), frozenset({"Eq", "Ne", "Mod", "Max", "Min", "max", "min"})
GUARD_METHODS = frozenset({"size", "stride", "storage_offset", "shape", "dim", "item"})
ARITHMETIC = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Tuple, ast.Load, ast.Add, ast.Sub,
    ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.unaryop, ast.boolop, ast.cmpop, ast.keyword,
)  # fmt: skip
MOST_POWER = 4
LONGEST = 65_536  # characters of one expression; those of a network with windows and every size open have thousands
# torch/_export/serde/schema.py, ScalarType
TYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16", 29: "float8_e4m3fn", 30: "float8_e5m2",
}  # fmt: skip


def need_harmless_program(path: Path, z: zipfile.ZipFile, top: str) -> None:
    """LoadError when the torch.export archive `z` (its members known, below `top`) is more than a graph and numbers."""
    members = [name.removeprefix(f"{top}/") for name in z.namelist()]
    if GRAPH not in members:
        raise _refused(path, "holds no exported program")
    for member in members:
        if member.endswith(".json") and not member.startswith("extra/"):
            for found in _objects(path, member, z.read(f"{top}/{member}")):
                _need_harmless(path, found)
    if SAMPLES in members:
        _need_plain_tensors(path, z.read(f"{top}/{SAMPLES}"))


def described_program(path: Path, z: zipfile.ZipFile, top: str) -> dict[str, Described]:
    """The weights of the program by name, as its archive declares them."""
    found: dict[str, Described] = {}
    try:
        for weight, entry in json.loads(z.read(f"{top}/{WEIGHTS}"))["config"].items():
            meta = entry["tensor_meta"]
            found[weight] = Described(TYPES[meta["dtype"]], tuple(size["as_int"] for size in meta["sizes"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _refused(path, "does not describe its weights as torch does") from None
    return found


def _objects(path: Path, name: str, text: bytes) -> Iterator[dict[str, Any]]:
    """Every object of a JSON file, however deep."""
    try:
        open_: list[Any] = [json.loads(text)]
    except (ValueError, RecursionError):
        raise _refused(path, f"holds a file that is no JSON ({name!r:.80})") from None
    while open_:
        thing = open_.pop()
        if isinstance(thing, dict):
            yield thing
            open_.extend(thing.values())
        elif isinstance(thing, list):
            open_.extend(thing)


def _need_harmless(path: Path, found: dict[str, Any]) -> None:
    place = found.get("path_name", "weight_0")
    if found.get("use_pickle", False) is not False or not (isinstance(place, str) and WEIGHT.fullmatch(place)):
        raise _refused(path, "carries pickled objects")
    if not all(map(_is_plain_spec, (found.get("in_spec"), found.get("out_spec"), found.get("forward_arg_names")))):
        raise _refused(path, "has inputs or outputs whose names are no words")
    if found.get("as_custom_obj"):
        raise _refused(path, "carries custom objects")
    if "expr_str" in found and not _is_arithmetic(found["expr_str"], SIZE_FUNCTIONS, SIZE_NAMES, frozenset()):
        raise _refused(path, "has a symbolic size that is not arithmetic")
    guards = found.get("guards_code", [])
    guards = guards if isinstance(guards, list) else [guards]
    if not all(_is_arithmetic(g, GUARD_FUNCTIONS, GUARD_NAMES, GUARD_METHODS) for g in guards):
        raise _refused(path, "has a shape guard that is not arithmetic")
    target = found.get("target")  # of a node an operator; elsewhere the name of a weight
    is_operator = "inputs" in found or str(target).startswith(("torch.", "_operator.", "math.", "#"))
    known = OPERATOR.fullmatch(str(target))
    if target is not None and is_operator and (known is None or known["name"] in FORBIDDEN):
        raise _refused(path, f"uses an operator that is not torch's own ({str(target)!r:.80})")


def _is_arithmetic(text: Any, functions: frozenset[str], names: re.Pattern[str], methods: frozenset[str]) -> bool:
    """Whether `text` is one expression of numbers, `names` and calls of `functions` (and `methods` of names)."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return False
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False

    def allowed(node: ast.AST) -> bool:
        match node:
            case ast.Constant(value=value):
                word = isinstance(value, str) and re.fullmatch(r"\w{1,64}", value)
                return bool(word) or value is None or isinstance(value, (bool, int, float))
            case ast.Name(id=name):
                return name in functions or names.fullmatch(name) is not None
            case ast.Call(func=ast.Name(id="Pow")):
                return _is_small_power(node)
            case ast.Call(func=ast.Name(id=name)):
                return name in functions
            case ast.Call(func=ast.Attribute(attr=name)) | ast.Attribute(attr=name):
                return name in methods
            case _:
                return isinstance(node, (*ARITHMETIC, *([ast.Subscript] if methods else [])))

    return all(map(allowed, nodes))


def _is_small_power(call: ast.Call) -> bool:
    """Whether it is `Pow(a, Integer(n))` with no further power in `a`: others can be made to take for ever."""
    match call.args:
        case [_, ast.Call(func=ast.Name(id="Integer"), args=[ast.Constant(value=int(n))])] if 0 <= n <= MOST_POWER:
            powers = sum(isinstance(node, ast.Name) and node.id == "Pow" for node in ast.walk(call))
            return powers == 1 and not call.keywords
    return False


def _need_plain_tensors(path: Path, content: bytes) -> None:
    """torch.export.load falls back to full trust for the sample inputs, an archive inside the archive."""
    called = f"{SAMPLES!r} in {path.name!r}"
    with sound_archive(io.BytesIO(content), called) as inner:
        top = need_members(inner, called, "state_dict")
        if f"{top}/data.pkl" not in inner.namelist():
            raise _refused(path, "carries something else than sample inputs")
        samples = described_pickle(io.BytesIO(inner.read(f"{top}/data.pkl")), called)
    if not _has_plain_names(samples):
        raise _refused(path, "has inputs or outputs whose names are no words")


def _is_plain_spec(spec: Any) -> bool:
    """Whether the names in a description of inputs or outputs are words: they are pasted into source, and run."""
    try:
        return _has_plain_names(json.loads(spec) if isinstance(spec, str) else spec)
    except (ValueError, RecursionError):
        return False


def _has_plain_names(thing: Any, depth: int = 64) -> bool:
    """Whether every key of nested containers, and every text in them, is a word, or again such containers as JSON."""
    if isinstance(thing, str):
        return WORD.fullmatch(thing) is not None or (thing[:1] in "[{n" and depth > 0 and _is_plain_spec(thing))
    if isinstance(thing, dict):
        return depth > 0 and all(_has_plain_names(k, 0) and _has_plain_names(v, depth - 1) for k, v in thing.items())
    if isinstance(thing, (list, tuple)):
        return depth > 0 and all(_has_plain_names(part, depth - 1) for part in thing)
    return True


def _refused(path: Path, what: str) -> LoadError:
    return LoadError(f"the torch.export program {path.name!r} {what}; it is not loaded")
