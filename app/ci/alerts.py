"""`python alerts.py audit.sarif`: the log on standard output with the results alone that people must look at.

Code scanning makes an alert of every result: of those that passed, that somebody has accepted, and that are gone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["alerts"]

Log = dict[str, Any]


def alerts(results: list[Log]) -> list[Log]:
    """Those of limits that failed or were not decided, that nobody answers for and that are so now.

    What is not decided has the level `none`, which code scanning does not know: without one it warns.
    """
    wanted = [r for r in results if r["kind"] in ("fail", "open") and "suppressions" not in r]
    now = [r for r in wanted if r.get("baselineState") != "absent"]
    return [{k: v for k, v in r.items() if (k, v) != ("level", "none")} for r in now]


if __name__ == "__main__":
    log = json.loads(Path(sys.argv[1]).read_bytes())
    for run in log.get("runs", ()):
        run["results"] = alerts(run["results"])
    json.dump(log, sys.stdout)
