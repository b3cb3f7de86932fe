"""Sign-off: the form that a reviewer fills in by hand, and how a decision is recorded so that it can be verified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from auditor.types import Audit
from reports.parts import Code, Prose, Section

__all__ = ["signoff"]

# what a reviewer says of themselves, and under which key of [statements] it may stand already
STATED = (
    ("Reviewer", "reviewer"),
    ("Role", "role"),
    ("Independence from those who built the model", "independence"),
)
DECISIONS = ("Approve", "Approve with conditions", "Reject")
LINES = ("Date", "Signature of the reviewer", "Signature of the accountable owner")
RECORDED = (
    "This form is for paper. A sign-off that can be verified is a signed record of its own beside this page, made with "
    "the reviewer's key; it names this audit by its digest and never edits the page, so that what was signed stays as "
    "it was read."
)
RECORD = (
    "auditor sign DIR --key KEY --reviewer 'NAME, ROLE' \\\n"
    "    --decision approve-with-conditions --statement 'CONDITIONS'"
)
FROM_FILE = "What is filled in was stated in the audit file, before the audit ran; nobody has checked it."


@dataclass(frozen=True)
class Form:
    """Lines to fill in; a line with a text is filled in already. One of the `choices` is to be ticked."""

    kind: ClassVar[str] = "form"
    stated: Sequence[tuple[str, str]]
    choices: Sequence[str]
    lines: Sequence[str]


def signoff(audit: Audit) -> Section:
    """The section; a decision, its date and its signature are never filled in."""
    given = {key.casefold(): text for key, text in audit.statements.items()}
    stated = [(label, given.get(key, "")) for label, key in STATED]
    blocks: list[Any] = [Form(stated, DECISIONS, LINES)]
    if any(text for _, text in stated):
        blocks.append(Prose(FROM_FILE, small=True))
    blocks += [Prose(RECORDED), Code("To record it", RECORD)]
    return Section(
        "signoff", "Sign-off", "Open when this page was written: the decision is a person's.", blocks, "open"
    )
