"""Noise on weights: as large as asked for, on copies alone, and said where it cannot be made."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import NotApplicable
from auditor.explain.counterfactual.weight_noise import noised
from auditor.guard import Snapshot
from auditor.subject import Model
from tests.intake.modelfiles import PROGRAMS

X = torch.randn(6, 40, generator=torch.Generator().manual_seed(0))


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 200), nn.ReLU(), nn.Linear(200, 3)).eval()


def test_each_copy_has_noise_of_a_hundredth_of_each_tensor_and_the_model_none() -> None:
    model = Model(module(), ("a", "b", "c"))
    snapshot = Snapshot(model.module)
    seen = [[p.detach().clone() for p in other.module.parameters()] for other in noised(model, 0.01, 3, seed=1)]

    assert snapshot.restore() == []
    for copy in seen:
        for p, weight in zip(copy, model.module.parameters(), strict=True):
            was = weight.detach()
            if was.numel() > 1000:
                relative = (p - was).square().mean().sqrt() / was.square().mean().sqrt()
                assert float(relative) == pytest.approx(0.01, rel=0.05)
                assert abs(float((p - was).mean())) < 0.001 * float(was.abs().mean())
    assert not torch.equal(seen[0][0], seen[1][0])
    again = [[p.detach().clone() for p in other.module.parameters()] for other in noised(model, 0.01, 3, seed=1)]
    assert all(torch.equal(p, q) for a, b in zip(seen, again, strict=True) for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize("made", PROGRAMS.values(), ids=PROGRAMS)
def test_programs_take_noise_too(made: object) -> None:
    program = Model(made(module(), X), ("a", "b", "c"))
    with torch.no_grad():
        before = program(X)
        others = [other(X) for other in noised(program, 0.01, 2, seed=0)]
        after = program(X)

    assert torch.equal(before, after)
    assert all(0 < float((o - before).abs().max()) < 0.2 for o in others)
    assert not torch.equal(*others)


class Uncopied(nn.Module):
    """Refuses to be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 2)

    def __deepcopy__(self, memo: object) -> nn.Module:
        msg = "no"
        raise RuntimeError(msg)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


@pytest.mark.parametrize(
    ("made", "message"), [(Uncopied, r"cannot be copied \(RuntimeError\)"), (nn.Identity, "shows no weights")]
)
def test_what_cannot_be_noised_is_said(made: type[nn.Module], message: str) -> None:
    with pytest.raises(NotApplicable, match=message):
        list(noised(Model(made(), ("a", "b")), 0.01, 2, seed=0))
