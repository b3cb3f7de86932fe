"""Promises that every check keeps, tested for all of them at once."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from auditor.audit import plan, run
from auditor.errors import UsageError
from auditor.guard import Snapshot
from auditor.progress import Finished, Listener
from auditor.registry import CHECKS, Check, Context, check
from auditor.selection import PREFLIGHT, Selection, choose, in_order
from auditor.settings import defaults, json_schema
from auditor.subject import Data, Model
from auditor.types import Result, Status
from tests import zoo

every_check = pytest.mark.parametrize("c", CHECKS.values(), ids=CHECKS)
FAST = {
    "robustness.foolbox": {"attacks": ["LinfPGD"], "samples": 4, "steps": 3},
    "robustness.trust": {"samples": 8, "steps": 4, "questions": 5, "lessons": 0},
    "robustness.detection": {"samples": 4, "steps": 3},
    "explain.shap": {"samples": 2, "budget": 40, "background": 5, "superpixels": 6},
    "explain.lime": {"samples": 2, "neighbours": 60, "superpixels": 6},
    "explain.gradcam": {"samples": 3},
    "explain.lrp": {"samples": 3},
    "explain.integrated_gradients": {"samples": 2, "draws": 6},
    "explain.smoothgrad": {"samples": 2, "draws": 4},
    "robustness.curve": {"samples": 6, "steps": 3, "shown": 1},
}
QUIET = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:PendingDeprecationWarning")


@every_check
def test_one_file_one_test(c: Check) -> None:
    stem = Path(inspect.getfile(c.run)).stem

    assert stem == c.id.replace(".", "_")
    assert (Path(__file__).parent / "checks" / f"test_{stem}.py").exists()


@every_check
def test_documented(c: Check) -> None:
    assert c.title and c.source
    for heading in ("What it measures:", "How to read it:", "When it misleads:"):
        assert heading in c.doc
    for name in defaults(c.run):
        assert f"`{name}`" in c.doc, f"{c.id} does not say what {name} is"
    assert not re.search(r"\b(safe|fair|unbiased|compliant)\b", c.doc)


@every_check
def test_settings_have_a_schema_and_a_legal_default(c: Check) -> None:
    schema = json_schema(c.run)
    for profile in ("quick", "standard", "deep"):
        values = defaults(c.run, profile)
        assert c.params(values, profile) == values
    assert set(schema) == set(defaults(c.run))
    assert all("default" in s for s in schema.values())


@QUIET
@every_check
@pytest.mark.parametrize("name", zoo.ZOO)
def test_lives_with_the_zoo_and_leaves_it_untouched(c: Check, name: str) -> None:
    case = zoo.ZOO[name]()
    snapshot = Snapshot(case.model.module)
    training = case.model.module.training

    audit = run(case.model, case.data, selection=Selection("quick", only=(c.id,), settings=FAST))
    outcome = audit.outcome(c.id)

    assert outcome.status is not Status.ERROR, outcome.reason
    assert snapshot.restore() == []
    assert case.model.module.training is training
    if outcome.result is not None:
        assert outcome.result.measures
        assert len({(m.name, m.slice) for m in outcome.result.measures}) == len(outcome.result.measures)


@QUIET
@every_check
@pytest.mark.parametrize("name", ["batch_norm", "categories"])
def test_same_seed_same_result(c: Check, name: str) -> None:
    def once() -> tuple[Result | None, dict[str, bytes]]:
        case = zoo.ZOO[name]()
        seen: list[Finished] = []
        audit = run(
            case.model, case.data, selection=Selection("quick", (c.id,), (), FAST), tell=Listener(finished=seen.append)
        )
        outcome = audit.outcome(c.id)
        return outcome.result, {k: v.tobytes() for f in seen for k, v in f.arrays.items()}

    assert once() == once()


@QUIET
@every_check
def test_evidence_is_there_for_every_picture(c: Check) -> None:
    case = zoo.inplace_relu()
    seen: list[Finished] = []
    run(case.model, case.data, selection=Selection("quick", (c.id,), (), FAST), tell=Listener(finished=seen.append))
    arrays = {name: a for f in seen for name, a in f.arrays.items()}
    images = [i for f in seen if f.outcome.result for i in f.outcome.result.images]

    for image in images:
        assert image.array in arrays
        assert image.alt and image.title
        assert not arrays[image.array].dtype.hasobject


def test_a_measure_is_named_so_that_findings_can_be() -> None:
    with pytest.raises(UsageError, match="declares the measure 'm/a'"):
        check("zz.odd", title="x", source="y", measures=("m", "m/a"))(lambda _: Result(()))
    assert "zz.odd" not in CHECKS


def test_an_id_cannot_be_taken_twice() -> None:
    def again(ctx: Context) -> Result:
        return Result(())

    with pytest.raises(UsageError, match=f"{PREFLIGHT!r} is defined twice"):
        check(PREFLIGHT, title="x", source="y", measures=())(again)


def test_what_reads_others_scores_comes_after_them_and_the_others_by_id() -> None:
    ran, readers = [c.id for c in choose(Selection())[0]], [c for c in CHECKS.values() if c.reads]

    assert sorted(ran) == sorted(CHECKS) and ran[0] == PREFLIGHT
    assert readers
    for c in readers:
        read = [k.id for k in CHECKS.values() if k.topic == c.reads]
        assert read and all(ran.index(k) < ran.index(c.id) for k in read)
    others = [k for k in ran[1:] if not CHECKS[k].reads]
    assert others == sorted(others)
    assert [o.check for o in plan(Selection(), 0, "cpu").outcomes] == ran == [c.id for c in in_order()]


def test_of_a_value_the_rows_furthest_off_are_explained_first() -> None:
    x = torch.arange(8.0)[:, None]
    y = torch.tensor([0.0, 9.0, 2.0, 3.0, -4.0, 5.0, 6.0, 7.0])  # rows 1 and 4 are 8 off
    model = Model(nn.Identity(), (), output="value")
    found = Context(model, Data.of(x, y)).explained(4)

    assert set(found[:2]) == {1, 4}
    assert len(set(found.tolist())) == 4
