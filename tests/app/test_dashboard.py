"""The pages, run by Streamlit's own test harness: what a visitor sees and can do on each."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import catalogue, jobs, sample
from app.serve import MAIN
from app.view import JOINER, PAGES
from app.view import status as status_of
from auditor.store import load
from auditor.types import Scalar, Table
from tests.app.test_serve import ENGINES
from tests.app.uploaded import AUDIT_FILE, again, finished, images, queued, table

Jobs = dict[str, jobs.Job]
ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "![i](http://e.invalid/x.png) <b>b</b> :red[r] $x$ `c`"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """Finished audits of a table and of images, made once; hostile names in both."""
    before = os.environ.get("AUDITOR_HOME")
    os.environ["AUDITOR_HOME"] = str(tmp_path_factory.mktemp("made"))
    names = {'["no", "yes"]': json.dumps(["no", HOSTILE]), 'positive = "yes"': "positive = 1"}
    rows = table(HOSTILE, **names)
    rows["rows.csv"] = rows["rows.csv"].replace(b",yes,", f",{HOSTILE},".encode()).replace(b"a,b,", b"*a*,b,")
    yield {"table": finished(rows), "images": finished(images())}
    os.environ.pop("AUDITOR_HOME")
    if before is not None:
        os.environ["AUDITOR_HOME"] = before


@pytest.fixture
def home(made: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """The same in a home folder of this test's own."""
    shutil.copytree(made["table"].folder.parents[1], tmp_path / "home")
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path / "home"))
    return {name: again(job) for name, job in made.items()}


def opened(page: str, **query: str) -> AppTest:
    """The page as it is first seen."""
    at = AppTest.from_file(str(MAIN), default_timeout=30)
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    at.switch_page(str(PAGES[page]))
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception, at.exception
    return at


def texts(at: AppTest) -> list[str]:
    """Everything that is written on the page as plain text."""
    return [str(t.value) for t in at.text]


def bare(text: str) -> str:
    """Escaped text as a reader sees it."""
    return re.sub(r"\\([^\w\s])", r"\1", text.replace(JOINER, ""))


def proto_of(at: AppTest, kind: str) -> list[Any]:
    """What the browser is sent of every element of that kind."""
    return [e.proto for e in at.get(kind)]


# ---- a new audit -------------------------------------------------------------------------------------------------
def filled(at: AppTest) -> AppTest:
    """The form with the sign model and its rows."""
    files = table()
    at.file_uploader(key="model").upload("../my weights.safetensors", files["weights.safetensors"])
    at.file_uploader(key="data").upload("rows.csv", files["rows.csv"], "text/csv")
    for key, value in {"architecture": "mlp:2-2-2", "target": "answer", "sensitive": "sex ,", "classes": "no, yes",
                       "positive": "yes", "name": "my model"}.items():  # fmt: skip
        at.text_input(key=key).set_value(value)
    at.selectbox(key="profile").set_value("quick")
    return at.run()


def test_the_form_shows_the_audit_file_it_makes_and_queues_it(home: Jobs) -> None:
    before = jobs.every()
    at = filled(opened("new"))
    at.selectbox(key="explain.lrp.composite.quick").set_value("epsilon_plus")
    at.text_input(key="robustness.curve.epsilons.quick").set_value("[0.1, 0.2]")
    at.multiselect(key="checks").set_value(["performance.accuracy", "explain.lrp", "robustness.curve"]).run()
    shown = tomllib.loads(at.code[0].value)

    at.button[0].click().run()

    assert not at.exception
    (job,) = (j for j in jobs.every() if j not in before)
    assert (job.state, job.name) == ("queued", "my model")
    assert at.title[0].value == "Report"
    assert at.query_params["job"] in (job.id, [job.id])
    text = (job.folder / "upload" / job.audit_file).read_text("utf-8")
    assert tomllib.loads(text) == shown
    assert shown == {
        "subject": {"name": "my model"},
        "model": {"path": "my_weights.safetensors", "architecture": "mlp:2-2-2"},
        "data": {
            "path": "rows.csv", "target": "answer", "sensitive": ["sex"], "classes": ["no", "yes"], "positive": "yes",
        },
        "checks": {
            "profile": "quick",
            "only": ["explain.lrp", "performance.accuracy", "robustness.curve"],
            "explain.lrp": {"composite": "epsilon_plus"},
            "robustness.curve": {"epsilons": [0.1, 0.2]},
        },
    }  # fmt: skip
    assert (job.folder / "upload" / "my_weights.safetensors").read_bytes() == table()["weights.safetensors"]


def test_every_setting_of_every_check_has_a_widget_with_its_default(home: Jobs) -> None:
    at = filled(opened("new"))

    assert tomllib.loads(at.code[0].value)["checks"] == {"profile": "quick"}
    keys = {w.key for w in (*at.number_input, *at.text_input, *at.selectbox, *at.checkbox)}
    assert keys >= {f"{c['id']}.{name}.quick" for c in catalogue.load() for name in c["settings"]}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("robustness.curve.epsilons.quick", "0.1, 0.2", "epsilons '0.1, 0.2' cannot be read; give it as in an audit"),
        ("mean", "0.5, x", "Mean '0.5, x' holds something else than numbers; give one a channel"),
    ],
)
def test_a_field_that_cannot_be_read_is_told_in_one_line(home: Jobs, key: str, value: str, said: str) -> None:
    at = opened("new")
    at.file_uploader(key="data").upload("pictures.npz", images()["pictures.npz"])
    at.selectbox(key="profile").set_value("quick").run()
    at.text_input(key=key).set_value(value).run()

    assert [said in bare(e.value) for e in at.error] == [True]
    assert not at.button


def test_an_uploaded_audit_file_is_queued_with_its_files(home: Jobs) -> None:
    files = table()
    at = opened("new")
    at.radio(key="way").set_value("Upload an audit file").run()
    assert at.button[0].disabled
    at.file_uploader(key="audit").upload(AUDIT_FILE, files.pop(AUDIT_FILE))
    for name, content in files.items():
        at.file_uploader(key="files").upload(name, content)
    at.run().button[0].click().run()

    assert not at.exception
    assert (jobs.every()[0].state, jobs.every()[0].name) == ("queued", "sign")


def test_an_audit_file_that_names_something_else_is_told_and_not_queued(home: Jobs) -> None:
    before = jobs.every()
    at = opened("new")
    at.radio(key="way").set_value("Upload an audit file").run()
    at.file_uploader(key="audit").upload(AUDIT_FILE, table(**{"rows.csv": "/etc/![x](y)"})[AUDIT_FILE])
    at.file_uploader(key="files").upload("weights.safetensors", b"").run()
    at.button[0].click().run()

    (error,) = at.error
    assert "names [data] path '/etc/![x](y)', which was not uploaded" in bare(error.value)
    assert "![x]" not in error.value
    assert jobs.every() == before


# ---- the list ----------------------------------------------------------------------------------------------------
def test_the_list_says_in_words_how_each_audit_ended(home: Jobs) -> None:
    waiting, refused = queued(table("next")), queued(table("bad"))
    jobs.set_state(refused, "refused", "no <b>good</b>")
    at = opened("audits")

    labels = [bare(p.label) for p in proto_of(at, "page_link") if p.label.startswith("**")]
    assert labels == ["**bad**", "**next**", "**pictures**", f"**{HOSTILE}**"]
    assert {"Waiting", "Refused", "no <b>good</b>", "● Pass"} <= set(texts(at))
    links = [p.query_string for p in proto_of(at, "page_link")]
    assert f"job={waiting.id}" in links


def test_a_running_audit_shows_how_far_it_is_and_can_be_cancelled(home: Jobs) -> None:
    job = queued()
    jobs.set_state(job, "running")
    (job.folder / "progress.jsonl").write_text('{"checks": ["a.b", "c"]}\n{"finished": "a.b"}\n{"started": "c"}\n')
    at = opened("audits")
    (progress,) = proto_of(at, "progress")
    assert (progress.value, progress.text) == (50, "1 of 2 checks finished; now c")

    at.button(key=f"cancel-{job.id}").click().run()

    assert not job.wanted
    assert "Stopping." in texts(at)


def test_a_home_without_audits_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path))

    assert "There is no audit yet." in texts(opened("audits"))


# ---- one audit ---------------------------------------------------------------------------------------------------
def test_a_finished_audit_is_embedded_by_its_address(home: Jobs) -> None:
    job = home["table"]
    at = opened("report", job=job.id)

    (frame,) = proto_of(at, "iframe")
    assert frame.src == f"/reports/{job.id}"
    assert not frame.srcdoc
    assert f"{status_of(job)}. Asked for on" in "\n".join(texts(at))
    assert [b.label for b in proto_of(at, "download_button")] == ["Download the report", "Download everything"]


def test_everything_can_be_downloaded_as_one_archive(home: Jobs) -> None:
    code = runpy.run_path(str(PAGES["report"]), run_name="page", init_globals={})
    archive = zipfile.ZipFile(io.BytesIO(code["zipped"](home["table"].audit)))

    assert {"audit.json", "report.html", "manifest.json", "evidence/robustness.curve.npz"} <= set(archive.namelist())


@pytest.mark.parametrize("state", ["refused", "failed", "interrupted", "cancelled"])
def test_an_audit_without_a_report_says_why(home: Jobs, state: Any) -> None:
    job = queued()
    jobs.set_state(job, state, f"because of {HOSTILE}")
    (job.folder / "progress.jsonl").write_text('{"checks": ["a.b", "c"]}\n{"finished": "a.b"}\n{"started": "c"}\n')
    at = opened("report", job=job.id)

    (error,) = at.error
    assert bare(error.value) == f"because of {HOSTILE}"
    assert "![" not in error.value
    assert "Checks that had finished: a.b." in texts(at)
    assert not at.get("iframe")


def test_a_waiting_audit_is_found_again_by_its_address_and_can_be_cancelled(home: Jobs) -> None:
    job = queued()
    at = opened("report", job=job.id)
    assert any(t.startswith("Waiting.") for t in texts(at))

    at.button(key=f"cancel-{job.id}").click().run()

    assert not at.exception
    assert not job.wanted


@pytest.mark.parametrize("job_id", ["x", "0" * 32, "../" * 10])
def test_an_address_that_names_no_audit_lets_one_choose(home: Jobs, job_id: str) -> None:
    at = opened("report", job=job_id)

    assert at.selectbox[0].value is None
    assert not at.error


# ---- one sample --------------------------------------------------------------------------------------------------
def turned_row(job: jobs.Job) -> str:
    """A row that an attack turned, as it is chosen: one that is explained too, where there is one."""
    audit = load(job.audit).audit
    result = next(o.result for o in audit.outcomes if o.check == "robustness.curve")
    found = [i.title for i in result.images] + [t.title for t in result.tables if "before" in t.columns]
    rows = [title.partition(":")[0] for title in found]
    return next(row for row in sample.titles(audit) if row in rows)


def test_a_row_of_a_table_shows_each_methods_bars_its_own_figure_and_the_smallest_change(home: Jobs) -> None:
    at = opened("explore", job=home["table"].id, row=turned_row(home["table"]))

    audit = load(home["table"].audit).audit
    title = at.selectbox[1].value
    lrp = audit.outcome("explain.lrp")
    whole = next(t for t in lrp.result.tables if t.title.startswith(f"{title}: "))
    assert whole.title in texts(at)
    assert [m.value for m in at.markdown] == ["**LRP**", "**ledger error 0\\.00**"]
    bars, change = (d.value for d in at.dataframe)
    assert bars.to_numpy().tolist() == [list(row) for row in whole.rows]
    assert list(change.columns) == ["column", "before", "after"]
    assert "*a*" in set(change["column"])
    (chart,) = proto_of(at, "vega_lite_chart")
    assert "*a* = " in " ".join(sample.effects(whole)["label"])
    assert json.loads(chart.spec)["encoding"]["x"]["title"] == "relevance"


def test_a_picture_shows_every_map_beside_it_and_what_the_smallest_change_does(home: Jobs) -> None:
    at = opened("explore", job=home["images"].id, row=turned_row(home["images"]))

    names = [m.value.strip("*") for m in at.markdown]
    assert names[0] == "Original"
    assert {"Grad\\-CAM", "LRP", "Before", "The change", "After"} <= set(names)
    pictures = [p.imgs[0] for p in proto_of(at, "image")]
    assert len(pictures) == 6
    assert all(p.url.startswith("data:image/") for p in pictures)
    assert all(p.alt for p in pictures)
    assert "What the shares leave out of the logit they explain. 0 is exact." in texts(at)


def test_another_row_can_be_chosen_and_stands_in_the_address(home: Jobs) -> None:
    at = opened("explore", job=home["table"].id)
    row = at.selectbox[1].options[-1].partition(":")[0]
    at.selectbox[1].set_value(row).run()

    assert at.query_params["row"] in (row, [row])
    assert any(t.startswith(f"{row}: ") for t in texts(at))


def test_a_damaged_audit_is_told_in_one_line(home: Jobs) -> None:
    (home["table"].audit / "audit.json").write_text("{}")
    at = opened("explore", job=again(home["table"]).id)

    assert [bare(e.value).partition(":")[0] for e in at.error] == ["not an audit"]


def test_small_pictures_are_enlarged_with_square_pixels() -> None:
    found = sample.enlarged(np.array([[0, 1], [2, 3]]))

    assert found.shape == (224, 224)
    assert [found[y, x] for y, x in ((0, 0), (111, 111), (0, 112), (223, 223))] == [0, 0, 1, 3]


def test_a_text_is_shown_with_its_strongest_words_as_bars() -> None:
    rows: tuple[tuple[Scalar, ...], ...] = (("It", 0.1), ("'s", 0.0), ("*good*", 2.0), (",", -0.3), ("It", -1.0))
    table = Table("row 1: good (0.9)", ("word", "relevance"), (*rows, ("(special tokens)", 9.0)))

    assert sample.text(table) == "It's *good*, It"
    found = sample.effects(table)
    assert list(found["label"]) == ["*good* (3)", "It (5)", ", (4)", "It (1)"]
    assert list(found["value"]) == [2.0, -1.0, -0.3, 0.1]
    assert sample.chart(table)["encoding"]["x"]["title"] == "relevance"
    long = Table("", ("word", "relevance"), tuple((f"w{i}", float(i == 300)) for i in range(600)))
    assert sample.text(long).startswith("\u2026 294 words \u2026 w294 ") and len(sample.effects(long)) == 1


# ---- two audits --------------------------------------------------------------------------------------------------
def test_two_audits_are_compared_by_their_own_address(home: Jobs) -> None:
    first, second = home["table"].id, home["images"].id
    at = opened("compare", first=first, second=second)

    assert [p.src for p in proto_of(at, "iframe")] == [f"/reports/{first}/compare/{second}"]


def test_an_audit_is_not_compared_with_itself(home: Jobs) -> None:
    at = opened("compare", first=home["table"].id, second=home["table"].id)

    assert "These are the same audit; choose another for one of them." in texts(at)
    assert not at.get("iframe")


# ---- everywhere --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", PAGES)
def test_text_of_others_is_shown_as_it_is_on_every_page(home: Jobs, page: str) -> None:
    job, other = home["table"].id, home["images"].id
    at = opened(page, **{"compare": {"first": job, "second": other}}.get(page, {"job": job}))

    interpreted = [e.value for kind in (at.markdown, at.caption, at.title, at.header, at.error) for e in kind]
    interpreted += [p.label for p in proto_of(at, "page_link")]
    assert not [text for text in interpreted if "![" in text or "<b>" in text or ":red[" in text]
    assert not any(p.proto.allow_html for p in at.markdown)


def test_no_page_loads_an_engine(home: Jobs) -> None:
    visits = {page: {"job": home["table"].id} for page in PAGES}
    visits["compare"] = {"first": home["table"].id, "second": home["images"].id}
    code = f"""
import sys
import app.serve
from tests.app.test_dashboard import opened
for page, query in {visits!r}.items():
    opened(page, **query)
print("loaded", *[m for m in {ENGINES!r} if m in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert found.stdout.splitlines()[-1] == "loaded"
