"""Small networks of the kinds that no zoo has: tables with codes, sequences, single outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ConvNet1d", "RecurrentClassifier", "TabTransformer", "mlp_with_norms", "regression", "single_logit"]

WORDS = 50


class TabTransformer(nn.Module):
    """Two columns of codes with an embedding each and three numbers, a transformer over all five."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.codes = nn.ModuleList([nn.Embedding(4, width), nn.Embedding(7, width)])
        self.numbers = nn.ModuleList([nn.Linear(1, width) for _ in range(3)])
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, batch_first=True)
        self.mix = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 3) of rows (N, 5)."""
        tokens = [embed(x[:, i].long()) for i, embed in enumerate(self.codes)]
        tokens += [number(x[:, i + 2 : i + 3]) for i, number in enumerate(self.numbers)]
        logits: Tensor = self.head(self.mix(torch.stack(tokens, 1)).mean(1))
        return logits

    @staticmethod
    def rows(n: int) -> Tensor:
        """Rows (n, 5) of codes and numbers."""
        generator = torch.Generator().manual_seed(0)
        codes = [torch.randint(0, k, (n, 1), generator=generator).float() for k in (4, 7)]
        return torch.cat([*codes, torch.randn(n, 3, generator=generator)], 1)


class RecurrentClassifier(nn.Module):
    """Words through an embedding and a recurrent layer; the last state decides."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.embed, self.layer = nn.Embedding(WORDS, layer.input_size), layer
        self.head = nn.Linear(layer.hidden_size * (2 if layer.bidirectional else 1), 3)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (N, 3) of ids (N, T)."""
        logits: Tensor = self.head(self.layer(self.embed(ids))[0].mean(1))
        return logits


class ConvNet1d(nn.Module):
    """Convolutions over the steps of several signals."""

    def __init__(self, signals: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(signals, 16, 5, padding=2), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
            nn.Linear(32, 3),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 3) of signals (N, 4, T)."""
        logits: Tensor = self.body(x)
        return logits


def mlp_with_norms() -> nn.Module:
    """Rows of 8 columns to 3 classes, BatchNorm behind each layer."""
    return nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(),
        nn.Linear(16, 3),
    )  # fmt: skip


def single_logit() -> nn.Module:
    """Rows of 8 columns to one logit, which means two classes."""
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 1))


def regression() -> nn.Module:
    """Rows of 8 columns to a value (N,)."""
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))
