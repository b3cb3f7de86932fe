"""The catalogue of requirements: closed on both sides, dated, sourced, and numbered as the texts are."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date, timedelta
from importlib import resources
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import auditor.checks  # noqa: F401 - importing registers every check
from auditor.config import BUILT_IN, parse_audit_file
from auditor.errors import UsageError
from auditor.policy import load_policy
from auditor.registry import CHECKS
from auditor.requirements import Catalogue, Requirement, catalogue, need_known, requirement

EVERY = catalogue().requirement


def test_every_check_is_named_by_a_requirement_and_every_named_check_exists() -> None:
    named = {check for r in EVERY for check in (*r.checks, *r.further)}

    assert named == set(CHECKS)


def test_every_requirement_has_checks_or_a_statement_or_a_reason_why_not_and_never_two() -> None:
    assert [r.id for r in EVERY if bool(r.checks) + r.statement + bool(r.not_by_us) != 1] == []
    assert len({r.id for r in EVERY}) == len(EVERY) > 100


def test_every_framework_has_requirements_and_the_order_is_that_of_the_frameworks() -> None:
    order = [f.id for f in catalogue().framework]

    assert list(dict.fromkeys(r.framework for r in EVERY)) == order


@pytest.mark.parametrize("entry", [*EVERY, *catalogue().framework], ids=lambda e: e.id)
def test_every_entry_has_a_title_a_source_and_a_date_that_is_not_after_the_catalogues(entry: Any) -> None:
    assert entry.title.strip() and entry.source.strip()
    assert date(2026, 7, 27) <= entry.as_of <= catalogue().as_of
    assert entry.title.endswith(".") is isinstance(entry, Requirement)


def test_every_source_names_the_place_that_the_id_names() -> None:
    for r in EVERY:
        place = r.id.partition(":")[2]
        if r.framework == "EU-AIA":
            known = f"Annex IV, point {place[8:]}" if place.startswith("AnnexIV.") else f"Article {place}"
            assert r.source.startswith(known), r.id
        elif r.framework not in {"NIST", "SR26-2"}:
            assert place in r.source, r.id


def test_every_setting_that_a_requirement_asks_for_is_one_that_its_checks_have() -> None:
    for r in EVERY:
        for check in r.checks if r.settings else ():
            assert CHECKS[check].params(r.settings).items() >= r.settings.items()


# ---- what the texts say ------------------------------------------------------------------------------------------
def framework(name: str) -> str:
    (found,) = [f for f in catalogue().framework if f.id == name]
    return f"{found.title} {found.edition} {found.status} {found.note}"


def test_the_ai_act_is_the_amended_one_with_its_dates() -> None:
    about = framework("EU-AIA")

    assert "2 Dec 2027 (Annex III)" in about and "2 Aug 2028 (Annex I)" in about
    assert "2026/1744" in about and "2 Aug 2026" not in about
    assert "No harmonised standard" in about and "2026-08-05" in about
    assert "deleted Article 10(5)" in about
    assert "EU-AIA:10(5)" not in catalogue().by_id
    assert "special categories" in requirement("EU-AIA:4a(1)").title


@pytest.mark.parametrize(
    ("name", "words", "check"),
    [
        ("EU-AIA:9(8)", "probabilistic thresholds", ""),
        ("EU-AIA:9(5)", "risk that remains", ""),
        ("EU-AIA:15(5)", "adversarial examples", "robustness.curve"),
        ("EU-AIA:15(4)", "errors, faults and inconsistencies", "robustness.corruption"),
        ("EU-AIA:15(3)", "declared", "performance.accuracy"),
        ("EU-AIA:10(2)(f)", "examined for biases", "fairness.groups"),
        ("EU-AIA:13(3)(b)(v)", "persons or groups", "fairness.groups"),
        ("EU-AIA:AnnexIV.2.g", "dated and signed", "performance.accuracy"),
        ("NIST:MEASURE2.7", "Security and resilience", "robustness.curve"),
        ("NIST:MEASURE2.9", "explained", "explain.faithfulness"),
        ("NIST:MEASURE2.11", "Fairness and bias", "fairness.groups"),
        ("NYC-LL144:5-301(b)(5)", "unknown category", "fairness.impact_ratio"),
        ("AIV:7.1.1", "changing a person's group", "fairness.flips"),
    ],
)
def test_numbers_that_are_often_mistaken_are_right(name: str, words: str, check: str) -> None:
    found = requirement(name)

    assert words in found.title
    assert check in found.checks if check else found.statement


def test_what_the_checks_do_not_see_of_attacks_is_said() -> None:
    assert "poisoning, confidentiality" in requirement("EU-AIA:15(5)").scope


def test_the_rules_of_selection_stand_as_they_stood() -> None:
    city, federal = framework("NYC-LL144"), framework("UGESP")

    assert "no number" in city and "not affected by the rescission" in city
    assert all(s in federal for s in ("RIN 3046-AB43", "Final Rule Stage", "2026-07-05", "RIN 3046-AB45"))
    assert "No published final rule was found by 2026-11-22" in federal
    assert all(r.settings == {"profile": "nyc-ll144"} for r in catalogue().of("NYC-LL144") if r.checks)


def test_the_guidance_for_banks_and_the_standard_say_what_was_not_read() -> None:
    banks, standard = framework("SR26-2"), framework("ISO42001")

    assert "was SR 11-7" in banks and "17 Apr 2026" in banks and "Not binding" in banks
    assert "section numbers of SR 26-2 have not been checked" in banks
    assert "check A.7.x against the standard" in standard
    assert all("check the number" in r.source for r in EVERY if r.id.startswith("ISO42001:A.7"))


def test_nothing_promises_conformity_and_every_framework_says_it_is_no_advice() -> None:
    assert "no finding of conformity" in catalogue().note and "not legal advice" in catalogue().note
    assert all(f.note.endswith("Not legal advice.") for f in catalogue().framework)


# ---- a file that contradicts itself ------------------------------------------------------------------------------
def one(**changed: Any) -> Requirement:
    return replace(requirement("EU-AIA:15(5)"), **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"statement": True}, "not exactly one of checks, statement and not_by_us"),
        ({"checks": ()}, "not exactly one"),
        ({"checks": (), "statement": True}, "further, settings or scope without checks"),
        ({"further": ("robustness.curve",)}, "names the check robustness.curve twice"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one(**changed)


def test_a_catalogue_with_an_id_twice_of_no_framework_or_from_the_future_is_refused() -> None:
    known, late = catalogue(), catalogue().as_of + timedelta(days=1)

    for entries, message in (
        ((*EVERY, EVERY[0]), "stands in the catalogue twice"),
        ((one(id="EU:15"),), "is of no framework"),
        ((one(as_of=late),), "after the catalogue's own date"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(known, requirement=entries)


def test_an_unknown_key_of_the_data_file_is_refused() -> None:
    given = tomllib.loads((resources.files("auditor") / "requirements.toml").read_text("utf-8"))
    given["requirement"][0]["chekcs"] = []

    with pytest.raises(ValidationError, match="chekcs"):
        TypeAdapter(Catalogue).validate_python(given)


# ---- ids that people write ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("EU-AIA:15(6)", "EU-AIA:15(5)"),
        ("eu-aia:15(5)", "EU-AIA:15(5)"),
        ("NIST:MEASURE 2.7", "NIST:MEASURE2.7"),
        ("?", "ids begin with EU-AIA:, NIST:"),
    ],
)
def test_an_unknown_id_is_refused_in_one_line_with_those_near_it(given: str, near: str) -> None:
    with pytest.raises(UsageError) as e:
        requirement(given)

    assert near in str(e.value).partition(";")[2]
    assert "2026-11-22" in str(e.value) and "\n" not in str(e.value)


def test_ids_are_checked_where_they_stand() -> None:
    need_known(["EU-AIA:15(5)", "NIST:MEASURE2.7"], "policy 'p'")

    with pytest.raises(UsageError, match=r"^policy 'p': there is no requirement 'x:1'"):
        need_known(["EU-AIA:15(5)", "x:1"], "policy 'p'")


def test_a_statement_is_by_the_id_of_a_requirement_or_under_a_heading_without_a_colon() -> None:
    whole = {"data": {"path": "d.csv", "score": "p"}}
    given = {"EU-AIA:14(4)(d)": "a clerk", "who was asked": "nobody"}

    assert parse_audit_file({**whole, "statements": given}).statements == given
    with pytest.raises(UsageError, match=r"^a\.toml: \[statements\].*no colon.*'EU-AIA:14\(4\)\(x\)'.*near it"):
        parse_audit_file({**whole, "statements": {"EU-AIA:14(4)(x)": "a clerk"}}, "a.toml")


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_built_in_policies_name_requirements_that_their_checks_are_evidence_for(name: str) -> None:
    limits = load_policy(name).limits

    for limit in limits:
        for i in limit.requirement:
            assert limit.check in (*requirement(i).checks, *requirement(i).further), (limit.check, i)
    assert any(li.requirement for li in limits) is (name != "default")


@pytest.mark.parametrize(("name", "prefix"), [("eu-ai-act", "EU-AIA"), ("nist-ai-rmf", "NIST")])
def test_policies_of_laws_without_numbers_require_checks_and_set_none(name: str, prefix: str) -> None:
    limits = load_policy(name).limits

    assert all(li.required and not li.bounds and not li.measure and li.rationale for li in limits)
    assert {requirement(i).framework for li in limits for i in li.requirement} == {prefix}
    assert {li.check.partition(".")[0] for li in limits} >= {"performance", "explain", "robustness", "fairness"}


@pytest.mark.parametrize("name", ["eu-ai-act", "nist-ai-rmf"])
def test_a_policy_requires_all_that_the_requirements_it_names_need(name: str) -> None:
    policy = load_policy(name)
    required = {limit.check for limit in policy.limits}

    for r in {r for limit in policy.limits for r in limit.requirement}:
        assert set(requirement(r).checks) <= required, r
