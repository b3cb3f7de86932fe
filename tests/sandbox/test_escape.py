"""A model that wants out gets nothing; where nothing would hold it, it is not loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app import places
from app.cli import invoke
from auditor.errors import UsageError
from auditor.sandbox import isolation, parent, process, reach
from auditor.sandbox.parent import audit_apart
from auditor.types import Status, Verdict
from tests.sandbox.models import audit_file, needs_lock

pytestmark = [pytest.mark.apart, needs_lock]


ESCAPE = """
class Evil(Net):
    def forward(self, x):
        wins = []
        def tried(name, do):
            try:
                do()
                wins.append(name)
            except BaseException:
                pass
        tried("read", lambda: open("/etc/passwd").read())
        tried("home", lambda: os.listdir(os.path.expanduser("~root")))
        tried("environment", lambda: 1 / ("secret" in str(os.environ)))
        tried("parent's environment", lambda: open(f"/proc/{os.getppid()}/environ").read())
        tried("first environment", lambda: open("/proc/1/environ").read())
        tried("network", lambda: socket.create_connection(("127.0.0.1", 9), 1))
        tried("write beside", lambda: Path(MARKER).write_text("x"))
        tried("write", lambda: open("/tmp/marker", "w").close() or 1 / os.path.exists(MARKER))
        tried("program", lambda: os.system("true") and 1 / 0)
        tried("process", os.fork)
        tried("kill", lambda: os.kill(os.getppid(), 9))
        for fd in range(3, 64):
            tried(f"descriptor {fd}", lambda: 1 / (b"root" in os.pread(fd, 4, 0)))
        print("x" * 10_000_000)
        if wins:
            raise RuntimeError(" ".join(wins))
        return super().forward(x)
"""


def test_a_model_that_wants_out_gets_nothing_and_is_graded_as_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITOR_TEST_PASSWORD", "secret")
    marker = folder / "marker"
    file = audit_file(folder, ESCAPE.replace("MARKER", repr(str(marker))), architecture="archs:Evil")
    with Path("/etc/passwd").open("rb") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        record = audit_apart(file, folder)

    accuracy = record.audit.outcome("performance.accuracy")
    assert accuracy.status in {Status.PASS, Status.WARN, Status.INCONCLUSIVE}, accuracy
    assert record.audit.subject["model"]["evidence_grade"] == "code"
    assert not marker.exists()


def test_the_same_model_without_a_sandbox_gets_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The witness: what the test above tries does work where nothing holds it."""
    marker = folder / "marker"
    code = f"""
class Evil(Net):
    def forward(self, x):
        Path({str(marker)!r}).write_text("x")
        return super().forward(x)
"""
    file = audit_file(folder, code, architecture="archs:Evil")

    places.HERE.audit(file, folder)

    assert marker.exists()


def test_a_sandbox_that_does_not_hold_loads_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = [*reach.files_of_python(), Path("/etc")]
    monkeypatch.setattr(process, "files_of_python", lambda: python)
    monkeypatch.setattr(parent, "available", lambda: "lock")

    with pytest.raises(RuntimeError, match="the sandbox does not hold: it could read a file outside"):
        audit_apart(audit_file(folder), folder)


@pytest.fixture
def nothing_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "can_lock", lambda: False)
    monkeypatch.delenv("AUDITOR_CONTAINER", raising=False)


@pytest.mark.usefixtures("nothing_holds")
def test_where_nothing_holds_weights_are_audited_and_programs_are_not(folder: Path) -> None:
    record = audit_apart(audit_file(folder), folder)

    assert record.audit.environment["isolation"] == "none"
    assert record.audit.environment["tried in it and denied"] == "nothing"
    assert record.audit.verdict is not Verdict.INCOMPLETE
    for spec in ({"architecture": "archs:Net"}, {"trust": "program"}, {"trust": "pickle"}):
        with pytest.raises(UsageError, match="can run code, and nothing on this machine would hold it"):
            audit_apart(audit_file(folder, **spec), folder)


@pytest.mark.usefixtures("nothing_holds")
def test_the_doctor_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["doctor"]) == 3
    out = capsys.readouterr().out
    assert "tried in it and denied: nothing" in out and "Linux 5.13 with Landlock and seccomp is needed" in out
