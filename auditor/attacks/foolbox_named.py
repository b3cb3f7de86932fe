"""Foolbox's attacks by name: `LinfPGD`, or `LinfPGD(steps=100, random_start=false)` with arguments of their own."""

from __future__ import annotations

import difflib
import inspect
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.attacks.in_units import ORDER, Norm
from auditor.errors import UsageError, one_line

__all__ = ["Attack", "attack_named", "legal"]

ENTRY = re.compile(r"([A-Za-z][A-Za-z0-9]{0,79})(?:\(([^()]{0,400})\))?")
ARGUMENT = re.compile(r"([a-z][a-z0-9_]{0,79})\s*=\s*(-?[0-9]{1,9}(?:\.[0-9]{0,9})?(?:e[+-]?[0-9]{1,2})?|true|false)")
KINDS = ((int, int), (int | None, int), (float, float), (float | None, float), (bool, bool))
MOST = 100_000  # of whatever an argument counts: steps, repeats, candidates
REFUSED = {
    "Attack": "it is what all attacks are made from",
    "BinarizationRefinementAttack": "it only refines what another attack has found",
    "DatasetAttack": "it needs other samples to be fed to it",
    "GenAttack": "it needs a target class for every sample",
    "PointwiseAttack": "it only refines what another attack has found",
    "SpatialAttack": "it moves and turns images, which has no epsilon",
}
# their steps are no steps along a gradient, or too few of them are none at all: they keep foolbox's own
OWN_STEPS = {
    "BoundaryAttack", "HopSkipJumpAttack", "SaltAndPepperNoiseAttack", "GaussianBlurAttack",
    "LinearSearchBlendedUniformNoiseAttack", "LinearSearchContrastReductionAttack",
    "L0BrendelBethgeAttack", "L1BrendelBethgeAttack", "L2BrendelBethgeAttack", "LinfinityBrendelBethgeAttack",
}  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """One of foolbox's attacks, ready to run: `text` as it was named, its `norm`, and what its arguments are."""

    text: str
    norm: Norm
    budget: str
    run: Any


def attack_named(text: str, steps: int) -> Attack:
    """The attack that `text` names; one that climbs gradients makes `steps` steps unless `text` says how many.

    Attacks that take any distance measure L2. UsageError as from `legal`.
    """
    import foolbox

    name, kind, given = _read(text)
    known, arguments = inspect.signature(kind).parameters, dict(given)
    if "steps" in known and name not in OWN_STEPS:
        arguments.setdefault("steps", steps)
    counts = {k: p.default for k, p in known.items() if p.annotation is int and k not in arguments}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of code that is compiled first
        made = kind(**arguments, **({"distance": foolbox.distances.l2} if "distance" in known else {}))
    norm = next(n for n, p in ORDER.items() if p == made.distance.p)
    return Attack(f"{name}({_listed(given)})" if given else name, norm, _listed(counts | arguments), made)


def legal(text: str) -> str:
    """`text` itself, if it names an attack and arguments that it takes.

    UsageError for what foolbox does not have, what cannot be run on its own, and what is no name with numbers: text is
    matched, never evaluated.
    """
    _read(text)
    return text


def _listed(arguments: Mapping[str, int | float | bool]) -> str:
    """As they are written."""
    return ", ".join(f"{k}={str(v).lower()}" for k, v in sorted(arguments.items()))


def _read(text: str) -> tuple[str, Any, dict[str, int | float | bool]]:
    """The name, the class of that name, and its arguments."""
    name, given = _parsed(text)
    kind = _kind(name)
    known = inspect.signature(kind).parameters
    return name, kind, {key: _value(name, key, value, known) for key, value in given.items()}


def _parsed(text: str) -> tuple[str, dict[str, str]]:
    """The name, and the arguments as they are written."""
    whole = ENTRY.fullmatch(text.strip())
    inner = (whole[2] or "").strip() if whole else ""
    pairs = [ARGUMENT.fullmatch(part.strip()) for part in inner.split(",")] if inner else []
    if whole is None or None in pairs:
        shown = one_line(text, 80)
        msg = f"attack {shown!r} cannot be read; give NAME or NAME(KEY=NUMBER, ...), such as LinfPGD(steps=40)"
        raise UsageError(msg)
    return whole[1], {pair[1]: pair[2] for pair in pairs if pair}


def _kind(name: str) -> Any:
    """The class of that name; UsageError with what is close to it, or why it cannot be used."""
    from foolbox import attacks
    from foolbox.attacks.base import Attack as Base

    if name in REFUSED:
        msg = f"foolbox's {name} cannot be run here: {REFUSED[name]}"
        raise UsageError(msg)
    every = {n: k for n, k in vars(attacks).items() if inspect.isclass(k) and issubclass(k, Base)}
    if name not in every:
        small = {n.lower(): n for n in every if n not in REFUSED}
        close = [small[n] for n in difflib.get_close_matches(name.lower(), small, 4, 0.5)]
        near = f"; close to it: {', '.join(close)}" if close else ""
        msg = (
            f"foolbox has no attack {name!r}{near}; of its {len(small)}, LinfPGD, LInfFMNAttack, L2PGD, DDNAttack, "
            "L2CarliniWagnerAttack, L1FMNAttack, HopSkipJumpAttack and BoundaryAttack are used most"
        )
        raise UsageError(msg)
    return every[name]


def _value(name: str, key: str, value: str, known: Mapping[str, inspect.Parameter]) -> int | float | bool:
    """The argument as the number that the attack takes."""
    takes = {k: kind for k, p in known.items() for t, kind in KINDS if p.annotation == t}
    if key not in takes:
        msg = f"foolbox's {name} takes no number {key!r}; it takes: {', '.join(takes) or 'none'}"
        raise UsageError(msg)
    if takes[key] is bool and value in {"true", "false"}:
        return value == "true"
    if takes[key] is int and value.isdigit() and 1 <= int(value) <= MOST:
        return int(value)
    if takes[key] is float and value not in {"true", "false"} and math.isfinite(float(value)):
        return float(value)
    legal = {bool: "true or false", int: f"a whole number from 1 to {MOST:,}", float: "a number"}[takes[key]]
    msg = f"foolbox's {name} cannot take {key}={value}; expected {legal}"
    raise UsageError(msg)
