"""Texts become the ids that the tokenizer's own package gives; every row is read, and what was cut is counted."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from auditor.data.read import Read
from auditor.errors import AuditError, LoadError, UsageError
from auditor.feeds import Tokens
from tests.data.reading import read as read_any
from tests.data.reading import texts
from tests.intake.pretrained import changed, tokenizer_in
from tests.intake.zoo_packages import installed
from tests.shared import SHARED, needs_shared

CORPUS = ["a good film", "the bad plot indeed", "one", "", "[PAD] good [PAD]", "a good film " * 20]
INPUT = {"kind": "text", "tokenizer": "t"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of two kinds, and the same rows in every kind of file."""
    path = tmp_path_factory.mktemp("texts")
    tokenizer_in(path / "t", CORPUS)
    tokenizer_in(path / "slow", CORPUS, slow=True)
    frame = pd.DataFrame({"text": CORPUS, "y": [0, 1, 1, 0, 1, 0], "sex": list("fmfmfm")})
    frame.to_csv(path / "d.csv", index=False)
    frame.to_csv(path / "d.tsv", index=False, sep="\t")
    frame.to_csv(path / "bare.tsv", index=False, header=False, sep="\t")
    frame.to_parquet(path / "d.parquet")
    frame.to_json(path / "d.jsonl", orient="records", lines=True)
    return path


def read(folder: Path, path: str, *, given: dict[str, Any] = INPUT, **data: Any) -> Read:
    return read_any(folder, {"path": path, "inputs": "text", **data}, input=given)


def expected(folder: Path, texts: list[str]) -> list[list[int]]:
    found = installed("transformers").AutoTokenizer.from_pretrained(folder)(texts, truncation=True, max_length=24)
    return found["input_ids"]


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.parquet", "d.jsonl"])
def test_every_file_gives_the_ids_of_the_package(folder: Path, name: str) -> None:
    found = read(folder, name, sensitive=["sex"])

    x = found.data.read(np.arange(6))
    assert x.dtype == torch.int64 and x.shape == (6, 24)
    assert [row[row >= 0].tolist() for row in x] == expected(folder / "t", CORPUS)
    assert found.data.y.tolist() == [0, 1, 1, 0, 1, 0]
    assert list(found.data.groups["sex"]) == list("fmfmfm")
    assert texts(found.data, 1, 4) == [CORPUS[1], CORPUS[4]]
    assert found.facts["kind"] == "text" and found.facts["most_tokens"] == 24
    longest = len(installed("transformers").AutoTokenizer.from_pretrained(folder / "t")(CORPUS[5])["input_ids"])
    assert longest > 60
    assert found.data.caveats[:2] == (
        f"1 of 6 texts are longer than 24 tokens (the longest has {longest}) and were cut there.",
        "1 of 6 texts are empty.",
    )


def test_a_file_without_a_header(folder: Path) -> None:
    found = read(folder, "bare.tsv", header=False, columns=["text", "y", "sex"])

    assert found.data.read(np.array([1])).tolist() == read(folder, "d.csv").data.read(np.array([1])).tolist()


def test_a_vocabulary_alone_is_a_tokenizer(folder: Path) -> None:
    slow = read(folder, "d.csv", given={**INPUT, "tokenizer": "slow"})

    assert torch.equal(slow.data.read(np.arange(6)), read(folder, "d.csv").data.read(np.arange(6)))
    assert slow.facts["tokenizer_sha256"] != read(folder, "d.csv").facts["tokenizer_sha256"]


def test_a_text_is_cut_so_that_it_still_ends_as_the_model_expects(folder: Path) -> None:
    found = read(folder, "d.csv", given={**INPUT, "max_length": 5})
    library = installed("transformers")
    end = library.AutoTokenizer.from_pretrained(folder / "t").sep_token_id

    x = found.data.read(np.arange(6))

    assert x.shape == (6, 5) and x[5, 4] == end
    lengths = [len(ids) for ids in library.AutoTokenizer.from_pretrained(folder / "t")(CORPUS)["input_ids"]]
    assert found.data.caveats[0].startswith(f"{sum(n > 5 for n in lengths)} of 6 texts are longer than 5 tokens")


def test_rows_that_are_left_out_are_counted_in_nothing(folder: Path) -> None:
    found = read(folder, "d.csv", where={"sex": "f"})

    assert found.data.row_ids.tolist() == [0, 2, 4] and found.data.caveats == ()
    assert texts(found.data, 2) == ["[PAD] good [PAD]"]
    assert texts(found.data.at(np.array([2])), 0) == ["[PAD] good [PAD]"]


def test_a_text_that_names_the_padding_is_no_padding(folder: Path) -> None:
    """Ids that stand for nothing are -1 until the model is called: [PAD] in a text is a token that it sees."""
    found = read(folder, "d.csv")
    assert isinstance(found.feed, Tokens)

    x = found.data.read(np.array([4, 2]))
    given = found.feed(x)

    assert isinstance(given, dict)
    assert (x[0] == found.feed.pad).sum() == 2
    assert given["attention_mask"].sum(1).tolist() == [(x[0] >= 0).sum(), (x[1] >= 0).sum()]
    assert given["input_ids"].shape == (2, int((x >= 0).sum(1).max()))  # no column without any token


def test_the_column_is_found_where_only_one_is_left(folder: Path) -> None:
    spec = {"path": "d.csv", "target": "y", "sensitive": ["sex"]}
    found = read_any(folder, spec, input=INPUT)
    assert texts(found.data, 0) == [CORPUS[0]]

    with pytest.raises(UsageError, match=r"has 2 columns that could hold the texts \(text, sex\); name it"):
        read_any(folder, {"path": "d.csv", "target": "y"}, input=INPUT)


def test_other_texts_are_read_as_those_of_the_file(folder: Path) -> None:
    found = read(folder, "d.csv")
    assert found.data.vocabulary is not None and found.data.at(np.array([2])).vocabulary is not None

    assert torch.equal(found.data.vocabulary.ids(CORPUS), found.data.read(np.arange(6)))
    (row,) = found.data.vocabulary.ids(["a bad film indeed"])
    assert [row[row >= 0].tolist()] == expected(folder / "t", ["a bad film indeed"])


def test_whole_words_are_neither_pieces_nor_special_tokens(folder: Path) -> None:
    found = read(folder, "d.csv").data.vocabulary
    assert found is not None
    vocabulary = json.loads((folder / "t" / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]

    assert found.words() == {i: w for w, i in vocabulary.items() if w.isalpha() and len(w) > 1}
    assert {"film", "indeed"} <= set(found.words().values())
    assert found.words() is found.words()  # found once


def test_whole_words_of_bytes_stand_behind_a_space(tmp_path: Path) -> None:
    """Byte-level tokens of words (GPT-2, RoBERTa) begin with their space; those without it are pieces."""
    installed("transformers")
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(["the good film a film goodness the film"] * 5, vocab_size=320, show_progress=False)
    (tmp_path / "t").mkdir()
    trained.save(str(tmp_path / "t" / "tokenizer.json"))
    pd.DataFrame({"text": ["a film", "the film"], "y": [0, 1]}).to_csv(tmp_path / "d.csv", index=False)
    found = read(tmp_path, "d.csv").data.vocabulary
    assert found is not None
    own = trained.get_vocab()

    assert {"the", "good", "film"} <= set(found.words().values())
    for i, word in found.words().items():
        assert own[f"\u0120{word}"] == i
        (row,) = found.ids([f"the {word}"])
        assert row[row >= 0].tolist()[-1] == i


def test_a_reference_is_read_by_the_same_tokenizer(folder: Path) -> None:
    found = read(folder, "d.csv", reference="d.jsonl")

    assert torch.equal(found.reference.read(np.arange(6)), found.data.read(np.arange(6)))
    unnamed = {"path": "d.csv", "target": "y", "sensitive": ["sex"], "reference": "d.jsonl"}
    again = read_any(folder, unnamed, input=INPUT).reference  # the column that was found, though more are left here
    assert torch.equal(again.read(np.arange(6)), found.data.read(np.arange(6)))


@pytest.mark.parametrize(
    ("name", "given", "data", "message"),
    [
        ("d.csv", INPUT, {"inputs": "sentence"}, "no column 'sentence', which is its text column"),
        ("d.csv", INPUT, {"inputs": ["text", "sex"]}, "inputs lists 2 columns; a text is read from one"),
        ("d.csv", {"kind": "text"}, {}, "kind = 'text' needs a tokenizer"),
        ("d.csv", {**INPUT, "tokenizer": "nowhere"}, {}, "tokenizer 'nowhere' does not exist"),
        ("d.csv", {**INPUT, "tokenizer": "d.csv"}, {}, "'d.csv' is no folder with one of tokenizer.json"),
        ("d.csv", {**INPUT, "tokenizer": "."}, {}, "is no folder with one of tokenizer.json"),
        ("d.csv", {**INPUT, "max_length": 100}, {}, "max_length is 100; the model takes at most 24"),
        ("d.csv", {**INPUT, "bounds": [0, 1]}, {}, "bounds would be ignored"),
        ("d.csv", {**INPUT, "mean": [0.5], "std": [0.5]}, {}, "mean would be ignored"),
        ("d.csv", {**INPUT, "size": [8, 8]}, {}, "resize or size would be ignored"),
        ("d.csv", {"tokenizer": "t"}, {}, "tokenizer and max_length are for texts"),
        ("bad.jsonl", INPUT, {}, "'bad.jsonl' cannot be read as JSON, an object a line"),
    ],
)
def test_what_does_not_fit_is_one_line(
    folder: Path, name: str, given: dict[str, Any], data: dict[str, Any], message: str
) -> None:
    (folder / "bad.jsonl").write_text('{"text": "a", "y": 1}\n{"text": \n')

    with pytest.raises(AuditError, match=message) as e:
        read(folder, name, given=given, **data)
    assert "\n" not in str(e.value)


def test_a_tokenizer_that_names_code_is_refused(folder: Path) -> None:
    tokenizer_in(folder / "evil", CORPUS)
    changed(folder / "evil" / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", None]})

    with pytest.raises(LoadError, match=r"own Python code \(auto_map\)"):
        read(folder, "d.csv", given={**INPUT, "tokenizer": "evil"})

    (folder / "evil" / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    (folder / "evil" / "tokenizer.json").write_text("{}")
    with pytest.raises(LoadError, match="tokenizer 'evil' cannot be read"):
        read(folder, "d.csv", given={**INPUT, "tokenizer": "evil"})


@needs_shared
def test_real_files_are_read_to_the_last_row(folder: Path) -> None:
    lines = (SHARED / "text" / "sst2_dev.tsv").read_text("utf-8").splitlines()
    spec = {"header": False, "columns": ["text", "y"], "target": "y"}
    found = read(folder, str(SHARED / "text" / "sst2_dev.tsv"), **spec)

    assert [f"{t}\t{y}" for t, y in zip(texts(found.data, *range(len(lines))), found.data.y, strict=True)] == lines

    with (SHARED / "text" / "sms_spam.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    spam = read(folder, str(SHARED / "text" / "sms_spam.csv"), target="label")
    assert spam.classes == ("ham", "spam")
    assert texts(spam.data, *range(len(rows))) == [row["text"] for row in rows]


def test_a_text_may_be_long_and_not_endless(folder: Path) -> None:
    for letters, refused in ((50_000, False), (1_000_001, True)):
        (folder / "long.csv").write_text(f"text,y\n{'a ' * (letters // 2)}b,0\nthe cat,1\n")
        if refused:
            with pytest.raises(LoadError, match="'text' has more than 1,000,000 bytes in row 0"):
                read(folder, "long.csv")
        else:
            assert len(read(folder, "long.csv").data) == 2
