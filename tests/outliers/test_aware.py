"""The attack that knows the detector: legal, never worse than what it starts from, and near the best of a grid."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.balls import ball_of
from auditor.attacks.curve import robust_curve
from auditor.attacks.goals import AnotherClass, wrong_rows
from auditor.outliers.aware import Aware, Search, surest
from auditor.outliers.detectors import Detector, detectors
from auditor.outliers.features import answered, answers_of
from auditor.outliers.foreign import range_of
from auditor.subject import Data, Model
from tests.attacks.patients import digits, patient

EPSILON = 0.15


def search_on(model: Model, x: Tensor, epsilon: float, steps: int) -> Search:
    return Search(model, model, AnotherClass(), ball_of("linf", model, x), epsilon, steps)


def test_it_comes_near_the_best_point_of_a_grid() -> None:
    """A row at (0, 0) breaks where x + y > 1; the detector likes (1.5, -1), which breaks nothing, most."""
    head = nn.Linear(2, 2)
    head.weight.data, head.bias.data = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([0.0, -1.0])
    model = Model(head, ("in", "out"), (torch.full((2,), -2.0), torch.full((2,), 2.0)))
    liked = torch.tensor([1.5, -1.0])

    def score(_: Model, at: Tensor) -> Tensor:
        return -(at - liked).square().sum(1)

    x, y, start = torch.zeros(1, 2), torch.zeros(1, dtype=torch.long), torch.tensor([[0.6, 0.9]])
    found = Aware(search_on(model, x, 1.2, 40), Detector("near", score, score), x, y, start).run()
    grid = torch.cartesian_prod(torch.linspace(-1.2, 1.2, 241), torch.linspace(-1.2, 1.2, 241))
    best = score(model, grid)[grid.sum(1) > 1].max()  # about -1.12, where the start has -4.4

    assert float(found.score) == pytest.approx(float(best), abs=0.05)
    assert float(found.best.sum()) > 1 and found.best.abs().max() <= 1.2 + 1e-6


@pytest.mark.parametrize("position", range(3))
def test_on_digits_it_stays_legal_breaks_every_row_and_only_gains(position: int) -> None:
    p, (everything, labels) = patient("plain"), digits()
    x, y = p.x[:24], p.y[:24]
    with p.model.frozen():
        found = robust_curve(p.model, x, y, (EPSILON,), steps=20)
        rows = ((found.index == 0) & (found.distance > 0)).nonzero()[:, 0]
        x, y, start = x[rows], y[rows], found.witness[rows]
        fitted = Data.of(everything[:200], labels[:200])
        asked = detectors(
            answered, answers_of(p.model, fitted, 64, lambda x: x), labels[:200], range_of(p.model, fitted, 64)
        )[0]
        detector, search = asked[position], search_on(p.model, x, EPSILON, 10)
        far = surest(search, x, y, start)
        attack = Aware(search, detector, x, y, start, far)
        before = attack.score.clone()
        attack.run()
        with torch.no_grad():
            again = detector.score(p.model, attack.best)
            margins = [AnotherClass().margin(p.model(at), y) for at in (start, far)]

            assert bool(wrong_rows(p.model(attack.best), y).all())
    assert len(rows) >= 15
    assert bool(search.ball.holds(attack.best, x, torch.full((len(x),), EPSILON)).all())
    assert bool((attack.score >= before).all()) and bool((attack.score > before).float().mean() > 0.5)
    assert torch.allclose(again, attack.score, atol=1e-4)
    assert bool((margins[1] >= margins[0]).all()) and margins[1].mean() > margins[0].mean() + 1


def test_a_model_without_gradients_leaves_the_start() -> None:
    class Blind(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([-x.detach().sum(1), x.detach().sum(1)], 1)

    model = Model(Blind(), ("a", "b"), (-1.0, 1.0))
    x, start, y = torch.full((2, 3), -0.1), torch.full((2, 3), 0.1), torch.zeros(2, dtype=torch.long)
    detector = Detector("none", lambda _, at: at.detach().sum(1), lambda _, at: at.detach().sum(1))
    found = Aware(search_on(model, x, 0.3, 5), detector, x, y, start).run()

    assert torch.equal(found.best, start)
