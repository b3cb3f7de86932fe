"""Hostile files of wrappers are refused in one line, and are never taken for anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli import invoke
from tests.app.files import AUDIT, table_audit
from tests.wrapped.files import wrapper_file

TEXTS: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "deep settings": b'{"settings": ' * 50_000,
    "twins": b'{"format": "auditor-wrapper-v1", "format": "auditor-wrapper-v1"}',
    "not a number": b'{"format": NaN}',
    "no text": b"\xff\xfe{}",
    "a zip": b"PK\x03\x04" + b"0" * 100,
    "a pickle": b"\x80\x04cos\nsystem\n",
    "a huge number": b'{"format": ' + b"9" * 5000 + b"}",
    "too large": b'{"format": "' + b"a" * (5 << 20) + b'"}',
}
CHANGED: dict[str, dict[str, object]] = {
    "a key of control characters": {"\x1b[31m\nkind": 1},
    "a kind of control characters": {"kind": "\x1b[2J\n" * 100},
    "many settings": {"settings": {f"s{i}": 1 for i in range(100)}},
    "a long list": {"settings": {"low": [0.0] * 200_000}},
    "nested": {"settings": {"low": [[0.0]]}},
    "a name that no file has": {"model": "a\x00b"},
    "a long name": {"model": "a" * 5000},
    "no name": {"model": ""},
    "a digest that is none": {"model_sha256": "../../etc/passwd"},
    "a device": {"model": "/dev/zero"},
    "a huge number": {"settings": {"bits": 10**400}},
}


@pytest.mark.parametrize("name", [*TEXTS, *CHANGED])
def test_hostile_wrappers_are_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    audit_file = table_audit(tmp_path, AUDIT.replace("m.safetensors", "squeezed.json"))
    if name in TEXTS:
        (tmp_path / "squeezed.json").write_bytes(TEXTS[name])
    else:
        wrapper_file(tmp_path, **CHANGED[name])

    assert invoke(["run", str(audit_file)]) == 3
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "Traceback" not in err and "\x1b" not in err and len(err) < 600
    assert not (tmp_path / "audit-out").exists()
