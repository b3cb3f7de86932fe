"""robustness.foolbox: what chosen attacks of foolbox leave of the accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from auditor.attacked.doubts import held_columns, of_rejection
from auditor.attacked.sizes import doubts_of_size, ladder_of
from auditor.attacks.foolbox_attacks import foolbox_frontiers
from auditor.attacks.foolbox_named import Attack, attack_named, legal
from auditor.attacks.in_units import Norm, right_rows
from auditor.errors import NotApplicable, UsageError, reason, without_machine
from auditor.registry import Context, check, derive_seed, sizes
from auditor.stats import rate
from auditor.subject import Data, Model
from auditor.types import Measure, Result, Scalar, Table

PIXELS: dict[Norm, tuple[float, ...]] = {
    "linf": (2 / 255, 8 / 255, 32 / 255), "l2": (0.25, 0.5, 2.0), "l1": (2.0, 8.0, 32.0), "l0": (4.0, 16.0, 64.0),
}  # fmt: skip
DEVIATIONS: dict[Norm, tuple[float, ...]] = {
    "linf": (0.1, 0.3, 1.0), "l2": (0.1, 0.3, 1.0), "l1": (0.1, 0.3, 1.0), "l0": (1.0, 2.0, 4.0),
}  # fmt: skip
# Of 40 steps on digits, basic iteration leaves the fewest standing, at a tenth of the passes of Carlini & Wagner or
# Brendel & Bethge; FMN says how far each row is away, and PGD is what others report.
SUCH_AS = ("LinfPGD", "LinfBasicIterativeAttack", "LInfFMNAttack")
COLUMNS = ("epsilon", "norm", "attack", "arguments", "robust accuracy", "low", "high", "n", "median change found")


Named = Annotated[str, AfterValidator(legal)]
Epsilon = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@check(
    "robustness.foolbox",
    title="Robust accuracy by foolbox",
    measures=("robust_accuracy",),
    source="Rauber et al. 2020, J. Open Source Softw. 5(53):2607 (foolbox 3.3.4)",
)
def by_foolbox(
    ctx: Context,
    *,
    attacks: tuple[Named, ...] = (),
    epsilons: tuple[Epsilon, ...] = (),
    samples: int = sizes(8, 32, 128),
    steps: Annotated[int, Field(ge=1, le=10_000)] = sizes(10, 40, 100),
    passes: Annotated[int, Field(ge=10, le=1_000_000)] = sizes(2_000, 5_000, 20_000),
) -> Result:
    """How far the accuracy falls under attacks of the library foolbox, chosen by name: a second opinion.

    What it measures: `robust_accuracy` of `samples` rows (0: all) under each of `attacks`, at each of `epsilons` in the
    norm that the attack measures by, and under all attacks of a norm together (slices `attack=LinfPGD&linf@0.0314` and
    `linf@0.0314`); nothing where none is named. An attack is a class of foolbox.attacks, with arguments of its own if
    need be: `LinfPGD(steps=100, random_start=false)`. Those that climb gradients make `steps` steps where none are
    named, the others foolbox's own number: BoundaryAttack 25,000. One that asks for more than `passes` passes of the
    model over a batch is stopped, and has failed. linf is the largest change, l2 the Euclidean length and l1 the sum of
    all, of pixels from 0 to 1 or of columns in their standard deviations; l0 counts changed elements. No epsilons given
    means three of each norm. They belong to one norm: where some are given, all attacks must measure by the same. A row
    that is wrong as it is counts as broken at 0; what foolbox calls broken counts where a plain pass of the model says
    so.

    How to read it: an attack can only show how low the accuracy gets; the truth lies at or below the figure. Where it
    lies clearly below that of robustness.curve, the latter missed something.

    When it misleads: each of these attacks is weak on some models. A high figure here alone means little, above all on
    a model that hides its gradients. An attack that failed is in a table of its own; it has no figure.
    """
    ctx.need_classes()
    model = ctx.need_model()
    if ctx.is_text:
        msg = "a text has no small changes of numbers; foolbox attacks numbers alone"
        raise NotApplicable(msg)
    if not bool(torch.as_tensor(model.unit).any()):
        msg = "no column is a number that may be changed; foolbox cannot attack categories and flags"
        raise NotApplicable(msg)
    if not attacks:
        msg = f"no attacks are named; give some of foolbox's, such as attacks = {list(SUCH_AS)}"
        raise NotApplicable(msg)
    named = {a.text: a for a in (attack_named(text, steps) for text in attacks)}
    ladders = _ladders(ctx, model, tuple(named.values()), epsilons)
    drawn = ctx.data.take(samples, ctx.seed)
    right = torch.cat([right_rows(model, b.x, b.y) for b in drawn.batches(ctx.batch_size)])
    tried = [_attacked(ctx, model, drawn, a, ladders[a.norm], passes) for a in named.values()]
    if all(t.error for t in tried):
        raise NotApplicable("no attack could be made: " + "; ".join(f"{t.attack.text}: {t.error}" for t in tried))
    figures = [f for norm, ladder in ladders.items() for f in _figures(norm, ladder, tried, right)]
    tables = [Table("Robust accuracy by attack", COLUMNS, tuple(row for _, row in figures))]
    failed = tuple((t.attack.text, t.error) for t in tried if t.error)
    if failed:
        tables.append(Table("Attacks that failed", ("attack", "error"), failed))
    ctx.keep("rows", drawn.row_ids)
    return Result(tuple(m for m, _ in figures), tuple(tables), (), tuple(_caveats(ctx, model, ladders, tried)))


def _ladders(
    ctx: Context, model: Model, attacks: Sequence[Attack], epsilons: Sequence[float]
) -> dict[Norm, tuple[float, ...]]:
    """The epsilons of every norm that an attack measures by."""
    norms = list(dict.fromkeys(a.norm for a in attacks))
    if epsilons and len(norms) > 1:
        msg = (
            f"epsilons are of one norm, and these attacks measure by {' and '.join(norms)}; give attacks of one norm, "
            "such as attacks = ['LinfPGD'], or no epsilons"
        )
        raise UsageError(msg)
    if epsilons:
        return {norms[0]: ladder_of(ctx, model, norms[0], epsilons)}
    low, high = (torch.as_tensor(b) for b in model.bounds)
    if low.numel() > 1 or ctx.columns:
        return {n: DEVIATIONS[n] for n in norms}
    return {n: tuple(e * (1.0 if n == "l0" else float(high - low)) for e in PIXELS[n]) for n in norms}


# ---- attacks -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Tried:
    """What one attack did: `index` and `distance` (N,) as in `Frontiers`, or the `error` that ended it.

    Then the rows of the batches that it did not end count as standing, and those of the others as it left them.
    """

    attack: Attack
    index: Tensor
    distance: Tensor
    unconfirmed: int
    error: str


def _attacked(ctx: Context, model: Model, data: Data, attack: Attack, ladder: Sequence[float], passes: int) -> _Tried:
    indices, distances, unconfirmed, error = [], [], 0, ""
    seed = derive_seed(ctx.seed, attack.text)  # its figures are the same whatever other attacks are named
    for batch in data.batches(ctx.batch_size):
        try:
            found = foolbox_frontiers(model, batch.x, batch.y, ladder, attack, passes=passes, seed=seed)
        except Exception as e:  # noqa: BLE001 - foolbox and models raise what they like
            error = without_machine(reason(e))
            indices.append(right_rows(model, batch.x, batch.y) * len(ladder))
            distances.append(torch.zeros(len(batch.y)))
            continue
        indices.append(found.frontiers.index)
        distances.append(found.frontiers.distance)
        unconfirmed += found.unconfirmed
    return _Tried(attack, torch.cat(indices), torch.cat(distances), unconfirmed, error)


# ---- figures -----------------------------------------------------------------------------------------------------
def _figures(
    norm: Norm, ladder: Sequence[float], tried: Sequence[_Tried], right: Tensor
) -> list[tuple[Measure, tuple[Scalar, ...]]]:
    """Measures with their rows of the table: without a change, under all attacks of the norm, under each."""
    own = [t for t in tried if t.attack.norm == norm]
    whole = [t for t in own if not t.error]
    if not whole:
        return []
    index = torch.stack([t.index for t in own]).amin(0)
    distance = torch.stack([torch.where(t.distance > 0, t.distance, torch.inf) for t in own]).amin(0)
    n = len(right)
    clean = rate("robust_accuracy", int(right.sum()), n, slice=f"{norm}@0")
    figures = [(clean, _row(0.0, norm, "", "", clean, None))]
    for who, arguments, i, d in [
        ("", "", index, distance),
        *((t.attack.text, t.attack.budget, t.index, t.distance.where(t.distance > 0, torch.inf)) for t in whole),
    ]:
        found = d[right & d.isfinite()]
        median = float(found.median()) if len(found) else None
        for k, e in enumerate(ladder):
            at = f"attack={who}&{norm}@{e:.3g}" if who else f"{norm}@{e:.3g}"
            m = rate("robust_accuracy", int((i > k).sum()), n, slice=at)
            figures.append((m, _row(e, norm, who or "all of them", arguments, m, median)))
    return figures


def _row(epsilon: float, norm: Norm, who: str, arguments: str, m: Measure, median: float | None) -> tuple[Scalar, ...]:
    return (epsilon, norm, who, arguments, m.value, m.low, m.high, m.n, median)


def _caveats(ctx: Context, model: Model, ladders: dict[Norm, tuple[float, ...]], tried: Sequence[_Tried]) -> list[str]:
    found = [*of_rejection(model), *held_columns(ctx, model)]
    for norm, ladder in ladders.items():
        found += doubts_of_size(ctx, model, norm, ladder)
    found += [
        f"{t.unconfirmed:,} of {len(t.index):,} rows count as standing under {t.attack.text} where foolbox calls them "
        "broken, since a plain pass of the model does not."
        for t in tried
        if t.unconfirmed
    ]
    return found
