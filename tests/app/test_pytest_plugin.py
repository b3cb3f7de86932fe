"""`pytest --audit`, as a project meets it: in a pytest of its own, with and without workers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from app.as_tests import outcomes
from auditor.store import load
from tests.app.files import AUDIT, table_audit

ROOT = Path(__file__).resolve().parents[2]
OURS = ("app", "auditor", "reports", "torch", "pydantic", "numpy", "rich", "typer")
SMALL = AUDIT.replace(
    '"performance.*", "fairness.*", "explain.lrp", "robustness.curve"', '"performance.*", "fairness.slices"'
)
STRICT = "[[limit]]\ncheck='performance.accuracy'\nmeasure='accuracy'\nslice=''\nfail_below=0.999\n"
COUNTED = """
import subprocess
from pathlib import Path

run, asked = subprocess.run, Path(__file__).with_name("asked.txt")

def counted(command, **given):
    if "app.as_tests" not in command:
        return run(command, **given)
    with asked.open("a") as f:
        f.write(command[-1] + chr(10))
    return run(command, **given)

subprocess.run = counted
"""
DYING = """
import os

died = asked.with_name("died.txt")

def dies(command, **given):
    if '"out"' not in command[-1] or died.exists():
        return counted(command, **given)
    died.touch()
    subprocess.Popen(command, pass_fds=given["pass_fds"], cwd=given["cwd"])
    os._exit(1)

subprocess.run = dies
"""


def run(project: Path, *arguments: str, xdist: bool = True) -> subprocess.CompletedProcess[str]:
    """What a pytest of this project's own says; the plugin is this checkout's, whichever is installed."""
    parallel = ["-p", "xdist.plugin"] if xdist else []
    plugins = ["-p", "pytest_auditor", *parallel, "-p", "no:cacheprovider"]
    given = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "300"}
    given = {k: v for k, v in given.items() if not k.startswith("PYTEST_XDIST")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *plugins, "--basetemp", str(project.parent / "tmp"), *arguments],
        cwd=project, env=given, capture_output=True, text=True, check=False,
    )  # fmt: skip


def project_in(folder: Path, text: str = SMALL) -> Path:
    """A project with an `app` of its own, a test of that, and an audit file."""
    project = folder / "project"
    (project / "app").mkdir(parents=True)
    (project / "app" / "__init__.py").write_text("")
    (project / "app" / "own.py").write_text("def answer(): return 42\n")
    (project / "test_own.py").write_text("from app.own import answer\ndef test_own(): assert answer() == 42\n")
    (project / "strict.toml").write_text(STRICT)
    (project / "conftest.py").write_text(COUNTED)
    table_audit(project, text)
    return project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return project_in(tmp_path)


def asked(project: Path) -> list[dict[str, object]]:
    """Every request to make an audit, of all workers together."""
    lines = (project / "asked.txt").read_text().splitlines()
    return [found for line in lines if "out" in (found := json.loads(line))]


def ends(junit: Path) -> dict[str, str]:
    """How each test ended, by the JUnit that pytest wrote."""
    words = {Failure: "failed", Error: "error", Skipped: "skipped"}
    (suite,) = JUnitXml.fromfile(str(junit))
    cases: list[TestCase] = list(suite)
    return {f"{c.classname}::{c.name}": words[type(c.result[0])] if c.result else "passed" for c in cases}


# ---- where it is not asked for -----------------------------------------------------------------------------------
def test_the_plugin_loads_nothing_but_itself() -> None:
    code = "import sys, pytest, _pytest.config; _pytest.config.get_config(); before = set(sys.modules)\n"
    code += "import pytest_auditor; print(*set(sys.modules) - before)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["pytest_auditor"]


def test_every_option_is_documented(project: Path) -> None:
    page = (ROOT / "docs" / "in-ci.md").read_text("utf-8")

    known = set(re.findall(r"^  (--audit[\w-]*)", run(project, "--help").stdout, re.MULTILINE))

    assert known == set(re.findall(r"^\| `(--audit[\w-]*)", page, re.MULTILINE)) != set()


def test_a_project_without_xdist_is_left_alone(project: Path) -> None:
    done = run(project, "test_own.py", xdist=False)

    assert "1 passed" in done.stdout and done.stderr == ""


def test_a_project_that_does_not_ask_is_left_alone(project: Path) -> None:
    loaded = f"import sys\n\ndef test_loaded():\n    assert not set({OURS[1:]!r}) & set(sys.modules)\n"
    (project / "test_loaded.py").write_text(loaded)

    done = run(project)

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert "audit" not in done.stdout.replace("pytest_auditor", "")
    assert not (project / "asked.txt").exists()


# ---- what it makes of an audit -----------------------------------------------------------------------------------
@pytest.mark.parametrize("option", ["--audit-policy", "--audit-out"])
def test_how_to_audit_without_what_is_refused(project: Path, option: str) -> None:
    found = run(project, option, "x")

    assert found.returncode == pytest.ExitCode.USAGE_ERROR
    assert "name one with --audit FILE" in found.stderr


def test_with_two_workers_an_audit_is_made_once_and_every_check_is_a_test(project: Path) -> None:
    done = run(project, "--audit", "audit.toml", "--audit-policy", "strict.toml", "--audit-out", "kept", "-n", "2",
               "--dist", "load", "--junitxml", "junit.xml")  # fmt: skip
    found, audit = ends(project / "junit.xml"), load(project / "kept" / "audit").audit
    ran = {check: how for check, (how, _) in outcomes(audit).items() if f"audit.toml::{check}" in found}

    assert done.returncode == 1
    assert len(asked(project)) == 1
    assert found.pop("test_own::test_own") == "passed"
    assert found == {f"audit.toml::{check}": how.replace("warned", "passed") for check, how in ran.items()}
    assert {o.check for o in audit.outcomes if o.reason != "not selected"} == set(ran) - {"verdict"}
    assert found["audit.toml::performance.accuracy"] == found["audit.toml::verdict"] == "failed"
    assert "[fail] accuracy is 0.9" in done.stdout and "outside the limit of at least 0.999" in done.stdout
    assert f"report: {project / 'kept' / 'audit' / 'report.html'}" in done.stdout
    assert "_____ audit.toml: Accuracy _____" in done.stdout
    assert "Traceback" not in done.stdout and "> " not in done.stdout


def test_what_is_deselected_is_not_run_and_a_warning_fails_where_warnings_are_errors(project: Path) -> None:
    (project / "strict.toml").write_text(STRICT.replace("fail", "warn"))

    done = run(project, "--audit", "audit.toml", "--audit-policy", "strict.toml", "-k", "accuracy", "-W", "error")
    (request,) = asked(project)

    assert request["only"] == ["performance.accuracy"]
    assert done.returncode == 1
    assert "\nperformance.accuracy: [warn] accuracy is 0.9" in done.stdout
    assert "pytest_auditor.py" not in done.stdout


@pytest.mark.slow
def test_the_verdict_alone_is_that_of_the_whole_audit_and_a_condition_warns(project: Path) -> None:
    (project / "strict.toml").write_text(STRICT.replace("fail", "warn"))

    done = run(project, "audit.toml::verdict", "--audit", "audit.toml", "--audit-policy", "strict.toml")
    (request,) = asked(project)

    assert done.returncode == 0
    assert request["only"] == []
    assert "1 passed, 1 warning" in done.stdout
    assert "AuditWarning: verdict: Of 1 judgement 1 gave a warning." in done.stdout
    assert "Pass with conditions. " in done.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_audit_files_that_are_refused_are_a_line_each(project: Path, workers: tuple[str, ...]) -> None:
    (project / "bad.toml").write_text(SMALL.replace("target", "targt"))

    done = run(project, "--audit", "bad.toml", "--audit", "gone.toml", *workers, "--junitxml", "junit.xml")
    errors = [e.text or "" for e in ET.parse(project / "junit.xml").iter("error")]

    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stdout
    assert sorted(e.strip().partition(";")[0] for e in errors) == [
        "auditor: bad.toml: unknown key 'targt' in [data]",
        "auditor: no audit file 'gone.toml' in 'project'",
    ]
    assert not any("\n" in e.strip() for e in errors)


@pytest.mark.slow
def test_data_that_is_refused_is_an_error_of_every_test_and_is_read_once(project: Path) -> None:
    (project / "d.csv").write_text("a,b,c,sex,y\n1,x,3,f,0\n")

    done = run(project, "--audit", "audit.toml", "--junitxml", "junit.xml")
    found = ends(project / "junit.xml")

    assert done.returncode == 1
    assert {how for name, how in found.items() if name.startswith("audit.toml")} == {"error"}
    assert "\nauditor: column 'b' holds 'x' in row 0" in done.stdout and "Traceback" not in done.stdout
    assert len(asked(project)) == 1


@pytest.mark.slow
def test_an_audit_outlives_the_worker_that_began_it(project: Path) -> None:
    (project / "conftest.py").write_text(COUNTED + DYING)

    done = run(project, "--audit", "audit.toml", "-n", "2", "--junitxml", "junit.xml")
    found = {name: how for name, how in ends(project / "junit.xml").items() if name.startswith("audit.toml")}

    assert "crashed while running 'audit.toml::" in done.stdout
    assert asked(project) == []  # nobody asked again after the one who died
    assert sorted(found.values()) == ["error", "passed", "passed", "skipped"]  # the error is what that one was running


@pytest.mark.slow
def test_two_audits_of_one_name_go_to_folders_of_their_own(project: Path) -> None:
    (project / "build").mkdir()  # a folder that pytest does not look into
    table_audit(project / "build", SMALL)

    done = run(project, ".", "--audit", "audit.toml", "--audit", "build/audit.toml", "--audit", "audit.toml",
               "--audit-out", "kept", "-k", "verdict", "--junitxml", "junit.xml")  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert set(ends(project / "junit.xml")) == {"audit.toml::verdict", "build.audit.toml::verdict"}
    assert sorted(p.parent.name for p in (project / "kept").glob("*/report.html")) == ["audit-1", "audit-2"]
