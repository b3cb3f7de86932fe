"""The digits demo: a small CNN on scikit-learn's 8 x 8 digits, to be hardened and audited before and after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from auditor.guard import isolated
from auditor.intake.architectures import digits_cnn
from auditor.intake.weights import write_weights

__all__ = ["AUDIT_FILE", "write"]

EPOCHS = 30
AUDIT_FILE = "digits-audit.toml"
AUDIT = """\
[subject]
name = "digits-cnn"
version = "1.0"
purpose = "Demonstration: reads handwritten digits of 8 by 8 pixels."

[model]
path = "digits-cnn.safetensors"
architecture = "demo:digits_cnn"

[input]
kind = "image"

[data]
path = "test.npz"
inputs = "x"
target = "y"
classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
reference = "train.npz"

[checks]
profile = "quick"

[checks."robustness.curve"]
epsilons = [0.05, 0.1, 0.15, 0.2, 0.3]
samples = 200
steps = 20

[defend.fgsm_rs]
epsilon = 0.15
"""


def write(folder: Path) -> Path:
    """Train the network, write it with its data and audit file into `folder`; the path of the audit file."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)  # 17 grey levels as bytes
    order = np.random.default_rng(0).permutation(len(images))
    test, train = order[:500], order[500:]
    for name, rows in (("train", train), ("test", test)):
        np.savez(folder / f"{name}.npz", x=images[rows], y=digits.target[rows].astype(np.int64))
    write_weights(_train(images[train], digits.target[train]), folder / "digits-cnn.safetensors")
    (folder / AUDIT_FILE).write_text(AUDIT, "utf-8")
    return folder / AUDIT_FILE


def _train(
    images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], target: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> torch.nn.Module:
    x, y = torch.from_numpy(images)[:, None].float() / 255, torch.from_numpy(target).long()
    with isolated(0):
        module = digits_cnn()
        optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(x)).split(64):
                optimizer.zero_grad()
                functional.cross_entropy(module(x[rows]), y[rows]).backward()
                optimizer.step()
    return module.eval()
