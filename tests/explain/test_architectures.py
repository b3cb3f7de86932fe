"""Architectures of every kind through every explanation made of gradients; `make coverage` does it for all."""

from __future__ import annotations

import pytest

from benchmarks._architectures import need_operators
from benchmarks._explained import LEDGER, SUBJECTS, explain

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


@pytest.mark.parametrize("name", HERE)
def test_an_architecture_is_explained_in_every_way(name: str) -> None:
    if ":" in name and not need_operators():  # transformers' image models import torchvision, too
        pytest.skip("torchvision cannot be imported here")
    if name.startswith("transformers:"):
        pytest.importorskip("transformers", reason="transformers is not installed")
    (subject,) = (s for s in SUBJECTS if s.name == name)
    found = explain(subject)
    layer, attends = HERE[name]

    assert found.misses == ()
    assert found.ledger is not None
    assert found.ledger <= LEDGER
    assert layer in found.cam
    assert found.attention == attends
    assert found.completeness is not None
