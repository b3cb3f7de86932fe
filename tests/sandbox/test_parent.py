"""Audits apart: the same figures as here, and nothing for a model that wants more than to compute."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from app import places
from app.cli import invoke
from auditor.config import AuditFile, load_audit_file
from auditor.errors import LoadError, UsageError
from auditor.folders import remove
from auditor.policy import to_run
from auditor.progress import Listener
from auditor.sandbox import isolation, parent, process, reach
from auditor.sandbox.attempts import ATTEMPTS
from auditor.sandbox.limits import Limits
from auditor.sandbox.lock import can_lock
from auditor.sandbox.parent import audit_apart
from auditor.sandbox.subject import subject_of
from auditor.schema import audit_to_json
from auditor.store import load
from auditor.types import Status, Verdict
from reports.verdict import why

needs_lock = pytest.mark.skipif(not can_lock(), reason="no Landlock and seccomp on this machine")
pytestmark = [pytest.mark.apart, needs_lock]

ARCHS = """
import os, socket, sys, time
from pathlib import Path
import torch
from torch import nn
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(3, 2))
"""
FILE = """
[model]
path = "w.pt"
architecture = "{architecture}"
trust = "{trust}"
[data]
path = "d.csv"
target = "y"
sensitive = ["g"]
[checks]
profile = "quick"
only = [{only}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.save(nn.Sequential(nn.Linear(3, 2)).state_dict(), tmp_path / "w.pt")
    rows = "\n".join(f"{i % 7},{i % 5},{i % 3},{'a' if i % 4 else 'b'},{i % 2}" for i in range(60))
    (tmp_path / "d.csv").write_text(f"p,q,r,g,y\n{rows}\n")
    return tmp_path


def audit_file(
    folder: Path, code: str = "", *, architecture: str = "mlp:3-2", only: str = '"performance.*"', trust: str = "data"
) -> AuditFile:
    (folder / "archs.py").write_text(ARCHS + code)
    (folder / "audit.toml").write_text(FILE.format(architecture=architecture, only=only, trust=trust))
    return load_audit_file(folder / "audit.toml")


def test_an_audit_apart_is_the_audit_here(folder: Path) -> None:
    file = audit_file(folder, only='"performance.*", "fairness.*", "explain.lrp", "explain.shap", "robustness.curve"')
    told: list[str] = []
    tell = Listener(
        begun=lambda audit: told.append(f"{len(to_run(audit))} to run"),
        started=told.append,
        finished=lambda f: told.append(f"{f.outcome.check}: {f.outcome.status}"),
    )

    apart, here = audit_apart(file, folder, tell=tell), places.HERE.audit(file, folder)

    assert apart.audit.environment.pop("isolation") in {"bwrap+lock", "lock"}
    assert apart.audit.environment.pop("tried in it and denied") == ", ".join(ATTEMPTS)
    assert here.audit.environment.pop("isolation") == "none, as asked for"
    assert audit_to_json(apart.audit) == audit_to_json(here.audit)
    assert apart.arrays.keys() == here.arrays.keys() and len(apart.arrays) == 3
    assert all(np.array_equal(apart.arrays[k], here.arrays[k]) for k in apart.arrays)
    assert apart.run["checks"].keys() == here.run["checks"].keys()
    assert told[:3] == ["7 to run", "intake.preflight", "intake.preflight: measured"] and len(told) == 15


def test_what_an_audit_file_leaves_out_is_left_out_in_the_process_too(folder: Path) -> None:
    """What a model's own directory says wins over defaults, and not over what the audit file says."""
    file = audit_file(folder)

    with process.process(file, folder, "none", None) as running:
        job = json.loads((running.folder / "job.json").read_text())
    told = AuditFile.model_validate_json(json.dumps(job["file"]))

    assert told == file and told.digest() == file.digest()
    for section in ("model", "input", "data", "checks", "policy"):
        assert getattr(told, section).model_fields_set == getattr(file, section).model_fields_set
    assert told.input.model_fields_set == set()


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


STOPPED = {
    "loops": ("while True: pass", Limits(None, seconds=100), "it took longer than 100 seconds"),
    "kills itself": ("os.kill(os.getpid(), 9)", None, "was killed (SIGKILL)"),
    "leaves": ("os._exit(0)", None, "its process ended with code 0"),
    "crashes": ("os.abort()", None, "was ended by SIGABRT"),
    "fills the disk": (
        "[Path(os.environ['TMPDIR'], str(i)).write_bytes(bytes(1 << 19)) for i in range(99)]; time.sleep(60)",
        Limits(None, seconds=100, disk=4 << 20), "it wrote more than 0.00391 GB",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STOPPED)
def test_what_stops_the_process_leaves_an_incomplete_audit_of_what_had_finished(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    what, limits, reason = STOPPED[name]
    code = f"""
class Evil(Net):
    def forward(self, x):
        if torch.is_grad_enabled() and x.requires_grad:
            {what}
        return super().forward(x)
"""
    file = audit_file(folder, code, architecture="archs:Evil", only='"performance.*", "explain.lrp", "fairness.*"')
    late = [0.0]  # a clock that is late as soon as the loop has begun
    if name == "loops":
        monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=lambda: late[0]))
    tell = Listener(started=lambda check: late.append(late.pop() + 1000 * (check == "explain.lrp")))
    audit = audit_apart(file, folder, limits=limits, tell=tell).audit
    found = {o.check: o for o in audit.outcomes}

    assert found["intake.preflight"].result.measures[0].n == 60
    assert (found["explain.lrp"].status, found["explain.lrp"].reason[:9]) == (Status.ERROR, "stopped: ")
    assert reason in found["explain.lrp"].reason
    assert found["performance.accuracy"].status is Status.SKIPPED
    assert audit.verdict is Verdict.INCOMPLETE and "fairness.groups" in to_run(audit)
    assert why(audit).startswith("The audit was interrupted in explain.lrp (stopped: ") and reason in why(audit)


def test_more_memory_than_there_is_ends_the_check_alone(folder: Path) -> None:
    code = """
class Evil(Net):
    def forward(self, x):
        if torch.is_grad_enabled() and x.requires_grad:
            torch.empty(1 << 40, dtype=torch.uint8)
        return super().forward(x)
"""
    file = audit_file(folder, code, architecture="archs:Evil", only='"performance.*", "explain.lrp"')
    audit = audit_apart(file, folder).audit
    found = {o.check: o for o in audit.outcomes}

    assert found["explain.lrp"].status is Status.ERROR and "memory" in found["explain.lrp"].reason
    assert found["performance.accuracy"].result.measures[0].n == 60


def test_a_model_that_never_loads_is_refused_in_one_line(folder: Path) -> None:
    file = audit_file(folder, "def forever():\n    while True: pass\n", architecture="archs:forever")

    with pytest.raises(LoadError, match="could not be opened: it took longer than 3 seconds"):
        audit_apart(file, folder, limits=Limits(None, seconds=3))


FORGED = {
    "nothing that is ours": ("b'hello\\n'", "says b'hello', which is no message of ours"),
    "another check's end": ("messages.line(messages.Ended('explain.lrp', 1, 1))", "says 'ended' out of turn"),
    "the end of a check that there is not": (
        "messages.line(messages.Ended('../../x', 1, 1))", "which is no message of ours",
    ),
    "its own end": (
        "messages.line(messages.Ended('intake.preflight', 1, 1))", "left no intake.preflight.json",
    ),
    "another plan": ("messages.line(messages.Planned('{}'))", "says 'planned' out of turn"),
    "another trial of the lock": ("messages.line(messages.Tested(()))", "says 'tested' out of turn"),
    "the start of the check that runs": (
        "messages.line(messages.Started('intake.preflight'))", "says 'started' out of turn",
    ),
    "a second beginning": ("messages.line(messages.Begun())", "says 'begun' out of turn"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_a_process_forges_is_not_used(folder: Path, name: str) -> None:
    message, reason = FORGED[name]
    code = f"""
class Evil(Net):
    def forward(self, x):
        from auditor.sandbox import messages
        begun = Path(sys.argv[2], "out", "subject.json")
        for fd in range(3, 20 if begun.exists() else 3):
            try:
                os.write(fd, {message})
            except OSError:
                pass
        return super().forward(x)
"""
    file = audit_file(folder, code, architecture="archs:Evil")

    with pytest.raises(LoadError) as e:
        audit_apart(file, folder)
    assert reason in str(e.value) and "\n" not in str(e.value)


LIES = {
    "model": {
        "file": "certified.pt", "sha256": "0" * 64, "format": "state_dict", "architecture": "torchvision:resnet50",
        "evidence_grade": "data", "parameters": 3,
    },
    "data": {"file": "other.csv", "sha256": "1" * 64, "rows": 7, "sensitive": [], "classes": ["a", "b"]},
    "name": "Certified", "audit_file_sha256": "2" * 64,
}  # fmt: skip


def test_what_was_audited_is_not_taken_from_the_process(folder: Path) -> None:
    file = audit_file(folder, architecture="archs:Net")
    (folder / "subject.json").write_text(json.dumps(LIES))

    found = subject_of(folder, file, folder)

    model, data = found["model"], found["data"]
    assert (model["file"], model["architecture"], model["evidence_grade"]) == ("w.pt", "archs:Net", "code")
    assert model["sha256"] == hashlib.sha256((folder / "w.pt").read_bytes()).hexdigest()
    assert data["sha256"] == hashlib.sha256((folder / "d.csv").read_bytes()).hexdigest()
    assert (data["file"], data["sensitive"], found["name"]) == ("d.csv", ["g"], "")
    assert found["audit_file_sha256"] == file.digest()


@pytest.mark.parametrize(
    "told",
    [
        "{}", "[]", '{"model": [], "data": {}}', '{"model": {"file": {}}, "data": {}}',
        '{"model": {"n": NaN}, "data": {}}', '{"model": {}, "data": {"classes": [[1]]}}', "[" * 100_000,
        json.dumps({"model": {"x": "y" * 1001}, "data": {}}),
    ],
)  # fmt: skip
def test_a_subject_that_is_none_is_refused(folder: Path, told: str) -> None:
    (folder / "subject.json").write_text(told)

    with pytest.raises(LoadError, match="left no subject of ours; its audit is not used"):
        subject_of(folder, audit_file(folder), folder)


def test_a_process_that_says_nothing_and_does_not_end_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LAST_SECONDS", 0.5)
    monkeypatch.setattr(parent, "available", lambda: "lock")  # bwrap keeps the way open until the limit is reached
    code = """
class Evil(Net):
    def forward(self, x):
        for fd in range(3, 20):
            try:
                os.close(fd)
            except OSError:
                pass
        time.sleep(600)
"""
    with pytest.raises(LoadError, match="could not be opened: its process closed its only way to say anything"):
        audit_apart(audit_file(folder, code, architecture="archs:Evil"), folder)


def test_a_folder_deeper_than_python_can_follow_is_removed(tmp_path: Path) -> None:
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)

    found = process._held_in(tmp_path)
    remove(tmp_path / "d")

    assert found[1] == process.MOST_ENTRIES + 1

    assert not (tmp_path / "d").exists()


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


def test_a_pickled_module_is_audited_apart_and_nowhere_else(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = audit_file(folder, architecture="", trust="pickle")
    (folder / "pickled_archs.py").write_text(ARCHS)
    monkeypatch.syspath_prepend(folder)
    torch.save({"model": importlib.import_module("pickled_archs").Net(), "epoch": 3}, folder / "w.pt")
    monkeypatch.delitem(sys.modules, "pickled_archs")

    record = audit_apart(file, folder)

    model = record.audit.subject["model"]
    assert (model["format"], model["evidence_grade"], model["parameters"]) == ("pickled module", "code", 8)
    assert record.audit.outcome("performance.accuracy").result.measures[0].n == 60
    with pytest.raises(UsageError, match="loaded in the sandbox alone"):
        places.HERE.audit(file, folder)
    assert invoke(["inspect", str(folder / "w.pt")]) == 3
    with pytest.raises(UsageError, match="refused here"):
        audit_apart(file, folder, uploaded=True)


def test_the_command_audits_apart_unless_it_is_told_not_to(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit_file(folder)

    assert invoke(["run", str(folder / "audit.toml"), "--out", str(folder / "apart")]) == 0
    assert invoke(["run", str(folder / "audit.toml"), "--out", str(folder / "here"), "--no-sandbox"]) == 0
    assert load(folder / "apart").audit.environment["isolation"] in {"bwrap+lock", "lock"}
    assert load(folder / "here").audit.environment["isolation"] == "none, as asked for"
    here, apart = ((folder / name / "report.html").read_text() for name in ("here", "apart"))
    assert "The model ran without a sandbox, as was asked for." in here
    assert "The model ran in a sandbox: " in apart and f"Tried in it and denied: {', '.join(ATTEMPTS)}." in apart
    capsys.readouterr()

    assert invoke(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "isolation: " in out and f"tried in it and denied: {', '.join(ATTEMPTS)}" in out


@pytest.mark.usefixtures("nothing_holds")
def test_the_doctor_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["doctor"]) == 3
    out = capsys.readouterr().out
    assert "tried in it and denied: nothing" in out and "Linux 5.13 with Landlock and seccomp is needed" in out


def test_ctrl_c_leaves_what_had_finished(folder: Path) -> None:
    file = audit_file(folder, only='"performance.*", "fairness.*"')

    def stop(check: str) -> None:
        if check == "fairness.impact_ratio":
            raise KeyboardInterrupt

    audit = audit_apart(file, folder, tell=Listener(started=stop)).audit

    assert to_run(audit) == ["fairness.impact_ratio", "performance.accuracy"]
    assert audit.outcome("fairness.groups").status is Status.MEASURED and audit.verdict is Verdict.INCOMPLETE
