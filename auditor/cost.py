"""What a check costs: wall seconds and peak memory. Goes to run.json, never into audit.json or a report's figures."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "Meter"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall seconds, and the highest resident memory of the process meanwhile in MB.

    `seconds_per_sample` is the model's own time for one sample where the check ran it over all of the data, else None.
    """

    seconds: float
    peak_mb: float
    seconds_per_sample: float | None = None


class Meter:
    """Measures from its making to `read`."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        try:
            _RESET.write_text("5")  # Linux: let the high-water mark start afresh
        except OSError:
            return

    def read(self) -> Cost:
        """The cost so far."""
        return Cost(round(time.perf_counter() - self._start, 3), round(_peak_mb(), 1))


def _peak_mb() -> float:
    try:
        lines = _STATUS.read_text().splitlines()
        return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1024 if sys.platform == "linux" else 1024 * 1024  # macOS counts bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
