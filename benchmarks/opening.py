"""How soon a report is there to read: DOMContentLoaded in Chromium under 300 ms, for the samples and 500 findings.

python -m benchmarks.opening
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from reports.html import render
from tests.reports.large import large

SAMPLES = Path(__file__).resolve().parents[1] / "reports" / "samples"
ROUNDS, BAR = 7, 300.0  # ms
READY = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"


def main() -> int:
    """Print the median and the best of each page and its ratio to the bar; 1 where a median is above it."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        path = Path(folder) / "500-findings.html"
        path.write_text(render(large()), "utf-8")
        browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        files = [*sorted(SAMPLES.glob("*.html")), path]
        _opened(browser, files[0])  # the first page of a browser pays for its start
        times: dict[Path, list[float]] = {f: [] for f in files}
        for _ in range(ROUNDS):
            for f in files:
                times[f].append(_opened(browser, f))
        browser.close()
        sizes = {f: f.stat().st_size for f in files}
    for f, found in times.items():
        median = statistics.median(found)
        print(
            f"{f.name} ({sizes[f] / 1e3:,.0f} kB): median {median:.0f} ms, best {min(found):.0f} ms of {ROUNDS} "
            f"interleaved opens; {median / BAR:.2f} of the bar of {BAR:.0f} ms"
        )
    return int(any(statistics.median(found) > BAR for found in times.values()))


def _opened(browser: Any, path: Path) -> float:
    """Milliseconds from the start of a page until all of it is there."""
    page = browser.new_page()
    page.goto(path.as_uri())
    found: float = page.evaluate(READY)
    page.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
