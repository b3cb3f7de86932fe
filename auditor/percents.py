"""Shares in words."""

from __future__ import annotations

__all__ = ["percent"]


def percent(share: float, digits: int = 0) -> str:
    """A share, 0 to 1, as `89 %`, with so many decimals."""
    return f"{100 * share:.{digits}f} %"
