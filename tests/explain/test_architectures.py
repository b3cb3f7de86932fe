"""Architectures of every kind through every explanation made of gradients; `make coverage` does it for all."""

from __future__ import annotations

import pytest

from benchmarks._explained import LEDGER, SUBJECTS, TOLERANCE, explain
from tests.intake.zoo_packages import installed

HERE = {
    "torchvision:mobilenet_v3_small": ("features", "no"),
    "torchvision:densenet121": ("features", "no"),
    "torchvision:swin_t": ("permute", "12 layers, 138 heads"),
    "torchvision:vit_b_16": ("encoder", "12 layers, 144 heads"),
    "transformers:BertForSequenceClassification": ("no image", "2 layers, 4 heads"),
    "transformers:ViTForImageClassification": ("vit", "2 layers, 4 heads"),
    "TabTransformer-like": ("no image", "2 layers, 8 heads"),
    "GRU text classifier, both ways": ("no image", "no"),
}

# Gradients of deep random networks change from step to step of a path: an audit counts what is not resolved.
ROUGH = {"torchvision:mobilenet_v3_small": 0.05, "torchvision:densenet121": 0.15}


@pytest.mark.parametrize("name", HERE)
def test_an_architecture_is_explained_in_every_way(name: str) -> None:
    if ":" in name:
        installed("torchvision")  # transformers' image models import it, too
        installed(name.partition(":")[0])
    (subject,) = (s for s in SUBJECTS if s.name == name)
    found = explain(subject)
    layer, attends = HERE[name]

    assert found.misses == ()
    assert isinstance(found.ledger, float) and found.ledger <= LEDGER
    assert layer in found.cam
    assert found.attention == attends
    assert isinstance(found.completeness, float) and found.completeness < ROUGH.get(name, TOLERANCE)
