"""TorchScript programs operator by operator: their graphs are read, and each operator runs as a call that can be seen.

Nothing is run that the program itself would not run, and of it only torch's own operators (auditor/intake/scripted.py).
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from auditor.errors import NotApplicable
from auditor.explain.unfused import UNFUSED
from auditor.intake.scripted import FORBIDDEN

__all__ = ["scripted_layers"]

CALL = "auditor::call"
FORWARD = re.compile(r"forward\d*")  # torch.jit.trace gives a layer that runs again another method
SCHEMA = re.compile(r"(?P<space>aten|prim)::(?P<name>\w+)(\.(?P<overload>\w+))?\(")
Passed = Callable[[str, Tensor], Tensor]

# What TorchScript does with numbers, texts and lists, as Python has it; torch's own operators are for tensors.
PLAIN: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, name) for name in ("add", "sub", "mul", "neg", "pow")},
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: getattr(math, name) for name in ("floor", "ceil", "sqrt", "log", "exp")},
    "add_": operator.iadd, "div": operator.truediv, "floordiv": operator.floordiv, "remainder": operator.mod,
    "__and__": operator.and_, "__or__": operator.or_, "__xor__": operator.xor, "__not__": operator.not_,
    "__is__": operator.is_, "__isnot__": operator.is_not, "__contains__": operator.contains,
    "__getitem__": operator.getitem, "_set_item": operator.setitem, "TupleIndex": operator.getitem,
    "__range_length": lambda low, high, step: len(range(low, high, step)),
    "__derive_index": lambda index, start, step: start + index * step,
    "slice": lambda of, start, end, step: of[start:end:step],
    "append": lambda of, item: of.append(item), "extend": lambda of, more: of.extend(more),
    "insert": lambda of, i, item: of.insert(i, item), "pop": lambda of, i: of.pop(i),
    "keys": list, "values": lambda of: list(of.values()), "items": lambda of: list(of.items()),
    "len": len, "all": all, "any": any, "sum": sum, "min": min, "max": max, "abs": abs, "round": round, "str": str,
    "Int": int, "Float": float, "Bool": bool, "copy": list, "list": list, "format": str.format,
    "unchecked_cast": lambda x: x, "Uninitialized": lambda: None, "warn": lambda *_: None, "Print": lambda *_: None,
}  # fmt: skip
CONTAINERS: dict[str, Callable[[list[Any]], Sequence[Any]]] = {
    "prim::ListConstruct": lambda items: [items],
    "prim::TupleConstruct": lambda items: [tuple(items)],
    "prim::DictConstruct": lambda items: [dict(zip(items[::2], items[1::2], strict=True))],
    "prim::ListUnpack": lambda items: list(items[0]),
    "prim::TupleUnpack": lambda items: list(items[0]),
}


def scripted_layers(program: nn.Module) -> tuple[list[str], Callable[[tuple[Any, ...], Passed], Any]]:
    """The names of the program's layers, and a function that runs it.

    The function takes the inputs, and `passed(name, output)`, which is told each layer's output as it finishes and
    gives what goes on. Where the program has no layers left (torch.jit.freeze), each of its operators is one, by its
    name and number. The function raises NotApplicable where it meets what it cannot run.
    """
    assert isinstance(program, torch.jit.ScriptModule)  # noqa: S101 - the caller looked
    graphs = _Graphs()
    whole = _Part("", program._c)  # noqa: SLF001 - the graphs are found there alone
    top = graphs.of(whole, "forward")
    names = [name for name, _ in program.named_modules() if name]
    operators = {} if any(node.kind() == CALL for node in _nodes(top)) else _numbered(top)

    def run(inputs: tuple[Any, ...], passed: Passed) -> Any:
        return _Run(graphs, operators, passed).called(whole, "forward", [*inputs, *_defaults(whole, len(inputs))])

    return list(operators.values()) or names, run


@dataclass(frozen=True)
class _Part:
    """A module of the program, with the names that lead to it."""

    path: str
    script: Any

    def get(self, name: str) -> Any:
        value = self.script.getattr(name)
        is_part = isinstance(value, torch._C.ScriptModule)  # noqa: SLF001 - its type has no other name
        return _Part(f"{self.path}.{name}".lstrip("."), value) if is_part else value


class _Graphs:
    """The graphs of methods, with the functions that they call written out, and the methods that they call not."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Any] = {}

    def of(self, part: _Part, method: str) -> Any:
        key = (part.script.qualified_name, method)
        if key not in self._known:
            graph = part.script._get_method(method).graph.copy()  # noqa: SLF001 - there is no other way
            for node in [n for n in _nodes(graph) if n.kind() == "prim::CallMethod"]:
                call = graph.create(CALL, list(node.inputs()), 1).copyAttributes(node)
                call.insertBefore(node)
                call.output().setType(node.output().type())
                node.replaceAllUsesWith(call)
                node.destroy()
            torch._C._jit_pass_inline(graph)  # noqa: SLF001 - no other way leads to the functions of a loaded program
            self._known[key] = graph
        return self._known[key]


class _Run:
    """One run of the program. What the program writes into its own attributes is kept here and forgotten."""

    def __init__(self, graphs: _Graphs, operators: dict[int, str], passed: Passed) -> None:
        self.graphs = graphs
        self.operators = operators
        self.passed = passed
        self.written: dict[tuple[str, str], Any] = {}

    def called(self, part: _Part, method: str, inputs: Sequence[Any]) -> Any:
        """What a method of a module gives; what a layer gives is passed on."""
        graph = self.graphs.of(part, method)
        result = self.block(graph, [part, *inputs], {})[0]
        if not part.path or not FORWARD.fullmatch(method):
            return result
        if type(result) is tuple and result and isinstance(result[0], Tensor):
            return self.passed(part.path, result[0]), *result[1:]
        return self.passed(part.path, result) if isinstance(result, Tensor) else result

    def block(self, block: Any, inputs: Sequence[Any], values: dict[int, Any]) -> list[Any]:
        """What a block of nodes gives; `values` are those known outside it, to which its own are added."""
        values.update((v.unique(), value) for v, value in zip(block.inputs(), inputs, strict=True))
        for node in block.nodes():
            results = self.node(node, [values[v.unique()] for v in node.inputs()], values)
            values.update((v.unique(), result) for v, result in zip(node.outputs(), results, strict=True))
        return [values[v.unique()] for v in block.outputs()]

    def node(self, node: Any, inputs: list[Any], values: dict[int, Any]) -> Sequence[Any]:
        """The outputs of one node."""
        kind = node.kind()
        if kind == "prim::Constant":
            return [node.output().toIValue()]
        if kind in CONTAINERS:
            return CONTAINERS[kind](inputs)
        if kind == "prim::If":
            yes, no = node.blocks()
            return self.block(yes if inputs[0] else no, [], values)
        if kind == "prim::Loop":
            return self.loop(node, inputs, values)
        if inputs and isinstance(inputs[0], _Part):
            return self.of_module(node, inputs[0], inputs[1:])
        return self.operator(node, inputs)

    def of_module(self, node: Any, part: _Part, inputs: list[Any]) -> Sequence[Any]:
        """An attribute of a module, read or written, or a call of one of its methods."""
        name, kind = node.s("name"), node.kind()
        if kind == CALL:
            return [self.called(part, name, inputs)]
        if kind == "prim::SetAttr":
            self.written[part.path, name] = inputs[0]
            return []
        return [self.written[part.path, name] if (part.path, name) in self.written else part.get(name)]

    def loop(self, node: Any, inputs: list[Any], values: dict[int, Any]) -> Sequence[Any]:
        most, again, *carried = inputs
        (body,) = node.blocks()
        turn = 0
        while again and turn < most:
            again, *carried = self.block(body, [turn, *carried], values)
            turn += 1
        return carried

    def operator(self, node: Any, inputs: list[Any]) -> Sequence[Any]:
        schema = node.schema()
        known = SCHEMA.match(schema)
        if known is None or known["name"] in FORBIDDEN:
            msg = f"the TorchScript program uses {node.kind()}, which cannot be followed"
            raise NotApplicable(msg)
        if known["name"] == "RaiseException":
            raise RuntimeError(inputs[0])
        if known["name"] in PLAIN and "Tensor" not in schema:
            result = PLAIN[known["name"]](*inputs)
        elif known["name"] in UNFUSED:
            result = UNFUSED[known["name"]](*inputs)
        else:
            called = getattr(getattr(getattr(torch.ops, known["space"]), known["name"]), known["overload"] or "default")
            given = list(zip(called._schema.arguments, inputs, strict=True))  # noqa: SLF001 - public in name only
            result = called(
                *(value for argument, value in given if not argument.kwarg_only),
                **{argument.name: value for argument, value in given if argument.kwarg_only},
            )
        outputs = list(node.outputs())
        if len(outputs) != 1:
            return list(result) if outputs else []
        name = self.operators.get(outputs[0].unique())
        return [self.passed(name, result) if name and isinstance(result, Tensor) else result]


def _defaults(part: _Part, given: int) -> list[Any]:
    """What the program takes for inputs that are not given."""
    arguments = part.script._get_method("forward").schema.arguments[1 + given :]  # noqa: SLF001 - as above
    return [argument.default_value for argument in arguments]


def _nodes(block: Any) -> Iterator[Any]:
    """Every node of a graph, those of inner blocks too."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _numbered(graph: Any) -> dict[int, str]:
    """The operators of a graph that give one tensor, by the value that they give: `conv2d_0`, `relu_1`, ..."""
    found: dict[int, str] = {}
    for node in _nodes(graph):
        outputs = list(node.outputs())
        if node.kind().startswith("aten::") and len(outputs) == 1 and outputs[0].type().kind() == "TensorType":
            found[outputs[0].unique()] = f"{node.kind().removeprefix('aten::').strip('_')}_{len(found)}"
    return found
