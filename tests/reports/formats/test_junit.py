"""junit.xml: what a test page shows of each limit, in the form that its readers know."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml

from auditor.schema import audit_to_json
from auditor.store import Record
from auditor.types import Limit
from reports.formats.junit import junit
from tests.reports.formats.cases import CASES, CHECK, FLOOR
from tests.reports.records import hostile, record, with_policy

# Jenkins' junit-10.xsd: the elements, their attributes and, in this order, what stands in them
ALLOWED: dict[str, tuple[set[str], list[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors", "skipped"}, ["testsuite"]),
    "testsuite": (
        {
            "name",
            "tests",
            "failures",
            "errors",
            "time",
            "disabled",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        },
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "properties": (set(), ["property"]),
    "property": ({"name", "value"}, []),
    "testcase": (
        {"name", "assertions", "time", "classname", "status", "class", "file", "line"},
        ["skipped", "error", "failure", "system-out", "system-err"],
    ),
    "skipped": ({"type", "message"}, []),
    "error": ({"type", "message"}, []),
    "failure": ({"type", "message"}, []),
    "system-out": (set(), []),
}


def check(element: ET.Element) -> None:
    attributes, children = ALLOWED[element.tag]
    assert set(element.attrib) <= attributes
    order = [children.index(child.tag) for child in element]
    assert order == sorted(order)
    for child in element:
        check(child)


def cases(found: Record) -> dict[str, tuple[str, str]]:
    """How each case ended and what it says, by its class and name."""
    (suite,) = JUnitXml.fromstring(junit(found).encode())
    ended: dict[str, tuple[str, str]] = {}
    for case in suite:
        name = f"{case.classname} {case.name}"
        assert name not in ended
        ended[name] = ("passed", str(case.system_out))
        for result in case.result:
            ended[name] = (f"{type(result).__name__} {result.type}", str(result.message))
    return ended


@pytest.mark.parametrize("name", CASES)
def test_it_has_the_form_that_jenkins_reads(name: str) -> None:
    text = junit(CASES[name].record)

    check(ET.fromstring(text))
    assert not re.search(r" (time|timestamp|hostname)=", text)


def test_every_limit_ends_as_the_documents_say() -> None:
    found = cases(CASES["mixed"].record)
    ended = {name: kind for name, (kind, _) in found.items()}

    assert ended == {
        "fairness.groups accuracy of group=good: fail_below": "passed",
        "fairness.groups accuracy of group=good: warn_below": "passed",
        "fairness.groups accuracy of group=open: fail_below": "Skipped undecided",
        "fairness.groups accuracy of group=bad: fail_below": "Failure limit",
        "fairness.groups accuracy of group=kept: fail_below": "passed",
        "fairness.groups accuracy of group=late: fail_below": "Failure expired",
        "fairness.groups limit on accuracy of group=nobody": "Error not judged",
        "robustness.trust Title of robustness.trust": "Error error",
        "robustness.trust limit on rules_fired": "Error not judged",
        "explain.lrp limit on ledger_error": "Skipped not judged",
    }
    assert found["fairness.groups accuracy of group=kept: fail_below"][1].endswith(
        "Accepted by Ann until 1 Dec 2026 (counts as a warning while accepted): it is retrained"
    )
    assert "which has passed" in found["fairness.groups accuracy of group=late: fail_below"][1]
    assert found["robustness.trust Title of robustness.trust"][1] == "ValueError: no"


def test_a_required_limit_that_is_undecided_is_an_error() -> None:
    assert cases(CASES["undecided"].record)[f"{CHECK} accuracy of group=a: fail_below"][0] == "Error undecided"


def test_a_check_that_no_limit_names_has_a_case_of_its_own() -> None:
    ended = {name.split()[0]: kind for name, (kind, _) in cases(with_policy(record(), FLOOR)).items()}

    assert ended["intake.preflight"] == "passed"
    assert ended["fairness.impact_ratio"] == "Skipped not_applicable"
    assert set(ended) == {o.check for o in record().audit.outcomes}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (CASES["interrupted"].record, "The audit was interrupted: 1 check did not finish, so nothing is concluded."),
        (with_policy(record()), "No limit of the policy names a figure that was measured, so nothing was judged."),
    ],
    ids=["interrupted", "nothing judged"],
)
def test_an_incomplete_audit_without_another_error_has_one_that_says_why(found: Record, why: str) -> None:
    (suite,) = JUnitXml.fromstring(junit(found).encode())
    (case,) = [c for c in suite if c.name == "audit"]

    assert (suite.failures, suite.errors) == (0, 1)
    assert case.result[0].message == why


def test_it_says_which_audit_it_is_of() -> None:
    found = CASES["one"].record
    (suite,) = JUnitXml.fromstring(junit(found).encode())
    properties = {p.name: p.value for p in suite.properties()}

    assert properties["verdict"] == "fail" and properties["policy"] == "mine"
    assert properties["audit.json sha256"] == hashlib.sha256(audit_to_json(found.audit)).hexdigest()
    assert properties["data sha256"] == "a" * 64


def test_the_digest_is_that_of_the_stored_audit_whatever_cannot_be_read_in_it() -> None:
    (suite,) = JUnitXml.fromstring(junit(hostile()).encode())

    digest = hashlib.sha256(audit_to_json(hostile().audit)).hexdigest()
    assert digest in {p.value for p in suite.properties()}


def test_a_limit_on_no_measure_is_named() -> None:
    asked = Limit("robustness.trust", required=True)
    found = CASES["one"].record
    missing = replace(found, audit=replace(found.audit, policy=replace(found.audit.policy, limits=(asked,))))

    assert cases(missing)["robustness.trust limit on a result"][0] == "Error not judged"
