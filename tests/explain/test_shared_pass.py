"""One forward and one backward for a row, whichever checks ask for it, and the same figures in any order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import NotApplicable, UsageError
from auditor.explain.gradcam import gradcam
from auditor.explain.passes import one_pass
from auditor.explained.samples import Sample, explained_samples
from auditor.explained.shared_pass import shared_cams, shared_gradients
from auditor.registry import Context
from tests import zoo


class Counted(nn.Module):
    """A network that counts the rows that came with a gradient, and those whose gradient came back."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.rows: list[tuple[str, int]] = []

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            self.rows.append(("forward", len(x)))
            x.register_hook(lambda g: self.rows.append(("backward", len(g))))
        return self.net(x)

    def count(self, which: str) -> int:
        return sum(n for name, n in self.rows if name == which)


def case() -> tuple[Context, Counted]:
    found = zoo.batch_norm()
    module = Counted(found.model.module.eval())
    for p in module.parameters():
        p.requires_grad_(False)
    return Context(replace(found.model, module=module), found.data, batch_size=5), module


def stacked(shown: list[Sample]) -> tuple[Tensor, Tensor]:
    return torch.stack([s.x for s in shown]), torch.tensor([s.predicted for s in shown])


def test_is_what_each_would_find_alone() -> None:
    ctx, _ = case()
    shown = explained_samples(ctx, 12)
    (cam,), repeated = shared_cams(ctx, shown)
    logits, gradient = shared_gradients(ctx, shown)
    alone, plain = gradcam(ctx.need_model(), *stacked(shown)), one_pass(ctx.need_model(), *stacked(shown))

    assert cam.layer == alone.layer == "net.3" and repeated == frozenset()
    assert all(torch.allclose(cam.variants[m], alone.variants[m], atol=1e-6) for m in alone.variants)
    assert torch.allclose(logits, plain.logits, atol=1e-6)
    assert torch.allclose(gradient, plain.gradient, atol=1e-6)


@pytest.mark.parametrize("first", [shared_cams, shared_gradients])
def test_every_row_goes_forward_and_backward_once(first: object) -> None:
    """Beside the two copies of one image by which the layers with a grid are found."""
    ctx, module = case()
    shown = explained_samples(ctx, 12)
    first(ctx, shown)
    shared_cams(ctx, shown)
    shared_gradients(ctx, shown)
    shared_gradients(ctx.of_check("explain.another"), shown[:4])

    assert module.count("backward") == 12
    assert module.count("forward") == 12 + 2
    assert max(n for _, n in module.rows) <= 5  # the batch size


def test_who_asks_first_changes_nothing() -> None:
    (one, _), (other, _) = case(), case()
    few, many = explained_samples(one, 6), explained_samples(one, 20)
    shared_cams(other, explained_samples(other, 6))

    (a,), (b,) = shared_cams(one, many)[0], shared_cams(other, many)[0]

    assert a.layer == b.layer
    assert torch.allclose(a.maps, b.maps, atol=1e-6)
    assert len(few) < len(many)


def test_several_layers_by_name_share_one_pass() -> None:
    ctx, module = case()
    shown = explained_samples(ctx, 5)
    cams, _ = shared_cams(ctx, shown, ("net.0", "net.2"))

    assert [c.layer for c in cams] == ["net.0", "net.2"]
    assert [tuple(c.maps.shape) for c in cams] == [(5, 6, 6), (5, 6, 6)]
    assert module.count("backward") == 5
    with pytest.raises(UsageError, match="no layer 'net.5' with spatial extent"):
        shared_cams(ctx, shown, ("net.5",))


def test_without_a_grid_there_are_gradients_and_no_maps() -> None:
    found = zoo.planted_patch()
    ctx = Context(found.model, found.data)
    shown = explained_samples(ctx, 6)
    with ctx.need_model().frozen():
        _, gradient = shared_gradients(ctx, shown)

        for _ in range(2):
            with pytest.raises(NotApplicable, match="no layer of the model has spatial extent"):
                shared_cams(ctx, shown)

    assert gradient.shape == (6, 1, 8, 8)
    assert torch.equal(gradient.flatten(1).any(1), torch.ones(6, dtype=torch.bool))


def test_rows_of_columns_have_gradients() -> None:
    found = zoo.linear_table()
    ctx = Context(found.model, found.data)
    shown = explained_samples(ctx, 0)
    with ctx.need_model().frozen():
        _, gradient = shared_gradients(ctx, shown)
    weight = found.model.module.weight.detach()

    assert torch.equal(gradient, weight[[s.predicted for s in shown]])
