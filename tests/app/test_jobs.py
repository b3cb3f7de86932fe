"""Jobs: what is queued, what the worker makes of it, and what is left when a process dies."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from app import jobs, worker
from app.uploads import audit_text, named, safe_name
from auditor.errors import UsageError
from auditor.sandbox.isolation import available
from auditor.store import load
from tests.app.uploaded import AUDIT_FILE, CHECKS, again, finished, queued, table, until
from tests.sandbox.models import needs_lock

ENDLESS = 10_000  # the most steps that an attack may take: minutes


needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked up in /proc")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of this test's own."""
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@contextmanager
def a_worker() -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, as `serve` starts it."""
    with subprocess.Popen([sys.executable, "-P", "-m", "app.worker"], stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def processes_of(job: jobs.Job) -> list[int]:
    """The processes that watch over the job's audit; one that has died is none of them."""
    wanted = {"app.worker", str(job.folder)}
    return [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/cmdline") if wanted <= set(words(p))]


def words(cmdline: Path) -> list[str]:
    """A command line, empty when the process has gone meanwhile."""
    try:
        return cmdline.read_text().split("\0")
    except OSError:
        return []


def has_open(process: int, file: Path) -> bool:
    """Whether the process has the file open."""
    return file in [fd.resolve() for fd in Path(f"/proc/{process}/fd").iterdir()]


@contextmanager
def running(job: jobs.Job) -> Iterator[int]:
    """The job while it runs, as the number of its process; on leaving it has ended."""
    thread = threading.Thread(target=worker.run_job, args=[job])
    thread.start()
    try:
        until(lambda: processes_of(job))
        yield processes_of(job)[0]
    finally:
        job.cancel()
        thread.join(30)
    assert not thread.is_alive()


# ---- from queued to done -----------------------------------------------------------------------------------------
def test_a_worker_runs_what_is_queued_and_ends_with_its_parent() -> None:
    job = queued()
    assert job.state == "queued"
    with a_worker() as process:
        until(lambda: again(job).state == "done")
        process.stdin.close()
        process.wait(10)

    audit = load(job.audit).audit
    assert again(job).verdict == audit.verdict == "pass"
    accuracy = audit.outcome("performance.accuracy")
    assert accuracy.result.measures[0].value == 1.0
    assert (job.audit / "report.html").is_file()
    found = jobs.progress(job)
    assert set(found.checks) == {"intake.preflight", *CHECKS}
    assert found.finished == found.checks and not found.running


@needs_lock
def test_an_uploaded_program_runs_in_the_sandbox() -> None:
    module = nn.Sequential(nn.Linear(2, 2, bias=False))
    module[0].weight.data = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    program = io.BytesIO()
    torch.jit.save(torch.jit.script(module), program)
    files = table(**{'architecture = "mlp:2-2-2"': 'trust = "program"'})
    files["weights.safetensors"] = program.getvalue()

    job = finished(files)

    audit = load(job.audit).audit
    assert (job.state, audit.subject["model"]["evidence_grade"]) == ("done", "program")
    assert audit.outcome("performance.accuracy").result.measures[0].value == 1.0
    assert audit.environment["isolation"] == available()
    assert not list(job.folder.glob("auditor-*"))


def test_the_sandbox_ends_with_the_process_that_watches_it() -> None:
    job = queued(table(steps=ENDLESS))
    with running(job) as watcher:
        until(lambda: len(processes_in(job)) > 0)
        os.kill(watcher, signal.SIGKILL)
        until(lambda: not processes_in(job))

    assert again(job).state in {"failed", "cancelled"}
    assert not list(job.folder.glob("auditor-*"))


def processes_in(job: jobs.Job) -> list[int]:
    """The processes that work in a folder inside the job's: its sandbox."""
    inside = f"{job.folder}/auditor-"
    found = Path("/proc").glob("[0-9]*/cmdline")
    return [int(p.parent.name) for p in found if any(word.startswith(inside) for word in words(p))]


def test_jobs_run_oldest_first() -> None:
    first, second = queued(table("first")), queued(table("second"))

    assert [j.id for j in jobs.every()] == [second.id, first.id]
    assert worker.next_job() == first
    jobs.set_state(first, "done", "", "pass")
    assert worker.next_job() == second


def test_what_is_missing_in_the_model_is_refused_in_one_line() -> None:
    job = finished(table(**{"mlp:2-2-2": "mlp:3-2-2"}))

    assert job.state == "refused"
    assert job.line == "'weights.safetensors': 0.weight is 2x2, the architecture needs 2x3"
    assert not job.audit.exists()


def test_an_architecture_of_somebody_elses_code_is_refused_and_not_run(tmp_path: Path) -> None:
    trap = f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n".encode()
    job = finished({**table(**{"mlp:2-2-2": "trap:boom"}), "trap.py": trap})

    assert job.state == "refused"
    assert "runs Python of its own" in job.line
    assert not (tmp_path / "ran").exists()


# ---- what goes wrong ---------------------------------------------------------------------------------------------
@needs_proc
def test_a_killed_audit_is_failed_and_says_so() -> None:
    job = queued()
    with running(job) as child:
        os.kill(child, signal.SIGKILL)
        until(lambda: again(job).state != "running")

    assert again(job).state == "failed"
    assert "signal 9 (SIGKILL)" in again(job).line


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["from a terminal", "in the background"])
def started(request: pytest.FixtureRequest) -> Iterator[None]:
    """The two ways in which a dashboard is started: a script's background processes ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@needs_proc
@pytest.mark.usefixtures("started")
def test_a_cancelled_audit_keeps_what_had_finished() -> None:
    job = queued(table(steps=ENDLESS))
    with running(job):
        until(lambda: jobs.progress(job).running == "robustness.curve")
        job.cancel()
        until(lambda: again(job).state != "running")

    assert again(job).state == "cancelled"
    assert again(job).line == "Cancelled. 3 of 4 checks had finished."
    audit = load(job.audit).audit
    assert again(job).verdict == audit.verdict == "incomplete"
    assert audit.outcome("performance.accuracy").result.measures[0].value == 1.0


def test_a_job_nobody_wants_any_more_never_starts() -> None:
    job = queued()
    job.cancel()

    assert worker.next_job() is None
    assert again(job).state == "cancelled"


@needs_proc
def test_a_killed_worker_takes_its_audit_along_and_the_next_calls_it_interrupted() -> None:
    job, waiting = queued(table(steps=ENDLESS)), queued()
    with a_worker() as process:
        until(lambda: jobs.progress(job).checks)
        assert len(processes_of(job)) == 1
        process.kill()
        until(lambda: not processes_of(job) and not processes_in(job), 10)
    assert again(job).state == "running"

    worker.recover()

    assert again(job).state == "interrupted"
    assert again(waiting).state == "queued"


@needs_proc
def test_a_second_worker_waits_until_the_first_has_gone(home: Path) -> None:
    job = queued(table(steps=ENDLESS))
    with a_worker() as first:
        until(lambda: jobs.progress(job).checks)
        with a_worker() as second:
            until(lambda: has_open(second.pid, home / "worker.lock"))
            time.sleep(0.3)
            assert again(job).state == "running"
            first.kill()
            until(lambda: again(job).state == "interrupted")


# ---- what is queued ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"rows.csv"', '"other.csv"', "names [data] path 'other.csv', which was not uploaded"),
        ('"rows.csv"', '"/etc/passwd"', "names [data] path '/etc/passwd', which was not uploaded"),
        ('"weights.safetensors"', '"../weights.safetensors"', "names [model] path '../weights.safetensors'"),
        ('"weights.safetensors"', '"package:torch/x"', "names [model] path 'package:torch/x'"),
        ("[checks]\n", '[policy]\npath = "/etc/passwd"\n[checks]\n', "names [policy] path '/etc/passwd'"),
        ("[data]\n", '[data]\nreference = "train.csv"\n', "names [data] reference 'train.csv'"),
        ('["no", "yes"]', '"classes.csv"', "names [data] classes 'classes.csv'"),
        ("profile", "profil", "unknown key 'profil' in [checks]"),
        ("[data]", "[data", "is not TOML"),
    ],
)
def test_an_audit_file_that_does_not_fit_is_refused_and_nothing_is_queued(
    home: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(UsageError) as e:
        queued(table(**{old: new}))

    assert said in str(e.value)
    assert "\n" not in str(e.value)
    assert list((home / "jobs").iterdir()) == []


@pytest.mark.parametrize("job_id", ["", "x", "A" * 32, "0" * 31, "0" * 33, "../" + "0" * 29, "0" * 32, "0" * 32 + "\n"])
def test_no_other_id_finds_a_job(job_id: str) -> None:
    queued()

    assert jobs.find(job_id) is None


def test_a_folder_that_is_no_job_and_a_half_written_line_are_passed_over(home: Path) -> None:
    job = queued()
    (home / "jobs" / ".fresh").mkdir()
    (home / "jobs" / ("0" * 32)).mkdir()
    (job.folder / "progress.jsonl").write_text('{"checks": ["a", "b"]}\n{"started": "a"}\n{"fini')

    assert [j.id for j in jobs.every()] == [job.id]
    assert jobs.progress(job) == jobs.Progress(("a", "b"), (), "a")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("model.pt", "model.pt"),
        ("../../../etc/evil.pt", "evil.pt"),
        ("C:\\temp\\evil.pt", "evil.pt"),
        ("/abs/x.csv", "x.csv"),
        (".hidden.csv", "hidden.csv"),
        ("my data (1).csv", "my_data_1_.csv"),
        ("<img src=x onerror=alert(1)>.csv", "_img_src_x_onerror_alert_1_.csv"),
        ("a\nb\x00c\u202e.npz", "a_b_c_.npz"),
        ("x" * 300 + ".csv", "x" * 96 + ".csv"),
    ],
)
def test_names_of_uploads_become_plain(given: str, name: str) -> None:
    assert safe_name(given) == name


@pytest.mark.parametrize("given", ["", "..", "/", "...", "\u202e"])
def test_a_name_without_anything_plain_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="give it a name of letters"):
        safe_name(given)


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match=r"two files would be called 'a_b.csv'; rename one of them"):
        named([("a b.csv", memoryview(b"")), ("x/a_b.csv", memoryview(b""))])


def test_the_form_writes_exactly_what_was_given() -> None:
    hostile = 'quote " backslash \\ newline \n tab \t delete \x7f [table] # é \U0001f600'
    given = {
        "subject": {"name": hostile, "version": ""},
        "data": {"classes": [hostile, "b"], "positive": "b"},
        'checks."robustness.curve"': {"epsilons": [0.1, 1e-05], "samples": 3},
        "input": {"mean": []},
    }

    assert tomllib.loads(audit_text(given)) == {
        "subject": {"name": hostile},
        "data": {"classes": [hostile, "b"], "positive": "b"},
        "checks": {"robustness.curve": {"epsilons": [0.1, 1e-05], "samples": 3}},
    }


def test_the_audit_file_is_kept_as_it_came() -> None:
    files = table()

    assert (queued(files).folder / "upload" / AUDIT_FILE).read_bytes() == files[AUDIT_FILE]
