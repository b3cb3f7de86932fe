"""A small model with its data and audit file, as a user would have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file

from auditor.intake.architectures import mlp

__all__ = ["AUDIT", "DEFENDED", "table_audit"]

MODEL = """\
[model]
path = "m.safetensors"
architecture = "mlp:3-6-2"
[data]
path = "d.csv"
target = "y"
"""
DEFENDED = f"""{MODEL}\
reference = "r.csv"
inputs = ["a", "b", "c"]
"""  # [data] may go on behind it
AUDIT = f"""{MODEL}\
sensitive = ["sex"]
[checks]
profile = "quick"
only = ["performance.*", "fairness.*", "explain.lrp", "robustness.curve"]
[checks."robustness.curve"]
samples = 20
steps = 5
"""


def table_audit(folder: Path, text: str = AUDIT) -> Path:
    """Write model, data and reference (80 rows each) and audit file into `folder`; the path of the audit file."""
    generator = np.random.default_rng(0)
    torch.manual_seed(0)
    module = mlp("3-6-2")
    save_file(module.state_dict(), folder / "m.safetensors")
    for name in ("d.csv", "r.csv"):
        x = generator.normal(size=(80, 3)).astype(np.float32)
        with torch.no_grad():
            y = module(torch.from_numpy(x)).argmax(1).numpy()
        frame = pd.DataFrame(x, columns=["a", "b", "c"])
        frame["sex"], frame["y"] = generator.choice(["f", "m"], 80), np.where(generator.random(80) < 0.9, y, 1 - y)
        frame.to_csv(folder / name, index=False)
    path = folder / "audit.toml"
    path.write_text(text, "utf-8")
    return path
