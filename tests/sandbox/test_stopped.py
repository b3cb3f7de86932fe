"""What ends the process of an audit leaves what had finished, and says why."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from auditor.errors import LoadError
from auditor.folders import remove
from auditor.policy import to_run
from auditor.progress import Listener
from auditor.sandbox import parent, process
from auditor.sandbox.limits import Limits
from auditor.sandbox.parent import audit_apart
from auditor.types import Status, Verdict
from reports.verdict import why
from tests.sandbox.models import audit_file, needs_lock

pytestmark = [pytest.mark.apart, needs_lock]


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
