"""Words are what a reader expects, and every token of every kind of tokenizer finds the word that it is a piece of."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from auditor.data.texts import Reader, reader_at
from auditor.data.words import spans, words_of
from auditor.errors import NotApplicable
from auditor.explained.samples import Sample, explained_samples, need_explainable, word_table
from auditor.registry import Context
from auditor.words import Words
from tests.data.reading import read, words_in
from tests.intake.pretrained import tokenizer_in
from tests.intake.zoo_packages import installed
from tests.zoo import linear_table, texts

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
CORPUS = [
    "I don't like it: it 's a well-known, unwatchable film ... :-)",
    "\u8fd9\u90e8\u7535\u5f71\u5f88\u597d\u770b\u3002",
    "\u0647\u0630\u0627 \u0641\u064a\u0644\u0645 \u0631\u0627\u0626\u0639\u060c \u062c\u062f\u0627\u064b!",
    f"good {FAMILY} \U0001f44d\U0001f3fd film",
    "  two  spaces\tand\nlines ",
    "",
]


def words(text: str) -> list[str]:
    return [text[a:b] for a, b in spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it's (not) well-known...", ["it's", "(", "not", ")", "well-known", "..."]),
        ("it 's do n't don\u2019t 'so'", ["it", "'s", "do", "n't", "don\u2019t", "'", "so", "'"]),
        ("3.14 at 10:30, U.S. or end.The", ["3.14", "at", "10:30", ",", "U.S", ".", "or", "end", ".", "The"]),
        ("\u8fd9\u90e8\u7535\u5f71\u3002love", ["\u8fd9", "\u90e8", "\u7535", "\u5f71", "\u3002", "love"]),
        ("\u0647\u0630\u0627 \u0631\u0639\u060c", ["\u0647\u0630\u0627", "\u0631\u0639", "\u060c"]),
        ("\u05d7\u05f4\u05db", ["\u05d7\u05f4\u05db"]),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"]),
        ("\u0928\u092e\u0938\u094d\u0924\u0947", ["\u0928\u092e\u0938\u094d\u0924\u0947"]),
        ("e\u0301te\u0301 ok", ["e\u0301te\u0301", "ok"]),
        (f"{FAMILY}\U0001f44d\U0001f3fd", [FAMILY, "\U0001f44d\U0001f3fd"]),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", ["\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"]),
        (" \n\t\x00", []),
    ],
)  # fmt: skip
def test_words_are_what_a_reader_expects(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_every_character_is_in_one_word_or_a_space() -> None:
    """For any text, as a property: the words are in order, apart, and hold all but the spaces."""
    draw = np.random.default_rng(0)
    alphabet = "ab1 .'-:\u200d\u202e\u0301\u05d0\u4e00\u30a2\u0e01\U0001f600\U0001f3fd\U0001f1e9\n\x07"
    for _ in range(500):
        text = "".join(draw.choice(list(alphabet), 12))
        found = spans(text)
        assert all(a < b for a, b in found) and all(b <= c for (_, b), (c, _) in pairwise(found))
        held = {i for a, b in found for i in range(a, b)}
        assert {text[i] for i in range(len(text)) if i not in held} <= {" ", "\n", "\x07"}


def test_a_token_over_several_words_makes_them_one() -> None:
    found = words_of("a bc d", [None, (0, 1), (1, 3), (3, 6), None], 7)

    assert found.words == ("a", "bc d") and found.of_token.tolist() == [-1, 0, 1, 1, -1, -1, -1]


def test_what_the_tokens_leave_out_at_either_end_of_a_cut_text_is_not_there() -> None:
    tokens = [None, (2, 4), (5, 6), None]

    assert words_of("a bc defg h", tokens, 4, cut=True).words == ("bc", "d")
    assert words_of("a bc defg h", tokens, 4).words == ("a", "bc", "defg", "h")
    assert words_of("a b", [None, None], 2, cut=True).words == ()


# ---- tokenizers --------------------------------------------------------------------------------------------------
def byte_level(folder: Path, kind: str) -> Reader:
    """A byte-level BPE tokenizer of a few merges, as GPT-2 (no special tokens) or RoBERTa has."""
    installed("transformers")
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(CORPUS[:1] * 3, vocab_size=290, show_progress=False,
                                special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])  # fmt: skip
    folder.mkdir(parents=True)
    trained.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": f"{kind}Tokenizer"}))
    return reader_at(folder, None, 64)


def pieces(reader: Reader, text: str) -> list[tuple[str, str]]:
    """(what the tokenizer says the token is, the word it belongs to or "") of every token of `text`."""
    (ids,), _ = reader.ids([text])
    found = reader.words(text)
    assert found.of_token.shape == (reader.length,) and (found.of_token[len(ids) :] == -1).all()
    tokens = reader.tokenizer.convert_ids_to_tokens(ids.tolist())
    return [(t, found.words[i] if i >= 0 else "") for t, i in zip(tokens, found.of_token, strict=False)]


@pytest.mark.parametrize("kind", ["Bert", "GPT2", "Roberta"])
def test_the_pieces_of_a_word_spell_it(tmp_path: Path, kind: str) -> None:
    """The tokenizer's own decoding of the pieces of one word is that word."""
    if kind == "Bert":
        tokenizer_in(tmp_path / "t", CORPUS)
        reader = reader_at(tmp_path / "t", None, 64)
    else:
        reader = byte_level(tmp_path / "t", kind)
    for text in CORPUS:
        (ids,), _ = reader.ids([text])
        found = reader.words(text)
        assert list(found.words) == words(text)
        for i, word in enumerate(found.words):
            own = [int(t) for t, j in zip(ids, found.of_token, strict=False) if j == i]
            spelled = reader.tokenizer.decode(own).replace(" ", "")
            if word.isascii():
                assert spelled == (word.lower() if kind == "Bert" else word)
            elif kind != "Bert":
                assert spelled == word
        marked = reader.tokenizer.get_special_tokens_mask(ids.tolist(), already_has_special_tokens=True)
        assert [i < 0 for i in found.of_token[: len(ids)]] == [
            (bool(m) and t != reader.tokenizer.unk_token_id) or not reader.tokenizer.decode([t]).strip()
            for m, t in zip(marked, ids.tolist(), strict=True)
        ]


def test_pieces_are_counted_by_hand(tmp_path: Path) -> None:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##watch", "##able", "don", "'", "t", ".", "a"]
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "vocab.txt").write_text("\n".join(vocabulary))
    (tmp_path / "t" / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    reader = reader_at(tmp_path / "t", None, 7)

    assert pieces(reader, "Don't unwatchable.") == [
        ("[CLS]", ""), ("don", "Don't"), ("'", "Don't"), ("t", "Don't"),
        ("un", "unwatch"), ("##watch", "unwatch"), ("[SEP]", ""),
    ]  # fmt: skip
    assert reader.words("a [SEP] a").words == ("a", "[SEP]", "a")  # a token that the text itself names is a word


class Apart:
    """A tokenizer in plain Python: it does not say where its tokens stand. `glued` makes words depend on each other."""

    is_fast, pad_token_id = False, 0

    def __init__(self, *, glued: bool = False) -> None:
        self.glued = glued

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        ids = [ord(c) for c in text if not c.isspace()]
        return [i + len(ids) for i in ids] if self.glued else ids

    def __call__(self, texts: list[str], *, truncation: bool, max_length: int) -> object:
        held = [[1, *self.encode(t, add_special_tokens=False)[: max_length - 2], 2] for t in texts]
        return type("Encoding", (dict,), {"is_fast": False})(input_ids=held)

    def get_special_tokens_mask(self, ids: list[int], *, already_has_special_tokens: bool) -> list[int]:
        return [int(i in (1, 2)) for i in ids]

    def decode(self, ids: list[int]) -> str:
        return "".join(map(chr, ids))


def test_a_tokenizer_that_cannot_say_where_its_tokens_stand() -> None:
    found = Reader(Apart(), 9, "").words("it's a b ")
    assert found.words == ("it's", "a", "b") and found.of_token.tolist() == [-1, 0, 0, 0, 0, 1, 2, -1, -1]

    cut = Reader(Apart(), 5, "").words("it's a b")
    assert cut.words == ("it's",) and cut.of_token.tolist() == [-1, 0, 0, 0, -1]

    pieces = Reader(Apart(glued=True), 9, "").words("ab c")
    assert pieces.words == tuple(chr(ord(c) + 3) for c in "abc") and pieces.of_token.tolist()[:5] == [-1, 0, 1, 2, -1]


# ---- in the data and in tables -----------------------------------------------------------------------------------
def test_words_follow_the_rows_that_are_left(tmp_path: Path) -> None:
    tokenizer_in(tmp_path / "t", ["a good film", "bad"])
    (tmp_path / "d.csv").write_text("text,y,part\na good film,0,x\nbad,1,y\ngood good,1,y\n")
    found = read(tmp_path, {"path": "d.csv", "inputs": "text", "where": {"part": "y"}},
                 input={"kind": "text", "tokenizer": "t"})  # fmt: skip

    assert [w.words for w in words_in(found.data, 1, 0)] == [("good", "good"), ("bad",)]
    assert words_in(found.data.at(np.array([1])), 0)[0].words == ("good", "good")


def context() -> Context:
    case = texts()
    return Context(case.model, case.data)


def test_the_rows_of_a_word_table_add_up_to_the_shares() -> None:
    ctx = context()
    for s in explained_samples(ctx, 8):
        assert s.x.dtype == torch.int64
        shares = torch.randn(6, generator=torch.Generator().manual_seed(s.row))
        table = word_table(ctx, s, shares, "relevance")

        assert table.title == s.title and table.columns == ("word", "relevance")
        present = [f"word{i}" for i in s.x.tolist() if i >= 0]
        special = ["(special tokens)"] if len(present) < 6 else []
        assert [row[0] for row in table.rows] == [*present, *special]
        assert sum(float(row[1]) for row in table.rows if row[1] is not None) == pytest.approx(float(shares.sum()))


def test_pieces_are_added_up_in_reading_order() -> None:
    case = texts()
    held = Words(("Don't", "go"), np.array([-1, 0, 0, 1, -1, -1]))
    data = case.data.at(np.array([3, 2]))
    ctx = Context(case.model, replace(data, words=lambda _: [held]))
    table = word_table(ctx, Sample(3, torch.zeros(6), 0, 1.0, "row 3", "a"), torch.tensor([8.0, 1, 2, -4, 16, 0]), "x")

    assert table.rows == (("Don't", 3.0), ("go", -4.0), ("(special tokens)", 24.0))
    shorter = word_table(ctx, Sample(3, torch.zeros(6), 0, 1.0, "row 3", "a"), torch.tensor([8.0, 1, 2, -4]), "x")
    assert shorter.rows == (("Don't", 3.0), ("go", -4.0), ("(special tokens)", 8.0))


def test_texts_of_unknown_words_cannot_be_explained() -> None:
    case = texts()
    unknown = Context(
        case.model, type(case.data)(case.data.read, case.data.y, case.data.row_ids, texts=case.data.texts)
    )

    with pytest.raises(NotApplicable, match="not known which words"):
        need_explainable(unknown)
    need_explainable(context())
    table = linear_table()
    need_explainable(Context(table.model, table.data))
