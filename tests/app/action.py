"""The GitHub action, its bash steps run one after another as a runner would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

__all__ = ["ACTION", "ROOT", "Ran", "play", "scripts"]

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "app" / "ci" / "action.yml").read_text("utf-8"))
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")  # what `shell: bash` stands for
AUDITOR = f'#!/bin/sh\nexec "{sys.executable}" -P -m app.cli "$@"\n'
GH = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS"
case "$*" in *--jq*) echo "$EARLIER";; esac
for argument; do case "$argument" in body=@*) cp "${argument#body=@}" "$CALLS.body";; esac; done
"""


@dataclass
class Ran:
    """What was left of a run: the last step's exit code, what was printed, and what the runner was told."""

    code: int = 0
    printed: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    used: dict[str, dict[str, str]] = field(default_factory=dict)  # other actions, by name: what they were given
    summary: Path = Path()
    calls: Path = Path()


def scripts() -> dict[str, str]:
    """Each script by the name of its step."""
    return {step["name"]: step["run"] for step in ACTION["runs"]["steps"] if "run" in step}


def play(workspace: Path, *, auditor: str = AUDITOR, pull_request: str = "", earlier: str = "", **inputs: str) -> Ran:
    """Run the action in `workspace`, whose steps find `auditor` as that command; nothing is installed or uploaded.

    `earlier` is the id of the comment that an earlier run left on the pull request.
    """
    runner = workspace.parent / "runner"
    (runner / "bin").mkdir(parents=True, exist_ok=True)
    for name, text in (("auditor", auditor), ("gh", GH)):
        (runner / "bin" / name).write_text(text)
        (runner / "bin" / name).chmod(0o755)
    ran = Ran(summary=runner / "summary.md", calls=runner / "calls")
    given = {name: spec.get("default", "") for name, spec in ACTION["inputs"].items()}
    given |= {name.replace("_", "-"): value for name, value in inputs.items()}
    context = {f"inputs.{name}": value for name, value in given.items()}
    context |= {"github.token": "t0ken", "github.event.pull_request.number": pull_request}
    for step in ACTION["runs"]["steps"]:
        if step["name"].startswith("Install") or not _applies(step.get("if", ""), context):
            continue
        if "uses" in step:
            action = step["uses"].partition("@")[0]
            ran.used[action] = {k: _filled(v, context) for k, v in step["with"].items()}
            continue
        done, output = _step(step, context, workspace, runner, earlier)
        ran.printed += done.stdout + done.stderr
        ran.code = done.returncode
        if done.returncode:
            break
        told = dict(line.split("=", 1) for line in output.read_text().splitlines())
        ran.outputs |= told
        context |= {f"steps.{step.get('id')}.outputs.{name}": value for name, value in told.items()}
    return ran


def _step(
    step: dict[str, Any], context: dict[str, str], workspace: Path, runner: Path, earlier: str
) -> tuple[subprocess.CompletedProcess[str], Path]:
    script, output = runner / "script.sh", runner / "output"
    script.write_text(step["run"])
    output.write_text("")
    env = {
        "PATH": f"{runner / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT),
        "HOME": os.environ.get("HOME", "/"), "OMP_NUM_THREADS": "1", "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(runner / "summary.md"), "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_REPOSITORY": "o/r", "RUNNER_TEMP": str(runner), "CALLS": str(runner / "calls"), "EARLIER": earlier,
        "GITHUB_ACTION_PATH": str(ROOT / "app" / "ci"),
        **{name: _filled(value, context) for name, value in step.get("env", {}).items()},
    }  # fmt: skip
    done = subprocess.run([*BASH, str(script)], cwd=workspace, env=env, capture_output=True, text=True, check=False)
    return done, output


def _filled(text: str, context: dict[str, str]) -> str:
    """`text` with its expressions replaced; every one that the action uses names a value, an unset one is empty."""
    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: context.get(found[1], ""), text)


def _applies(condition: str, context: dict[str, str]) -> bool:
    """Whether a step runs; conditions here compare a value with a text, joined by &&."""
    for part in filter(None, condition.split(" && ")):
        name, operator, text = part.split(" ")
        if (context.get(name, "") == text.strip("'")) is not (operator == "=="):
            return False
    return True
