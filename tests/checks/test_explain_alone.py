"""What a check says depends neither on which other checks an audit runs, nor on when it runs: the seed settles it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import pytest

from auditor.audit import run
from auditor.evidence.methods import METHODS, Method
from auditor.evidence.scene import Scene
from auditor.progress import Finished, Listener
from auditor.registry import CHECKS, Context
from auditor.selection import Selection
from auditor.subject import Data
from tests import zoo
from tests.checks.tables import classifier, normal
from tests.explain.planted import one_token, watermark
from tests.zoo import Case

EXPLAIN = sorted(c for c in CHECKS if c.startswith("explain."))
EVIDENCE = ("explain.agreement", "explain.faithfulness", "explain.sanity", "explain.stability")
MANY = {"passes": 1000}  # so that SHAP and LIME are among the methods
SETTINGS: dict[str, dict[str, Any]] = {
    "explain.agreement": MANY,
    "explain.faithfulness": MANY,
    "explain.integrated_gradients": {"draws": 6},
    "explain.lime": {"neighbours": 60, "most": 120},
    "explain.sanity": MANY,
    "explain.shap": {"budget": 40, "background": 5, "superpixels": 6},
    "explain.stability": MANY,
}


def pictures() -> Case:
    """A trained network on few of the images of digits with a watermark."""
    model, x, y, _ = watermark()
    return Case(model, Data.of(x[:60], y[:60]))


CASES: Mapping[str, Callable[[], Case]] = {
    "table": zoo.categories,
    "black box": lambda: classifier(lambda x: 5 * x[:, 0] * x[:, 1] + x[:, 2], normal(60, 4)),
    "images": pictures,
    "texts": one_token,
    "attention": zoo.ZOO["attention"],
}


def said(name: str, only: tuple[str, ...], seed: int = 0) -> Mapping[str, str]:
    """What each check of an audit of these says, with its evidence, byte for byte."""
    case = CASES[name]()
    seen: list[Finished] = []
    run(case.model, case.data, selection=Selection("quick", only, (), SETTINGS), seed=seed,
        tell=Listener(finished=seen.append))  # fmt: skip
    kept = {f.outcome.check: {k: (str(a.dtype), a.shape, a.tobytes().hex()) for k, a in f.arrays.items()} for f in seen}
    return {f.outcome.check: json.dumps([asdict(f.outcome), kept[f.outcome.check]], sort_keys=True) for f in seen}


@cache
def together(name: str) -> Mapping[str, str]:
    """What all checks that explain say in one audit."""
    return said(name, ("explain.*",))


def alone(cases: Sequence[tuple[str, str]]) -> pytest.MarkDecorator:
    """Checks with cases."""
    return pytest.mark.parametrize(("check", "name"), [pytest.param(*c, id="-".join(c)) for c in cases])


def same(a: Any, b: Any) -> bool:
    """Whether two documents are the same, numbers to 1e-6: sums of a row's terms depend on the rows beside it."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-6)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    return bool(a == b)


@pytest.mark.parametrize("name", CASES)
def test_the_same_seed_says_the_same_twice(name: str) -> None:
    assert said(name, ("explain.*",)) == together(name)


@alone([(check, name) for name in CASES for check in EXPLAIN])
def test_a_check_says_alone_what_it_says_among_all(check: str, name: str) -> None:
    assert same(json.loads(said(name, (check,))[check]), json.loads(together(name)[check]))


@pytest.mark.parametrize("name", CASES)
def test_evidence_does_not_depend_on_which_other_evidence_is_asked_for(name: str) -> None:
    # both share their scores, which of all checks the agreement makes first
    found = said(name, ("explain.faithfulness", "explain.sanity"))

    for check in ("explain.faithfulness", "explain.sanity"):
        assert same(json.loads(found[check]), json.loads(together(name)[check]))


def test_evidence_without_any_check_of_a_single_method_is_the_same() -> None:
    assert all(same(json.loads(v), json.loads(together("table")[c])) for c, v in said("table", EVIDENCE).items())


def test_another_seed_says_something_else() -> None:
    other = said("table", EVIDENCE, seed=1)

    assert any(other[c] != together("table")[c] for c in EVIDENCE)


# ---- the methods themselves --------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", METHODS, ids=[m.name for m in METHODS])
def test_what_a_method_says_of_a_row_does_not_depend_on_the_rows_beside_it(method: Method) -> None:
    case = CASES["attention"]()
    with case.model.frozen():
        scene = Scene.of(Context(case.model, case.data), 4)
        every = method.scores(scene, case.model, scene.samples)
        for s, found in zip(scene.samples, every, strict=True):
            (own,) = method.scores(scene, case.model, [s])
            assert found == pytest.approx(own, rel=1e-4, abs=1e-6)
