"""The dashboard in a real browser, from the first upload to the comparison; pictures of every page in tmp_path."""

from __future__ import annotations

import importlib.util
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from app import jobs
from tests.app.uploaded import AUDIT_FILE, table, until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

CHROMIUM = Path("/usr/bin/chromium")
WAIT = 30_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
]


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A dashboard with an empty home folder, started and ended as people do."""
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path / "home"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    with (tmp_path / "serve.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            until(lambda: answers(port))
            yield f"http://127.0.0.1:{port}"
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 0
        finally:
            server.kill()


def answers(port: int) -> bool:
    """Whether the server listens."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/_stcore/health") as found:
            return bool(found.status == 200)
    except OSError:
        return False


@pytest.fixture
def page(address: str, tmp_path: Path) -> Iterator[Page]:
    """A page of a browser; on leaving no request left the machine and nothing was complained about."""
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    said: list[str] = []
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        context.set_default_timeout(WAIT)
        context.on("request", lambda r: asked.append(r.url))
        context.on("console", lambda m: said.append(f"{m.text} {m.location['url']}") if m.type == "error" else None)
        context.on("weberror", lambda e: said.append(str(e.error)))
        yield context.new_page()
        browser.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    # a page that is opened by its own address first asks below it where the server is, and is told: not here
    assert [text for text in said if not re.search(r"/\w+/_stcore/(health|host-config)$", text)] == []


def uploader(page: Page, label: str) -> Locator:
    """Where the files of that label go."""
    return page.get_by_test_id("stFileUploader").filter(has_text=re.compile(f"^{label}")).locator("input[type=file]")


def start(page: Page, tmp_path: Path, name: str) -> None:
    """Upload the files of one audit with its audit file and start it; on its report page then."""
    files = table(name)
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    page.get_by_role("link", name="New audit").click()
    page.get_by_text("Upload an audit file").click()
    page.get_by_text("The audit file names the others").wait_for()
    # by their labels: those of the form are still there for a moment
    uploader(page, "Audit file").set_input_files(tmp_path / AUDIT_FILE)
    page.get_by_text(AUDIT_FILE).first.wait_for()
    from playwright.sync_api import expect

    button = page.get_by_role("button", name="Start the audit")
    for patience in (10_000, 30_000):  # on a slow machine the page may be drawn anew under files that are on their way
        uploader(page, "Model, data").set_input_files([tmp_path / file for file in files if file != AUDIT_FILE])
        with suppress(AssertionError):
            expect(button).to_be_enabled(timeout=patience)
            break
    button.click()
    page.get_by_role("heading", name="Report", exact=True).wait_for()


def test_from_upload_to_comparison(page: Page, address: str, tmp_path: Path) -> None:
    answers: list[Any] = []
    page.on("response", lambda r: answers.append(r) if "/reports/" in r.url else None)
    page.goto(address)
    page.get_by_text("There is no audit yet.").wait_for()
    start(page, tmp_path, "first <i>model</i>")
    report = page.frame_locator("iframe")
    report.get_by_text("Model audit: first <i>model</i>").wait_for()
    report.get_by_role("heading", name="Robustness").wait_for()
    page.screenshot(path=tmp_path / "report.png", full_page=True)
    assert answers[0].headers["content-security-policy"].startswith("sandbox; default-src 'none'")

    page.reload()
    report.get_by_text("Model audit: first <i>model</i>").wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download the report").click()
    assert saved.value.path().read_bytes() == (jobs.every()[0].audit / "report.html").read_bytes()

    start(page, tmp_path, "second")
    report.get_by_text("Model audit: second").wait_for()
    page.get_by_role("link", name="Explore samples").last.click()
    page.get_by_text("ledger error 0.00").wait_for()
    page.get_by_role("heading", name="The smallest change found that turns it").wait_for()
    page.screenshot(path=tmp_path / "explore.png", full_page=True)

    other = page.context.new_page()
    other.goto(address)
    other.get_by_text("● Pass").nth(1).wait_for()
    assert other.get_by_text("● Pass").count() == 2
    other.screenshot(path=tmp_path / "audits.png", full_page=True)

    second, first = jobs.every()
    other.set_viewport_size({"width": 390, "height": 900})
    other.goto(f"{address}/compare?first={first.id}&second={second.id}")
    other.frame_locator("iframe").get_by_text("The same model on the same data.").wait_for()
    other.screenshot(path=tmp_path / "compare-phone.png", full_page=True)
