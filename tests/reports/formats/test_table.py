"""findings.csv and findings.parquet: read back by csv, pandas, pyarrow and a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import subprocess
import sys
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from auditor.store import Record
from auditor.types import Policy
from reports.formats.findings_table import COLUMNS, findings_csv, findings_parquet
from tests.reports.formats.cases import BAD, CASES, CHECK, FLOOR, figures, judged, outcome

FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1+1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff201", '="a,b"', "=a\nb")
NUMBERS = [name for name, kind in COLUMNS.items() if kind in ("number", "count")]


def rows_of(found: Record) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(findings_csv(found).decode(), newline=""), strict=True))


def typed(found: Record) -> list[dict[str, Any]]:
    """The rows of the Parquet file."""
    file = pq.ParquetFile(io.BytesIO(findings_parquet(found)), pre_buffer=False)  # torch and pyarrow's threads clash
    rows: list[dict[str, Any]] = file.read(use_threads=False).to_pylist()
    return rows


def dangerous() -> Record:
    """An audit whose slices would be formulas."""
    found = figures(**dict.fromkeys(FORMULAS, BAD))
    bare = tuple(type(m)(**{**{f: getattr(m, f) for f in m.__dataclass_fields__}, "slice": m.slice[6:]}) for m in found)
    return judged(Policy("p", (FLOOR,)), outcome(CHECK, measures=bare))


def test_a_row_says_all_there_is_to_say_of_a_limit() -> None:
    rows = {r["id"]: r for r in typed(CASES["mixed"].record) if r["bound"] == "fail_below"}
    late = rows[f"{CHECK}/accuracy/group=late"]

    assert {**late, "low": round(late["low"], 4), "high": round(late["high"], 4), "sentence": ""} == {
        "id": f"{CHECK}/accuracy/group=late", "key": "F2", "status": "fail", "counts_as": "fail", "check": CHECK,
        "measure": "accuracy", "slice": "group=late", "value": 0.05, "low": 0.0274, "high": 0.0896, "n": 200,
        "bound": "fail_below", "limit": 0.5, "level": "fail", "required": False, "accepted": False,
        "accepted_until": date(2026, 11, 22), "owner": "Ann", "state": "", "before": None, "change": None,
        "change_low": None, "change_high": None, "requirements": ["EU-AIA:15(1)", "NIST:MEASURE2.11"], "sentence": "",
        "policy_line": 7,
    }  # fmt: skip
    kept = rows[f"{CHECK}/accuracy/group=kept"]
    assert (kept["status"], kept["counts_as"], kept["accepted"]) == ("fail", "warn", True)
    assert kept["accepted_until"] == date(2026, 12, 1)
    assert "Accuracy for group = kept is 0.05. accuracy of group=kept is 0.05 (95 % interval" in kept["sentence"]
    missing = rows[f"{CHECK}/accuracy/group=nobody"]
    assert (missing["status"], missing["value"], missing["policy_line"]) == ("inconclusive", None, 17)


def test_rows_say_what_has_changed_since_the_baseline() -> None:
    rows = {r["slice"]: r for r in typed(CASES["baseline"].record)}

    worse, new = rows["group=a"], rows["group=c"]
    assert (worse["state"], worse["before"], new["state"], new["before"]) == ("worse", 0.15, "new", 0.95)
    assert (
        math.isclose(worse["change"], 0.05 - 0.15) and worse["change_low"] < worse["change"] < worse["change_high"] < 0
    )


@pytest.mark.parametrize("name", CASES)
def test_csv_is_as_rfc_4180_has_it(name: str) -> None:
    raw = findings_csv(CASES[name].record)

    assert raw.endswith(b"\r\n") and not raw.startswith("\N{BOM}".encode())
    assert raw.count(b"\n") == raw.count(b"\r\n") == 1 + len(rows_of(CASES[name].record))  # no line break in any cell
    assert raw.partition(b"\r\n")[0].decode().split(",") == list(COLUMNS)


@pytest.mark.parametrize("name", CASES)
def test_csv_and_parquet_hold_the_same(name: str) -> None:
    words = {True: "true", False: "false", None: ""}
    for plain, row in zip(rows_of(CASES[name].record), typed(CASES[name].record), strict=True):
        for column, kind in COLUMNS.items():
            value = row[column]
            if kind in ("number", "count"):
                assert (float(plain[column]) if plain[column] else None) == value
            elif kind == "flag":
                assert plain[column] == words[value]
            elif kind == "texts":
                assert plain[column] == "; ".join(value)
            else:
                assert plain[column] == ("" if value is None else str(value))


def test_no_cell_of_the_csv_is_a_formula_and_nothing_is_lost() -> None:
    slices = [r["slice"] for r in rows_of(dangerous())]

    assert sorted(slices) == sorted(f"'{f}" for f in FORMULAS)
    texts = [cell for r in rows_of(dangerous()) for column, cell in r.items() if column not in NUMBERS]
    assert all(unicodedata.normalize("NFKC", cell[:1]) not in set("=+-@\t\r\n") for cell in texts)
    assert sorted(r["slice"] for r in typed(dangerous())) == sorted(FORMULAS)  # Parquet has types: text is text


def test_numbers_stay_numbers_below_0_too() -> None:
    (row,) = [r for r in rows_of(CASES["baseline"].record) if r["slice"] == "group=a"]

    assert row["change"].startswith("-0.")


def test_pyarrow_reads_the_csv() -> None:
    options = pyarrow.csv.ReadOptions(use_threads=False)
    table = pyarrow.csv.read_csv(io.BytesIO(findings_csv(CASES["many"].record)), read_options=options)

    assert table.column_names == list(COLUMNS) and table.num_rows == 500
    assert table.column("value").to_pylist() == [0.05] * 500
    assert table.column("policy_line").to_pylist() == [7] * 500


def test_pandas_reads_both(tmp_path: Path) -> None:
    """In a process of its own: pyarrow's threads do not end well beside torch."""
    (tmp_path / "findings.csv").write_bytes(findings_csv(CASES["mixed"].record))
    (tmp_path / "findings.parquet").write_bytes(findings_parquet(CASES["mixed"].record))
    program = """
import json, pandas as pd
c, p = pd.read_csv("findings.csv"), pd.read_parquet("findings.parquet")
print(json.dumps([list(c.columns) == list(p.columns), c["value"].equals(p["value"]), len(p),
                  str(p["accepted"].dtype), str(c["value"].dtype), int(p["n"].sum()), int(c["accepted"].sum())]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=True, text=True)

    assert json.loads(done.stdout) == [True, True, 9, "bool", "float64", 1200, 1]


@pytest.mark.slow
def test_a_spreadsheet_sees_text_and_numbers_and_no_formula(tmp_path: Path) -> None:
    """LibreOffice, with its evaluation of formulas on, as it is when a person opens the file."""
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")

    def opened(name: str, content: bytes) -> str:
        (tmp_path / f"{name}.csv").write_bytes(content)
        profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
        utf8 = "--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,-1"
        subprocess.run(
            [office, profile, "--headless", utf8, "--convert-to", "fods", f"{name}.csv"],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip
        return (tmp_path / f"{name}.fods").read_text("utf-8")

    assert 'table:formula="of:=1+1"' in opened("control", b"a,b\r\n=1+1,0.5\r\n")
    found = opened("findings", findings_csv(dangerous()))
    assert "table:formula" not in found
    assert found.count('office:value="0.05"') == len(FORMULAS)
    assert "\uff1d1+1" in found
