"""Make the sample reports and the README's picture of one: `make samples` (needs Chromium).

The dates in them are fixed, so that they change only when what they show does.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from app.demonstrating import demonstrate
from app.places import APART

ROOT = Path(__file__).resolve().parents[1]
SAMPLES, PICTURE = ROOT / "reports" / "samples", ROOT / "docs" / "images" / "report.png"
PAGES = {
    "credit.html": "credit/audit-out/report.html",
    "digits.html": "digits/report/after/report.html",
    "digits-compare.html": "digits/report/compare.html",
}


def main() -> None:
    """Run the credit and digits demos (ImageNet's photographs are not ours to show), and photograph the first."""
    os.environ["SOURCE_DATE_EPOCH"] = "1795344840"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("credit", "digits"):
            demonstrate(name, Path(folder), APART, print)
        for name, source in PAGES.items():
            shutil.copyfile(Path(folder) / source, SAMPLES / name)
    PICTURE.parent.mkdir(exist_ok=True)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme="light")
        page.goto((SAMPLES / "credit.html").as_uri())
        page.screenshot(path=str(PICTURE))
        browser.close()


if __name__ == "__main__":
    main()
