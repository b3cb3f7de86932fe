"""What the pages share: words for a job, and text of others made harmless."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from app.jobs import Job, progress
from auditor.types import Verdict
from reports.legible import legible
from reports.words import VERDICT

__all__ = ["FRAME", "PAGES", "address", "choose", "plain", "show_progress", "status", "when"]

FRAME = 900  # height of an embedded report: a frame of another origin cannot be measured
PAGES = {n: Path(__file__).parent / "pages" / f"{n}.py" for n in ("audits", "new", "report", "explore", "compare")}
MARKS = {"pass": "●", "conditions": "▲", "fail": "◆", "incomplete": "○"}
STATES = {
    "queued": "Waiting", "running": "Running", "done": "Done", "refused": "Refused", "failed": "Ended with an error",
    "cancelled": "Cancelled", "interrupted": "Interrupted",
}  # fmt: skip
JOINER = "\N{WORD JOINER}"  # invisible; breaks what Markdown makes of :smile:, www.example.org and a@b.c


def plain(text: str) -> str:
    """`text` in one line that Markdown shows as it is: text from models, data and file names is somebody else's."""
    escaped = "".join(f"\\{c}" if c in string.punctuation else c for c in " ".join(legible(text).split()))
    return re.sub(r"(?i)(:|@|www)", rf"\1{JOINER}", escaped)


def status(job: Job) -> str:
    """How the job ended, or where it is: a mark and words."""
    if job.state == "done":
        return f"{MARKS[job.verdict]} {VERDICT[Verdict(job.verdict)]}"
    return STATES[job.state]


def when(job: Job) -> str:
    """The minute it was asked for."""
    return f"{datetime.fromisoformat(job.created):%-d %b %Y, %H:%M} UTC"


def choose(label: str, jobs: Sequence[Job], key: str) -> Job | None:
    """The job that the visitor chose; its id stands in the address as `key`, so that a reload finds it again."""
    by_id = {job.id: job for job in jobs}
    given = st.query_params.get(key, "")
    chosen = st.selectbox(
        label, list(by_id), list(by_id).index(given) if given in by_id else None, placeholder="Choose an audit",
        format_func=lambda i: f"{legible(by_id[i].name)}, {when(by_id[i])}, {status(by_id[i])}",
    )  # fmt: skip
    if chosen is None:
        return None
    st.query_params[key] = chosen
    return by_id[chosen]


def show_progress(job: Job) -> None:
    """How far an open job is, with a button that stops it."""
    found = progress(job)
    if job.state == "queued":
        st.text("It starts when the audits before it have ended.")
    elif not found.checks:
        st.progress(0.0, "Reading model and data")
    else:
        done, total = len(found.finished), len(found.checks)
        now = f"; now {plain(found.running)}" if found.running else "; writing the report" if done == total else ""
        st.progress(done / total, f"{done} of {total} checks finished{now}")
    if job.wanted:
        st.button("Cancel", key=f"cancel-{job.id}", on_click=job.cancel)
    else:
        st.text("Stopping.")


def address(path: str) -> str:
    """The address of one of our own routes, whole where the browser told its own."""
    given = urlsplit(st.context.url or "")
    return f"{given.scheme}://{given.netloc}{path}" if given.netloc else path
