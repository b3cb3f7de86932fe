"""One sample: what it is called, what each method says moved the answer, and the smallest change that turns it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pandas as pd
import streamlit as st

from app import sample
from app.jobs import every
from app.view import choose, plain
from auditor.errors import LoadError
from auditor.store import Record, load
from auditor.types import Outcome, Table
from reports.images import change, overlay, photo
from reports.legible import legible

MOST_ROWS = 40


def show_maps(record: Record, title: str) -> None:
    """The picture itself, and every method's map beside it."""
    picture, maps = sample.original(record.audit, title), sample.maps(record.audit, title)
    if picture is None or not maps:
        return
    pixels = sample.enlarged(record.picture(picture.array))
    st.text("Orange speaks for the class, blue against it; the stronger the colour, the more.")
    first, *others = st.columns(1 + len(maps))
    with first:
        st.markdown("**Original**")
        st.image(photo(pixels), alt=picture.alt)
    for place, (o, image) in zip(others, maps, strict=True):
        with place:
            st.markdown(f"**{plain(o.title)}**")
            st.image(overlay(pixels, record.picture(image.array)), alt=image.alt)
            show_worth(o, title)


def show_bars(record: Record, title: str) -> None:
    """Every method's columns or words as bars, strongest first."""
    found = sample.bars(record.audit, title)
    if not found:
        return
    if said := sample.text(found[0][1]):
        st.text(said)
    st.text("Bars to the right speak for the answer that was given, bars to the left against it.")
    for place, (o, table) in zip(st.columns(len(found)), found, strict=True):
        with place:
            st.markdown(f"**{plain(o.title)}**")
            st.vega_lite_chart(
                sample.effects(table), sample.chart(table), alt=f"{o.title}, strongest first; figures below"
            )
            show_worth(o, title)
            with st.expander("The figures"):
                show_table(table)


def show_worth(o: Outcome, title: str) -> None:
    """A method's own figure for this row, and how to read it."""
    figure, reading = sample.figure_of(o, title)
    if figure:
        st.markdown(f"**{plain(figure)}**")
        st.text(reading)


def show_table(table: Table) -> None:
    """A table of the audit as it is: its cells are text, whatever they hold."""
    frame = pd.DataFrame(table.rows, columns=list(table.columns))
    height: Literal["content", "auto"] = "content" if len(frame) <= MOST_ROWS else "auto"  # a long one is scrolled
    st.dataframe(frame, hide_index=True, height=height, alt=table.title)


def show_change(record: Record, title: str) -> None:
    """The smallest change that was found to turn the answer: before, the change, after."""
    pictures, tables = sample.change_pictures(record.audit, title), sample.change_tables(record.audit, title)
    if pictures:
        source, factor = change(sample.enlarged(record.picture(pictures["change"].array)))
        before, after = (
            photo(sample.enlarged(record.picture(pictures[role].array))) for role in ("original", "adversarial")
        )
        cells = (
            ("Before", before, "original", title.partition(": ")[2]),
            ("The change", source, "change", f"{pictures['change'].alt} {factor:.0f} times"),
            ("After", after, "adversarial", pictures["adversarial"].alt),
        )
        for place, (name, url, role, note) in zip(st.columns(len(cells)), cells, strict=True):
            with place:
                st.markdown(f"**{name}**")
                st.image(url, alt=pictures[role].alt)
                st.text(note)
    for table in tables:
        st.text(f"It is {table.title.removeprefix(f'{title}: ')}.")
        show_table(table)
    if not pictures and not tables:
        st.text("It is none of the rows that the report shows: those turned by the least and by the most at each size.")


def show(record: Record) -> None:
    """A row to choose, and everything about it."""
    titles = sample.titles(record.audit)
    if not titles:
        st.text("This audit explains no single row.")
        return
    given = st.query_params.get("row", "")
    row = st.selectbox(
        "Row", list(titles), list(titles).index(given) if given in titles else 0, format_func=titles.__getitem__
    )
    st.query_params["row"] = row
    st.header("What moved the answer")
    st.text(titles[row])
    st.text("Its label, what the model calls it where that differs, and the probability the model gives.")
    show_maps(record, titles[row])
    show_bars(record, titles[row])
    st.header("The smallest change found that turns it")
    show_change(record, titles[row])


st.title("Explore samples")
job = choose("Audit", [j for j in every() if j.verdict], "job")
if job is not None:
    try:
        record = load(job.audit)
        show(replace(record, audit=legible(record.audit)))
    except LoadError as e:
        st.error(plain(str(e)))
