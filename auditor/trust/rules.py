"""Nine rules that say when a robust accuracy cannot be believed, each a function of the same runs.

After Carlini et al. 2019 (arXiv:1902.06705), Pintor et al. 2022 (arXiv:2106.09947, indicators of attack failure) and
Zimmermann et al. 2022 (arXiv:2206.13991); the limits are ours but for R7's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scipy.stats import binomtest
from torch import Tensor

from auditor.intervals import wilson
from auditor.percents import percent
from auditor.trust.planted import Planted
from auditor.trust.runs import NOISE, Runs

__all__ = ["LEAST", "RULES", "Verdict", "misses", "verdicts"]

FLAT = 0.05
BELOW = 0.03
ALIKE = 0.99
LEAST = 0.95
APART = 0.05
FEWEST = 2  # rows: less is a row's luck
CERTAIN = 0.01


@dataclass(frozen=True)
class Verdict:
    """What a rule asks, what it found, and whether it fired; None where it could not be asked."""

    rule: str
    asks: str
    found: str
    fired: bool | None


def verdicts(runs: Runs) -> list[Verdict]:
    """All nine, in order."""
    return [rule(runs) for rule in RULES]


def _r1(r: Runs) -> Verdict:
    ce, cw = r.no_slope
    found = f"{percent(ce)} of the rows by cross-entropy, {percent(cw)} by margin"
    return Verdict("R1", f"is the gradient zero at more than {percent(FLAT)} of the rows?", found, max(ce, cw) > FLAT)


def _r2(r: Runs) -> Verdict:
    asks = "do attacks that need no gradient break what gradients do not?"
    tried = [("squares leave", r.squares)] + ([("a copy leaves", r.copied)] if r.copied is not None else [])
    found = ", ".join(f"{name} {_left(broken):.3f}" for name, broken in tried)
    fired = any(_breaks_more(broken, r.plain) for _, broken in tried)
    return Verdict("R2", asks, f"{found}; gradients leave {_left(r.plain):.3f}", fired)


def _r3(r: Runs) -> Verdict:
    asks = "does any row stand when everything may change?"
    standing = int((~r.unbounded).sum())
    if standing and not r.all_free:
        return Verdict("R3", asks, f"{standing} of {r.n} stand, with columns that may not change", None)
    low = wilson(standing, r.n).low or 0.0
    return Verdict("R3", asks, f"{standing} of {r.n} stand, by chance {percent(r.chance)}", low > r.chance)


def _r4(r: Runs) -> Verdict:
    asks = "is a weaker attack stronger: one step, or a tenth of the steps?"
    found = f"one step leaves {_left(r.fgsm):.3f}, a tenth {_left(r.short):.3f}, all {_left(r.pgd.broken):.3f}"
    return Verdict("R4", asks, found, _breaks_more(r.fgsm, r.pgd.broken) or _breaks_more(r.short, r.pgd.broken))


def _r5(r: Runs) -> Verdict:
    lowest = float(r.alike.median())
    return Verdict("R5", "do two passes give other gradients?", f"median cosine {lowest:.3f}", lowest < ALIKE)


def _r6(r: Runs) -> Verdict:
    found = f"{NOISE} random changes leave {_left(r.noise):.3f}, gradients {_left(r.pgd.broken):.3f}"
    return Verdict("R6", "do random changes break more than gradients?", found, _breaks_more(r.noise, r.pgd.broken))


def _r7(r: Runs) -> Verdict:
    asks = f"are fewer than {percent(LEAST)} of planted adversarial examples found?"
    test = r.unit_test
    if test.n == 0:
        return Verdict("R7", asks, "none could be planted: the features tell no points apart", None)
    found = f"{test.found} of {test.n} found, {test.by_chance} by one random point"
    return Verdict("R7", asks, found, misses(test))


def _r8(r: Runs) -> Verdict:
    asks = "does twice the number of steps break more?"
    found = f"{_left(r.pgd.broken):.3f} became {_left(r.long):.3f}"
    return Verdict("R8", asks, found, _breaks_more(r.long, r.pgd.broken))


def _r9(r: Runs) -> Verdict:
    asks = f"do two losses differ by more than {APART:g}?"
    found = f"cross-entropy leaves {_left(r.pgd.broken):.3f}, margin {_left(r.cw):.3f}"
    either = _differs(r.cw, r.pgd.broken) or _differs(r.pgd.broken, r.cw)
    return Verdict("R9", asks, found, either and abs(_left(r.cw) - _left(r.pgd.broken)) > APART)


RULES: tuple[Callable[[Runs], Verdict], ...] = (_r1, _r2, _r3, _r4, _r5, _r6, _r7, _r8, _r9)


def misses(test: Planted) -> bool | None:
    """Whether an attack finds fewer than 95 % of what was planted; None where that may be chance, or nothing was."""
    if test.n == 0:
        return None
    if test.found >= LEAST * test.n:
        return False
    return True if float(binomtest(test.found, test.n, LEAST, "less").pvalue) < CERTAIN else None


def _left(broken: Tensor) -> float:
    return float((~broken).float().mean())


def _breaks_more(weaker: Tensor, stronger: Tensor) -> bool:
    """Whether what should be weaker breaks more rows: by .03, by more than 1.96 standard errors, McNemar p < .01."""
    more, less = _discordant(weaker, stronger)
    n = len(weaker)
    gap = (more - less) / n
    error = ((more + less) / n - gap**2) ** 0.5 / n**0.5
    return gap > max(BELOW, 1.96 * error) and _differs(weaker, stronger)


def _differs(first: Tensor, second: Tensor) -> bool:
    """McNemar's exact test, one-sided, that the first breaks rows more often."""
    more, less = _discordant(first, second)
    return more >= FEWEST and float(binomtest(more, more + less, 0.5, "greater").pvalue) < CERTAIN


def _discordant(first: Tensor, second: Tensor) -> tuple[int, int]:
    return int((first & ~second).sum()), int((second & ~first).sum())
