"""Programs that would never end or take all memory are stopped by their sandbox, in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.cli import invoke
from auditor.sandbox.limits import Limits
from tests.hostile.verdicts import entries, need_verdict
from tests.sandbox.models import needs_lock

FILE = """[model]
path = "{path}"
trust = "program"
[data]
path = "d.csv"
[checks]
only = ["performance.*"]
"""


@pytest.mark.apart
@needs_lock
def test_programs_without_end_or_measure_are_stopped(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = replace(Limits.of_this_machine(), seconds=10)
    monkeypatch.setattr(Limits, "of_this_machine", classmethod(lambda _cls, _device="cpu": limits))
    (tmp_path / "d.csv").write_text("a,b,c,d,e,f,g,h,y\n1,2,3,4,5,6,7,8,0\n8,7,6,5,4,3,2,1,1\n")
    said = {}
    for path, row in entries(hostile, "program"):
        if row["verdict"] == "limit":
            (tmp_path / "audit.toml").write_text(FILE.format(path=path))
            code = invoke(["run", str(tmp_path / "audit.toml")])
            said[path.name] = capsys.readouterr().err
            need_verdict(row, code, said[path.name])
            assert not (tmp_path / "audit-out").exists()

    assert "could not be opened: it took longer than 10 seconds" in said["t01_loop_forever.pt"]
    assert "memory" in said["t02_alloc_100gb.pt"]
    assert "runs code while it is loaded" in said["t06_loop_on_load.pt"]
    assert len(said) == 3
