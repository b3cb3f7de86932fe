"""Each real audit file at two profiles: quick under 60 s, standard under 5 minutes, and the accuracy it reports.

The files are in ../shared/data/audits beside the checkout; without them this says so and ends.
    python -m benchmarks.shared_audits [quick|standard]...
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from auditor.store import load

AUDITS = Path(__file__).resolve().parents[2] / "shared" / "data" / "audits"
BARS = {"quick": 60, "standard": 300}


def main() -> None:
    """Run every file as its user would, each in a process of its own."""
    if not AUDITS.is_dir():
        print(f"no audit files in {AUDITS}: nothing measured")
        return
    for profile in sys.argv[1:] or list(BARS):
        for path in sorted(AUDITS.glob("*.toml")):
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "audit"
                start = time.perf_counter()
                command = [sys.executable, "-m", "app.cli", "run", str(path), "--out", str(out), "--profile", profile]
                code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
                seconds = time.perf_counter() - start
                record = load(out)
                preflight = record.audit.outcome("intake.preflight")
                assert preflight is not None and preflight.result is not None  # noqa: S101, PT018
                accuracy = preflight.result.measures[0]
                peak = max(cost["peak_mb"] for cost in record.run["checks"].values())
            share, right = seconds / BARS[profile], f"{int(accuracy.counts[0])} of {accuracy.n}"
            print(
                f"{profile:8} {path.stem:22} {seconds:6.1f} s = {share:.2f} of the bar, peak {peak:5,.0f} MB, "
                f"exit {code}, accuracy {accuracy.value:.4f} ({right})",
                flush=True,
            )


if __name__ == "__main__":
    main()
