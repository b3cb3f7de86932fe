"""What the shapes of a model's weights say of it: what it takes, how much of it, and how many answers it has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from auditor.intake.described import Described

__all__ = ["Shapes", "Tensors", "chain_of", "mlp_of", "shapes_of"]

Tensors = Mapping[str, Described]
HEAD = re.compile(
    r"(?:.*\.)?(?:fc|heads?|classifier|linear|logits|output|last_linear|score|out_proj)(?:\.\d+|\.head|\.out_proj)*\.weight"
)
EMBEDDING = re.compile(r"embed", re.IGNORECASE)
DIGITS = tuple("0123456789")
COLOURS = 3


@dataclass(frozen=True, slots=True)
class Shapes:
    """`kind` of the inputs, `channels` of images, `width` of vectors of tables, `outputs`; None: they do not say."""

    kind: Literal["image", "table", "text"] | None
    channels: int | None
    width: int | None
    outputs: int | None


def shapes_of(tensors: Tensors) -> Shapes:
    """What the tensors say; a guess, as names and orders are whatever their author chose."""
    weights = {n: t.shape for n, t in _in_order(tensors) if t.dtype.startswith(("float", "bfloat")) and _is_weight(t)}
    pictures = [s for s in weights.values() if len(s) == 4]
    flat = {n: s for n, s in weights.items() if len(s) == 2}
    outputs = _outputs(weights)
    if pictures:
        taken = [s[1] for s in pictures]
        return Shapes("image", COLOURS if COLOURS in taken else taken[0], None, outputs)
    if any(EMBEDDING.search(n) for n in flat):
        return Shapes("text", None, None, outputs)
    if not flat or len(flat) < len(weights):
        return Shapes(None, None, None, outputs)
    made = {s[0] for s in flat.values()}
    first = [s[1] for s in flat.values() if s[1] not in made] or [next(iter(flat.values()))[1]]
    return Shapes("table", None, first[0], outputs)


def _is_weight(tensor: Described) -> bool:
    return len(tensor.shape) >= 2 and min(tensor.shape) > 0


def _in_order(tensors: Tensors) -> list[tuple[str, Described]]:
    """By name, numbers as numbers: some formats sort what a module held in the order of its layers."""
    return sorted(tensors.items(), key=lambda item: [_place(p) for p in re.split("([0-9]+)", item[0])])


def _place(part: str) -> tuple[int, str]:
    return (len(part.lstrip("0")), part.lstrip("0")) if part[:1] in DIGITS else (0, part)


def _outputs(weights: Mapping[str, tuple[int, ...]]) -> int | None:
    """Of the layer whose numbers no other layer takes; by its usual names where that is said of several."""
    taken = Counter(s[1] for s in weights.values())
    ends = [(n, s) for n, s in weights.items() if taken[s[0]] == (s[0] == s[1])]  # by none, or by itself alone
    if len({s[0] for _, s in ends}) == 1:
        return ends[0][1][0]
    heads = [s for n, s in (ends or weights.items()) if HEAD.fullmatch(n)]
    flat = [s for _, s in (ends or weights.items()) if len(s) == 2]
    return (heads or flat or [(None,)])[-1][0]


# ---- chains of linear layers -------------------------------------------------------------------------------------
def mlp_of(tensors: Tensors) -> str:
    """`8-16-2` for weights that architecture mlp:8-16-2 holds under its own names; "" for all others."""
    bare = _bare(tensors)
    layers = [str(2 * i) for i in range(len(bare) // 2)]
    return _sizes(bare, layers) if layers and set(bare) == _names(layers) else ""


def chain_of(tensors: Tensors) -> str:
    """`8-16-2` for linear layers that each take what the one before gives, whatever they are called; else ""."""
    layers = [n.removesuffix(".weight") for n, t in _in_order(tensors) if n.endswith(".weight") and len(t.shape) == 2]
    return _sizes(tensors, layers) if layers and set(tensors) == _names(layers) else ""


def _bare(tensors: Tensors) -> Tensors:
    """The same without what a wrapper put before every name (`module.`), as loading leaves it out too."""
    while (prefix := f"{next(iter(tensors), '').partition('.')[0]}.") and not prefix[:-1].isdigit():
        if not tensors or not all(n.startswith(prefix) for n in tensors):
            break
        tensors = {n.removeprefix(prefix): t for n, t in tensors.items()}
    return tensors


def _names(layers: Iterable[str]) -> set[str]:
    return {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}


def _sizes(tensors: Tensors, layers: list[str]) -> str:
    shapes = [(tensors[f"{n}.weight"].shape, tensors[f"{n}.bias"].shape) for n in layers]
    if any(len(weight) != 2 or bias != weight[:1] or 0 in weight for weight, bias in shapes):
        return ""
    if any(one[0] != other[1] for (one, _), (other, _) in pairwise(shapes)):
        return ""
    return "-".join(map(str, [shapes[0][0][1], *(weight[0] for weight, _ in shapes)]))
