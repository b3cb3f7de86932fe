"""The real models and data beside the checkout; tests that use them skip, saying so, where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
AUDITS = SHARED / "audits"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the real models and data are absent ({SHARED})")
