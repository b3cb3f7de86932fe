"""A new audit: files with an audit file, or files and a form that writes one."""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from app import catalogue
from app.jobs import queue
from app.uploads import audit_text, named, safe_name
from app.view import PAGES, plain
from app.widgets import check_sections
from auditor.errors import AuditError, UsageError
from auditor.sandbox.isolation import MEANING, available
from auditor.settings import Profile

HOLDS = {"weights alone": None, "a program (TorchScript or .pt2)": "program"}
WAYS = ("Fill in a form", "Upload an audit file")
MODELS, DATA = ["safetensors", "pt", "pth", "th", "pt2"], ["csv", "tsv", "parquet", "npz"]
Files = list[tuple[str, memoryview]]


@st.cache_data(show_spinner="Listing the checks")
def checks() -> list[dict[str, Any]]:
    """The catalogue, asked for once."""
    return catalogue.load()


def parts(text: str) -> list[str]:
    """`a, b` as a list."""
    return [part for given in text.split(",") if (part := given.strip())]


def numbers(label: str, text: str) -> list[float]:
    """`0.5, 0.2` as a list."""
    try:
        return [float(part) for part in parts(text)]
    except ValueError:
        msg = f"{label} {text!r} holds something else than numbers; give one a channel, such as 0.485, 0.456, 0.406"
        raise UsageError(msg) from None


def with_audit_file() -> tuple[Files, str]:
    """The files that were given, and which of them is the audit file; no files until all are there."""
    audit = st.file_uploader("Audit file", ["toml"], key="audit")
    others = st.file_uploader("Model, data and every other file it names", accept_multiple_files=True, key="files")
    st.text("The audit file names the others by their plain names: no folders, no packages, no code.")
    if audit is None or not others:
        return [], ""
    return [(f.name, f.getbuffer()) for f in (audit, *others)], safe_name(audit.name)


def with_form() -> tuple[Files, str]:
    """The same, the audit file written from what was filled in."""
    left, right = st.columns(2)
    with left:
        model = st.file_uploader("Model", MODELS, key="model")
        holds = st.selectbox("The model file holds", list(HOLDS), key="holds")
        name = st.text_input("Name of the model", key="name")
        architecture = st.text_input(
            "Architecture",
            key="architecture",
            help="What weights belong to: mlp:8-16-2 for linear layers, torchvision:resnet18, timm:NAME.",
        )
    with right:
        data = st.file_uploader("Data to audit on", DATA, key="data")
        reference = st.file_uploader("Training data, where there is some", DATA, key="reference")
    arrays = data is not None and data.name.endswith(".npz")
    columns = _columns(arrays=arrays)
    inputs = _pixels() if arrays else {}
    profile = st.selectbox("How thorough", get_args(Profile), 1, key="profile")
    with st.expander("Checks and their settings"):
        sections = check_sections(checks(), profile)
    if model is None or data is None:
        return [], ""
    given = [model, data, *([reference] if reference else [])]
    text = audit_text({
        "subject": {"name": name},
        "model": {"path": safe_name(model.name), "architecture": architecture, "trust": HOLDS[holds]},
        "input": inputs,
        "data": {
            "path": safe_name(data.name), **columns, "reference": safe_name(reference.name) if reference else None,
        },
        **sections,
    })  # fmt: skip
    st.text("The audit file that this makes:")
    st.code(text, language="toml")
    return [*((f.name, f.getbuffer()) for f in given), ("audit.toml", memoryview(text.encode()))], "audit.toml"


def _columns(*, arrays: bool) -> dict[str, Any]:
    """What the columns of the data mean."""
    what = "array" if arrays else "column"
    left, right = st.columns(2)
    return {
        "target": left.text_input(f"Target {what}", "y" if arrays else "", key="target"),
        "sensitive": parts(right.text_input(f"Sensitive {what}s, by commas", key="sensitive")),
        "classes": parts(left.text_input("Class names in order, by commas", key="classes")),
        "positive": right.text_input("Favourable class", key="positive"),
    }


def _pixels() -> dict[str, Any]:
    """How pixels are scaled before the model sees them."""
    left, right = st.columns(2)
    return {
        "mean": numbers("Mean", left.text_input("Mean of each channel, by commas", key="mean")),
        "std": numbers("Standard deviation", right.text_input("Standard deviation of each channel", key="std")),
    }


st.title("New audit")
st.text(f"Each audit runs in {MEANING[available()]}.")
way = st.radio("How", WAYS, horizontal=True, label_visibility="collapsed", key="way")
try:
    files, audit_file = with_form() if way == WAYS[0] else with_audit_file()
    if st.button("Start the audit", type="primary", disabled=not files):
        job = queue(named(files), audit_file)
        st.switch_page(PAGES["report"], query_params={"job": job.id})
except AuditError as e:
    st.error(plain(str(e)))
