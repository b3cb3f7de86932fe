"""`auditor init` as its user meets it: what it writes runs, and what it cannot know it asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from app.cli import invoke
from auditor.policy import load_policy
from tests.app.files import table_audit
from tests.app.initialising.given import accuracy, made, saved_mlp
from tests.intake.modelfiles import PROGRAMS
from tests.intake.pretrained import changed, saved_images, saved_texts
from tests.wrapped.files import wrapper_file

Capsys = pytest.CaptureFixture[str]


def table(path: Path, rows: int = 60, **columns: object) -> Path:
    """Two columns of small numbers, a target `y`, and those given."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=rows), "b": draw.normal(size=rows), "y": np.arange(rows) % 2})
    frame.assign(**columns).to_csv(path, index=False)
    return path


def pictures(folder: Path, classes: list[str], size: int = 8) -> Path:
    draw = np.random.default_rng(0)
    for i, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (size, size, 3), np.uint8)).save(folder / name / f"{i}.png")
    return folder


def network(path: Path, channels: int = 3, classes: int = 2) -> Path:
    """A network that no architecture known here has; `nets.py` beside it builds it."""
    module = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
    torch.save(module.state_dict(), path)
    built = f"nn.Conv2d({channels}, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, {classes})"
    code = f"from torch import nn\n_hidden = 1\ndef net():\n    return nn.Sequential({built})\n"
    (path.parent / "nets.py").write_text(code)
    return path


# ---- it runs as it is --------------------------------------------------------------------------------------------
def test_the_whole_of_what_was_written_runs(tmp_path: Path, capsys: Capsys) -> None:
    table_audit(tmp_path)
    found = made(tmp_path / "m.safetensors", tmp_path / "d.csv", tmp_path / "written.toml", capsys)

    assert found.needs == [] and found.file.data.inputs == ("a", "b", "c")
    assert invoke(["run", str(found.path), "--profile", "quick", "--only", "fairness.*", "--only", "performance.*"]) < 2


def test_a_policy_is_the_default_and_its_examples_are_limits(tmp_path: Path, capsys: Capsys) -> None:
    table_audit(tmp_path)
    found = made(tmp_path / "m.safetensors", tmp_path / "d.csv", tmp_path / "written.toml", capsys)
    default = {(x.check, x.measure, x.slice, *x.bounds.items(), x.rationale) for x in load_policy("default").limits}
    written = {(x.check, x.measure, x.slice, *x.bounds.items(), x.rationale) for x in found.policy.limits}

    assert default - written == {k for k in default if k[0] == "explain.shortcuts"} and written < default
    assert found.policy.accept == ()
    policy = tmp_path / "policy.toml"
    policy.write_text(re.sub(r"^# (?=\[|\w+ = )", "", policy.read_text(), flags=re.MULTILINE))
    taken_up = load_policy("policy.toml", tmp_path)
    named = {(x.check, x.measure, x.slice) for x in taken_up.limits if x.required}
    assert named == {
        ("performance.accuracy", "accuracy", ""), ("robustness.curve", "robust_accuracy", "linf@0.5"),
        ("fairness.groups", "demographic_parity_difference", "sex"),
        ("fairness.groups", "equalized_odds_difference", None),
    }  # fmt: skip
    assert [a.finding for a in taken_up.accept] == ["fairness.impact_ratio/impact_ratio/sex=f"]
    out = tmp_path / "out"
    only = ["--only", "fairness.*", "--only", "performance.*", "--only", "robustness.curve"]
    assert invoke(["run", str(found.path), "--out", str(out), "--profile", "quick", *only]) in {0, 1, 2}
    audit = json.loads((out / "audit.json").read_bytes())
    judged = {(o["check"], j["measure"], j["slice"]) for o in audit["outcomes"] for j in o["judgements"]}
    assert any(c == "fairness.impact_ratio" and s in {"sex=f", "sex=m"} for c, _, s in judged)
    assert {(c, m, s or "sex") if c == "fairness.groups" else (c, m, s) for c, m, s in named} <= judged


@pytest.mark.parametrize("kind", PROGRAMS)
def test_programs_say_what_they_are(tmp_path: Path, kind: str, capsys: Capsys) -> None:
    module, x = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2)).eval(), torch.rand(3, 2)
    program = PROGRAMS[kind](module, x)
    path = tmp_path / ("m.pt2" if kind == "exported" else "m.pt")
    if kind == "exported":
        torch.export.save(torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim.AUTO},)), path)
    else:
        torch.jit.save(program, str(path))
    found = made(path, table(tmp_path / "d.csv"), tmp_path / "audit.toml", capsys)

    assert found.needs == [] and found.file.model is not None
    assert (found.file.model.trust, found.file.model.architecture) == ("program", "")
    assert found.file.data.inputs == ("a", "b")


def test_numbers_that_need_no_training_are_left_as_they_are(tmp_path: Path, capsys: Capsys) -> None:
    saved_mlp(tmp_path / "m.safetensors", "6-4-1")
    path = table(tmp_path / "d.csv", c=["x", "y", "z"] * 20, w=np.arange(60) * 100.0)
    found = made(tmp_path / "m.safetensors", path, tmp_path / "audit.toml", capsys)

    assert [(c.name, c.kind, c.values, c.mean) for c in found.file.columns] == [  # noqa: PD011 - of an audit file
        ("a", "number", (), None), ("b", "number", (), None), ("w", "number", (), None),
        ("c", "category", ("x", "y", "z"), None),
    ]  # fmt: skip
    assert found.needs == [] and "inputs" in found.look  # w goes up to 5,900
    assert accuracy(found.path, tmp_path / "out")[1] == 60


def test_a_model_of_one_output_gives_values_or_tells_two_classes_apart(tmp_path: Path, capsys: Capsys) -> None:
    saved_mlp(tmp_path / "m.safetensors", "2-4-1")
    values = made(
        tmp_path / "m.safetensors", table(tmp_path / "v.csv", y=np.arange(60) / 7), tmp_path / "v.toml", capsys
    )
    (tmp_path / "policy.toml").unlink()
    classes = made(tmp_path / "m.safetensors", table(tmp_path / "c.csv"), tmp_path / "c.toml", capsys)

    assert values.file.model is not None and values.file.model.output == "value"
    assert values.needs == [] and "output" in values.look
    assert classes.file.model is not None and classes.file.model.output == "logits"
    assert invoke(["run", str(values.path), "--only", "intake.*"]) < 3
    assert invoke(["run", str(classes.path), "--only", "performance.accuracy", "--out", str(tmp_path / "o")]) < 2


def test_predictions_alone(tmp_path: Path, capsys: Capsys) -> None:
    draw = np.random.default_rng(0)
    path = table(tmp_path / "d.csv", probability=draw.random(60), y_pred=np.arange(60) % 2, gender=["f", "m", ""] * 20)
    found = made("none", path, tmp_path / "audit.toml", capsys)

    assert found.file.model is None and found.needs == []
    assert (found.file.data.score, found.file.data.prediction, found.file.data.target) == ("probability", None, "y")
    assert found.file.data.sensitive == ("gender",)
    assert {x.check for x in found.policy.limits} == {"performance.accuracy", "fairness.impact_ratio"}
    assert accuracy(found.path, tmp_path / "out")[1] == 60
    (tmp_path / "policy.toml").unlink()
    assert invoke(["init", "none", str(table(tmp_path / "n.csv")), "--out", str(tmp_path / "n.toml")]) == 3
    assert "no column is called as predictions are" in capsys.readouterr().err
    assert not (tmp_path / "n.toml").exists()


def test_pictures_in_class_folders_and_pictures_with_a_table(tmp_path: Path, capsys: Capsys) -> None:
    model = network(tmp_path / "m.pt")
    folder = pictures(tmp_path / "data" / "test", ["cat", "dog"])
    pictures(tmp_path / "data" / "train", ["cat", "dog"])
    by_folder = made(model, folder, tmp_path / "f.toml", capsys)
    assert by_folder.needs == ["architecture"]
    assert '"nets:net"' in by_folder.text and "_hidden" not in by_folder.text
    assert by_folder.file.data.classes == ("cat", "dog")
    assert by_folder.file.data.reference == "data/train"

    (tmp_path / "policy.toml").unlink()
    flat = pictures(tmp_path / "flat", [""])
    Image.new("RGB", (9, 8)).save(flat / "1.png")
    (tmp_path / "flat_labels.csv").write_text("file,label,sex\n0.png,1,f\n1.png,0,m\n")
    by_table = made(model, flat, tmp_path / "t.toml", capsys)
    assert by_table.file.data.labels == "flat_labels.csv" and by_table.file.data.target == "label"
    assert by_table.file.data.sensitive == ("sex",)
    assert by_table.file.input.size is not None and "size" in by_table.look  # they differ

    for found in (by_folder, by_table):
        text = found.path.read_text().replace('architecture = ""', 'architecture = "nets:net"')
        found.path.write_text(text)
        assert accuracy(found.path, tmp_path / found.path.stem)[1] == 2


def test_pictures_of_other_channels_than_the_model_takes(tmp_path: Path, capsys: Capsys) -> None:
    model = network(tmp_path / "m.pt", channels=1)
    found = made(model, pictures(tmp_path / "p", ["a", "b"]), tmp_path / "audit.toml", capsys)

    assert found.needs == ["architecture", "kind"]


def test_a_hugging_face_directory_brings_nearly_all(tmp_path: Path, capsys: Capsys) -> None:
    saved_images(tmp_path / "vit", id2label={0: "x", 1: "y", 2: "z"}, label2id={"x": 0, "y": 1, "z": 2})
    found = made(tmp_path / "vit", pictures(tmp_path / "p", ["x", "y", "z"]), tmp_path / "audit.toml", capsys)

    assert found.needs == [] and found.look == []
    assert found.file.model is not None and found.file.model.architecture == ""
    assert accuracy(found.path, tmp_path / "out")[1] == 3


def test_a_model_of_texts(tmp_path: Path, capsys: Capsys) -> None:
    corpus = ["a good film", "the bad plot", "one film indeed"]
    saved_texts(tmp_path / "bert", corpus)
    rows = "".join(f"{corpus[i % 3]} and more words so that it is long,{i % 2}\n" for i in range(6))
    (tmp_path / "d.csv").write_text("sentence,label\n" + rows)
    found = made(tmp_path / "bert", tmp_path / "d.csv", tmp_path / "audit.toml", capsys)

    assert found.needs == [] and found.file.data.inputs == "sentence"
    assert accuracy(found.path, tmp_path / "out")[1] == 6
    changed(tmp_path / "bert" / "tokenizer.json")
    for name in ("tokenizer.json", "vocab.txt"):
        (tmp_path / "bert" / name).unlink(missing_ok=True)
    (tmp_path / "policy.toml").unlink()
    assert "tokenizer" in made(tmp_path / "bert", tmp_path / "d.csv", tmp_path / "b.toml", capsys).needs


def test_a_file_without_a_header_and_the_rows_of_a_split(tmp_path: Path, capsys: Capsys) -> None:
    saved_mlp(tmp_path / "m.safetensors", "2-4-2")
    (tmp_path / "h.csv").write_text("".join(f"{i / 3:.3f},{-i / 7:.3f},{i % 2}\n" for i in range(40)))
    headless = made(tmp_path / "m.safetensors", tmp_path / "h.csv", tmp_path / "h.toml", capsys)
    assert (headless.file.data.header, headless.file.data.target, headless.needs) == (False, "f2", [])
    assert accuracy(headless.path, tmp_path / "out")[1] == 40

    (tmp_path / "policy.toml").unlink()
    path = table(tmp_path / "s.csv", split=["train"] * 40 + ["test"] * 20)
    split = made(tmp_path / "m.safetensors", path, tmp_path / "s.toml", capsys)
    assert split.file.data.where == {"split": "test"} and split.file.data.inputs == ("a", "b")
    assert accuracy(split.path, tmp_path / "out2")[1] == 20


def test_the_names_of_classes_are_those_of_the_target(tmp_path: Path, capsys: Capsys) -> None:
    saved_mlp(tmp_path / "m.safetensors", "2-4-3")
    for values, classes in ((["c", "a", "b"], ("a", "b", "c")), ([10, 9, 1], ("1", "9", "10")), ([2, 0, 1], None)):
        path = table(tmp_path / "d.csv", y=values * 20)
        found = made(tmp_path / "m.safetensors", path, tmp_path / "audit.toml", capsys)
        assert (found.needs, found.file.data.classes) == ([], classes)
        for name in ("audit.toml", "policy.toml"):
            (tmp_path / name).unlink()


def test_a_wrapper_is_named_with_the_architecture_of_the_model_behind_it(tmp_path: Path, capsys: Capsys) -> None:
    saved_mlp(tmp_path / "m.safetensors", "2-4-2")
    found = made(wrapper_file(tmp_path), table(tmp_path / "d.csv"), tmp_path / "audit.toml", capsys)

    assert found.needs == [] and found.file.model is not None
    assert (found.file.model.path, found.file.model.architecture) == ("squeezed.json", "mlp:2-4-2")
    assert accuracy(found.path, tmp_path / "out")[1] == 60
    (tmp_path / "policy.toml").unlink()
    capsys.readouterr()
    assert invoke(["init", str(wrapper_file(tmp_path, model="no.pt")), "d.csv", "--out", str(tmp_path / "b.toml")]) == 3
    assert "the model file of the wrapper 'squeezed.json', 'no.pt' does not exist" in capsys.readouterr().err


# ---- what it asks for --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sizes", "columns", "asked"),
    [
        ("2-4-2", {"y": ["a", "b", "c"] * 20}, ["classes"]),
        ("2-4-3", {"y": ["a", "b"] * 30}, ["classes"]),
        ("7-4-2", {}, ["inputs"]),
        ("2-4-2", {"a": [np.nan] + [1.5] * 59}, ["path"]),  # a gap that nothing says how to fill
        ("2-4-2", {"y": [np.nan] + [1, 0] * 29 + [1]}, ["path"]),
    ],
)
def test_what_keeps_an_audit_from_running_is_asked_for_and_does(
    tmp_path: Path, sizes: str, columns: dict[str, object], asked: list[str], capsys: Capsys
) -> None:
    saved_mlp(tmp_path / "m.safetensors", sizes)
    found = made(tmp_path / "m.safetensors", table(tmp_path / "d.csv", **columns), tmp_path / "audit.toml", capsys)

    assert found.needs == asked
    assert invoke(["run", str(found.path), "--only", "performance.*"]) == 3


def test_a_target_that_could_be_several_columns_is_left_open(tmp_path: Path, capsys: Capsys) -> None:
    saved_mlp(tmp_path / "m.safetensors", "2-4-2")
    table(tmp_path / "d.csv", p=["u", "v"] * 30, q=["s", "t"] * 30)
    text = (tmp_path / "d.csv").read_text().replace("y,", "w,", 1)
    (tmp_path / "d.csv").write_text(text)
    found = made(tmp_path / "m.safetensors", tmp_path / "d.csv", tmp_path / "audit.toml", capsys)

    assert "target" in found.needs and found.file.data.target == ""
    assert 'It could also be: "w", "p", "q".' in found.text
    assert invoke(["run", str(found.path)]) == 3


def test_a_reference_that_does_not_fit_is_left_out(tmp_path: Path, capsys: Capsys) -> None:
    saved_mlp(tmp_path / "m.safetensors", "2-4-2")
    (tmp_path / "train.csv").write_text("other\n1\n")
    found = made(tmp_path / "m.safetensors", table(tmp_path / "test.csv"), tmp_path / "audit.toml", capsys)

    assert found.needs == [] and found.file.data.reference is None


# ---- hostile names -----------------------------------------------------------------------------------------------
NAMES = ['a"b', "a\\b", '"""', "'''", "a\nb = 1", "[model]", "x\u202ey", "# c", "a=b", "z\u2028", "<img src=x>", "é"]


def test_names_break_out_of_nothing(tmp_path: Path, capsys: Capsys) -> None:
    saved_mlp(tmp_path / "m.safetensors", f"{len(NAMES)}-4-2")
    frame = pd.DataFrame({n: np.arange(40) / 8 for n in NAMES} | {"label": ['"]\nx = 1 #', "b\u202e"] * 20})
    frame["sex\u202e"] = ["f", 'm"\n[policy]'] * 20
    folder = tmp_path / 'q"uote\nd]'
    folder.mkdir()
    frame.to_csv(folder / "d'\".csv", index=False)
    found = made(tmp_path / "m.safetensors", folder / "d'\".csv", tmp_path / "audit.toml", capsys)

    assert found.file.data.inputs == tuple(NAMES)
    assert (tmp_path / found.file.data.path).is_file()
    assert found.file.data.sensitive == () and found.needs == ["classes"]  # a class must be readable
    texts = (found.text, (tmp_path / "policy.toml").read_text(), found.said)
    assert all(c.isprintable() or c == "\n" for text in texts for c in text)


# ---- refused -----------------------------------------------------------------------------------------------------
REFUSED = {
    "no model": (["nothing.pt", "d.csv"], "model file 'nothing.pt' does not exist"),
    "no data": (["m.safetensors", "nothing.csv"], "data file 'nothing.csv' does not exist"),
    "no package": (["package:nothing_such/m.pt", "d.csv"], "no package 'nothing_such' is installed"),
    "an empty table": (["m.safetensors", "empty.csv"], "'empty.csv' cannot be read as CSV"),
    "no rows": (["m.safetensors", "header.csv"], "'header.csv' is empty: it has no rows"),
    "no such kind": (["m.safetensors", "d.xlsx"], "is of a kind that cannot be read"),
    "no model file": (["d.csv", "d.csv"], "is no model file"),
    "other separators": (["m.safetensors", "semicolons.csv"], "columns are parted by commas"),
    "an npz of nothing": (["m.safetensors", "n.npz"], "has no array for inputs"),
    "a folder of nothing": (["m.safetensors", "bare"], "has no class folders, and no labels csv"),
    "a folder of splits": (["m.safetensors", "splits"], "holds the folders test, train; give the one to audit"),
    "the name of the policy": (["m.safetensors", "d.csv", "--out", "policy.toml"], "is the name of the policy file"),
    "no folder": (["m.safetensors", "d.csv", "--out", "no/such/a.toml"], "lies in no folder that exists"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_one_line_and_leaves_nothing(
    tmp_path: Path, name: str, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved_mlp(tmp_path / "m.safetensors", "2-4-2")
    table(tmp_path / "d.csv")
    for file, text in (("empty.csv", ""), ("header.csv", "a,b,y\n"), ("d.xlsx", "x"), ("semicolons.csv", "a;b\n1;2\n")):
        (tmp_path / file).write_text(text)
    np.savez(tmp_path / "n.npz", y=np.arange(3))
    (tmp_path / "bare").mkdir()
    for part in ("test", "train"):
        pictures(tmp_path / "splits" / part, ["a", "b"])
    before = sorted(p.name for p in tmp_path.iterdir())
    arguments, message = REFUSED[name]

    assert invoke(["init", *arguments]) == 3
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("auditor: ") and err.count("\n") == 1 and message in err
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.parametrize("there", ["audit.toml", "policy.toml"])
@pytest.mark.parametrize("dangling", [False, True])
def test_nothing_is_overwritten_and_both_are_written_or_neither(
    tmp_path: Path, there: str, dangling: bool, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved_mlp(tmp_path / "m.safetensors", "2-4-2")
    table(tmp_path / "d.csv")
    if dangling:
        (tmp_path / there).symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / there).write_text("mine")
    before = sorted(p.name for p in tmp_path.iterdir())

    assert invoke(["init", "m.safetensors", "d.csv"]) == 3
    assert f'"{there}" is there already and never overwritten' in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert dangling or (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_between_the_two_files_leaves_neither(
    tmp_path: Path, error: BaseException, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved_mlp(tmp_path / "m.safetensors", "2-4-2")
    table(tmp_path / "d.csv")
    opened = Path.open

    def full(path: Path, *given: object, **more: object) -> object:
        if path.name == "policy.toml" and given[:1] == ("x",):
            raise error
        return opened(path, *given, **more)

    monkeypatch.setattr(Path, "open", full)
    assert invoke(["init", "m.safetensors", "d.csv"]) == (3 if isinstance(error, OSError) else 2)
    assert capsys.readouterr().err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.csv", "m.safetensors"]
