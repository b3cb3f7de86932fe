"""What README and docs name exists, and what exists is named there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from app.cli import cli
from auditor import config
from auditor.config import parse_audit_file
from auditor.policy_file import parse_policy
from auditor.registry import CHECKS, check
from auditor.selection import in_order
from auditor.types import Limit
from tests.shared import module_at

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = {p.name: p.read_text("utf-8") for p in sorted((ROOT / "docs").glob("*.md"))}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    return module_at(ROOT / "docs" / "hooks.py")


def test_the_readme_lists_no_check_that_does_not_exist() -> None:
    listed = re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", README, re.MULTILINE)

    assert listed
    assert set(listed) <= {c.id for c in in_order()}


def test_every_command_of_the_readme_exists_and_every_command_stands_there(hooks: ModuleType) -> None:
    used = re.findall(r"auditor ([a-z]+)\b[^\n`]*", "\n".join(re.findall(r"^    auditor .*$", README, re.MULTILINE)))
    options = set(re.findall(r"(?<=\s)--[a-z]+", "\n".join(re.findall(r"^    auditor .*$", README, re.MULTILINE))))
    known = {o for c in hooks.commands().values() for p in c.params for o in p.opts}

    assert set(used) | {"demo"} == set(hooks.commands())
    assert options <= known


def test_the_page_of_commands_is_made_of_every_option(hooks: ModuleType) -> None:
    page = hooks.on_page_markdown(PAGES["commands.md"])

    assert "auditor run AUDIT.toml [--out DIR] [--profile quick|standard|deep]" in page
    assert "auditor compare A B --out DIR" in page
    for name, command in hooks.commands().items():
        assert f"## auditor {name}" in page and command.help in page
    assert cli.info.help not in page
    assert all(f"## {c.id}" in hooks.on_page_markdown(PAGES["checks.md"]) for c in in_order())


def models() -> list[type[BaseModel]]:
    return [m for m in vars(config).values() if isinstance(m, type) and issubclass(m, BaseModel) and m is not BaseModel]


@pytest.mark.parametrize("model", models(), ids=lambda m: m.__name__)
def test_every_key_of_the_audit_file_is_explained(model: type[BaseModel]) -> None:
    page = PAGES["audit-file.md"]
    gathered = {"settings"}  # written as tables of their own

    missing = [f.alias or n for n, f in model.model_fields.items() if n not in gathered and n not in page]
    assert missing == []


def test_every_key_of_a_limit_is_explained() -> None:
    assert [f for f in Limit.__dataclass_fields__ if f != "line" and f"`{f}`" not in PAGES["verdicts.md"]] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", *(f"docs/{n}" for n in PAGES)])
def test_links_lead_to_files_that_exist(name: str) -> None:
    page = ROOT / name
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))

    assert [t for t in targets if not (page.parent / t).exists()] == []


def test_the_examples_are_read() -> None:
    audit, policy = blocks(README, "toml")
    (whole,) = blocks(PAGES["audit-file.md"], "toml")

    assert len([line for line in audit.splitlines() if not line.startswith("[")]) == 5
    assert parse_audit_file(tomllib.loads(audit)).data.target == "approved"
    assert parse_policy(policy, "p").limits[0].fail_below == 0.5
    given = tomllib.loads(whole)
    given["data"] = {k: v for k, v in given["data"].items() if k not in {"inputs", "score", "threshold"}}
    assert parse_audit_file(given).defend == {"pgd": {"epsilon": 0.03}}


def test_the_check_of_the_readme_works() -> None:
    (source,) = blocks(README, "python")
    names = {"check": check}
    before = dict(CHECKS)
    try:
        exec("from auditor.registry import Context\nfrom auditor.types import Measure, Result\n" + source, names)
        assert CHECKS["data.size"].params({}) == {"smallest": 100}
    finally:
        CHECKS.clear()
        CHECKS.update(before)
