"""Texts of the data with the words of one group in the place of another's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from auditor.errors import NotApplicable
from auditor.fairness.changed import Answers, Changed, answers_to, caveats_of, changed
from auditor.fairness.flip_figures import EITHER, Flips
from auditor.fairness.swaps import AXES, BOTH, Axis, Swap, swapped
from auditor.integers import Integers
from auditor.registry import Context
from auditor.types import Scalar, Table
from auditor.words import Vocabulary

__all__ = ["text_flips", "vocabulary_of"]

FEW, SHOWN, LONGEST = 30, 5, 300
TURNED = (1, 0, BOTH)  # whose words those texts have that get the words of group 0, of group 1, and each of the other
COMMON = re.compile(r"\b(?:the|a|and|of|to|in|is|it|i|you|that)\b", re.IGNORECASE)
LOOKED_AT = 1000  # texts whose language is looked at
SHORT = 5  # words, below which a text may well hold none of the commonest


def vocabulary_of(ctx: Context) -> Vocabulary:
    """How any text becomes an input; NotApplicable where that is not known."""
    if ctx.data.vocabulary is None:
        msg = "it is not known how a changed text becomes what the model reads"
        raise NotApplicable(msg)
    return ctx.data.vocabulary


def text_flips(ctx: Context, samples: int) -> Flips:
    """At most `samples` of the texts that hold a word of an axis (0: all), with the words of the other group."""
    assert ctx.data.texts is not None  # noqa: S101 - the caller looked
    texts, order = ctx.data.texts(np.arange(len(ctx.data))), np.random.default_rng(ctx.seed).permutation(len(ctx.data))
    swaps = {axis.name: _found(texts, axis, order, samples) for axis in AXES}
    rows = np.array(sorted({row for found in swaps.values() for row in found}), np.int64)
    x = ctx.data.read(rows)
    own = answers_to(ctx, [x] if len(rows) else [])
    flips = Flips(ctx.data.row_ids[rows], caveats=_english([texts[i] for i in order[:LOOKED_AT]]))
    flips.caveats += caveats_of(ctx, own, x) if len(rows) else []
    for axis in AXES:
        _add(ctx, flips, texts, rows, own, axis, swaps[axis.name])
    return flips


def _found(texts: Sequence[str], axis: Axis, order: Integers, samples: int) -> dict[int, Swap]:
    """The first `samples` texts (0: all) in `order` that hold a word of the axis, by position, and what they become."""
    found = ((i, swap) for i in order.tolist() if (swap := swapped(texts[i], axis)) is not None)
    return dict(islice(found, samples or None))


def _add(
    ctx: Context, flips: Flips, texts: Sequence[str], rows: Integers, own: Answers, axis: Axis, swaps: dict[int, Swap]
) -> None:
    """Take up the figures of one axis among `rows` (positions); those without a word of it count nowhere."""
    groups = np.array([swaps[row].group if row in swaps else -1 for row in rows.tolist()], np.int64)
    inputs, same = [], 0
    for own_group in TURNED:
        at = np.flatnonzero(groups == own_group)
        made = [vocabulary_of(ctx).ids([swaps[row].text for row in rows[at].tolist()])] if len(at) else []
        same += sum(int((x == ctx.data.read(rows[at])).all(1).sum()) for x in made)
        inputs.append((at, made))
    found = changed(ctx, axis.name, (*axis.groups, EITHER), groups, own, inputs)
    flips.add(found, "", f"Texts with the words of the other {axis.name}")
    flips.tables += _examples(ctx, found, texts, rows, swaps)
    flips.caveats += _about(axis, len(swaps), same, len(texts))


def _examples(
    ctx: Context, found: Changed, texts: Sequence[str], rows: Integers, swaps: Mapping[int, Swap]
) -> list[Table]:
    """The texts whose answer changes, those first whose score changes most."""
    if found.own.said is None or found.made.said is None:
        return []
    flipped = np.flatnonzero(found.flips.any(0))
    far = np.abs(found.shift[flipped]) if found.shift is not None else np.zeros(len(flipped))
    listed: list[tuple[Scalar, ...]] = []
    for i in flipped[np.argsort(-far, kind="stable")][:SHOWN].tolist():
        row, target = int(rows[i]), int(np.argmax(found.flips[:, i]))
        answers = (int(found.own.said[i]), int(found.made.said[target, i]))
        said = (_short(texts[row]), _short(swaps[row].text), *(ctx.classes[c] for c in answers))
        listed.append((int(ctx.data.row_ids[row]), *said))
    columns = ("row", "text", "with the other words", "answer", "then")
    title = f"Answers that the words of the other {found.attribute} change"
    return [Table(title, columns, tuple(listed))] if listed else []


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


# ---- caveats -----------------------------------------------------------------------------------------------------
def _english(texts: Sequence[str]) -> list[str]:
    long = [t for t in texts if len(t.split()) >= SHORT]
    common = sum(COMMON.search(t) is not None for t in long)
    if not long or 2 * common >= len(long):
        return []
    found = f"{common:,} of {len(long):,} texts of {SHORT} words or more hold one of the commonest English words"
    return [f"{found}: the words and names that are swapped, and the sentences, are English."]


def _about(axis: Axis, n: int, same: int, of: int) -> list[str]:
    said = []
    if n < FEW:
        said.append(
            f"Only {n} of {of:,} texts hold a word or name that tells {axis.name} and can be swapped: that says little."
        )
    if same:
        said.append(
            f"{same} of {n:,} texts by {axis.name} are the same to the model with other words, which it cuts off or "
            "does not know."
        )
    return said
