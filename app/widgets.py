"""Widgets for the settings of checks, made from the catalogue: nothing here knows any check."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.view import plain
from auditor.errors import UsageError

__all__ = ["check_sections"]


def check_sections(catalogue: Sequence[Mapping[str, Any]], profile: str) -> dict[str, dict[str, Any]]:
    """The [checks] sections of an audit file as the visitor chose: the profile, and what differs from its defaults."""
    ids = [check["id"] for check in catalogue]
    chosen = st.multiselect("Checks", ids, ids, key="checks")
    sections: dict[str, dict[str, Any]] = {"checks": {"profile": profile}}
    if set(chosen) != set(ids):
        sections["checks"]["only"] = [check for check in ids if check in chosen]
    for check in catalogue:
        if check["id"] in chosen and check["settings"]:
            st.markdown(f"**{plain(check['title'])}** {plain(check['id'])}")
            sections[f'checks."{check["id"]}"'] = _changed(check, profile)
    return sections


def _changed(check: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """The settings of one check that the visitor changed."""
    found = {}
    places = st.columns(4)
    for i, (name, schema) in enumerate(check["settings"].items()):
        default = schema["default"][profile] if isinstance(schema["default"], dict) else schema["default"]
        with places[i % len(places)]:
            value = _widget(name, schema, default, f"{check['id']}.{name}.{profile}")
        if value != default:
            found[name] = value
    return found


def _widget(name: str, schema: Mapping[str, Any], default: Any, key: str) -> Any:
    """The value that the visitor gives to a setting of this JSON Schema."""
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    if choices:
        return st.selectbox(name, choices, choices.index(default), key=key)
    match schema.get("type"):
        case "boolean":
            return st.checkbox(name, default, key=key)
        case "integer":
            return st.number_input(name, schema.get("minimum", 0), schema.get("maximum"), default, key=key)
        case "number":
            return st.number_input(name, value=float(default), step=0.01, format="%g", key=key)
    text = st.text_input(name, key=key, placeholder="the default", help='As in an audit file: [0.1, 0.2] or "text".')
    try:
        return tomllib.loads(f"v = {text}")["v"] if text else default
    except tomllib.TOMLDecodeError:
        msg = f"{name} {text!r} cannot be read; give it as in an audit file, such as [0.1, 0.2]"
        raise UsageError(msg) from None
