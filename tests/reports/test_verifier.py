"""The printed verifier, run as it is printed by a Python that cannot see any of our code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.schema import canonical
from reports.manifest import manifest
from reports.signing import sign
from reports.verifier import verifier
from tests.reports.bundles import bundle, key, public, signed_bundle


def ran(folder: Path, by: str) -> tuple[int, str]:
    """Exit code and last line of the verifier's text, given to a Python as a whole."""
    found = subprocess.run(
        [sys.executable, "-I", "-c", verifier(), str(folder), str(public(by))],
        capture_output=True, text=True, check=False, cwd=folder.parent,
    )  # fmt: skip
    return found.returncode, (found.stdout + found.stderr).strip().splitlines()[-1]


def test_it_is_twelve_lines_and_imports_nothing_of_ours() -> None:
    lines = verifier().splitlines()
    imports = {word.strip(",") for line in lines[:2] for word in line.split() if line.startswith(("import", "from"))}

    assert len(lines) == 12
    assert max(map(len, lines)) <= 120
    assert not imports & {"auditor", "reports", "app", "securesystemslib"}
    assert not any(line.startswith(("import", "from")) for line in lines[2:])


def test_the_documentation_shows_the_same_text() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "signing.md").read_text("utf-8")

    assert f"```text\n{verifier()}```\n" in page


def test_it_agrees_with_a_signature_that_holds(tmp_path: Path) -> None:
    assert ran(signed_bundle(tmp_path), "ci") == (0, "FAILED")  # what was signed: the audit failed a limit


def test_it_runs_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "verifier.py").write_text(verifier(), "utf-8")
    folder = signed_bundle(tmp_path)
    command = [sys.executable, "-I", str(tmp_path / "verifier.py"), str(folder), str(public("ci"))]

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "FAILED\n"


def test_another_key_is_an_invalid_signature(tmp_path: Path) -> None:
    assert ran(signed_bundle(tmp_path), "stranger") == (1, "cryptography.exceptions.InvalidSignature")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda f: (f / "report.html").write_text("x"), ["report.html"]),
        (lambda f: (f / "evidence" / "robustness.curve.npz").write_bytes(b""), ["evidence/robustness.curve.npz"]),
        (lambda f: (f / "manifest.json").write_text("{}"), ["manifest.json"]),
        (lambda f: (f / "junit.xml").unlink(), ["junit.xml"]),
        (lambda f: (f / "evidence" / "attestation.dsse.json").write_text("x"), ["evidence/attestation.dsse.json"]),
        (lambda f: (f / ".more").write_text("x"), [".more"]),
    ],
)
def test_what_changed_is_named_though_the_manifest_is_made_anew(
    tmp_path: Path, change: Callable[[Path], object], names: list[str]
) -> None:
    folder = signed_bundle(tmp_path)
    change(folder)
    assert ran(folder, "ci") == (1, str(names))

    (folder / "manifest.json").write_bytes(canonical(manifest(folder)))
    again = {*names, "manifest.json"} if names != ["manifest.json"] else set()
    assert ran(folder, "ci") == ((1, str(sorted(again))) if again else (0, "FAILED"))


def test_a_payload_that_was_edited_is_an_invalid_signature(tmp_path: Path) -> None:
    folder = signed_bundle(tmp_path)
    path = folder / "attestation.dsse.json"
    text = path.read_text()
    at = text.index('"payload"') + 40
    path.write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])

    assert ran(folder, "ci") == (1, "cryptography.exceptions.InvalidSignature")


def test_a_signature_that_has_ended_is_expired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bundle(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    sign(folder, key("ci"), days=30)

    assert ran(folder, "ci") == (1, "['expired']")
