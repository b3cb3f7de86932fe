"""Blocks to HTML: the one Jinja environment, the style sheets, and the policy that allows these and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined

from reports.parts import icon, tag
from reports.words import STATUS

__all__ = ["charts_alone", "content_security_policy", "environment", "margins", "stylesheet"]

FONT = "font: 8pt sans-serif; color: #55575c"
HEXADECIMAL = frozenset("0123456789abcdef")


@cache
def environment() -> Environment:
    """Templates with every value escaped; an unknown name in a template is an error."""
    found = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {"status_words": STATUS, "icon": icon, "tag": tag}
    return found


@cache
def stylesheet() -> str:
    """The one style sheet of every page."""
    return _text("style.css") + _text("charts.css")


@cache
def charts_alone() -> str:
    """The style of charts without variables, in the colours of paper: for what draws them outside of their page."""
    roles = dict(re.findall(r"--([\w-]+): ([^;]+);", _text("style.css").partition("}")[0]))
    return re.sub(r"var\(--([\w-]+)\)", lambda m: roles[m[1]], _text("charts.css"))


def _text(name: str) -> str:
    return (resources.files("reports") / "templates" / name).read_text("utf-8")


def margins(digest: str) -> str:
    """The style of printed margins: what the page is a view of, by the sha256 of its audit.json, and which page it is.

    Style sheets know no escaping that is worth relying on: ValueError for a digest that is not hexadecimal.
    """
    if not digest or not set(digest) <= HEXADECIMAL:
        msg = f"{digest!r} is no digest"
        raise ValueError(msg)
    boxes = {
        "top-left": '"Model audit"',
        "top-right": f'"audit.json sha256 {digest[:12]}"',
        "bottom-left": '"A view of audit.json, which is the record"',
        "bottom-right": '"Page " counter(page) " of " counter(pages)',
    }
    return f"@page {{ {' '.join(f'@{box} {{ content: {text}; {FONT} }}' for box, text in boxes.items())} }}"


def content_security_policy(*styles: str) -> str:
    """Nothing but these styles, the page's own when none is named, and pictures inside it: no script, no request."""
    hashes = " ".join(f"'sha256-{_digest(style)}'" for style in styles or (stylesheet(),))
    return f"default-src 'none'; style-src {hashes}; img-src data:; base-uri 'none'; form-action 'none'"


def _digest(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
