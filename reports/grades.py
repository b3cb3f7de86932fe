"""How far the evidence can be trusted: what kind of file the model came as, and how it was held while it ran."""

from __future__ import annotations

from auditor.types import Audit

__all__ = ["grade_meaning", "grade_words", "how_held"]

# what kind of file the evidence comes from, and what that means for whoever reads it
GRADES = {
    "data": (
        "data: weights in a known architecture",
        "The file holds numbers alone; the code that ran them is published, and none of the file's maker ran.",
    ),
    "program": (
        "program: the model file brings code of its own",
        "Before it was loaded it was looked at, and nothing but torch's own operators was let through.",
    ),
    "code": (
        "code: the architecture is Python of its own, which could forge its own result",
        "The figures hold as far as the maker of that Python is trusted.",
    ),
}
HELD = {
    "bwrap+lock": "The model ran in a sandbox: namespaces of its own, and a lock by the kernel on files and calls.",
    "lock": "The model ran in a sandbox: a lock by the kernel on files and calls.",
    "container": "The model ran in a process of its own in a container, which was trusted to hold it.",
    "none": "The model ran in a process of its own that nothing held.",
}
TRIED = "tried in it and denied"  # the key of the environment


def grade_words(grade: str, *, model: bool = True) -> str:
    """An evidence grade with what it stands for; without a `model` there are predictions alone."""
    return (
        GRADES.get(grade, (grade, ""))[0] if model else f"{grade}: no model was run; the predictions are as they came"
    )


def grade_meaning(grade: str) -> str:
    """What an evidence grade means for the figures, in a sentence."""
    return GRADES.get(grade, ("", ""))[1]


def how_held(audit: Audit) -> str:
    """How the model was held while it ran, and what was tried in there and denied; "" where an audit does not say."""
    held = str(audit.environment.get("isolation", ""))
    if not held:
        return ""
    tried = audit.environment.get(TRIED)
    denied = f" Tried in it and denied: {tried}." if tried else ""
    return HELD.get(held, "The model ran without a sandbox, as was asked for.") + denied
