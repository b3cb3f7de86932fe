"""The dashboard's server: Streamlit's pages, and the reports by routes of their own.

A report is never put into a page as HTML: a script in it would reach the whole dashboard. It comes from its own
address, with a header that gives it no script, no form, no request and an origin of its own.
"""

from __future__ import annotations

import ipaddress
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.jobs import Job, find, home
from auditor.errors import LoadError, UsageError
from auditor.store import load
from reports.compare import render

__all__ = ["serve"]

HEADERS = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
        "base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
CONFIG = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "server.enableStaticServing": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "theme.light.primaryColor": "#1d5a9b",  # red is for what failed
    "theme.dark.primaryColor": "#3d7fc4",
}
MAIN = Path(__file__).parent / "pages" / "main.py"
LOCAL = ["localhost", "127.0.0.1", "::1"]
PAUSE = 5.0


def serve(host: str, port: int) -> None:
    """Serve the dashboard until it is interrupted; UsageError when it cannot listen there."""
    _may_listen(host, port)
    config: dict[str, Any] = {**CONFIG, "server.address": host, "server.port": port}
    if _is_local(host):
        config["server.allowedHosts"] = LOCAL  # a name that somebody points at this machine is not ours
    else:
        print(f"auditor: everyone who can reach {host} can use this dashboard; it has no login", file=sys.stderr)
    threading.Thread(target=_keep_worker, daemon=True).start()
    with suppress(KeyboardInterrupt):  # that is how it is ended
        streamlit.App(MAIN, routes=ROUTES).run(config=config)


def _may_listen(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as e:
            reason = str(getattr(e, "strerror", None) or e).rstrip(".")
            msg = f"cannot listen on {host} port {port}: {reason}; give another with --host or --port"
            raise UsageError(msg) from None


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keep_worker() -> None:
    """Start the worker, and again should it die. It ends with this process, whose end of the pipe it reads."""
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        with (
            (home() / "worker.log").open("ab") as log,
            subprocess.Popen(
                [sys.executable, "-P", "-m", "app.worker"],  # -P: a folder `app` where the user stands is not ours
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            ) as worker,
        ):  # fmt: skip
            worker.wait()
        time.sleep(PAUSE)


# ---- routes ------------------------------------------------------------------------------------------------------
def report(request: Request) -> Response:
    """The report of one audit."""
    job = _written(request, "job")
    return _nothing(request) if job is None else _page((job.audit / "report.html").read_text("utf-8"))


def compare(request: Request) -> Response:
    """Two audits side by side."""
    first, second = _written(request, "job"), _written(request, "other")
    if first is None or second is None:
        return _nothing(request)
    try:
        return _page(render(load(first.audit), load(second.audit), ("First", "Second")))
    except LoadError as e:
        return PlainTextResponse(f"{e}\n", 500, HEADERS)


def _nothing(_: Request) -> Response:
    return PlainTextResponse("There is no such report.\n", 404, HEADERS)


def _written(request: Request, key: str) -> Job | None:
    """The job that the address names, None when it has no written audit."""
    job = find(request.path_params[key])
    return job if job is not None and job.verdict else None


def _page(html: str) -> Response:
    return HTMLResponse(html, headers=HEADERS)


ROUTES = [
    Route("/reports/{job}", report),
    Route("/reports/{job}/compare/{other}", compare),
    Route("/reports/{rest:path}", _nothing),  # else the address would show the dashboard
]
