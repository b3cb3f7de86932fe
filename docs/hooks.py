"""The page of every check, from its own docstring and signature: made when the site is built."""

from __future__ import annotations

import json
import re
from typing import Any

from auditor.catalogue import catalogue

PLACEHOLDER = "<!-- every check -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its placeholder replaced by every check."""
    if PLACEHOLDER not in markdown:
        return markdown
    return markdown.replace(PLACEHOLDER, "\n\n".join(section(check) for check in catalogue()))


def section(check: dict[str, Any]) -> str:
    """A check as Markdown: what its docstring says, and a table of its settings."""
    doc = re.sub(r"(What it measures|How to read it|When it misleads):", r"**\1.**", check["doc"])
    parts = [f"## {check['id']}", doc, f"*Source:* {check['source']}"]
    if check["settings"]:
        rows = [
            f"| `{name}` | {kind(schema)} | {shown(schema['default'])} |" for name, schema in check["settings"].items()
        ]
        parts.append("\n".join(["| setting | kind | default |", "| --- | --- | --- |", *rows]))
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
