"""Reports are valid HTML by the checker of the W3C."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reports.html import render
from tests.reports.large import large
from tests.reports.records import hostile

SAMPLES = Path(__file__).resolve().parents[2] / "reports" / "samples"
VNU = Path(sys.prefix) / "npm" / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
pytestmark = [
    pytest.mark.skipif(not VNU.exists(), reason=f"no checker at {VNU} (make test installs vnu-jar where npm is)"),
    pytest.mark.skipif(shutil.which("java") is None, reason="no java to run the checker with"),
]


def test_the_checker_finds_no_error(tmp_path: Path) -> None:
    for name, found in (("large", large()), ("hostile", hostile())):
        (tmp_path / f"{name}.html").write_text(render(found), "utf-8")
    files = [*sorted(SAMPLES.glob("*.html")), *sorted(tmp_path.glob("*.html"))]
    checked = subprocess.run(
        ["java", "-jar", str(VNU), "--errors-only", *map(str, files)], capture_output=True, text=True, check=False
    )

    assert len(files) == 5
    assert checked.stderr == ""
    assert checked.returncode == 0


def test_the_checker_does_find_errors(tmp_path: Path) -> None:
    path = tmp_path / "wrong.html"
    path.write_text("<!doctype html><html lang=en><title>t</title><figure><p><table></figure>", "utf-8")
    checked = subprocess.run(
        ["java", "-jar", str(VNU), "--errors-only", str(path)], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 1 and "error" in checked.stderr
