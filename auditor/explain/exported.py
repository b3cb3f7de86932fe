"""torch.export programs node by node, with the layers that their nodes came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from auditor.errors import NotApplicable

__all__ = ["exported_layers"]

DEEPEST = 64
LOOPS = frozenset({"while_loop", "map_impl", "scan"})
Passed = Callable[[str, Tensor], Tensor]


def exported_layers(program: nn.Module) -> tuple[list[str], Callable[[tuple[Any, ...], Passed], Any]]:
    """The names of the program's layers, and a function that runs it.

    The function takes the inputs, and `passed(name, output)`, which is told each layer's output as it finishes and
    gives what goes on. Where the program names no layers, each of its operators is one, by the name of its node.
    """
    assert isinstance(program, fx.GraphModule)  # noqa: S101 - the caller looked
    finishing = _finishing(program.graph)

    def run(inputs: tuple[Any, ...], passed: Passed) -> Any:
        return _Interpreter(program, finishing, passed).run(*inputs)

    return list(dict.fromkeys(name for ends in finishing.values() for name, _ in ends)), run


class _Interpreter(fx.Interpreter):
    """Runs a graph; what a layer gives is passed on when its last node has run."""

    def __init__(
        self, module: fx.GraphModule, finishing: dict[fx.Node, list[tuple[str, fx.Node]]], passed: Passed
    ) -> None:
        super().__init__(module)
        self.extra_traceback = False  # it would be added to our own messages
        self.finishing = finishing
        self.passed = passed

    def run_node(self, n: fx.Node) -> Any:
        """What node `n` gives, after the layers that end with it."""
        result = super().run_node(n)
        for name, output in self.finishing.get(n, ()):
            if output is n:
                result = self.passed(name, result) if isinstance(result, Tensor) else result
            elif isinstance(self.env.get(output), Tensor):
                self.env[output] = self.passed(name, self.env[output])
        return result

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What an operator gives; of two branches the one that is taken."""
        if target is torch.ops.higher_order.cond:
            condition, yes, no, operands = args
            return fx.Interpreter(yes if bool(condition) else no).run(*operands)
        if isinstance(target, torch._ops.HigherOrderOperator) and target.__name__ in LOOPS:  # noqa: SLF001 - its type
            msg = f"the .pt2 program uses {target.__name__}, which cannot be followed"
            raise NotApplicable(msg)
        return super().call_function(target, args, kwargs)


def _finishing(graph: fx.Graph) -> dict[fx.Node, list[tuple[str, fx.Node]]]:
    """By node, the layers that end there, inner ones first: their names, and the node that holds their output.

    A layer's output is what other layers use of it; a layer that gives several tensors is left out.
    """
    runs: dict[str, list[fx.Node]] = defaultdict(list)
    names: dict[str, str] = {}
    for node in graph.nodes:
        for run, path in _stack(node):
            runs[run].append(node)
            names[run] = path
    found: dict[fx.Node, list[tuple[str, fx.Node]]] = defaultdict(list)
    for run, nodes in sorted(runs.items(), key=lambda item: -names[item[0]].count(".")):
        inside = set(nodes)
        outputs = [n for n in nodes if _is_tensor(n) and any(user not in inside for user in n.users)]
        if len(outputs) == 1:
            found[nodes[-1]].append((names[run], outputs[0]))
    if not found:
        for node in graph.nodes:
            if node.op == "call_function" and _is_tensor(node):
                found[node].append((node.name, node))
    order = {node: i for i, node in enumerate(graph.nodes)}
    return dict(sorted(found.items(), key=lambda item: order[item[0]]))


def _stack(node: fx.Node) -> list[tuple[str, str]]:
    """The runs of layers that `node` is in, outermost first, each with the layer's name."""
    stack = node.meta.get("nn_module_stack") or {}
    found = [(run, entry[0]) for run, entry in stack.items() if isinstance(entry, tuple) and isinstance(entry[0], str)]
    return [(run, path) for run, path in found if path and all(parts := path.split(".")) and len(parts) <= DEEPEST]


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), Tensor)
