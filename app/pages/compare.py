"""Two audits side by side."""

from __future__ import annotations

import streamlit as st

from app.jobs import every
from app.view import FRAME, address, choose

st.title("Compare")
written = [job for job in every() if job.verdict]
left, right = st.columns(2)
with left:
    first = choose("First audit", written, "first")
with right:
    second = choose("Second audit", written, "second")
if len(written) < 2:
    st.text("Two finished audits are needed; there are not as many yet.")
elif first is None or second is None:
    st.text("Choose two audits.")
elif first.id == second.id:
    st.text("These are the same audit; choose another for one of them.")
else:
    url = address(f"/reports/{first.id}/compare/{second.id}")
    st.link_button("Open in a tab of its own", url)
    st.iframe(url, height=FRAME, alt=f"Comparison of the audits of {first.name} and {second.name}")
