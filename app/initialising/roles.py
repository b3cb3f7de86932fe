"""Which column is the target, which are sensitive, which hold answers, and which rows are those to be audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.initialising.columns import Seen
from app.initialising.vocabulary import (
    PREDICTION,
    SCORE,
    SPLIT,
    TARGETS,
    TESTED,
    TRAINED,
    is_called,
    is_identifier,
    is_like_answers,
    is_sensitive,
)
from auditor.characters import unreadable
from auditor.data.targets import LONGEST_NAME

__all__ = ["Answers", "Roles", "Target", "answers_of", "roles_of"]

FEWEST_GROUPS, MOST_GROUPS = 2, 20
MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """The column of right answers, None where several could be it; why it was taken; and the others that could be."""

    column: Seen | None
    why: str = ""
    others: tuple[str, ...] = ()
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """Columns that hold a model's answers: probabilities, or predictions; nothing where there are none."""

    scores: tuple[Seen, ...] = ()
    prediction: Seen | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(s.name for s in (*self.scores, *((self.prediction,) if self.prediction else ())))


@dataclass(frozen=True, slots=True)
class Roles:
    """What the columns of a file are for. `sensitive` are taken, `offered` are not, each with the reason."""

    target: Target
    sensitive: tuple[Seen, ...]
    offered: Mapping[str, str]
    where: Mapping[str, str]
    identifiers: tuple[str, ...]


def roles_of(columns: Sequence[Seen], outputs: int | None, labels: Sequence[str] | None = None) -> Roles:
    """The roles of `columns` for a model of so many outputs (1 may mean two classes), whose classes are `labels`."""
    where = next((w for w in map(_where, columns) if w), {})
    left = [c for c in columns if c.name not in where]
    target = _target(left, outputs, labels)
    own = target.column.name if target.column else ""
    persons = [c for c in left if is_sensitive(c.name) and c.name != own]
    offered = {c.name: why for c in persons if (why := _why_not(c))}
    return Roles(
        target,
        tuple(c for c in persons if c.name not in offered),
        offered,
        where,
        tuple(c.name for c in left if is_identifier(c.name) and c.different in (None, c.rows) and c.name != own),
    )


def _where(column: Seen) -> dict[str, str]:
    """The rows to audit, where a column says which a model was trained on."""
    if is_called(column.name, SPLIT) is None or len(column.names) < 2:
        return {}
    said = {v.lower(): v for v in column.names}
    tested = next((said[word] for word in TESTED if word in said), None)
    return {column.name: tested} if tested is not None and any(word in said for word in TRAINED) else {}


# ---- the target --------------------------------------------------------------------------------------------------
def _target(columns: Sequence[Seen], outputs: int | None, labels: Sequence[str] | None) -> Target:
    """By name; else the only column whose values are as many as the model has outputs, or are its very classes."""
    called = sorted((place, c.name) for c in columns if (place := is_called(c.name, TARGETS)) is not None)
    by_name = {c.name: c for c in columns}
    named = [by_name[name] for _, name in called if _could_be(by_name[name], outputs)]
    if not named and called:
        named = [by_name[name] for _, name in called]
    if named:
        return Target(named[0], "its name says so", tuple(c.name for c in named[1:]), by_name=True)
    same = [c for c in columns if labels and c.names and set(c.names) <= set(labels)]
    if len(same) == 1:
        return Target(same[0], "its values are the model's classes")
    classes = {1: 2, None: None}.get(outputs, outputs)
    fitting = [c for c in columns if _could_be(c, outputs) and not is_sensitive(c.name) and not is_identifier(c.name)]
    exact = [c for c in fitting if len(c.names) == classes]
    if len(exact) == 1:
        return Target(exact[0], f"it alone has {classes} different values, as the model has answers")
    return Target(None, others=tuple(c.name for c in exact or fitting))


def _could_be(column: Seen, outputs: int | None) -> bool:
    """Whether a model of so many outputs could answer with the values of the column."""
    if outputs == 1 and column.kind == "number":
        return True
    most = {None: MOST_CLASSES, 1: 2}.get(outputs, outputs) or MOST_CLASSES
    return column.kind in {"number", "flag", "category"} and 2 <= len(column.names) <= most and not column.is_amount


# ---- answers -----------------------------------------------------------------------------------------------------
def answers_of(columns: Sequence[Seen]) -> Answers:
    """The columns that are called as scores or predictions are; one of several, unless they are numbered."""
    scored = [c for c in columns if is_called(_unnumbered(c.name), SCORE) is not None and c.is_numeric]
    scored.sort(key=lambda c: is_called(_unnumbered(c.name), SCORE) or 0)
    several = [c for c in scored if _unnumbered(c.name) != c.name]
    called = [(place, c) for c in columns if (place := is_called(c.name, PREDICTION)) is not None]
    prediction = min(called, key=lambda pair: pair[0])[1] if called else None
    if not scored and prediction is None:
        scored = [c for c in columns if c.kind == "number" and is_like_answers(c.name)]
    return Answers(tuple(several) if len(several) > 1 else tuple(scored[:1]), prediction)


def _unnumbered(name: str) -> str:
    """`prob_0` as `prob`: probabilities stand in a column a class."""
    stem, _, end = name.rpartition("_")
    return stem if stem and end.isdigit() else name


# ---- groups ------------------------------------------------------------------------------------------------------
def _why_not(column: Seen) -> str:
    """Why a column is left for a person to take, "" where its values are the groups."""
    if odd := unreadable(column.name) or next((c for c in "=&" if c in column.name), ""):
        return f"its name holds {odd}; rename it"
    found = len(column.names)
    if not FEWEST_GROUPS <= found <= MOST_GROUPS:
        many = f"{found:,}" if column.names else "very many"
        how = "; an audit cuts numbers into four ranges" if column.is_numeric and found != 1 else ""
        return f"it has {many} different values{how}"
    no_name = any(_is_torn(v) or len(v) > LONGEST_NAME for v in column.names)
    return "a value of it cannot be the name of a group; rename it" if no_name else ""


def _is_torn(value: str) -> bool:
    return bool(unreadable(value.replace("\t", " "))) or ("&" in value and "=" in value)
