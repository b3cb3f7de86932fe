"""Lists in a sentence that must not grow with what they list."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["listed"]


def listed(names: Sequence[str], most: int) -> str:
    """The first `most` names with commas, and how many more there are; "" for none."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
