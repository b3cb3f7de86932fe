"""One audit: how far it is, then its report."""

from __future__ import annotations

import io
import zipfile
from functools import partial
from pathlib import Path

import streamlit as st

from app.jobs import OPEN, Job, every, find, progress
from app.view import FRAME, PAGES, address, choose, plain, show_progress, status, when


def zipped(folder: Path) -> bytes:
    """The whole folder as a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(path, path.relative_to(folder))
    return out.getvalue()


def show_report(job: Job) -> None:
    """Downloads, ways on, and the report itself."""
    url = address(f"/reports/{job.id}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.link_button("Open in a tab of its own", url)
        report = job.audit / "report.html"
        st.download_button("Download the report", report.read_bytes, "report.html", "text/html", on_click="ignore")
        st.download_button(
            "Download everything", partial(zipped, job.audit), f"audit-{job.id[:8]}.zip", "application/zip",
            on_click="ignore",
        )  # fmt: skip
        st.page_link(PAGES["explore"], label="Explore samples", query_params={"job": job.id})
        st.page_link(PAGES["compare"], label="Compare with another", query_params={"first": job.id})
    st.iframe(url, height=FRAME, alt=f"Report of the audit of {job.name}")


def show_end(job: Job) -> None:
    """Why there is no report."""
    st.error(plain(job.line))
    finished = progress(job).finished
    if finished:
        st.text(f"Checks that had finished: {', '.join(finished)}.")
    if job.state == "failed":
        st.text(f"What its process printed is in log.txt in the folder of job {job.id}.")


@st.fragment(run_every=1.0)
def watched(job_id: str) -> None:
    """The progress of an open job, again every second until it has ended."""
    job = find(job_id)
    if job is None or job.state not in OPEN:
        st.rerun()
    show_progress(job)


st.title("Report")
job = choose("Audit", every(), "job")
if job is not None:
    st.text(f"{status(job)}. Asked for on {when(job)}.")
    if job.state in OPEN:
        watched(job.id)
    elif job.verdict:
        if job.line:
            st.warning(plain(job.line))
        show_report(job)
    else:
        show_end(job)
