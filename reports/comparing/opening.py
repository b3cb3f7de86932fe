"""What a comparison opens with: what became of the findings, which limits flipped, and what cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from auditor.comparing.changes import Change
from auditor.comparing.flips import Flip, same_policy
from auditor.types import Status, finding_id
from reports.comparing.became import Became, FindingChange
from reports.comparing.blocks import Moved, MovedRow
from reports.comparing.compared import Compared
from reports.comparing.naming import change_words, interval_of, n_words, values_words
from reports.parts import Folded, Grid, Prose, Section, tag
from reports.words import STATUS, VERDICT, bound_words, counted, figure_words, slice_words

__all__ = ["apart_section", "findings_section", "findings_words", "flips_section", "flips_words"]

MARKS = {
    Became.NEW: "fail", Became.WORSE: "fail", Became.BETTER: "warn", Became.UNCHANGED: "inconclusive",
    Became.FIXED: "pass", Became.UNMEASURED: "measured", Became.OTHERWISE: "measured",
}  # fmt: skip
MOST = 12  # findings and flips in sight
NOT_JUDGED = "Not judged"
HOW = (
    "A finding is what did not pass, once for a figure. It is worse or better where the 95 % interval of its change "
    "leaves 0 out, and fixed where the second audit looked and every limit is met."
)

HOLM = (
    "The limits of a check are decided together (Holm): one can flip because another figure of its check moved, though "
    "its own did not."
)


# ---- findings ----------------------------------------------------------------------------------------------------
def findings_words(found: Sequence[FindingChange]) -> str:
    """`1 new, 0 worse, 0 better, 2 unchanged, 1 fixed`; and how many are no longer measured, where any is."""
    n = {became: sum(f.became is became for f in found) for became in Became}
    return ", ".join(f"{n[b]} {b}" for b in Became if n[b] or b not in (Became.UNMEASURED, Became.OTHERWISE))


def findings_section(c: Compared) -> Section:
    """Every finding of either audit, what needs a decision first."""
    if not c.findings:
        return Section("findings", "Findings", "Neither audit has a finding by the second's policy.", [])
    moved = {finding_id(x.check, x.name, x.slice): x for x in c.changes}
    rows = [_row(f, moved.get(f.id)) for f in c.findings]
    blocks: list[Any] = [Prose(HOW, small=True), Moved("What became of each", rows[:MOST])]
    if later := rows[MOST:]:
        blocks.append(Folded(counted(len(later), "further finding"), [Moved("Further findings", later)]))
    return Section(
        "findings", "Findings", f"Of {counted(len(c.findings), 'finding')}: {findings_words(c.findings)}.", blocks
    )


def _row(f: FindingChange, c: Change | None) -> MovedRow:
    statuses = f"{_status(f.status_before).lower()} before, {_status(f.status_after).lower()} now"
    if c is None:
        return MovedRow(MARKS[f.became], f.became.capitalize(), f.sentence, "", ("", ""), "", "", statuses)
    note = "; ".join(words for words in (statuses, n_words(c), f.doubt) if words)
    return MovedRow(
        MARKS[f.became], f.became.capitalize(), f.sentence, "", values_words(c), change_words(c), interval_of(c), note
    )


def _status(status: Status | None) -> str:
    return STATUS[status] if status else NOT_JUDGED


# ---- flips -------------------------------------------------------------------------------------------------------
def flips_words(c: Compared) -> str:
    """How many judgements flipped by what was measured, and what another policy makes of the first audit."""
    figures, policy = (sum(f.cause == cause for f in c.flips) for cause in ("figures", "policy"))
    said = f"{counted(figures, 'judgement') if figures else 'No judgement'} came out otherwise, by the same policy."
    a, b = c.before.audit, c.after.audit
    if same_policy(a.policy, b.policy):
        return said
    return (
        f"{said} The audits have different policies, {a.policy.name} and {b.policy.name}: both are judged here by the "
        f"second's. By it the first is “{VERDICT[c.first.verdict]}”, and was “{VERDICT[a.verdict]}” by its own; "
        f"{counted(policy, 'figure')} of it {'comes' if policy == 1 else 'come'} out otherwise for that reason alone."
    )


def flips_section(c: Compared) -> Section:
    """Every judgement that flipped, and apart from them what only the policy changed."""
    figures, policy = ([f for f in c.flips if f.cause == cause] for cause in ("figures", "policy"))
    sides, blocks = ("before", "after"), list[Any]()
    if figures:
        blocks.append(_grid("Judgements that came out otherwise", figures[:MOST], sides))
        blocks.append(Prose(HOLM, small=True))
    if later := figures[MOST:]:
        blocks.append(Folded(counted(len(later), "further judgement"), [_grid("Further judgements", later, sides)]))
    if policy:
        grid = _grid("Figures that only the policy lets come out otherwise", policy, ("by its own", "by the second's"))
        said = f"What the second's policy makes of the first audit: {counted(len(policy), 'figure')}"
        blocks.append(Folded(said, [grid]))
    return Section("flipped", "Limits that flipped", flips_words(c), blocks)


def _grid(caption: str, flips: Sequence[Flip], columns: tuple[str, str]) -> Grid:
    rows = [
        [
            figure_words(f.measure), slice_words(f.slice) or "all rows", bound_words(f.limit) if f.limit else "",
            _tag(f.before), _tag(f.after), f.check,
        ]
        for f in flips
    ]  # fmt: skip
    return Grid(caption, ("figure", "about", "limit", *columns, "check"), rows)


def _tag(status: Status | None) -> Markup | str:
    return tag(status) if status else NOT_JUDGED


# ---- what cannot be compared -------------------------------------------------------------------------------------
def apart_section(c: Compared) -> Section:
    """In what the audits differ besides their figures."""
    if not c.differences:
        same = "Both audits are of the same data, rows, checks and settings, with the same seed and versions."
        return Section("apart", "What cannot be compared", same, [])
    rows = [[d.what, d.before, d.after, d.effect] for d in c.differences]
    answer = f"The audits differ in {counted(len(rows), 'thing')} besides their figures."
    grid = Grid("In what the audits differ", ("what", "before", "after", "so that"), rows)
    return Section("apart", "What cannot be compared", answer, [grid])
