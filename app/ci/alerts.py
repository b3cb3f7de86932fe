"""`python alerts.py audit.sarif`: the log on standard output with the results alone that people must look at.

Code scanning makes an alert of every result: of those that passed, that somebody has accepted, and that are gone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["is_alert"]


def is_alert(result: dict[str, Any]) -> bool:
    """Whether a limit failed or was not decided, nobody answers for it, and it is so now."""
    wanted = result["kind"] in ("fail", "open")
    return wanted and "suppressions" not in result and result.get("baselineState") != "absent"


if __name__ == "__main__":
    log = json.loads(Path(sys.argv[1]).read_bytes())
    for run in log.get("runs", ()):
        run["results"] = list(filter(is_alert, run["results"]))
    json.dump(log, sys.stdout)
