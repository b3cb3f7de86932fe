"""What every test has: audits run in the test's own process, where it can reach them.

A process for each costs seconds; tests/sandbox has audits that run apart, as everybody's do.
"""

from __future__ import annotations

import pytest

from app import places


@pytest.fixture(autouse=True)
def _audits_run_here(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "apart" not in request.keywords:
        monkeypatch.setattr(places, "APART", places.HERE)
