"""Every audit, newest first: how it ended or how far it is."""

from __future__ import annotations

import streamlit as st

from app.jobs import OPEN, Job, every
from app.view import PAGES, plain, show_progress, status, when
from reports.legible import legible

A_PAGE = 20


def show(job: Job) -> None:
    """One audit as a box."""
    with st.container(border=True):
        name, state, asked, explore = st.columns([3, 3, 3, 2], vertical_alignment="center")
        name.page_link(PAGES["report"], label=f"**{plain(job.name)}**", query_params={"job": job.id})
        state.text(status(job))
        asked.text(when(job))
        if job.verdict:
            explore.page_link(PAGES["explore"], label="Explore samples", query_params={"job": job.id})
        if job.line:
            st.text(legible(job.line))
        if job.state in OPEN:
            show_progress(job)


st.title("Audits")
live = any(job.state in OPEN for job in every())


@st.fragment(run_every=1.0 if live else None)
def listed() -> None:
    """The list; again every second while an audit waits or runs."""
    jobs = every()
    if not jobs:
        st.text("There is no audit yet.")
        st.page_link(PAGES["new"], label="Start one")
        return
    pages = -(-len(jobs) // A_PAGE)
    page = st.pagination(pages, key="page") if pages > 1 else 1
    for job in jobs[(page - 1) * A_PAGE : page * A_PAGE]:
        show(job)
    if live and not any(job.state in OPEN for job in jobs):
        st.rerun()  # once more as a whole, so that the clock stops


listed()
