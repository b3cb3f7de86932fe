"""The smallest changes in L1 and L0 against those of linear models, and against foolbox's own on real ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.min_norm import L0, L1_PIXELS, min_norm_frontiers
from auditor.errors import NotApplicable
from auditor.subject import Model
from tests import zoo
from tests.shared import needs_shared, real

SIZES = (0.1, 0.2, 0.4, 0.8)
every_norm = pytest.mark.parametrize("norm", ["l1", "l0"])


def linear(columns: int, unit: Tensor, seed: int = 0) -> zoo.Case:
    """Two classes by a weighted sum of columns; inputs from -2 to 2 units, which are the bounds."""
    generator = torch.Generator().manual_seed(seed)
    head = nn.Linear(columns, 2)
    head.weight.data = torch.stack([torch.zeros(columns), torch.randn(columns, generator=generator)])
    head.bias.data = torch.tensor([0.0, 0.1])
    x = (4 * torch.rand(zoo.ROWS, columns, generator=generator) - 2) * unit.clamp_min(0.5)
    model = Model(head, ("no", "yes"), bounds=(-2 * unit.clamp_min(0.5), 2 * unit.clamp_min(0.5)), unit=unit)
    return zoo.Case(model, zoo.labelled(model, x, wrong=3))


def gains(case: zoo.Case, x: Tensor) -> tuple[Tensor, Tensor]:
    """The margin (N,) of what a linear model says, and by how much each element alone can lower it (N, D)."""
    head = case.model.module
    w, b = (head.weight[1] - head.weight[0]).detach(), (head.bias[1] - head.bias[0]).detach()
    margin = x @ w + b
    against = -margin.sign()[:, None] * w
    low, high = case.model.bounds
    reach = torch.where(against > 0, high - x, x - low) * (case.model.unit > 0)
    return margin.abs(), reach * w.abs()


def test_l1_finds_the_distance_that_the_dual_norm_gives() -> None:
    unit = torch.tensor([1.0, 3.0, 0.5, 0.0, 2.0])
    case = linear(5, unit)
    batch = next(case.data.batches(100))
    with case.model.frozen():
        found = min_norm_frontiers(case.model, batch.x, batch.y, SIZES, norm="l1")
    margin, gain = gains(case, batch.x)
    w = (case.model.module.weight[1]).detach().abs() * unit
    best = int(w.argmax())
    one_will_do = gain[:, best] > margin  # its bounds leave room enough: then the best column alone is the answer
    right = torch.arange(len(margin)) >= 3
    counted = right & one_will_do

    assert counted.sum() >= 8
    assert torch.allclose(found.distance[counted], margin[counted] / w[best], rtol=1e-3, atol=1e-4)
    assert not (found.witness - batch.x)[:, 3].any()
    assert found.index[~right].tolist() == [0, 0, 0]
    assert found.distance[~right].tolist() == [0, 0, 0]
    expected = (margin[:, None] / w[best] > torch.tensor(SIZES)).sum(1)
    near = ((margin[:, None] / w[best] - torch.tensor(SIZES)).abs() < 1e-3).any(1)
    assert found.index[counted & ~near].tolist() == expected[counted & ~near].tolist()


def test_l0_finds_the_smallest_number_of_columns() -> None:
    case = linear(12, torch.tensor([1.0] * 10 + [0.0, 0.0]), seed=2)
    batch = next(case.data.batches(100))
    margin, gain = gains(case, batch.x)
    fewest = [
        next((k for k in range(1, 13) if float(g.sort(descending=True).values[:k].sum()) > m), 0)
        for m, g in zip(margin.tolist(), gain, strict=True)
    ]  # of a sum, the largest gains are the best
    with case.model.frozen():
        found = min_norm_frontiers(case.model, batch.x, batch.y, (1, 2, 3, 4), norm="l0")
    theirs, ours = torch.tensor(fewest[3:]), found.distance[3:].long()

    assert set(fewest[3:]) == {1, 2, 3}
    assert bool((ours >= theirs).all())  # fewer cannot do
    assert int((ours != theirs).sum()) <= 2  # columns are tried by what a step moves, not by what the bounds leave
    assert found.index.tolist() == [0, 0, 0, *(ours - 1).clamp(0, 4).tolist()]


@every_norm
@pytest.mark.parametrize("name", ["inplace_relu", "batch_norm", "softmax_output", "single_logit", "categories"])
def test_every_witness_is_wrong_inside_the_bounds_and_as_large_as_is_said(name: str, norm: Literal["l1", "l0"]) -> None:
    from auditor.intake.outputs import settle

    case = zoo.ZOO[name]()
    model, _ = settle(case.model, case.data)
    batch = next(case.data.batches(24))
    ladder = (1.0, 3.0, 10.0)
    with model.frozen():
        found = min_norm_frontiers(model, batch.x, batch.y, ladder, norm=norm, steps=30)
        wrong = model(found.witness).argmax(1) != batch.y
    unit = torch.as_tensor(model.unit).expand(batch.x.shape[1:])
    away = ((found.witness - batch.x) / unit.clamp_min(1e-12)).flatten(1)
    size = (away != 0).sum(1).float() if norm == "l0" else away.abs().sum(1)
    low, high = (torch.as_tensor(b) for b in model.bounds)
    inside = torch.minimum(batch.x, low) - 1e-6, torch.maximum(batch.x, high) + 1e-6

    assert torch.equal(wrong, (found.distance > 0) | (found.index == 0) & (found.distance == 0))
    assert torch.allclose(size, found.distance, atol=1e-5)
    assert bool(((inside[0] <= found.witness) & (found.witness <= inside[1])).all())
    assert not bool(((found.witness != batch.x) & (unit == 0)).any())
    for k, e in enumerate(ladder):
        broken = found.index <= k
        assert bool((size[broken] <= e + 1e-5).all())
        assert bool(wrong[broken].all())


def test_images_from_minus_one_to_one_have_sizes_in_their_own_units() -> None:
    case = zoo.planted_patch()
    x, y = case.data.read(np.arange(24)), torch.from_numpy(case.data.y)
    wide = replace(case.model, bounds=(-1.0, 1.0), normalize=lambda x: (x + 1) / 2)
    with case.model.frozen():
        plain = min_norm_frontiers(case.model, x, y, L1_PIXELS)
        doubled = min_norm_frontiers(wide, 2 * x - 1, y, L1_PIXELS)

    assert plain.distance.max() > 0
    assert torch.allclose(doubled.distance, 2 * plain.distance, rtol=0.02, atol=1e-4)


@every_norm
def test_the_same_seed_gives_the_same_witnesses(norm: Literal["l1", "l0"]) -> None:
    case = zoo.inplace_relu()
    batch = next(case.data.batches(8))
    state = torch.get_rng_state()
    with case.model.frozen():
        first, again = (min_norm_frontiers(case.model, batch.x, batch.y, SIZES, norm=norm, steps=10) for _ in range(2))

    assert torch.equal(first.witness, again.witness)
    assert torch.equal(torch.get_rng_state(), state)


@every_norm
def test_models_that_cannot_be_turned_stand(norm: Literal["l1", "l0"]) -> None:
    case = zoo.constant()
    batch = next(case.data.batches(24))
    with case.model.frozen():
        found = min_norm_frontiers(case.model, batch.x, batch.y, SIZES, norm=norm, steps=5)
        alone = min_norm_frontiers(case.model, batch.x[-1:], batch.y[-1:], SIZES, norm=norm, steps=5)
        wrong = min_norm_frontiers(case.model, batch.x[:1], batch.y[:1], SIZES, norm=norm, steps=5)

    assert found.index.tolist() == [0] * 4 + [4] * 20
    assert torch.equal(found.witness, batch.x)
    assert (alone.index.tolist(), wrong.index.tolist()) == ([4], [0])


def test_a_model_without_gradient_is_not_applicable() -> None:
    class Steps(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([(x > 0).float().sum(1), (x <= 0).float().sum(1)], 1)

    with pytest.raises(NotApplicable, match="no gradient"):
        min_norm_frontiers(Model(Steps(), ("a", "b")), torch.rand(5, 4), torch.zeros(5).long(), SIZES)


# ---- real models -------------------------------------------------------------------------------------------------
@needs_shared
@pytest.mark.parametrize(("norm", "ladder"), [("l1", L1_PIXELS), ("l0", L0)])
def test_never_leaves_more_standing_than_foolbox_called_directly(
    norm: Literal["l1", "l0"], ladder: tuple[float, ...]
) -> None:
    """Foolbox's own, by true gradients and as it comes, on the rows that are right."""
    import foolbox

    opened = real("mnist_small")
    rows = np.random.default_rng(1).permutation(len(opened.data))[:40]
    batch = next(opened.data.at(rows).batches(40))
    with opened.model.frozen():
        found = min_norm_frontiers(opened.model, batch.x, batch.y, ladder, norm=norm)
        handle = foolbox.models.PyTorchModel(
            opened.model.module, bounds=(0, 1), preprocessing={"mean": [0.1307], "std": [0.3081], "axis": -3}
        )
        kind = {"l1": foolbox.attacks.L1FMNAttack, "l0": foolbox.attacks.L0FMNAttack}[norm]
        changed, _, success = kind(steps=100)(handle, batch.x, batch.y, epsilons=None)
    away = (changed - batch.x).flatten(1)
    size = torch.where(success, (away != 0).sum(1).float() if norm == "l0" else away.abs().sum(1), torch.inf)
    ours, theirs = ([int((s > e + 1e-6).sum()) for e in ladder] for s in (_sizes(found.distance, found.index), size))

    assert all(a <= b for a, b in zip(ours, theirs, strict=True)), (ours, theirs)
    assert sum(theirs) - sum(ours) <= 40  # the same threat: at most five rows an epsilon apart


def _sizes(distance: Tensor, index: Tensor) -> Tensor:
    """Infinite where nothing was found, 0 where nothing was needed."""
    return torch.where((distance == 0) & (index > 0), torch.inf, distance)


@needs_shared
def test_a_model_trained_for_certified_robustness_is_opened() -> None:
    """True gradients alone leave 33 of 48 right rows of mnist_kw standing at an L1 of 8, and 37 at 16 elements."""
    opened = real("mnist_kw")
    rows = np.random.default_rng(0).permutation(len(opened.data))[:50]
    batch = next(opened.data.at(rows).batches(50))
    with opened.model.frozen():
        sums = min_norm_frontiers(opened.model, batch.x, batch.y, (8.0,), norm="l1")
        counts = min_norm_frontiers(opened.model, batch.x, batch.y, (16.0,), norm="l0")

    assert int((sums.index > 0).sum()) <= 2
    assert int((counts.index > 0).sum()) <= 10
