"""Checks register themselves here; importing `auditor.checks` finds them all.

A check is a function `(Context, *, settings) -> Result`. Its keyword-only arguments are its settings: the TOML table,
the dashboard's widgets and the reference page are generated from the signature and the docstring.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, cast

import numpy as np
from torch import no_grad

from auditor.columns import Column
from auditor.counting.tally import Rows, Tally, tallied
from auditor.errors import NotApplicable, UsageError
from auditor.given import Given, Probabilities
from auditor.integers import Integers
from auditor.predictions import InputRange, Predictions
from auditor.scores import ANSWERS, LABELS, MOST_SCORED_ROWS, SCORED_ROWS, Scored, as_scores, score_key
from auditor.settings import Profile, defaults, sizes, validated
from auditor.subject import Data, Model
from auditor.types import Measure, Result, Setting

__all__ = ["CHECKS", "Check", "Context", "Probabilities", "check", "sizes"]

Run = Callable[..., Result]
MEASURE = re.compile(r"[a-z0-9_*]+")  # a name that stands between slashes in the id of a finding


# ---- what a check may see ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Context:
    """All that a check may see. What it computes once is shared by every check of the audit.

    `seed` is the check's own, so that adding a check moves nobody else's figures; `root_seed` is the audit's, for
    what checks must agree on. `model` is None when only predictions were given.
    """

    model: Model | None
    data: Data
    reference: Data | None = None
    seed: int = 0
    batch_size: int = 64
    device: str = "cpu"
    root_seed: int = 0
    check: str = ""
    evidence: MutableMapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    shared: MutableMapping[str, Any] = field(default_factory=dict)

    def of_check(self, check: str) -> Context:
        """The same audit as `check` sees it: its own seed, and nothing among the evidence yet."""
        return replace(self, check=check, seed=derive_seed(self.root_seed, check), evidence={})

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty for regression."""
        if self.model is not None:
            return self.model.classes
        return self.data.given.classes if self.data.given else ()

    @property
    def is_regression(self) -> bool:
        """Whether the model returns one value instead of classes, or values came in the place of its answers."""
        if self.model is not None:
            return self.model.output == "value"
        return self.data.given is not None and self.data.given.values is not None

    @property
    def is_text(self) -> bool:
        """Whether inputs are token ids of texts."""
        return self.data.texts is not None

    def need_model(self) -> Model:
        """The model handle; NotApplicable when the audit has predictions only."""
        if self.model is None:
            msg = "the audit has predictions only; this needs the model"
            raise NotApplicable(msg)
        return self.model

    def need_classes(self) -> None:
        """NotApplicable for a model that returns a value, and for predictions that are values."""
        if self.is_regression:
            what = "the model returns a value" if self.model is not None else "the predictions are values"
            msg = f"{what}, not classes"
            raise NotApplicable(msg)

    def need_groups(self) -> None:
        """NotApplicable where there are no groups to compare."""
        if not self.data.groups:
            msg = "the audit file names no sensitive columns"
            raise NotApplicable(msg)

    @property
    def predictions(self) -> Predictions:
        """Predictions for every row of the data, made once."""
        if "predictions" not in self.shared:
            self.shared["predictions"] = self._predict()
        return cast("Predictions", self.shared["predictions"])

    def _predict(self) -> Predictions:
        if self.model is None:
            given = cast("Given", self.data.given)
            return Predictions(given.predicted, given.scores, given.values, of=given.of, plain=given.plain)
        outputs, inputs, seconds = [], InputRange(), 0.0
        for batch in self.data.batches(self.batch_size):
            inputs = inputs.with_batch(batch.x, self.model)
            start = time.perf_counter()
            with no_grad():
                outputs.append(self.model(batch.x).cpu().numpy())
            seconds += time.perf_counter() - start
        stacked = np.concatenate(outputs)
        if self.is_regression:
            return Predictions(np.zeros(len(stacked), np.int64), None, stacked, inputs, seconds)
        return Predictions(stacked.argmax(1).astype(np.int64), _softmax(stacked), None, inputs, seconds)

    @property
    def right(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(N,) whether each row is classified correctly."""
        return np.asarray(self.predictions.predicted == self.data.y)

    def explained(self, n: int) -> Integers:
        """Positions of `n` rows to explain, the same for every check: half of them errors, where there are any, first.

        0 means every row. Of a model that gives a value, those furthest off take the place of errors.
        """
        draw = np.random.default_rng(derive_seed(self.root_seed, "explained")).permutation(len(self.data))
        n = min(n or len(draw), len(draw))
        if self.predictions.values is not None:
            furthest = np.argsort(-np.abs(self.predictions.values - self.data.y), kind="stable")[: n // 2]
            return np.concatenate([furthest, draw[~np.isin(draw, furthest)][: n - len(furthest)]])
        wrong, right = draw[~self.right[draw]], draw[self.right[draw]]
        errors = min(len(wrong), max(n // 2, n - len(right)))
        return np.concatenate([wrong[:errors], right[: n - errors]])

    @property
    def columns(self) -> tuple[Column, ...]:
        """What each element of an input vector is; empty where inputs are no vectors."""
        shape = self.data.shape
        if self.data.columns or len(shape) != 1 or self.is_text:
            return self.data.columns
        return tuple(Column(f"x[{i}]", i, i + 1) for i in range(shape[0]))

    def counted(self, positive: int) -> Rows:
        """Answers, labels and scores of the class `positive`, to be counted by group."""
        found, y = self.predictions, self.data.y
        return Rows(
            len(y), self.data.groups, lambda at: found.predicted[at] == positive, lambda at: y[at] == positive,
            found.of_class(positive),
        )  # fmt: skip

    def tally(self, attributes: tuple[str, ...], positive: int) -> Tally:
        """Right and wrong answers per group of the crossed `attributes`; the rows are counted once."""
        kept = self.shared.setdefault(f"tally {positive}", {})
        return tallied(self.counted(positive), attributes, kept)

    def keep(self, key: str, array: np.ndarray[Any, Any], folder: str = "") -> str:
        """The name under which `array` is now found among the evidence: in the check's own part, unless in `folder`."""
        name = f"{folder or self.check}/{key}"
        self.evidence[name] = array
        return name

    def keep_scores(self, row_ids: Integers, scores: Mapping[Measure, Any]) -> None:
        """Keep what each of the rows counts in each measure of the check: (n,), NaN where it has no part.

        That is from 0 to 1 in a rate, and any number in a mean. Two audits of the same rows are compared by them, and
        `fairness.robustness` compares groups. Of more than MOST_SCORED_ROWS rows nothing is kept: they would weigh
        more than the data. Once for a check.
        """
        if len(row_ids) > MOST_SCORED_ROWS:
            return
        self.keep(SCORED_ROWS, row_ids)
        for m, values in scores.items():
            found = Scored(self.check, m.name, m.slice, m.better, row_ids, as_scores(values))
            self.keep(score_key(m.name, m.slice), found.scores)
            self.scored.append(found)

    def keep_answers(self) -> None:
        """Keep what the model says of every row, and of classes the true one: two models are compared by them.

        Of more than MOST_SCORED_ROWS rows nothing is kept, as of scores. Once for an audit.
        """
        if len(self.data) > MOST_SCORED_ROWS:
            return
        self.keep(SCORED_ROWS, self.data.row_ids)
        if self.predictions.values is not None:
            self.keep(ANSWERS, self.predictions.values)
            return
        self.keep(ANSWERS, self.predictions.predicted.astype(np.int32))
        self.keep(LABELS, self.data.y.astype(np.int32))

    @property
    def scored(self) -> list[Scored]:
        """The scores that the checks of this audit have kept so far."""
        return cast("list[Scored]", self.shared.setdefault("scored", []))


def _softmax(logits: np.ndarray[Any, np.dtype[np.float32]]) -> Probabilities:
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return cast("Probabilities", shifted / shifted.sum(1, keepdims=True))


def derive_seed(root: int, name: str) -> int:
    """A seed of its own for `name` under the root seed."""
    return int.from_bytes(hashlib.sha256(f"{root}:{name}".encode()).digest()[:4], "big")


# ---- what a check is ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Check:
    """A named measurement. Its settings are the keyword-only arguments of `run`.

    `measures` are the names of all that it may measure; `*` stands for any part of one.
    `reads` is the topic whose checks it reads the scores of (`Context.scored`), so that it runs after all of them; ""
    for one that reads nobody's. `clash` takes all settings and says, beginning with the name of one, why they do not go
    together; "" where they do.
    """

    id: str
    title: str
    doc: str
    source: str
    measures: tuple[str, ...]
    run: Run
    reads: str = ""
    clash: Callable[..., str] | None = None

    @property
    def topic(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of its settings."""
        return tuple(defaults(self.run))

    def may_measure(self, name: str) -> bool:
        """Whether it declares a measure of that name."""
        return any(fnmatchcase(name, known) for known in self.measures)

    def params(self, given: Mapping[str, Any], profile: Profile = "standard") -> dict[str, Setting]:
        """The settings it runs with: defaults at `profile`, overridden by `given`; UsageError for what is not legal."""
        found = validated(self.run, given, self.id, profile)
        if self.clash and (why := self.clash(**found)):
            msg = f"{self.id}.{why}"
            raise UsageError(msg)
        return found


CHECKS: dict[str, Check] = {}


def check(
    id: str,  # noqa: A002
    *,
    title: str,
    source: str,
    measures: tuple[str, ...],
    reads: str = "",
    clash: Callable[..., str] | None = None,
) -> Callable[[Run], Run]:
    """Register a function `(Context, *, settings) -> Result` under `id` ("topic.name"); the others as of `Check`."""

    def register(run: Run) -> Run:
        if id in CHECKS:
            msg = f"check {id!r} is defined twice: in {CHECKS[id].run.__module__} and in {run.__module__}"
            raise UsageError(msg)
        if odd := next((name for name in measures if not MEASURE.fullmatch(name)), None):
            msg = f"check {id!r} declares the measure {odd!r:.80}; expected lower-case letters, digits and underscores"
            raise UsageError(msg)
        CHECKS[id] = Check(id, title, inspect.getdoc(run) or "", source, measures, run, reads, clash)
        return run

    return register
