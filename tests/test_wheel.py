"""The built wheel in an environment of its own: it holds all it needs, starts, and audits."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.app.files import AUDIT, table_audit

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(folder), str(ROOT)],
        check=True,
    )
    (found,) = folder.glob("*.whl")
    return found


def test_it_holds_the_packages_and_their_files_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as z:
        names = set(z.namelist())

    assert {n.partition("/")[0] for n in names if ".dist-info/" not in n} == {
        "auditor", "reports", "app", "pytest_auditor.py",
    }  # fmt: skip
    for needed in (
        "auditor/policies/default.toml", "auditor/requirements.toml", "auditor/py.typed",
        "reports/templates/report.html.j2", "reports/templates/style.css", "reports/schema/audit-v1.json",
    ):  # fmt: skip
        assert needed in names
    assert {n for n in names if "test" in n} == {"app/as_tests.py", "pytest_auditor.py"}
    assert not any(n.startswith("app/ci/") for n in names)  # the action is used by its place in the repository


def test_what_the_code_imports_is_declared(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as z:
        metadata = z.read(next(n for n in z.namelist() if n.endswith("METADATA"))).decode()
        sources = [z.read(n).decode() for n in z.namelist() if n.endswith(".py")]
    declared = {
        re.split(r"[<>=!;\[ ]", line, maxsplit=1)[0].lower()
        for line in re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)
    }
    imported = {name.partition(".")[0] for s in sources for node in ast.walk(ast.parse(s)) for name in _imported(node)}
    package = {
        "PIL": "pillow", "sklearn": "scikit-learn", "skimage": "scikit-image", "markupsafe": "jinja2",
        "starlette": "streamlit", "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
    }  # fmt: skip
    outside = imported - set(sys.stdlib_module_names) - {"auditor", "reports", "app"}

    assert {package.get(m, m) for m in outside} <= declared


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel alone.

    Its dependencies come from this environment, whose own copy of the project is not on the path there.
    """
    env = tmp_path_factory.mktemp("installed") / "env"
    venv.create(env, with_pip=False, symlinks=True)
    python = env / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", str(wheel)], check=True
    )
    (packages,) = (env / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_it_starts_and_audits_in_an_environment_of_its_own(python: Path, tmp_path: Path) -> None:
    audit_file = table_audit(tmp_path)

    where = subprocess.run(
        [python, "-c", "import auditor; print(auditor.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    auditor = python.with_name("auditor")
    shown = subprocess.run([auditor, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path)
    ran = subprocess.run([auditor, "run", audit_file], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert str(python.parents[1]) in where.stdout
    assert "Audit a model" in shown.stdout
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "audit-out" / "report.html").exists()


def test_pytest_finds_the_plugin_and_a_project_keeps_an_app_of_its_own(python: Path, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "own.py").write_text("def answer(): return 42\n")
    (tmp_path / "test_own.py").write_text("from app.own import answer\ndef test_own(): assert answer() == 42\n")
    table_audit(tmp_path, AUDIT.replace('only = ["performance.*",', 'only = ["performance.*"] #'))

    plain = subprocess.run([python, "-P", "-m", "pytest"], capture_output=True, text=True, check=False, cwd=tmp_path)
    audited = subprocess.run(
        [python, "-P", "-m", "pytest", "-v", "--audit", "audit.toml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert plain.returncode == 0, plain.stdout
    assert "1 passed" in plain.stdout
    assert audited.returncode == 0, audited.stdout
    for test in ("test_own.py::test_own", "audit.toml::performance.accuracy", "audit.toml::verdict"):
        assert f"{test} PASSED" in audited.stdout


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module and not node.level else []
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
