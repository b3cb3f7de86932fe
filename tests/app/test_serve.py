"""The server: reports by routes of their own, behind headers that leave them nothing to do; no engine in it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from app import jobs, serve
from auditor.errors import UsageError
from auditor.store import Record
from auditor.types import SCHEMA, Audit, Policy, Verdict
from reports.bundle import write
from tests.app.uploaded import queued
from tests.reports.compared import BAD, GOOD

HOSTILE = "<script>alert(1)</script>"
ENGINES = ("torch", "captum", "shap", "lime", "foolbox", "fairlearn")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str


def get(path: str) -> Answer:
    """The answer of our routes to a GET of `path`, which the server has unquoted already."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"",
        "headers": [], "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "http_version": "1.1",
    }  # fmt: skip
    asyncio.run(Starlette(routes=serve.ROUTES)(scope, receive, send))
    headers = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]).decode())


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of this test's own."""
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path))
    return tmp_path


def written(name: str = HOSTILE) -> jobs.Job:
    """A job with a written audit in which nothing was measured."""
    job = queued()
    job.audit.mkdir()
    audit = Audit(SCHEMA, {"name": name}, {}, {}, 0, Policy("none"), Verdict.INCOMPLETE, ())
    write(Record(audit), job.audit)
    jobs.set_state(job, "done", "", "incomplete")
    return job


def test_a_report_is_served_in_a_sandbox_of_its_own() -> None:
    job = written()
    answer = get(f"/reports/{job.id}")

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text == (job.audit / "report.html").read_text("utf-8")
    assert HOSTILE not in answer.text
    directives = answer.headers["content-security-policy"].split("; ")
    assert directives == [
        "sandbox", "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "frame-ancestors 'self'",
        "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "private, no-store"


def test_two_audits_are_compared_in_the_same_sandbox() -> None:
    first, second = written(), written("other")
    answer = get(f"/reports/{first.id}/compare/{second.id}")

    assert answer.status == 200
    assert "other" in answer.text
    assert HOSTILE not in answer.text
    assert answer.headers["content-security-policy"] == serve.HEADERS["Content-Security-Policy"]


def test_whose_answers_changed_is_shown() -> None:
    first, second = queued(), queued()
    for job, found in ((first, GOOD), (second, BAD)):
        job.audit.mkdir()
        write(found, job.audit)
        jobs.set_state(job, "done", "", str(found.audit.verdict))

    text = get(f"/reports/{first.id}/compare/{second.id}").text
    assert "15 of 100 rows got another answer" in text
    assert "Findings: 1 new, 0 worse, 0 better, 0 unchanged, 0 fixed." in text


@pytest.mark.parametrize(
    "path",
    ["", "x", "{id}x", "{ID}", "../jobs/{id}", "{id}/../{id}", "{id}/audit.json", "{id}/compare", "{id}/compare/x",
     "x/compare/{id}", "{id}/compare/{id}/..", "%2e%2e", "..", "{id}\n", "0" * 32],
)  # fmt: skip
def test_every_other_address_is_not_found(path: str) -> None:
    job = written()
    answer = get("/reports/" + path.replace("{id}", job.id).replace("{ID}", job.id.upper()))

    assert (answer.status, answer.text) == (404, "There is no such report.\n")
    assert "sandbox" in answer.headers["content-security-policy"]


def test_an_audit_that_has_not_ended_has_no_report() -> None:
    assert get(f"/reports/{queued().id}").status == 404


def test_a_damaged_audit_is_told_in_one_line() -> None:
    job = written()
    (job.audit / "audit.json").write_text("{}")
    answer = get(f"/reports/{job.id}/compare/{job.id}")

    assert answer.status == 500
    assert answer.text.startswith("not an audit: ")
    assert answer.text.count("\n") == 1


def test_a_port_that_is_taken_is_refused_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1 port {port}: .*; give another"):
            serve.serve("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("box", False)]
)
def test_only_this_machine_is_local(host: str, local: bool) -> None:
    assert serve._is_local(host) is local


def test_the_server_and_its_worker_hold_no_engine() -> None:
    code = f"import app.serve, app.worker, sys\nprint(*[m for m in {ENGINES!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.split() == []
