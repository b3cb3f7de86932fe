"""A mitigation as users run it: what it leaves is read again, and what it cannot do is said in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from app.cli import invoke
from auditor.store import load
from tests.app.files import DEFENDED, table_audit

METHODS = ("exponentiated_gradient", "fairness_penalty", "reweighing")
TABLE = f"""{DEFENDED}\
sensitive = ["sex", "race"]
[checks]
profile = "quick"
only = ["performance.accuracy", "fairness.groups"]
[defend.reweighing]
epochs = 2
[defend.fairness_penalty]
epochs = 2
attribute = ["sex", "race"]
"""


@pytest.fixture
def audit_file(tmp_path: Path) -> Path:
    path = table_audit(tmp_path, TABLE)
    for name in ("d.csv", "r.csv"):
        frame = pd.read_csv(tmp_path / name)
        frame["race"] = np.where(np.arange(80) % 3 > 0, "p", "")
        frame.to_csv(tmp_path / name, index=False)
    return path


@pytest.mark.parametrize("method", METHODS)
def test_the_weights_fit_the_architecture_and_both_audits_are_there(
    audit_file: Path, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = audit_file.parent

    assert invoke(["defend", str(audit_file), "--method", method, "--out", str(folder / "after.safetensors")]) == 0

    told = capsys.readouterr().out
    assert f"note: After the defence {method} (" in told and "attribute None" not in told
    crossed = "sex=f&race=p" if method == "fairness_penalty" else "sex=f"
    assert f"{crossed} " in told
    assert ("Of 27 rows the group is missing" in told) == (method == "fairness_penalty")
    old, new = load_file(folder / "m.safetensors"), load_file(folder / "after.safetensors")
    assert {k: v.shape for k, v in old.items()} == {k: v.shape for k, v in new.items()}
    assert any(not torch.equal(old[k], new[k]) for k in old)
    audited = load(folder / "after-report" / "after").audit.outcome("fairness.groups")
    audit_file.write_text(TABLE.replace("m.safetensors", "after.safetensors"))
    assert invoke(["run", str(audit_file), "--out", str(folder / "again")]) in {0, 1, 2}
    again = load(folder / "again").audit.outcome("fairness.groups")
    assert audited is not None and again is not None and audited.result == again.result
    assert crossed in (folder / "after-report" / "compare.html").read_text().replace("&amp;", "&")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('sensitive = ["sex", "race"]\n', "", "a mitigation needs groups; [data] sensitive names no column that"),
        ("[checks]", '[defend.METHOD]\nattribute = "town"\n[checks]', "no sensitive column 'town'; it has: sex, race"),
        ("[checks]", "[defend.METHOD]\nattribute = 3\n[checks]", "defend.METHOD.attribute = 3:"),
        (
            "[checks]",
            '[defend.METHOD]\nattribute = ["one"]\n[checks]',
            "by one all rows of [data] reference are of one",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    audit_file: Path, method: str, old: str, new: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("d.csv", "r.csv"):
        frame = pd.read_csv(audit_file.parent / name)
        frame["one"] = ["u"] * 79 + ["v"] if name == "d.csv" else "u"
        frame.to_csv(audit_file.parent / name, index=False)
    text = TABLE.partition("[defend.")[0].replace(old, new.replace("METHOD", method))
    audit_file.write_text(text.replace('"race"]', '"race", "one"]') if '"one"' in new else text)

    assert (
        invoke(["defend", str(audit_file), "--method", method, "--out", str(audit_file.parent / "h.safetensors")]) == 3
    )

    err = capsys.readouterr().err
    assert said.replace("METHOD", method) in err and err.count("\n") == 1
    assert not (audit_file.parent / "h.safetensors").exists()
