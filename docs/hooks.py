"""What the code says about itself, put into the pages when the site is built: checks, commands, requirements."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from typer.main import get_command

from app.cli import cli
from auditor.catalogue import catalogue
from auditor.defend import DEFENCES, defence
from auditor.requirements import Framework, Requirement
from auditor.requirements import catalogue as requirements
from auditor.settings import json_schema

CHECKS, COMMANDS, METHODS = "<!-- every check -->", "<!-- every command -->", "<!-- every defence -->"
REQUIREMENTS = "<!-- every requirement -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its placeholder replaced by every check, every command, every defence, or every requirement."""
    if CHECKS in markdown:
        return markdown.replace(CHECKS, "\n\n".join(section(check) for check in catalogue()))
    if COMMANDS in markdown:
        return markdown.replace(COMMANDS, "\n\n".join(command(name, c) for name, c in commands().items()))
    if METHODS in markdown:
        return markdown.replace(METHODS, "\n\n".join(method(name) for name in DEFENCES))
    if REQUIREMENTS in markdown:
        return markdown.replace(REQUIREMENTS, "\n\n".join(framework(f) for f in requirements().framework))
    return markdown


def framework(f: Framework) -> str:
    """A law, guidance or standard as Markdown: how it stands, and a table of what it asks for."""
    facts = [f"**{f.edition}.** {f.status} {f.note}", f"*Source:* {f.source}; read on {f.as_of}."]
    rows = [
        f"| `{r.id}` | {r.title}{f' *Here: {r.scope}*' if r.scope else ''} | {evidence(r)} | {r.source}; {r.as_of} |"
        for r in requirements().of(f.id)
    ]
    head = ["| id | what it asks for | evidence for it | source |", "| --- | --- | --- | --- |"]
    return "\n\n".join([f"## {f.title}", *facts, "\n".join([*head, *rows])])


def evidence(r: Requirement) -> str:
    """The checks that a requirement needs, and those that say more; else who or what can say it."""
    if not r.checks:
        return r.not_by_us or "a statement"
    needed, more = (", ".join(f"`{c}`" for c in checks) for checks in (r.checks, r.further))
    ran = ", ".join(f"with `{name} = {value}`" for name, value in r.settings.items())
    return f"{needed}{f' {ran}' if ran else ''}{f'; also {more}' if more else ''}"


def method(name: str) -> str:
    """A defence as Markdown: what its docstring says, and a table of its settings."""
    function = defence(name)
    return "\n\n".join([f"### {name}", inspect.getdoc(function) or "", *settings(json_schema(function))])


def settings(schemas: dict[str, Any]) -> list[str]:
    """A table of settings; nothing where there are none."""
    rows = [f"| `{name}` | {kind(schema)} | {shown(schema['default'])} |" for name, schema in schemas.items()]
    return ["\n".join(["| setting | kind | default |", "| --- | --- | --- |", *rows])] if rows else []


def commands() -> dict[str, Any]:
    """Every command of `auditor` by name, as the parser knows it."""
    return get_command(cli).commands  # type: ignore[attr-defined, no-any-return]


def command(name: str, parsed: Any) -> str:
    """A command as Markdown: how it is called, what it does, its arguments and options."""
    given = [p for p in parsed.params if p.name != "help"]
    called = " ".join(p.metavar for p in given if p.param_type_name == "argument")
    options = " ".join(option(p) if p.required else f"[{option(p)}]" for p in given if p.param_type_name == "option")
    rows = [f"| `{p.metavar if p.param_type_name == 'argument' else p.opts[0]}` | {p.help} |" for p in given]
    parts = [f"## auditor {name}", f"    auditor {name} {called} {options}".rstrip(), parsed.help]
    if rows:
        parts.append("\n".join(["| given | meaning |", "| --- | --- |", *rows]))
    return "\n\n".join(parts)


def option(parameter: Any) -> str:
    """An option as it is typed."""
    name: str = parameter.opts[0]
    return name if parameter.is_flag else f"{name} {parameter.metavar or parameter.name.upper()}"


def section(check: dict[str, Any]) -> str:
    """A check as Markdown: what its docstring says, and a table of its settings."""
    doc = re.sub(r"(What it measures|How to read it|When it misleads):", r"**\1.**", check["doc"])
    measures = f"*Measures:* {', '.join(f'`{name}`' for name in check['measures'])}"
    parts = [f"## {check['id']}", doc, f"*Source:* {check['source']}", measures, *settings(check["settings"])]
    return "\n\n".join(parts)


def kind(schema: dict[str, Any]) -> str:
    """What may be given, in words."""
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{v}`" for v in schema.get("enum", [schema.get("const")]))
    limits = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    words = [f"{said} {schema[key]:g}" for key, said in limits.items() if key in schema]
    name = {"integer": "whole number", "number": "number", "array": "list of numbers", "string": "text"}.get(
        schema.get("type", ""), "value"
    )
    return ", ".join([name, *words])


def shown(default: Any) -> str:
    """A default; the three profiles' where they differ."""
    if isinstance(default, dict):
        return ", ".join(f"{profile} {value}" for profile, value in default.items())
    return f"`{json.dumps(default)}`"
