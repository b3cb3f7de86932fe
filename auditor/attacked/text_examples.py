"""What the report shows of changed texts: examples, and reasons to doubt the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from auditor.attacks.text_changes import Change, Changeable, applied
from auditor.attacks.text_model import TextModel
from auditor.attacks.text_search import MOST_SINGLE
from auditor.attacks.typos import LEAST, is_latin
from auditor.registry import Context
from auditor.subject import Data
from auditor.types import Scalar, Table

__all__ = ["AttackedTexts", "doubts", "examples"]

LONGEST = 400  # characters of a text that are shown


@dataclass(frozen=True)
class AttackedTexts:
    """N texts of classes `y` (N,), and the changes that turn each: none needed where it is wrong, None if not found."""

    model: TextModel
    data: Data
    texts: Sequence[Changeable]
    y: Tensor
    sets: Sequence[tuple[Change, ...] | None]

    @property
    def failing(self) -> int:
        """How many were turned by a text that the model has no finite answer for."""
        turned = [applied(t.text, c) for t, c in zip(self.texts, self.sets, strict=True) if c]
        return int((~self.model.logits(turned).isfinite().all(1)).sum()) if turned else 0


# ---- examples ----------------------------------------------------------------------------------------------------
def examples(ctx: Context, attack: AttackedTexts, ladder: Sequence[int]) -> list[Table]:
    """For each number of words the easiest and the hardest of the texts that it turns and the number before does not.

    The easiest takes the fewest words and was called right with the least confidence, the hardest the other way round.
    """
    found = [(i, c) for i, c in enumerate(attack.sets) if c]
    if not found:
        return []
    changed = {i: applied(attack.texts[i].text, c) for i, c in found}
    before, after = (
        attack.model.logits(part).softmax(1) for part in ([attack.texts[i].text for i, _ in found], [*changed.values()])
    )
    sure = {i: float(p[attack.y[i]]) for (i, _), p in zip(found, before, strict=True)}
    called = {i: p for (i, _), p in zip(found, after, strict=True)}
    tables = []
    for low, k in pairwise((0, *ladder)):
        inside = sorted((i for i, c in found if low < len(c) <= k), key=lambda i: (len(attack.sets[i] or ()), sure[i]))
        for i, word in dict.fromkeys(zip(inside[:1] + inside[1:][-1:], ("easiest", "hardest"), strict=False)):
            p = called[i]
            label = f"{ctx.classes[int(p.argmax())]} ({float(p.max()):.2f})"
            what = f"{ctx.classes[int(attack.y[i])]} ({sure[i]:.2f}), called {label}"
            title = f"row {int(attack.data.row_ids[i])}: {what}; the {word} of words@{k}"
            tables.append(_changes(title, attack, i, changed[i]))
    return tables


def _changes(title: str, attack: AttackedTexts, i: int, changed: str) -> Table:
    text = attack.texts[i].text
    alike = float(attack.model.alike([text], [changed])[0]) if attack.model.embedded else None
    ordered = sorted(attack.sets[i] or (), key=lambda c: c.word)
    rows: list[tuple[Scalar, ...]] = [(c.word + 1, c.before, c.after, c.kind, c.cosine) for c in ordered]
    whole = ("all", _shown(text), _shown(changed), "", alike)
    return Table(title, ("word", "before", "after", "kind", "cosine"), (*rows, whole))


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\u2026"


# ---- caveats -----------------------------------------------------------------------------------------------------
def doubts(model: TextModel, texts: Sequence[Changeable], similarity: float, still: int, most: int) -> list[str]:
    """Caveats; `still` texts are answered alike whatever is changed, `most` words are to be changed at most."""
    words = [w for t in texts for w in t.changes]
    fixed = sum(not w for w in words)
    found = []
    if model.embedded is None:
        found.append(
            "No embedding of the model's tokens was found: words are mistyped only, and how alike a text stays is "
            "bounded by the number of its words alone."
        )
    elif any(c.kind == "neighbour" for w in words for c in w):
        found.append(
            f"Words at a cosine of {similarity:g} or more are alike to the model and may not be to a reader; words of "
            "opposite meaning often are, and then it is right to answer otherwise: read the examples."
        )
    if fixed:
        found.append(
            f"{fixed:,} of {len(words):,} words are left as they are: no neighbour is as near as that, and they are "
            f"not of {LEAST} Latin letters or more, which can be mistyped."
        )
    return [*found, *(f"{k:,} of {len(texts):,} texts {what}" for k, what in _counted(texts, still, most) if k)]


def _counted(texts: Sequence[Changeable], still: int, most: int) -> tuple[tuple[int, str], ...]:
    """Of how many texts something must be said."""
    return (
        (sum(not t.most for t in texts), "hold no word that may be changed, and stand whatever is done."),
        (
            sum(0 < t.most < most for t in texts),
            f"have fewer than {most} words that may change, a third of all; larger numbers change no more of them.",
        ),
        (still, "are answered alike to the last digit whatever word is changed: the model seems not to read them."),
        (sum(not t.whole for t in texts), "are cut at the most tokens that are read; words behind are not changed."),
        (sum(_is_foreign(t.text) for t in texts), "hold letters of other scripts than Latin, which are not mistyped."),
        (
            sum(sum(map(len, t.changes)) > MOST_SINGLE for t in texts),
            f"have more than {MOST_SINGLE} changes of one word; the most promising of them are tried.",
        ),
    )


def _is_foreign(text: str) -> bool:
    return any(c.isalpha() and not c.isascii() and not is_latin(c) for c in text)
