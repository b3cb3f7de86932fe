"""The whole demo after installation: under 120 s on 2 cores.

python -m benchmarks.demo
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

BAR = 120


def main() -> None:
    """Run `auditor demo` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        found = subprocess.run(
            [sys.executable, "-m", "app.cli", "demo", "--out", folder], capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - start
    print(found.stdout, end="")
    print(f"auditor demo: exit {found.returncode} after {seconds:.0f} s = {seconds / BAR:.2f} of the bar ({BAR} s)")


if __name__ == "__main__":
    main()
