"""The pytest plugin: `pytest --audit audit.toml` makes a test of each check of an audit, and one of its verdict.

pytest loads this file wherever the auditor is installed, also where it is not asked for. So it imports nothing of ours,
and lies beside our packages rather than in one: a project often has an `app` of its own, which ours would hide. An
audit runs in a process of its own, once a run of pytest, whichever of its tests comes first and however many workers
ask.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

VERDICT = "verdict"
ANSWERS = pytest.StashKey[Path]()
COLLECTED = pytest.StashKey[set[Path]]()


class AuditWarning(pytest.PytestWarning):
    """A check passed, with something a person must look at."""


class Audit(pytest.File):
    """An audit file, whose tests are its checks."""

    def collect(self) -> Iterator[pytest.Item]:
        """The checks that the audit file selects, then the verdict."""
        self.config.stash.setdefault(COLLECTED, set()).add(self.path)
        found = once(self.config, self.path, "tests", {})
        if refused := found.get("refused"):
            msg = f"auditor: {refused}"
            raise self.CollectError(msg)
        for check, title in (*found["tests"], (VERDICT, "Verdict")):
            yield Check.from_parent(self, name=check, title=title)

    def ended(self) -> dict[str, Any]:
        """How the audit ended, run when it is first asked for: of the checks whose tests were left to run.

        Of all where these are all, and where the verdict alone is asked for.
        """
        everything = [check for check, _ in once(self.config, self.path, "tests", {})["tests"]]
        left = {i.name for i in self.session.items if isinstance(i, Check) and i.path == self.path}
        only = [check for check in everything if check in left]
        wanted = {"out": str(place(self.config, self.path)), "only": [] if only == everything else only}
        return once(self.config, self.path, "ended", wanted)


class Check(pytest.Item):
    """A check of an audit, or its verdict, as a test."""

    def __init__(self, *, title: str, **given: Any) -> None:
        super().__init__(**given)
        self.title = title

    def setup(self) -> None:
        """The audit is made here, so that one that is refused is an error, as is a check that failed to run."""
        assert isinstance(self.parent, Audit)  # noqa: S101
        found = self.parent.ended()
        if refused := found.get("refused"):
            pytest.fail(f"auditor: {refused}", pytrace=False)
        self.end, self.said = found["outcomes"][self.name]
        if self.end == "error":
            pytest.fail(self.said, pytrace=False)

    def runtest(self) -> None:
        """Fail, skip or warn as the check did."""
        if self.end == "failed":
            pytest.fail(self.said, pytrace=False)
        if self.end == "skipped":
            pytest.skip(f"{self.name}: {self.said}")
        if self.end == "warned":
            self.warn(AuditWarning(f"{self.name}: {self.said}"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What a warning says, where warnings are errors; no traceback of ours."""
        return str(excinfo.value) if excinfo.errisinstance(AuditWarning) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it is from, and its heading in pytest's report."""
        return self.path, 0, f"{self.path.name}: {self.title}"


# ---- what pytest calls -------------------------------------------------------------------------------------------
def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("auditor", "audits of models")
    group.addoption(
        "--audit", metavar="FILE", action="append", default=[],
        help="make a test of each check of this audit file, and one of its verdict; may be repeated",
    )  # fmt: skip
    group.addoption("--audit-policy", metavar="P", help="judge by this policy file, or built-in name")
    group.addoption("--audit-out", metavar="DIR", help="keep each audit and its report, in a folder of its own in DIR")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Audit | None:
    """Collect an audit file that pytest comes across."""
    return Audit.from_parent(parent, path=file_path) if file_path in files(parent.config) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Collect the audit files that pytest did not come across, before anything is deselected."""
    for path in files(config):
        if path not in config.stash.setdefault(COLLECTED, set()):
            items.extend(session.genitems(Audit.from_parent(session, path=path)))


def pytest_configure(config: pytest.Config) -> None:
    """Refuse what says how to audit where nothing is audited."""
    if not config.getoption("--audit") and (config.getoption("--audit-policy") or config.getoption("--audit-out")):
        msg = "--audit-policy and --audit-out are for audits; name one with --audit FILE"
        raise pytest.UsageError(msg)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where answers are shared."""
    if files(node.config):
        node.workerinput["audits"] = str(answers(node.config))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say the verdict of each audit, and where its report is."""
    if not files(config):
        return
    found = [(p, json.loads(a.read_bytes())) for p in files(config) if (a := answer(config, p, "ended")).exists()]
    for path, audit in found:
        if "report" in audit:
            terminalreporter.write_sep("=", f"audit {path.name}")
            terminalreporter.write_line(audit["said"])
            terminalreporter.write_line(f"report: {audit['report']}")


# ---- asking the auditor ------------------------------------------------------------------------------------------
def once(config: pytest.Config, path: Path, what: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """What the auditor answers: asked by one process of the run, while the others wait for it and read it."""
    import fcntl

    written = answer(config, path, what)
    with written.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not written.exists():
            request = {"file": str(path), "policy": config.getoption("audit_policy"), **wanted}
            # the auditor holds the lock too: where a worker dies, the next waits for its audit and makes no other
            done = subprocess.run(  # noqa: S603 - ourselves
                [sys.executable, "-P", "-W", "ignore", "-m", "app.as_tests", str(written), json.dumps(request)],
                cwd=config.invocation_params.dir, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", check=False, pass_fds=[lock.fileno()],
            )  # fmt: skip
            if not written.exists():  # it was killed, or could not start
                said = done.stderr.splitlines() or [f"it ended with code {done.returncode} and said nothing"]
                written.write_text(json.dumps({"refused": said[-1]}), "utf-8")
        found: dict[str, Any] = json.loads(written.read_bytes())
        return found


def files(config: pytest.Config) -> list[Path]:
    """The audit files, each once, in the order given."""
    given = (config.invocation_params.dir / name for name in config.getoption("audit"))
    return [Path(p) for p in dict.fromkeys(map(os.path.abspath, given))]


def place(config: pytest.Config, path: Path) -> Path:
    """The folder that the audit of `path` goes to."""
    kept = config.getoption("audit_out")
    folder = config.invocation_params.dir / kept if kept else answers(config)
    alike = [p for p in files(config) if p.stem == path.stem]
    return folder / (path.stem if len(alike) == 1 else f"{path.stem}-{alike.index(path) + 1}")


def answer(config: pytest.Config, path: Path, what: str) -> Path:
    """The file that an answer about the audit of `path` is in."""
    return answers(config) / f"{files(config).index(path)}-{what}.json"


def answers(config: pytest.Config) -> Path:
    """The folder of all answers of one run of pytest, which its workers share."""
    shared = getattr(config, "workerinput", {}).get("audits")
    if ANSWERS not in config.stash:
        made = config._tmp_path_factory.mktemp  # type: ignore[attr-defined]  # noqa: SLF001 - a fixture otherwise
        config.stash[ANSWERS] = Path(shared) if shared else made("audits")
    return config.stash[ANSWERS]
