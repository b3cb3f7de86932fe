"""What a process makes up is not used: messages out of turn, outcomes, names and digests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from auditor.errors import LoadError
from auditor.sandbox.parent import audit_apart
from auditor.sandbox.subject import subject_of
from tests.sandbox.models import audit_file, needs_lock

pytestmark = [pytest.mark.apart, needs_lock]


FORGED = {
    "nothing that is ours": ("b'hello\\n'", "says b'hello', which is no message of ours"),
    "another check's end": ("messages.line(messages.Ended('explain.lrp', 1, 1))", "says 'ended' out of turn"),
    "the end of a check that there is not": (
        "messages.line(messages.Ended('../../x', 1, 1))", "which is no message of ours",
    ),
    "its own end": (
        "messages.line(messages.Ended('intake.preflight', 1, 1))", "left no intake.preflight.json",
    ),
    "another plan": ("messages.line(messages.Planned('{}'))", "says 'planned' out of turn"),
    "another trial of the lock": ("messages.line(messages.Tested(()))", "says 'tested' out of turn"),
    "the start of the check that runs": (
        "messages.line(messages.Started('intake.preflight'))", "says 'started' out of turn",
    ),
    "a second beginning": ("messages.line(messages.Begun())", "says 'begun' out of turn"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_a_process_forges_is_not_used(folder: Path, name: str) -> None:
    message, reason = FORGED[name]
    code = f"""
class Evil(Net):
    def forward(self, x):
        from auditor.sandbox import messages
        begun = Path(sys.argv[2], "out", "subject.json")
        for fd in range(3, 20 if begun.exists() else 3):
            try:
                os.write(fd, {message})
            except OSError:
                pass
        return super().forward(x)
"""
    file = audit_file(folder, code, architecture="archs:Evil")

    with pytest.raises(LoadError) as e:
        audit_apart(file, folder)
    assert reason in str(e.value) and "\n" not in str(e.value)


LIES = {
    "model": {
        "file": "certified.pt", "sha256": "0" * 64, "format": "state_dict", "architecture": "torchvision:resnet50",
        "evidence_grade": "data", "parameters": 3,
    },
    "data": {"file": "other.csv", "sha256": "1" * 64, "rows": 7, "sensitive": [], "classes": ["a", "b"]},
    "name": "Certified", "audit_file_sha256": "2" * 64,
}  # fmt: skip


def test_what_was_audited_is_not_taken_from_the_process(folder: Path) -> None:
    file = audit_file(folder, architecture="archs:Net")
    (folder / "subject.json").write_text(json.dumps(LIES))

    found = subject_of(folder, file, folder)

    model, data = found["model"], found["data"]
    assert (model["file"], model["architecture"], model["evidence_grade"]) == ("w.pt", "archs:Net", "code")
    assert model["sha256"] == hashlib.sha256((folder / "w.pt").read_bytes()).hexdigest()
    assert data["sha256"] == hashlib.sha256((folder / "d.csv").read_bytes()).hexdigest()
    assert (data["file"], data["sensitive"], found["name"]) == ("d.csv", ["g"], "")
    assert found["audit_file_sha256"] == file.digest()


@pytest.mark.parametrize(
    "told",
    [
        "{}", "[]", '{"model": [], "data": {}}', '{"model": {"file": {}}, "data": {}}',
        '{"model": {"n": NaN}, "data": {}}', '{"model": {}, "data": {"classes": [[1]]}}', "[" * 100_000,
        json.dumps({"model": {"x": "y" * 1001}, "data": {}}),
    ],
)  # fmt: skip
def test_a_subject_that_is_none_is_refused(folder: Path, told: str) -> None:
    (folder / "subject.json").write_text(told)

    with pytest.raises(LoadError, match="left no subject of ours; its audit is not used"):
        subject_of(folder, audit_file(folder), folder)
