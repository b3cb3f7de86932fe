"""The dashboard's main script: Streamlit runs it for every page. `auditor serve` starts it.

It lies among the pages, since Streamlit takes a folder `pages` beside its main script for an older kind of dashboard.
"""

from __future__ import annotations

import streamlit as st

from app.view import PAGES

TITLES = {
    "audits": "Audits",
    "new": "New audit",
    "report": "Report",
    "explore": "Explore samples",
    "compare": "Compare",
}

# An emoji, since a named icon would be fetched from the network.
st.set_page_config(page_title="Auditor", page_icon="\N{RIGHT-POINTING MAGNIFYING GLASS}", layout="wide")
pages = [st.Page(PAGES[name], title=title, url_path=name, default=name == "audits") for name, title in TITLES.items()]
st.navigation(pages).run()
