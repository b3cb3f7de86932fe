"""A pickle that torch.save wrote, as plain containers with descriptions in place of tensors. Nothing is executed.

The machine below knows the few opcodes and names that weights need, and refuses the rest by name: an allow-list, since
lists of what is dangerous are bypassed every few months (the advisories of picklescan tell).
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from auditor.errors import LoadError
from auditor.intake.described import ITEM_BYTES, LARGEST, Described

__all__ = ["described_pickle"]

MOST_STEPS = 20_000_000
MOST_COPIED = 100_000_000  # items, by calls on what the pickle holds once and names often
TOO_MUCH = (OverflowError, RecursionError, MemoryError)
MOST_PARTS = 16
NATIVE = "__torch__.torch.classes."
TYPE_WORDS = re.compile(r"[\w.\[\], ]{1,500}")
STORAGES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64", "Int": "int32",
    "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool", "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
}  # fmt: skip
LITERALS = frozenset(
    """
    BININT BININT1 BININT2 INT LONG LONG1 LONG4 BINFLOAT FLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8 UNICODE BINBYTES
    SHORT_BINBYTES BINBYTES8 BINSTRING SHORT_BINSTRING STRING
    """.split()  # noqa: SIM905 - a list of names
)
CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_DICT": dict, "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple, "EMPTY_SET": set,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that the pickle asks for, such as torch._utils._rebuild_tensor_v2."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    """So many numbers of one type, somewhere else in the file."""

    dtype: str
    count: int


class _Object(dict[str, Any]):
    """An object of a class of the file's own, as its attributes."""


class _MalformedError(Exception):
    pass


def described_pickle(
    stream: IO[bytes], name: str, stored: Mapping[str, int] | None = None, classes: str | None = None
) -> Any:
    """What the next pickle in `stream` holds; `stored` are the bytes of each storage by key, None where unknown.

    `name` is what messages call it. Objects of classes whose names start with `classes` become dicts of their
    attributes. LoadError for any opcode or name that weights alone do not need.
    """
    try:
        return _Machine(name, stored, classes).run(stream)
    except (_MalformedError, ValueError, LookupError, TypeError, AttributeError, EOFError, *TOO_MUCH) as e:
        reason = str(e) if isinstance(e, _MalformedError) else type(e).__name__
        msg = f"{name} is malformed ({reason}); expected what torch.save wrote"
        raise LoadError(msg) from None


class _Machine:
    """The stack machine of a pickle, over descriptions."""

    def __init__(self, name: str, stored: Mapping[str, int] | None, classes: str | None) -> None:
        self.name, self.stored, self.classes = name, stored, classes
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, _Storage] = {}
        self.copied = 0

    def run(self, stream: IO[bytes]) -> Any:
        """The object that the pickle ends with."""
        for step, (op, arg, _) in enumerate(pickletools.genops(stream)):
            if step > MOST_STEPS:
                msg = f"{self.name} is too long: more than {MOST_STEPS:,} opcodes"
                raise LoadError(msg)
            if op.name == "STOP":
                return self.stack.pop()
            self.step(op.name, arg)
        msg = "it does not end"
        raise _MalformedError(msg)

    def step(self, op: str, arg: Any) -> None:
        if op in LITERALS:
            self.stack.append(arg)
        elif op in CONSTANTS:
            self.stack.append(CONSTANTS[op]())
        elif op in STEPS:
            STEPS[op](self, arg)
        elif op not in {"PROTO", "FRAME"}:
            msg = f"{self.name} uses the opcode {op}, which weights alone do not need"
            raise LoadError(msg)

    def push(self, thing: Any) -> None:
        self.stack.append(thing)

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marked.pop()
        return items

    def mark(self, _: Any) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def group(self, count: int) -> None:
        items = tuple(self.stack[len(self.stack) - count :])
        if len(items) != count:
            raise IndexError
        del self.stack[len(self.stack) - count :]
        self.stack.append(items)

    def add(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, set):
            target.update(map(_key, items))
        elif isinstance(target, list):
            target.extend(items)
        else:
            msg = f"items are added to {_kind(target)}"
            raise _MalformedError(msg)

    def assign(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            msg = f"keys are set on {_kind(target)}"
            raise _MalformedError(msg)
        target.update(zip(map(_key, items[::2]), items[1::2], strict=True))

    def find(self, name: str) -> None:
        own = self.classes and name.startswith(self.classes) and not name.startswith(NATIVE)
        if name not in NAMES and not own:
            allowed = "only tensors and plain containers are read: save the state_dict alone, or allow trust = 'pickle'"
            msg = f"{self.name} asks for {name!r:.100}; {allowed}"
            raise LoadError(msg)
        self.stack.append(_Name(name))

    def find_on_stack(self, _: Any) -> None:
        module, attribute = self.stack[-2:]
        del self.stack[-2:]
        if not isinstance(module, str) or not isinstance(attribute, str):
            raise TypeError
        self.find(f"{module}.{attribute}")

    def storage(self, _: Any) -> None:
        kind, storage, key, _location, count, *_ = self.stack.pop()
        plain = isinstance(storage, _Name) and isinstance(key, str) and type(count) is int and count >= 0
        if kind != "storage" or not plain:
            msg = "a storage is not described as torch does"
            raise _MalformedError(msg)
        dtype = _storage_type(storage.name)
        if self.stored is not None and self.stored.get(str(key), -1) < count * ITEM_BYTES[dtype]:
            msg = f"{self.name}: storage {key!r:.40} declares {count:,} numbers and brings fewer"
            raise LoadError(msg)
        found = _Storage(dtype, count)
        if self.storages.setdefault(key, found) != found and self.classes is None:
            # torch.load keeps the first for all of them; what the others say of their tensors would not be so
            msg = f"the storage {key!r:.40} is described in two ways"
            raise _MalformedError(msg)
        self.stack.append(found)

    def call(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if isinstance(function, _Name) and function.name not in NAMES:
            self.stack.append(arguments)  # an Enum of a program's own, by its value
            return
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            msg = "something else than a name is called"
            raise _MalformedError(msg)
        self.copied += sum(len(a) for a in arguments if isinstance(a, (str, bytes, tuple, list, dict, set)))
        if self.copied > MOST_COPIED:
            msg = "it copies too much"
            raise _MalformedError(msg)
        build = NAMES.get(function.name)
        if build is None:
            msg = f"{function.name} is called"
            raise _MalformedError(msg)
        self.stack.append(build(*arguments))

    def make(self, _: Any) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        if arguments != () or not isinstance(kind, _Name) or kind.name in NAMES:
            msg = f"{self.name} makes an object, which weights alone do not need"
            raise LoadError(msg)
        self.stack.append(_Object())

    def put_state(self, _: Any) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Object) and isinstance(state, dict):
            target.update(state)
        elif isinstance(target, _Object) or not isinstance(target, dict):
            # the state of an OrderedDict is its _metadata, which nothing here needs
            msg = f"a state is set on {_kind(target)}"
            raise _MalformedError(msg)


STEPS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "MEMOIZE": lambda m, _: m.memo.__setitem__(len(m.memo), m.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda m, arg: m.memo.__setitem__(arg, m.stack[-1])),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, arg: m.push(m.memo[arg])),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.group(1),
    "TUPLE2": lambda m, _: m.group(2),
    "TUPLE3": lambda m, _: m.group(3),
    "LIST": lambda m, _: m.push(m.since_mark()),
    "APPEND": lambda m, _: m.add([m.stack.pop()]),
    "APPENDS": lambda m, _: m.add(m.since_mark()),
    "ADDITEMS": lambda m, _: m.add(m.since_mark()),
    "SETITEM": lambda m, _: m.assign([m.stack.pop(-2), m.stack.pop()]),
    "SETITEMS": lambda m, _: m.assign(m.since_mark()),
    "GLOBAL": lambda m, arg: m.find(arg.replace(" ", ".", 1)),
    "STACK_GLOBAL": _Machine.find_on_stack,
    "BINPERSID": _Machine.storage,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.make,
    "BUILD": _Machine.put_state,
}


# ---- names -------------------------------------------------------------------------------------------------------
def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> Described:
    legal = all(type(v) is int and 0 <= v < LARGEST for v in (offset, *stride))
    if not isinstance(storage, _Storage) or len(shape) != len(stride) or not legal:
        msg = "a tensor is not described as torch does"
        raise _MalformedError(msg)
    found = Described(storage.dtype, tuple(shape))
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if found.numbers and (last >= storage.count or found.numbers > storage.count):
        msg = f"a tensor of {found.numbers:,} numbers in a storage of {storage.count:,}; save it with .contiguous()"
        raise _MalformedError(msg)
    return found


def _typed_tensor(
    storage: Any, offset: Any, shape: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any
) -> Described:
    """A tensor whose type stands beside an untyped storage."""
    name = dtype.name.removeprefix("torch.")
    return _tensor(_Storage(name, storage.count // ITEM_BYTES[name]), offset, shape, stride)


def _with_attributes(build: Any, _kind_of_tensor: Any, arguments: Any, _attributes: Any) -> Any:
    """A tensor to which somebody gave attributes of its own."""
    function = NAMES[build.name]
    if function is None or function is _with_attributes:
        raise TypeError
    return function(*arguments)


def _tagged(value: Any, kind: Any) -> Any:
    """A list or dict with its type in TorchScript's words beside it, which are looked up and not run."""
    if not isinstance(value, (list, dict)) or NATIVE in kind or not TYPE_WORDS.fullmatch(kind):
        msg = "a container is not described as torch does"
        raise _MalformedError(msg)
    return value


def _storage_type(name: str) -> str:
    kind = name.removeprefix("torch.").removeprefix("cuda.").removesuffix("Storage")
    return "uint8" if name == "torch.storage.UntypedStorage" else STORAGES[kind]


def _key(key: Any) -> Any:
    """`key`, which must be plain, or a few plain ones: the hash of tuples of tuples can be made to take for ever."""
    parts = key if isinstance(key, tuple) and len(key) <= MOST_PARTS else (key,)
    if not all(part is None or isinstance(part, (str, int, float, bytes)) for part in parts):
        msg = f"a key is {_kind(key)}"
        raise _MalformedError(msg)
    return key


def _kind(thing: object) -> str:
    return "a tensor" if isinstance(thing, Described) else type(thing).__name__


NAMES: Mapping[str, Callable[..., Any] | None] = {
    "collections.Counter": lambda items=(): {_key(key): value for key, value in dict(items).items()},
    "collections.OrderedDict": lambda items=(): {_key(key): value for key, value in items},
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch._utils._rebuild_parameter_with_state": lambda tensor, *_: tensor,
    "torch._tensor._rebuild_from_type_v2": _with_attributes,
    "torch.Tensor": None,
    "torch.nn.parameter.Parameter": None,
    "torch.Size": lambda items=(): tuple(items),
    "torch.device": lambda *_: "device",
    "torch.serialization._get_layout": lambda _: "layout",
    **dict.fromkeys(("builtins.complex", "__builtin__.complex"), lambda *_: 0),
    **dict.fromkeys(("builtins.bytearray", "__builtin__.bytearray"), lambda *_: b""),
    "_codecs.encode": lambda text, *_: text.encode("latin1"),
    "torch.jit._pickle.restore_type_tag": _tagged,
    **{f"torch.jit._pickle.build_{kind}list": list for kind in ("int", "double", "bool", "tensor")},
    **dict.fromkeys(("builtins.set", "__builtin__.set"), lambda items=(): set(map(_key, items))),
    **{f"torch.{dtype}": None for dtype in ITEM_BYTES},
    **{f"torch.{place}{kind}Storage": None for kind in STORAGES for place in ("", "cuda.")},
    "torch.storage.UntypedStorage": None,
}
