"""Text from models and data inside Markdown, as GitHub renders it: shown as it is, and nothing made of it."""

from __future__ import annotations

import re

__all__ = ["code", "text"]

MARKUP = re.compile(r"[\\`*_\[\]<>|~&$]")
AT_THE_START = re.compile(r"^(\d{1,9}(?=[.)](?: |$))|(?=[-+=#]))")  # would make a list, a rule or a heading of a line
# GitHub looks through what was rendered for mentions, issues, emoji and addresses, where a backslash is gone already
LINKED = re.compile(r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=:)(?=[\w+/-])|(?<=www)(?=\.)|(?<=gh)(?=-\d)", re.IGNORECASE)
APART = "\N{ZERO WIDTH SPACE}"


def text(given: str, most: int = 400) -> str:
    """`given` in one line of at most `most` characters, which Markdown shows as it is.

    A space of no width keeps apart what would become a mention, a link or an emoji.
    """
    apart = LINKED.sub(APART, _one_line(given, most))
    return AT_THE_START.sub(r"\1\\", MARKUP.sub(r"\\\g<0>", apart))


def code(given: str, most: int = 200) -> str:
    """`given` in one line of at most `most` characters, as code; "" where there is nothing in it."""
    line = _one_line(given, most)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    room = " " if "`" in (line[:1], line[-1:]) else ""
    return f"{fence}{room}{line}{room}{fence}" if line else ""


def _one_line(given: str, most: int) -> str:
    line = " ".join(given.split())
    return line if len(line) <= most else f"{line[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
