"""Hostile text wherever text from models, data and files can stand on the page: it is shown as it is and does nothing.

Every payload stands in every context at once, in a real browser.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.policy import judge
from auditor.store import Record
from auditor.types import (
    SCHEMA,
    Audit,
    Image,
    Limit,
    Measure,
    Outcome,
    Policy,
    Result,
    Status,
    Table,
    Verdict,
)  # fmt: skip
from reports.html import render
from reports.legible import legible

PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</pre></code><img src=x onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' autofocus onfocus='alert(1)",
    "<svg onload=alert(1)><animate onbegin=alert(1)>",
    "</svg><foreignObject><iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "javascript:alert(1)//http://evil.example/?[x](javascript:alert(1))",
    "<meta http-equiv=refresh content='0;url=http://evil.example'>",
    "<link rel=stylesheet href=http://evil.example/x.css><base href=http://evil.example>",
    "--><!-- ]]> } @import url(http://evil.example); * { background: url(http://evil.example) }",
    "{{ 7*7 }}{% for x in y %}{{ ''.__class__ }}${alert(1)}",
    "&lt;b&gt; &#60;script&#62; &amp; \u2028\u202e\u0000<plaintext>",
)
CONTEXTS = 17


def audit_of(text: str) -> Record:
    """An audit with `text` behind a mark of its own in each of the contexts, C1 to C17."""
    c = {i: f"C{i} {text}" for i in range(1, CONTEXTS + 1)}
    subject = {
        "name": c[1], "version": "1", "purpose": c[2], "provider": c[3],
        "model": {"file": c[4], "architecture": c[5], "format": "x", "parameters": 3, "sha256": "a" * 64,
                  "evidence_grade": "data"},
        "data": {"file": "d.csv", "kind": "image", "rows": 9, "classes": [c[6], "b"], "sensitive": [c[7]]},
    }  # fmt: skip
    whole = Measure("accuracy", "", 0.5, 10, 0.2, 0.8, "wilson", (5, 10))
    recall = Measure("recall", f"class={c[6]}", 0.1, 100, 0.05, 0.17, "wilson", (10, 100))
    result = Result(
        (whole, Measure("majority_share", "", 0.5, 10), recall),
        (Table(c[8], (c[9], "n"), ((c[10], 3),)),),
        (),
        (c[11],),
    )
    pictures = Result(
        (), (), (Image(f"row 0: {c[12]}", "explain.gradcam/x", "original", c[13]),
                 Image(f"row 0: {c[12]}", "explain.gradcam/m", "map", c[13])),
    )  # fmt: skip
    group = Measure("selection_rate", f"{c[7]}={c[14]}", 0.5, 40, 0.3, 0.7)
    gap = Measure("demographic_parity_difference", c[7], 0.5, 40, 0.3, 0.7)
    outcomes = (
        Outcome("performance.accuracy", c[15], "source", Status.MEASURED, "", {"setting": c[16]}, (), result),
        Outcome("explain.gradcam", "Grad-CAM", "source", Status.MEASURED, "", {}, (), pictures),
        Outcome("fairness.groups", "Groups", "source", Status.MEASURED, "", {}, (), Result((gap, group))),
        Outcome("explain.lrp", "LRP", "source", Status.NOT_APPLICABLE, c[17]),
    )
    audit = Audit(SCHEMA, subject, {c[1]: c[2], "reviewer": c[3]}, {c[4]: c[5]}, 0, Policy("p"), Verdict.PASS, outcomes)
    limits = (Limit("performance.accuracy", "recall", f"class={c[6]}", fail_below=0.5, rationale=c[16]),)
    arrays = {"explain.gradcam/x": np.zeros((8, 8, 3), np.uint8), "explain.gradcam/m": np.ones((8, 8))}
    judged = judge(replace(audit, policy=Policy(c[17], limits)), Policy(c[17], limits))
    return Record(judged, arrays, {"started": "2026-11-22T09:14:00+00:00"})


@pytest.mark.browser
@pytest.mark.parametrize("text", PAYLOADS)
def test_hostile_text_is_shown_and_does_nothing(browser: Any, tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(audit_of(text)), "utf-8")
    page = browser.new_context(offline=True).new_page()
    seen: list[str] = []

    def note_and_close(dialog: Any) -> None:
        seen.append(dialog.message)
        dialog.dismiss()

    page.on("request", lambda r: None if r.url.startswith("data:") else seen.append(r.url))
    page.on("console", lambda m: seen.append(m.text))
    page.on("dialog", note_and_close)
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for handler in ("mouseover", "focus"):
        page.evaluate(f"document.querySelectorAll('*').forEach(e => e.dispatchEvent(new Event('{handler}')))")
    shown = page.evaluate(
        "document.body.textContent + [...document.querySelectorAll('[alt]')].map(e => e.getAttribute('alt')).join()"
    )
    tags = set(page.evaluate("[...document.querySelectorAll('*')].map(e => e.localName)"))

    assert seen == [path.as_uri()]
    assert not tags & {"script", "iframe", "object", "embed", "link", "base", "foreignobject", "animate", "plaintext"}
    missing = [i for i in range(1, CONTEXTS + 1) if one_line(legible(f"C{i} {text}")) not in one_line(shown)]
    assert missing == []
    assert page.title().endswith("1") and one_line(legible(text)) in one_line(page.title())
    page.context.close()


def one_line(text: str) -> str:
    """Without what only lays a text out, and a class name's first letter as a heading has it."""
    return " ".join(text.split()).casefold()


# ---- names from right to left ------------------------------------------------------------------------------------
HEBREW = "\u05e2\u05e8\u05d1\u05d9\u05ea"
PLACES = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, at = node.data.indexOf(NAME), after = node.data.indexOf(' is ', at);
    if (at < 0 || after < 0 || !node.parentElement.checkVisibility()) continue;
    const box = (a, b) => { const r = document.createRange(); r.setStart(node, a); r.setEnd(node, b); return r.getClientRects()[0] };
    found.push([box(at, at + NAME.length), box(after, after + 4)].map(r => [r.left, r.right, r.top]));
  }
  return found;
}"""  # noqa: E501


@pytest.mark.browser
def test_figures_after_a_name_that_runs_from_right_to_left_stay_after_it(browser: Any, tmp_path: Path) -> None:
    """Without isolation the figure would stand on the other side of the name."""
    found = audit_of("x")
    o = found.audit.outcomes[0]
    assert o.result is not None
    recall = replace(o.result.measures[2], slice=f"class={HEBREW}")
    result = replace(o.result, measures=(*o.result.measures[:2], recall))
    audit = replace(found.audit, outcomes=(replace(o, result=result, judgements=()), *found.audit.outcomes[1:]))
    limit = Limit("performance.accuracy", "recall", f"class={HEBREW}", fail_below=0.5)
    path = tmp_path / "report.html"
    path.write_text(render(replace(found, audit=judge(audit, Policy("p", (limit,))))), "utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(path.as_uri())
    places = page.evaluate(PLACES.replace("NAME", f"'{HEBREW}'"))

    assert len(places) >= 2
    for (_, name_ends, top), (words_start, _, other_top) in places:
        assert top == pytest.approx(other_top, abs=1)
        assert name_ends <= words_start + 1
    page.close()


@pytest.mark.browser
def test_a_name_in_a_cell_stays_in_it(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(audit_of(HEBREW * 20)), "utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    outside = page.evaluate(
        "[...document.querySelectorAll('td, th, dd, dt, li > p')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )

    assert outside == 0
    page.close()
