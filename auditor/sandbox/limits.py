"""How much memory, time and disk one audit may take."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

__all__ = ["Limits", "restrict_resources"]

GB = 1 << 30
HOUR = 3600.0


@dataclass(frozen=True)
class Limits:
    """What one audit may take: `memory` and `disk` in bytes, `seconds` by the clock on the wall.

    `memory` is address space, None where it cannot be limited so (a GPU maps more than it uses). CPU time is limited to
    `seconds` on every core.
    """

    memory: int | None
    seconds: float = 6 * HOUR
    disk: int = 4 * GB

    @classmethod
    def of_this_machine(cls, device: str = "cpu") -> Limits:
        """Nine tenths of the machine's memory, at least 4 GB, and no limit on it with a GPU."""
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(max(4 * GB, whole * 9 // 10) if device == "cpu" else None)


def restrict_resources(limits: Limits) -> None:
    """Hold this process to `limits`, for good; limits that it has already stay where they are lower."""
    cpu = int(limits.seconds * (os.cpu_count() or 1)) + 1
    memory = resource.RLIM_INFINITY if limits.memory is None else limits.memory
    wanted = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_FSIZE: limits.disk,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0 if limits.memory is not None else resource.RLIM_INFINITY,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        lower = [v for v in (value, hard) if v != resource.RLIM_INFINITY]
        least = min(lower) if lower else resource.RLIM_INFINITY
        resource.setrlimit(kind, (least, least))
