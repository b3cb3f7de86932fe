"""`auditor inspect` on files of 100 MB: under 0.3 s, against reading the same files with torch, in turn.

python -m benchmarks.inspecting
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from auditor.intake.inspection import inspect_model

ROUNDS, BAR = 5, 0.3


def seconds(command: list[str]) -> float:
    """How long the command takes, in a process of its own."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the median of each command, of the look alone, and the ratio to torch."""
    weights = {f"layer{i}.weight": torch.rand(1000, 1000) for i in range(25)}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in ("w.pt", "w.safetensors")}
        torch.save(weights, files["w.pt"])
        save_file(weights, files["w.safetensors"])
        for name, path in files.items():
            reader = "safetensors.torch as s; s.load_file" if path.suffix == ".safetensors" else "torch as s; s.load"
            whole, alone, theirs = [], [], []
            for _ in range(ROUNDS):
                whole.append(seconds(["-m", "app.cli", "inspect", str(path)]))
                theirs.append(seconds(["-c", f"import {reader}({str(path)!r})"]))
                start = time.perf_counter()
                inspect_model(path)
                alone.append(time.perf_counter() - start)
            command, look, torch_read = (statistics.median(t) for t in (whole, alone, theirs))
            print(
                f"{name} of {path.stat().st_size / 1e6:.0f} MB: auditor inspect {command:.2f} s = {command / BAR:.2f} "
                f"of the bar ({BAR} s), the look itself {look:.2f} s; {command / torch_read:.2f} of torch reading it"
            )


if __name__ == "__main__":
    main()
