"""The model as a search sees it: its answers, and gradients where it hides them.

Athalye et al. 2018, arXiv:1802.00420: straight-through gradients (section 4.1), expectation over randomness (4.2).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from auditor.attacks.goals import Goal, another_class
from auditor.attacks.handles import handle_like, tolerant
from auditor.attacks.recovered import LastSoftmax
from auditor.attacks.softened import SoftBackward
from auditor.attacks.straight_through import straight_through
from auditor.subject import Model

__all__ = ["MOST_BLIND", "ROWS", "ZERO", "Seen", "answers_differ", "seen_by_search", "slopes"]

ZERO = 1e-8  # a largest slope below this is none
MOST_BLIND = 0.05  # of the rows may have no gradient before gradients count as hidden
ALIKE = 0.99  # cosine of gradients that are the same
ROWS = 16
ANSWERS = 20  # passes over which the answers of a model that answers at random are averaged
DRAWS = 8  # and its gradients
CLEAR = 0.8  # by how much the mean of random answers must speak for another class, so that other draws say so too
SOFT = 0.1  # how soft activations are where their own gradients are nothing


@dataclass(frozen=True)
class Seen:
    """How `model` is attacked.

    `model` gives the answers that count: the given one, or the mean of ANSWERS passes where it answers at `random`;
    `shown` is the given one in a form whose functions can be seen.
    `plain` has its own gradients, logits in the place of probabilities where they were `recovered`; `adapted` has
    gradients straight through the functions it `met`, None where those change nothing. `blind` and `still_blind` are
    the shares of rows without a gradient, as it is and after both; `softens`, that some of them have one when
    activations are softened, as some attacks do.
    """

    model: Model
    shown: Model
    plain: Model
    adapted: Model | None
    random: bool
    recovered: bool
    met: tuple[str, ...]
    blind: float
    still_blind: float
    softens: bool

    @property
    def hides(self) -> bool:
        """Whether anything was found that attacks have to adapt to."""
        return self.random or self.recovered or self.adapted is not None

    @property
    def least(self) -> float:
        """By how much another class has to lead before a search is content."""
        return CLEAR if self.random else 0.0

    @property
    def searches(self) -> tuple[Model, ...]:
        """The models that gradients are taken of, none where there is no gradient at all."""
        found = (self.plain,) if self.blind < 1 or self.softens else ()
        return found if self.adapted is None else (*found, self.adapted)


def seen_by_search(
    model: Model, x: Tensor, y: Tensor, *, followed: Model | None = None, goal: Goal | None = None
) -> Seen:
    """What is in the way of gradients at the rows `x` (N, ...), of which 16 are tried, and how a search sees past it.

    `followed` is the model in a form whose functions can be seen, None: the model itself.
    """
    x, y, goal = x[:ROWS], y[:ROWS], goal or another_class(model)
    asked, inner = model, followed or model
    model = tolerant(model)
    random = answers_differ(model, x)
    answers = _averaged(model, ANSWERS) if random else model
    plain = _Sight(inner, DRAWS if random else 1)
    through = _Sight(inner, DRAWS if random else 1, through=True)
    before = _tried(handle_like(model, plain), x, y, goal)
    after = _tried(handle_like(model, through), x, y, goal) if _meets(through, x) else None
    blind = 1.0 if before is None else _blind(before)
    still = blind if after is None else min(blind, _blind(after))
    softened = _tried(handle_like(model, plain), x, y, goal, soft=SOFT) if blind == 1 else None
    helps = after is not None and (before is None or _differ(before, after))
    return Seen(
        answers,
        inner,
        _tolerant(model, plain) if random or plain.recovered or inner is not asked else model,
        _tolerant(model, through) if helps else None,
        random,
        plain.recovered,
        tuple(through.met) if helps else (),
        blind,
        still,
        softened is not None and _blind(softened) < 1,
    )


def answers_differ(model: Model, x: Tensor) -> bool:
    """Whether two passes of the same rows give other outputs, by more than 1e-4 of the largest."""
    with torch.no_grad():
        first, again = model(x.clone()).cpu().nan_to_num(), model(x.clone()).cpu().nan_to_num()
    return float((first - again).abs().max()) > 1e-4 * float(first.abs().max())


def slopes(model: Model, x: Tensor, y: Tensor, goal: Goal) -> Tensor:
    """Gradients (N, D) of the margin, in what a change of 1 means for each element; 0 where the model gives none.

    A margin of 1 is a logit, or the change of a value that the goal asks for.
    """
    leaf = x.clone().requires_grad_()
    outputs = model(leaf).cpu()
    if not outputs.requires_grad:
        return torch.zeros(len(x), x[0].numel())
    (gradient,) = torch.autograd.grad(goal.margin(outputs, y).sum() / goal.unit, leaf, allow_unused=True)
    if gradient is None:
        return torch.zeros(len(x), x[0].numel())
    return (gradient * torch.as_tensor(model.unit)).flatten(1).nan_to_num()


def _meets(through: _Sight, x: Tensor) -> bool:
    """Whether the model has anything that gradients have to be led through, as far as one row shows."""
    try:
        through(x[:1].clone().requires_grad_())
    except Exception:  # noqa: BLE001 - the model's own code
        return False
    return bool(through.met)


def _tried(model: Model, x: Tensor, y: Tensor, goal: Goal, soft: float = 0.0) -> Tensor | None:
    """Slopes with activations this soft, None where the model raises.

    Its own code may meet a gradient where it had none, or have a part without a derivative.
    """
    try:
        with SoftBackward(torch.full((len(x),), soft)) if soft else nullcontext():
            return slopes(model, x, y, goal)
    except Exception:  # noqa: BLE001 - the model's own code
        return None


def _blind(gradients: Tensor) -> float:
    return float((gradients.abs().amax(1) < ZERO).float().mean())


def _differ(before: Tensor, after: Tensor) -> bool:
    cosine = nn.functional.cosine_similarity(before, after, dim=1)
    seen_first = before.abs().amax(1) < ZERO
    opened = seen_first & (after.abs().amax(1) >= ZERO)
    return float(((cosine < ALIKE) & ~seen_first | opened).float().mean()) > MOST_BLIND


class _Sight(nn.Module):
    """`model` as gradients see it; gives logits, recovered where that can be."""

    def __init__(self, model: Model, draws: int, *, through: bool = False) -> None:
        super().__init__()
        self.inner = [model]  # in a list, so that its weights are not also this module's
        self.draws, self.through = draws, through
        self.met: dict[str, None] = {}
        self.recovered = False

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self._once(x) for _ in range(self.draws)]).mean(0) if self.draws > 1 else self._once(x)

    def _once(self, x: Tensor) -> Tensor:
        (model,) = self.inner
        with straight_through(model.module) if self.through else nullcontext() as mode, LastSoftmax() as last:
            raw = model.raw(x)
            logits = last.logits(raw) if model.output != "value" else None
        if mode is not None:
            self.met.update(mode.met)
        if logits is None:
            return model.made_of(raw)
        self.recovered = True
        return replace(model, output="logits").made_of(logits)


class _Averaging(nn.Module):
    """The mean of what `model` answers in several passes: probabilities, or values."""

    def __init__(self, model: Model, draws: int) -> None:
        super().__init__()
        self.inner, self.draws = [model], draws

    def forward(self, x: Tensor) -> Tensor:
        (model,) = self.inner
        answers = [model(x) if model.output == "value" else model(x).softmax(1) for _ in range(self.draws)]
        return torch.stack(answers).mean(0)


def _averaged(model: Model, draws: int) -> Model:
    mean = handle_like(model, _Averaging(model, draws))
    return mean if model.output == "value" else replace(mean, output="probabilities")


def _tolerant(model: Model, view: nn.Module) -> Model:
    return tolerant(handle_like(model, view))
