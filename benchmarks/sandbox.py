"""What the sandbox costs: whole commands with it and without, in turn; below 0.3 s a job beyond importing torch.

python benchmarks/sandbox.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from auditor.sandbox.isolation import available

ROUNDS, BAR = 7, 0.3
AUDIT = """
[model]
path = "w.pt"
architecture = "mlp:3-2"
[data]
path = "d.csv"
target = "y"
[checks]
only = ["performance.*"]
"""


def seconds(command: list[str]) -> float:
    """How long the command takes, in a process of its own."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the medians of both and of importing torch, and the difference as a part of the bar."""
    with tempfile.TemporaryDirectory() as folder:
        torch.save(nn.Sequential(nn.Linear(3, 2)).state_dict(), Path(folder) / "w.pt")
        rows = "\n".join(f"{i % 7},{i % 5},{i % 3},{i % 2}" for i in range(60))
        (Path(folder) / "d.csv").write_text(f"p,q,r,y\n{rows}\n")
        (Path(folder) / "audit.toml").write_text(AUDIT)
        run = ["-m", "app.cli", "run", str(Path(folder) / "audit.toml")]
        apart, here, importing = [], [], []
        for _ in range(ROUNDS):
            apart.append(seconds(run))
            here.append(seconds([*run, "--no-sandbox"]))
            importing.append(seconds(["-c", "import torch"]))
    differences = [a - h for a, h in zip(apart, here, strict=True)]
    more = statistics.median(differences)
    print(
        f"{available()}: an audit of 60 rows apart {statistics.median(apart):.2f} s, here "
        f"{statistics.median(here):.2f} s (import torch alone {statistics.median(importing):.2f} s)\n"
        f"the sandbox adds {more:+.2f} s ({min(differences):+.2f} to {max(differences):+.2f}), "
        f"{more / BAR:.2f} of the bar ({BAR} s)"
    )


if __name__ == "__main__":
    main()
