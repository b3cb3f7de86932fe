"""audit.json: its canonical bytes against RFC 8785 derived anew, and its published schema."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from auditor.schema import audit_to_json, canonical, json_schema
from auditor.stats import METHODS, difference, measured, rate, ratio
from auditor.types import Measure
from auditor.unsaid import unsaid
from tests.reports.records import record
from tests.test_store import audit

PUBLISHED = Path(__file__).resolve().parents[1] / "reports" / "schema" / "audit-v1.json"
ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


# ---- RFC 8785 as it is written -----------------------------------------------------------------------------------
def es_number(x: float) -> str:
    """Number::toString of ECMAScript (section 3.2.2.3), from the shortest digits that give `x` back."""
    if x == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(float(abs(x)))).normalize().as_tuple()
    s, n = "".join(map(str, digits)), len(digits) + int(exponent)
    k = len(s)
    if k <= n <= 21:
        text = s + "0" * (n - k)
    elif 0 < n <= 21:
        text = f"{s[:n]}.{s[n:]}"
    elif -6 < n <= 0:
        text = "0." + "0" * -n + s
    else:
        mantissa = s if k == 1 else f"{s[0]}.{s[1:]}"
        text = f"{mantissa}e{'+' if n > 0 else '-'}{abs(n - 1)}"
    return f"-{text}" if x < 0 or sign else text


def es_string(text: str) -> str:
    return '"' + "".join(ESCAPES.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def derived(value: Any) -> str:
    """`value` by the rules of RFC 8785, section 3.2."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case int() | float():
            return es_number(value)
        case str():
            return es_string(value)
        case dict():
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))  # 3.2.3: by UTF-16 code units
            return "{" + ",".join(f"{es_string(k)}:{derived(value[k])}" for k in keys) + "}"
        case _:
            return "[" + ",".join(map(derived, value)) + "]"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_canonical_bytes_are_those_of_the_rfc(value: Any) -> None:
    assert canonical(value).decode() == derived(value)


@pytest.mark.parametrize(
    ("value", "text"),  # appendix B of the RFC
    [
        (5e-324, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"), (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"), (0.000001, "0.000001"), (9.999999999999997e-7, "9.999999999999997e-7"),
        (333333333.33333325, "333333333.33333325"), (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"), (-0.0, "0"),
    ],
)  # fmt: skip
def test_numbers_of_the_rfcs_appendix(value: float, text: str) -> None:
    assert canonical(value).decode() == text
    assert es_number(value) == text


def test_an_audit_is_written_in_canonical_bytes() -> None:
    for found in (audit(), record().audit):
        text = audit_to_json(found).decode()

        assert derived(json.loads(text)) == text


# ---- a figure that is not known ----------------------------------------------------------------------------------
@cache
def validator() -> Draft202012Validator:
    schema = json.loads(PUBLISHED.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_a_figure_without_a_value_says_why_and_one_with_a_value_does_not() -> None:
    figures = [m for o in (*record().audit.outcomes, *audit().outcomes) for m in o.measures]

    assert any(m.value is None for m in figures)
    assert all(bool(m.why) is (m.value is None) for m in figures)
    assert Measure("m", "", 0.5, 3, why="not so").why == ""


def test_the_schema_asks_for_the_reason_of_a_figure_that_is_not_known() -> None:
    stored = json.loads(audit_to_json(audit()))
    (unknown,) = [m for m in stored["outcomes"][0]["result"]["measures"] if m["value"] is None]
    assert list(validator().iter_errors(stored)) == []

    unknown["why"] = ""

    (error,) = validator().iter_errors(stored)  # a result is null or what it should be
    assert [e.path[-1] for e in error.context or () if e.path] == ["why"]


@pytest.mark.parametrize(
    ("measure", "why"),
    [
        (rate("m", 0, 0), "no row counts in it"),
        (difference("m", (1, 2), (0, 0)), "one of its two sides has no row"),
        (ratio("m", (1, 2), (0, 5)), "what it is divided by is 0, or is of no row"),
        (measured("m", "", "largest-gap", (3, 5), n=5), "fewer than two groups have rows"),
        (measured("m", "", "mcc", (3, 0, 2, 0), n=5), "all rows have the same label, or the same answer"),
        (measured("m", "", "generalized-entropy", (0, 5, 5), n=5), "nobody benefits"),
    ],
)
def test_counts_that_give_no_value_say_what_they_lack(measure: Measure, why: str) -> None:
    assert (measure.value, measure.why) == (None, why)


def test_every_reason_is_of_a_method_that_there_is() -> None:
    from auditor.unsaid import WHY

    assert set(WHY) <= set(METHODS)
    assert unsaid("largest-gap-of-means") and not unsaid("wilson")


# ---- the published file ------------------------------------------------------------------------------------------
def test_the_module_prints_the_published_schema_byte_for_byte() -> None:
    printed = subprocess.run([sys.executable, "-m", "auditor.schema"], check=True, capture_output=True).stdout

    assert printed == PUBLISHED.read_bytes()
    assert json.loads(printed) == json_schema()


def test_every_type_and_the_file_itself_are_described() -> None:
    schema = json_schema()

    assert schema["$id"] == "urn:torch-auditor:schema:audit-v1"
    assert all(definition.get("description") for definition in (schema, *schema["$defs"].values()))
