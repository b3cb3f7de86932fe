"""How soon the command line answers: `auditor --help` under 0.5 s, against a Python that does nothing, in turn.

python -m benchmarks.start
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 10
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "auditor --help": ["-m", "app.cli", "--help"],
    "import torch": ["-c", "import torch"],
}


def main() -> None:
    """Print the median of each and the ratios."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            times[name].append(time.perf_counter() - start)
    median = {name: statistics.median(t) for name, t in times.items()}
    nothing, shown, torch = median.values()
    print(f"auditor --help: {shown:.2f} s (bar: 0.5 s), median of {ROUNDS} interleaved rounds")
    print(f"{shown / nothing:.1f} times a Python that does nothing, {shown / torch:.2f} of importing torch alone")


if __name__ == "__main__":
    main()
