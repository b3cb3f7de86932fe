"""The GitHub action: its file as GitHub reads it, its steps as a runner runs them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.cli import invoke
from reports.formats.markdown import summary
from tests.app.action import ACTION, ROOT, play, scripts
from tests.app.files import AUDIT, table_audit
from tests.reports.records import hostile

SMALL = AUDIT.replace('"performance.*", "fairness.*", "explain.lrp", "robustness.curve"', '"performance.*"')
POLICY = "[[limit]]\ncheck='performance.accuracy'\nmeasure='accuracy'\nslice=''\n"
STUB = """#!/bin/sh
for argument; do case "$argument" in --out=*) out="${argument#--out=}";; esac; done
mkdir -p "$out"
echo '{"verdict": "fail"}' >"$out/audit.json"
cp "$GITHUB_WORKSPACE/summary.md" "$out/summary.md"
echo '{}' >"$out/audit.sarif"
cat "$GITHUB_WORKSPACE/said.txt"
cat "$GITHUB_WORKSPACE/said.txt" >&2
exit 1
"""
UPLOADED = "actions/upload-artifact"
SCANNED = "github/codeql-action/upload-sarif"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A checkout with an audit file in a folder of its own."""
    folder = tmp_path / "workspace" / "models"
    folder.mkdir(parents=True)
    table_audit(folder, SMALL)
    return folder.parent


def stubbed(workspace: Path, said: str = "Fail: m\n", told: str = "## Fail\n") -> Path:
    (workspace / "said.txt").write_text(said)
    (workspace / "summary.md").write_text(told)
    return workspace


# ---- the file ----------------------------------------------------------------------------------------------------
def test_it_has_the_shape_of_a_composite_action() -> None:
    steps = ACTION["runs"]["steps"]

    assert set(ACTION) == {"name", "description", "inputs", "outputs", "runs"}
    assert set(ACTION["runs"]) == {"using", "steps"} and ACTION["runs"]["using"] == "composite"
    assert all(set(i) <= {"description", "required", "default"} for i in ACTION["inputs"].values())
    assert all(isinstance(i.get("default", ""), str) for i in ACTION["inputs"].values())
    assert all(set(o) == {"description", "value"} for o in ACTION["outputs"].values())
    for step in steps:
        assert set(step) <= {"name", "id", "if", "continue-on-error", "env", "uses", "with", "shell", "run"}
        assert ("uses" in step) is not ("run" in step)
        assert ("run" in step) is ("shell" in step)
    assert [s["name"] for s in steps][-1] == "Gate"


def test_no_input_stands_in_a_script_and_every_other_action_is_pinned() -> None:
    text = (ROOT / "app" / "ci" / "action.yml").read_text("utf-8")
    used = re.findall(r"uses: (.*)", text)

    assert not any("${{" in script for script in scripts().values())
    assert used and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", u) for u in used)


def test_every_expression_names_what_there_is() -> None:
    text = (ROOT / "app" / "ci" / "action.yml").read_text("utf-8")
    named = set(re.findall(r"(?:inputs|steps\.run\.outputs)\.[\w-]+", text))
    told = set(re.findall(r"(?:echo \"|\")(\w+)=", scripts()["Audit"]))
    known = {f"inputs.{i}" for i in ACTION["inputs"]} | {f"steps.run.outputs.{o}" for o in told}

    assert named == known


@pytest.mark.skipif(shutil.which("shellcheck", path=Path(sys.executable).parent) is None, reason="no shellcheck")
@pytest.mark.parametrize("name", list(scripts()))
def test_shellcheck_finds_nothing(name: str) -> None:
    program = Path(sys.executable).with_name("shellcheck")

    found = subprocess.run(
        [program, "--shell=bash", "-"], input=scripts()[name], capture_output=True, text=True, check=False
    )

    assert found.stdout == ""


def test_the_auditor_is_installed_from_the_commit_of_the_action(tmp_path: Path) -> None:
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$*" >>calls\n')
    (tmp_path / "python").chmod(0o755)
    step = next(s for s in ACTION["runs"]["steps"] if s["name"].startswith("Install"))
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "GITHUB_ACTION_PATH": str(ROOT / "app" / "ci"), "TORCH_INDEX": "i;d"}

    subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], cwd=tmp_path, env=env, check=True)
    first, second = (tmp_path / "calls").read_text().splitlines()
    constraints = Path(first.partition("--constraint ")[2].partition(" ")[0])

    assert first.endswith("--index-url i;d torch")
    assert second.endswith("/app/ci/../..")
    assert constraints.samefile(ROOT / "constraints.txt")


# ---- a run -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("bounds", "verdict", "code"),
    [
        ("fail_below = 0.5", "pass", 0),
        ("fail_below = 0.999", "fail", 1),
        ("fail_below = 0.9\nrequired = true", "incomplete", 2),
    ],
)
def test_a_verdict_is_the_exit_code_after_all_was_kept(workspace: Path, bounds: str, verdict: str, code: int) -> None:
    (workspace / "p.toml").write_text(POLICY + bounds)

    ran = play(workspace, audit_file="models/audit.toml", policy="p.toml", profile="quick", name="small")
    folder = Path(ran.outputs["folder"])

    assert (ran.code, ran.outputs["code"], ran.outputs["verdict"]) == (code, str(code), verdict)
    assert json.loads((folder / "audit.json").read_bytes())["policy"]["name"] == "p"
    assert ran.summary.read_text() == (folder / "summary.md").read_text()
    assert ran.used[UPLOADED] == {"name": "small", "path": str(folder), "if-no-files-found": "error"}
    alerts = json.loads(Path(ran.used[SCANNED]["sarif_file"]).read_bytes())["runs"][0]["results"]
    assert len(alerts) == (verdict != "pass")  # of a log that has what passed, too
    assert len(json.loads((folder / "audit.sarif").read_bytes())["runs"][0]["results"]) == 1
    assert not list(workspace.rglob("audit-out"))  # the checkout is left as it was


def test_an_audit_is_compared_with_an_earlier_one(workspace: Path) -> None:
    assert invoke(["run", str(workspace / "models" / "audit.toml"), "--out", str(workspace / "before")]) == 0

    ran = play(workspace, audit_file="models/audit.toml", baseline="before")
    refused = play(workspace, audit_file="models/audit.toml", baseline="gone")

    assert json.loads(Path(ran.outputs["folder"], "audit.json").read_bytes())["baseline"]["shifts"]
    assert (refused.code, refused.used.get(UPLOADED)) == (3, None)


def test_further_arguments_are_split_at_white_space(workspace: Path) -> None:
    ran = play(workspace, audit_file="models/audit.toml", extra_args="--only explain.lrp\n  --only *.accuracy ")
    audit = json.loads(Path(ran.outputs["folder"], "audit.json").read_bytes())
    checks = [o["check"] for o in audit["outcomes"] if o["result"]]

    assert checks == ["intake.preflight", "explain.lrp", "performance.accuracy"]


def test_a_refusal_is_the_summary_and_nothing_is_uploaded(workspace: Path) -> None:
    ran = play(workspace, audit_file="gone.toml", comment="true", pull_request="7")

    assert (ran.code, ran.outputs["code"]) == (3, "3")
    assert ran.summary.read_text().startswith("## No audit\n\n    auditor: no audit file 'gone.toml'")
    assert not {"folder", "verdict", "sarif"} & set(ran.outputs)
    assert not {UPLOADED, SCANNED} & set(ran.used)
    assert "No audit" in (ran.calls.with_name("calls.body")).read_text()


@pytest.mark.parametrize("which", ["audit_file", "policy", "baseline", "profile", "extra_args", "name"])
@pytest.mark.parametrize("text", ['"; touch x #', "$(touch x)`touch x`", "'\ntouch x\ncode=0\n'"])
def test_an_input_is_never_a_command(workspace: Path, which: str, text: str) -> None:
    given = {"audit_file": "models/gone.toml", "comment": "true", "pull_request": "7", which: text}
    stub = "#!/bin/sh\nfor argument; do printf '<%s>' \"$argument\"; done\nexit 3\n"

    ran = play(workspace, auditor=stub, **given)
    arguments = re.findall(r"<([^>]*)>", ran.printed)

    assert (ran.code, ran.outputs["code"]) == (3, "3")
    assert not list(workspace.parent.rglob("x"))
    if which == "extra_args":
        assert arguments[1:-3] == text.split()
    elif which != "name":
        assert any(a.partition("=")[2] == text or a == text for a in arguments)


# ---- what is printed, told and commented -------------------------------------------------------------------------
def obeyed(printed: str) -> list[str]:
    """The commands that a runner finds in these lines: `::name ...::` at the start, `##[name ...]` anywhere."""
    found, word = [], None
    for line in printed.splitlines():
        match = re.match(r"\s*::([\w-]+)[^:]*::(.*)", line) or re.search(r"##\[([\w-]+)[^\]]*\](.*)", line)
        if match is None:
            continue
        if word is not None:
            word = None if match[1] == word else word
        elif match[1] == "stop-commands":
            word = match[2]
        else:
            found.append(match[1])
    return [*found, *(["not resumed"] if word is not None else [])]


def test_what_a_model_calls_its_classes_commands_nobody(workspace: Path) -> None:
    said = "Failed: rows with sex = ##[set-output name=code]0\n::set-output name=code::0\n::stop-commands::x\n::x::\n"

    ran = play(stubbed(workspace, said), auditor=STUB, audit_file="a.toml")

    assert obeyed(said) == ["set-output", "set-output"]  # as bare text it would be heard
    assert ran.printed.count("##[set-output name=code]0") == 2  # both streams are shown
    assert obeyed(ran.printed) == []
    assert (ran.code, ran.outputs["code"], ran.outputs["verdict"]) == (1, "1", "fail")
    assert ran.used[SCANNED] == {"sarif_file": ran.outputs["sarif"], "category": "auditor/audit"}


def test_a_long_summary_is_cut_between_lines_to_what_github_takes(workspace: Path) -> None:
    line = "| `é` | " + "ü" * 500 + " |\n"

    ran = play(stubbed(workspace, told="## Fail\n" + line * 2000), auditor=STUB, audit_file="a.toml", comment="true",
               pull_request="7")  # fmt: skip
    shown, commented = ran.summary.read_text("utf-8"), ran.calls.with_name("calls.body").read_text("utf-8")

    for text, most in ((shown, 1024 * 1024), (commented, 65_536)):
        assert most * 0.8 < len(text.encode()) < most
        assert set(text.splitlines()) - {line.strip(), "## Fail"} <= {
            "", "The rest is in the artifact.", commented.splitlines()[0],
        }  # fmt: skip
        assert text.endswith("\nThe rest is in the artifact.\n")
    assert len(summary(hostile()).encode()) < 60_000


@pytest.mark.parametrize(
    ("earlier", "call"),
    [
        ("", "api --silent --method POST repos/o/r/issues/7/comments --field body=@"),
        ("12\n34", "api --silent --method PATCH repos/o/r/issues/comments/34 --field body=@"),
    ],
)
def test_a_pull_request_has_one_comment_of_each_audit(workspace: Path, earlier: str, call: str) -> None:
    ran = play(stubbed(workspace), auditor=STUB, audit_file="a.toml", comment="true", pull_request="7",
               earlier=earlier, name='"; touch x #')  # fmt: skip
    asked, sent = ran.calls.read_text().splitlines()
    first, *rest = ran.calls.with_name("calls.body").read_text().splitlines()

    assert re.fullmatch(r"<!-- auditor [0-9a-f]{16} -->", first) and rest == ["## Fail"]
    assert f'startswith("{first}")' in asked and '.user.type == "Bot"' in asked
    assert sent.startswith(call)
    assert ran.code == 1


@pytest.mark.parametrize(("comment", "pull_request"), [("false", "7"), ("true", "")])
def test_nobody_is_told_who_did_not_ask(workspace: Path, comment: str, pull_request: str) -> None:
    ran = play(stubbed(workspace), auditor=STUB, audit_file="a.toml", comment=comment, pull_request=pull_request)

    assert not ran.calls.exists()


# ---- what is written about it ------------------------------------------------------------------------------------
def test_what_is_documented_exists_and_what_exists_is_documented() -> None:
    page = (ROOT / "docs" / "in-ci.md").read_text("utf-8")
    short = (ROOT / "app" / "ci" / "README.md").read_text("utf-8")
    github, gitlab = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    (steps,) = (yaml.safe_load(block)["steps"] for block in re.findall(r"```yaml\n(.*?)```", short, re.DOTALL))
    listed = page.partition("| input |")[2].partition("Its outputs")[0]

    assert set(re.findall(r"^\| `([\w-]+)` \|", listed, re.MULTILINE)) == set(ACTION["inputs"])
    assert all(f"`{name}`" in page for name in ACTION["outputs"])
    for used in (steps, github["jobs"]["audit"]["steps"]):
        assert set(used[-1]["with"]) <= set(ACTION["inputs"])
    assert gitlab["audit"]["script"][-1] == "auditor run audit.toml"
