"""Policies as files: what is built in, what a file may say, and how a bad one is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.policy import load_policy
from auditor.types import Acceptance, Policy


def read(folder: Path, text: str) -> Policy:
    (folder / "policy.toml").write_text(text)
    return load_policy("policy.toml", folder)


def test_the_rules_on_selection_rates_are_built_in() -> None:
    (four,) = load_policy("four-fifths").limits

    assert (four.check, four.measure, four.bounds) == ("fairness.impact_ratio", "impact_ratio", {"fail_below": 0.8})
    assert four.required and "1607.4(D)" in four.rationale and "2026-11-22" in four.rationale
    asked = load_policy("nyc-ll144").limits
    assert [x.measure for x in asked] == ["selection_rate", "impact_ratio", "unknown_count"]
    assert all(x.required and not x.bounds and "6 RCNY" in x.rationale for x in asked)
    assert all(x.settings == {"profile": "nyc-ll144"} for x in asked)


def test_the_default_policy_is_the_designs() -> None:
    found = {(x.check, x.measure): x for x in load_policy("default").limits}

    assert found["robustness.trust", "rules_fired"].fail_above == 0
    assert found["explain.lrp", "ledger_error"].warn_above == 1e-4
    assert found["performance.accuracy", "accuracy"].warn_below == "majority_share"
    assert found["fairness.impact_ratio", "impact_ratio"].warn_below == 0.8
    assert found["explain.shortcuts", "shortcuts"].warn_above == 0
    assert len(found) == 5
    assert not any(x.required for x in found.values())
    assert all(x.rationale for x in found.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[limit]]\ncheck='a.b'\nmeasure='m'\n", "has none of fail_below"),
        ("[[limit]]\ncheck='a.b'\nmeasure='m'\nfail_belw=1\n", "unknown key 'fail_belw'.*known: .*fail_below"),
        ("[[limit]]\ncheck='a.b'\nmeasure='m'\nfail_below=1\nconfidence=95\n", "confidence is 95.0"),
        ("[[limits]]\n", "unknown key 'limits' in the top level; known: limit, accept"),
        ("[[limit]\n", "is not TOML"),
    ],
)
def test_a_bad_policy_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "policy.toml").write_text(text)

    with pytest.raises(UsageError, match=message) as e:
        load_policy("policy.toml", tmp_path)
    assert "\n" not in str(e.value)


def test_a_missing_policy_names_the_built_in_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read.*default"):
        load_policy("nowhere.toml", tmp_path)


LIMIT = "[[limit]]\ncheck='a.b'\nmeasure='m'\nfail_below=1\n"


def test_a_file_is_named_and_each_limit_knows_its_line(tmp_path: Path) -> None:
    found = read(tmp_path, f"# why\n\n{LIMIT}\n  [[ limit ]]  # more\ncheck='a.c'\nmeasure='m'\nfail_above=2\n")

    assert (found.name, found.file) == ("policy", "policy.toml")
    assert [x.line for x in found.limits] == [3, 8]
    assert load_policy("default").file == ""
    assert load_policy("default").limits[0].line == 3


def test_limits_in_another_form_have_no_line(tmp_path: Path) -> None:
    found = read(tmp_path, "limit = [{check='a.b', measure='m', fail_below=1}]")

    assert [x.line for x in found.limits] == [0]


def test_a_byte_order_mark_of_an_editor_is_no_part_of_a_policy(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(f"{LIMIT}slice='größe=1'\n", "utf-8-sig")

    (found,) = load_policy("policy.toml", tmp_path).limits
    assert (found.slice, found.line) == ("größe=1", 1)


def test_a_size_may_be_a_fraction(tmp_path: Path) -> None:
    found = read(tmp_path, LIMIT + "slice='linf@8/255'\n" + LIMIT + "slice='kind=1/2'\n")

    assert [x.slice for x in found.limits] == [f"linf@{8 / 255:.3g}", "kind=1/2"]
    beyond = f"linf@1{'0' * 5000}/3"
    assert read(tmp_path, f"{LIMIT}slice='{beyond}'\n").limits[0].slice == beyond


CHANGE = "[[limit]]\ncheck='a.b'\nmeasure='m'\n"
ACCEPT = "[[accept]]\nfinding='a.b/m/sex=F&race=B/C'\nowner='Ann'\nreason='known'\nexpires=2027-01-31\n"


def test_an_accepted_finding_has_an_owner_a_reason_and_an_end(tmp_path: Path) -> None:
    assert read(tmp_path, LIMIT + ACCEPT).accept == (
        Acceptance("a.b/m/sex=F&race=B/C", "Ann", "known", date(2027, 1, 31)),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limit]\ncheck='a.b'\n", r"\[limit\] is one table; write \[\[limit\]\], once for each"),
        ("[accept]\nfinding='a.b/m'\n", r"write \[\[accept\]\]"),
        (ACCEPT + ACCEPT, "twice; name each finding once"),
        (ACCEPT.replace("a.b/m/sex=F&race=B/C", "F1"), "'F1'; expected CHECK/MEASURE/SLICE"),
        (ACCEPT.replace("'Ann'", "' '"), "empty owner"),
        (ACCEPT.replace("'known'", "''"), "empty reason"),
        (ACCEPT.replace("2027-01-31", "'soon'"), "accept number 1, expires"),
        (ACCEPT.replace("expires=2027-01-31\n", ""), "has no 'expires'"),
        (ACCEPT + "until=1\n", "unknown key 'until'.*known: finding, owner, reason, expires"),
        (LIMIT + "line=3\n", "has the key line"),
        (LIMIT + "fail_worse_by=0.1\n", "write two limits"),
        (LIMIT + LIMIT.replace("=1", "='x'\nconfidence='high'"), "limit number 2, confidence: .*found 'high'"),
        (
            LIMIT + "requirement='nyc-ll144:5-301'\n",
            r"limit number 1, requirement: expected a list, \['nyc-ll144:5-301'\]",
        ),
        (LIMIT + "warn_below=0.5\n", r"warn_below \(0.5\) lies beyond fail_below \(1\), .* were they exchanged\?"),
        (LIMIT.replace("below", "above") + "warn_above=1.5\n", r"warn_above \(1.5\) lies beyond fail_above"),
        (CHANGE + "fail_worse_by=0.1\nwarn_worse_by=0.2\n", r"warn_worse_by \(0.2\) lies beyond fail_worse_by"),
        (LIMIT + "fail_above=0.5\n", r"no figure is at least 1 \(fail_below\) and at most 0.5 \(fail_above\)"),
        (LIMIT + LIMIT, "two limits have fail_below 1 on a.b m; write one, with all its requirements"),
        ("[[limit]]\ncheck='a.b'\nmeasure='m'\nfail_worse_by=-0.1\n", "fail_worse_by on a.b m is -0.1"),
        ("[[limit]]\ncheck='a.b'\nmeasure='m'\nfail_worse_by='m'\n", "fail_worse_by"),
        ("[[limit]]\ncheck='a.b'\nfail_below=1\n", "names no measure"),
        (CHANGE + "fail_below=''\n", "fail_below on a.b m is ''; expected a number, or the name of a measure"),
        (CHANGE + "warn_above=' \t'\n", r"warn_above on a.b m is ' \\t'; expected a number"),
        (CHANGE + "fail_below=inf\n", "fail_below on a.b m is inf; expected a finite number"),
        (CHANGE + f"fail_below=1{'0' * 400}\n", "expected a finite number"),
        (LIMIT + "settings={x=nan}\n", "the limit on a.b m asks for x = nan: expected a finite number"),
        (LIMIT + "settings={x=[0.1, -inf]}\n", "expected a finite number"),
        (LIMIT + "settings={x=9007199254740992}\n", "expected a whole number of at most 9,007,199,254,740,991"),
        (LIMIT + "settings={x=[-9007199254740993]}\n", "asks for x = .*: expected a whole number of at most"),
        (LIMIT + "slice='linf@8/255'\n" + LIMIT + "slice='linf@0.0314'\n", "two limits have fail_below 1 on a.b m"),
        (LIMIT + "settings={x=1,y=2}\n" + LIMIT + "settings={y=2,x=1}\n", "two limits have fail_below 1 on a.b m"),
        ("[[limit]]\ncheck='a.b'\n", "names no measure"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as e:
        read(tmp_path, text)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "text",
    [
        LIMIT + "warn_below=1\n",
        LIMIT + "warn_below=2\n",
        LIMIT + "fail_above=1\n",
        LIMIT + "warn_below='share'\n",
        LIMIT + LIMIT.replace("=1", "=2"),
        LIMIT + LIMIT + "slice='sex=F'\n",
        LIMIT + LIMIT + "settings={norm='l2'}\n",
    ],
)
def test_bounds_that_go_together_are_taken(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).limits
