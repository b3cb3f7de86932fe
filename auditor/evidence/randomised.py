"""What an explanation owes to the weights: models whose weights are random, and how far its maps change with them.

Adebayo et al. 2018, arXiv:1810.03292, in the corrected forms of Hedstroem et al. 2024, arXiv:2401.06465: similarity of
maps averaged over noise (sMPRT), and the rise of their entropy (eMPRT), which needs no similarity.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from auditor.errors import NotApplicable
from auditor.explain.games import Floats
from auditor.subject import Model

__all__ = ["entropy_rise", "histogram_entropy", "randomised"]

BINS = 100


def randomised(model: Model, part: float, seed: int) -> Model:
    """A copy of the model whose first `part` (0 to 1) of the layers with weights, from the input on, are random.

    Layers are drawn as they are when they are made (reset_parameters); other weights are normal numbers with the mean
    and deviation that they have. The given model is left as it is. NotApplicable for a model that cannot be copied.
    """
    try:
        module = copy.deepcopy(model.module)
    except Exception as e:  # noqa: BLE001 - the module's own code
        msg = f"the model cannot be copied ({type(e).__name__}), so its weights cannot be randomised"
        raise NotApplicable(msg) from None
    holders = [m for m in module.modules() if next(m.parameters(recurse=False), None) is not None]
    chance = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for holder in holders[: math.ceil(part * len(holders))]:
            _randomise(holder, chance)
    return replace(model, module=module)


def _randomise(holder: nn.Module, chance: torch.Generator) -> None:
    reset = getattr(holder, "reset_parameters", None)
    if callable(reset) and not isinstance(holder, torch.jit.ScriptModule):
        reset()
        return
    for p in holder.parameters(recurse=False):
        drawn = torch.randn(p.shape, generator=chance) * p.float().std(correction=0).cpu() + p.float().mean().cpu()
        p.copy_(drawn)


def histogram_entropy(scores: Floats) -> float:
    """The entropy, in nats, of the histogram of `scores` in 100 equal bins from the lowest to the highest."""
    counts, _ = np.histogram(scores, bins=BINS)
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def entropy_rise(scores: Floats, random: Floats) -> float | None:
    """eMPRT: by what part the entropy rises from the map to that of random weights; above 0 where weights mattered.

    (H(random) - H(scores)) / H(scores). None for a flat map.
    """
    own = histogram_entropy(scores)
    return (histogram_entropy(random) - own) / own if own > 0 else None
