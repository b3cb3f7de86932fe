"""What no check of any audit by this tool measures: a list to be kept up as checks are added."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AS_OF", "OUT_OF_REACH", "Limit"]

AS_OF = "23 Nov 2026"


@dataclass(frozen=True)
class Limit:
    """Something that goes unmeasured, and what that means; left out where a check ran whose id begins with `unless`."""

    what: str
    meaning: str
    unless: str = "-"


OUT_OF_REACH = (
    Limit("Physical attacks", "Numbers that go into the model were changed; no print, lamp, camera or voice was."),
    Limit("The training process", "How, on what and by whom the model was trained is as declared."),
    Limit("Poisoned training data", "Nobody looked for planted rows or hidden triggers.", unless="data.poison"),
    Limit("Leaks of training data", "Nobody tried to read rows of it out of the model.", unless="privacy."),
    Limit("Use in production", "Drift, feedback loops, load and faults after release were not watched."),
    Limit("Other people and places", "Rows of other years, places and populations than the audited ones."),
    Limit("The labels", "They count as true; whether they are right, or just, was not asked."),
    Limit("The people who use it", "Whether they understand, override or over-trust the answers."),
    Limit("The system around it", "Access, logging, updates, secrets, and what other software does with an answer."),
    Limit("Whether it should exist", "Purpose, lawfulness, and who bears the harm are for people to decide."),
)
