"""The flow: a check that raises or does damage is an error of its own, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from auditor.audit import run
from auditor.errors import LoadError, NotApplicable, UsageError, reason
from auditor.policy import INTERRUPTED
from auditor.progress import Finished, Listener
from auditor.registry import CHECKS, Check, Context, check
from auditor.schema import audit_to_json
from auditor.selection import PREFLIGHT, Selection, choose
from auditor.stats import rate
from auditor.subject import Data, Model
from auditor.types import Measure, Result, Status, Verdict
from tests import zoo

SMALL = Selection(profile="quick", only=("performance.*",))
WITH_ADDED = Selection(profile="quick", only=("performance.*", "zz.*"))


@pytest.fixture
def registered() -> Iterator[None]:
    """Whatever a test registers is gone after it."""
    before = dict(CHECKS)
    yield
    CHECKS.clear()
    CHECKS.update(before)


def add(name: str, function: object) -> Check:
    check(name, title=name, source="a test", measures=("*",))(function)
    return CHECKS[name]


def audited(selection: Selection = WITH_ADDED, **kwargs: object) -> dict[str, object]:
    """Outcomes by id of an audit of the planted patch."""
    case = zoo.planted_patch()
    audit = run(case.model, case.data, selection=selection, **kwargs)
    return {"audit": audit, **{o.check: o for o in audit.outcomes}}


@pytest.mark.usefixtures("registered")
def test_a_check_that_raises_is_an_error_and_stops_nobody() -> None:
    def broken(ctx: Context) -> Result:
        msg = "two\nlines"
        raise ZeroDivisionError(msg)

    add("zz.broken", broken)
    found = audited()

    assert found["zz.broken"].status is Status.ERROR
    assert found["zz.broken"].reason == "ZeroDivisionError: two lines"
    assert found["performance.accuracy"].result.measures[0].counts == (22, 24)
    assert found["audit"].verdict is Verdict.INCOMPLETE


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("measures", "found", "reason"),
    [
        (
            ("fine",),
            (rate("fine", 1, 2, slice="a"), rate("fine", 1, 3, slice="a")),
            "the check measured fine of a twice",
        ),
        (("fine",), (rate("odd", 1, 2),), "the check measured odd, which it does not declare"),
        (("fine",), (rate("fine", 1, 2), rate("fine", 1, 2, slice="a")), "no limit names it"),
    ],
)
def test_figures_that_limits_cannot_name_are_an_error(
    measures: tuple[str, ...], found: tuple[Measure, ...], reason: str
) -> None:
    check("zz.figures", title="x", source="a test", measures=measures)(lambda ctx: Result(found))

    outcome = audited()["zz.figures"]

    assert outcome.reason.partition(";")[0] == reason
    assert (outcome.status is Status.ERROR) == (reason != "no limit names it")


@pytest.mark.usefixtures("registered")
def test_a_check_that_damages_the_model_is_an_error_and_the_next_one_finds_it_whole() -> None:
    def vandal(ctx: Context) -> Result:
        ctx.need_model().module[1].weight.data.zero_()
        return Result((rate("fine", 1, 1),))

    def witness(ctx: Context) -> Result:
        total = float(sum(p.abs().sum() for p in ctx.need_model().module.parameters()))
        return Result((Measure("weight", "", total, 1),))

    add("zz.a_vandal", vandal)
    add("zz.b_witness", witness)
    found = audited()
    case = zoo.planted_patch()

    assert found["zz.a_vandal"].status is Status.ERROR
    assert "changed the model (weights" in found["zz.a_vandal"].reason
    assert found["zz.a_vandal"].result is None
    whole = float(sum(p.detach().abs().sum() for p in case.model.module.parameters()))
    assert found["zz.b_witness"].result.measures[0].value == pytest.approx(whole)


@pytest.mark.usefixtures("registered")
def test_an_error_tells_nothing_of_the_machine() -> None:
    def broken(ctx: Context) -> Result:
        msg = f"no file '/home/me/model/w.pt' for {object()}; at 3/4 or https://x.org/a"
        raise FileNotFoundError(msg)

    add("zz.broken", broken)

    assert audited()["zz.broken"].reason == (
        "FileNotFoundError: no file 'w.pt' for <object object at 0x...>; at 3/4 or https://x.org/a"
    )


@pytest.mark.usefixtures("registered")
def test_a_check_that_leaves_is_an_error() -> None:
    def leaves(ctx: Context) -> Result:
        raise SystemExit(0)

    add("zz.leaves", leaves)
    found = audited()["zz.leaves"]

    assert (found.status, found.reason) == (Status.ERROR, "SystemExit: 0")


class Counting(nn.Module):
    """Counts its own runs in a buffer and remembers its last input."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.runs: torch.Tensor
        self.register_buffer("runs", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        self.last = x
        y: torch.Tensor = self.inner(x)
        return y


def test_what_a_model_does_to_itself_is_a_caveat_and_no_checks_fault() -> None:
    case = zoo.planted_patch()
    audit = run(replace(case.model, module=Counting(case.model.module)), case.data, selection=SMALL)

    preflight, accuracy = audit.outcome(PREFLIGHT), audit.outcome("performance.accuracy")
    assert accuracy.status is Status.PASS
    (caveat,) = preflight.result.caveats
    assert caveat.startswith("The model changes itself when it runs (attribute 'last' of Counting, weights (runs))")


@pytest.mark.usefixtures("registered")
def test_a_figure_that_is_not_a_number_is_an_error() -> None:
    add("zz.nan", lambda ctx: Result((Measure("m", "", float("nan"), 3),)))

    assert audited()["zz.nan"].status is Status.ERROR


@pytest.mark.usefixtures("registered")
def test_not_applicable_says_why() -> None:
    def never(ctx: Context) -> Result:
        msg = "no sound"
        raise NotApplicable(msg)

    add("zz.never", never)
    outcome = audited()["zz.never"]

    assert (outcome.status, outcome.reason) == (Status.NOT_APPLICABLE, "no sound")


@pytest.mark.usefixtures("registered")
def test_ctrl_c_keeps_what_had_finished() -> None:
    def stop(ctx: Context) -> Result:
        raise KeyboardInterrupt

    add("zz.a_stop", stop)
    add("zz.b_late", lambda ctx: Result((rate("x", 1, 1),)))
    found = audited()

    assert found["performance.accuracy"].result.measures[0].counts == (22, 24)
    for late in ("zz.a_stop", "zz.b_late"):
        assert (found[late].status, found[late].reason) == (Status.SKIPPED, INTERRUPTED)
    assert found["audit"].verdict is Verdict.INCOMPLETE


@pytest.mark.usefixtures("registered")
def test_each_check_has_a_seed_of_its_own_and_adding_one_moves_nobody() -> None:
    def draw(ctx: Context) -> Result:
        return Result((Measure("x", "", float(torch.rand(1)) + np.random.rand(), 1),))  # noqa: NPY002

    add("zz.m", draw)
    alone = audited()["zz.m"]
    add("zz.a", draw)
    among = audited()

    assert among["zz.m"].result == alone.result
    assert among["zz.a"].result != alone.result
    assert audited(seed=1)["zz.m"].result != alone.result


@pytest.mark.usefixtures("registered")
def test_what_is_kept_as_evidence_reaches_the_caller_and_an_errors_evidence_does_not() -> None:
    def keeps(ctx: Context) -> Result:
        return Result((rate("x", 1, 1),), caveats=(ctx.keep("a", np.ones(2)),))

    def keeps_and_breaks(ctx: Context) -> Result:
        ctx.keep("b", np.ones(2))
        raise ValueError

    add("zz.keeps", keeps)
    add("zz.breaks", keeps_and_breaks)
    seen: list[Finished] = []
    audited(tell=Listener(finished=seen.append))
    arrays = {f.outcome.check: f.arrays for f in seen}

    assert list(arrays["zz.keeps"]) == ["zz.keeps/a"]
    assert arrays["zz.breaks"] == {}
    assert all(f.cost.seconds >= 0 and f.cost.peak_mb > 10 for f in seen)


def test_the_time_of_one_inference_is_a_cost_and_no_figure() -> None:
    seen: list[Finished] = []
    audit = audited(SMALL, tell=Listener(finished=seen.append))["audit"]
    taken = {f.outcome.check: f.cost.seconds_per_sample for f in seen}
    again = audited(SMALL)["audit"]

    assert taken[PREFLIGHT] > 0
    assert taken["performance.accuracy"] is None
    assert audit_to_json(audit) == audit_to_json(again)


def test_the_preflight_comes_first_and_cannot_be_left_out() -> None:
    started: list[str] = []
    found = audited(
        Selection(only=("performance.accuracy",), skip=("intake.*",)), tell=Listener(started=started.append)
    )

    assert started == [PREFLIGHT, "performance.accuracy"]
    assert found["audit"].outcomes[0].check == PREFLIGHT
    assert found["explain.lrp"].reason == "not selected"


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (
            Selection(only=("robustnes.*",)),
            r"no check matches 'robustnes\.\*'; did you mean robustness\.\*.* known: .*robustness.\(certified",
        ),
        (Selection(skip=("lrp",)), r"no check matches 'lrp'"),
        (
            Selection(settings={"explain.lpr": {}}),
            r"'explain.lpr', which is no check; did you mean explain\.lrp.* known: explain\.\(.*, lrp, ",
        ),
        (
            Selection(settings={"explain.lrp": {"sampels": 3}}),
            r"no setting 'sampels'; did you mean samples\? it has: samples, composite",
        ),
        (
            Selection(settings={"explain.lrp": {"composite": "gama"}}),
            r"composite = 'gama': .*epsilon_gamma",
        ),
        (Selection(settings={"explain.lrp": {"samples": "many"}}), r"explain.lrp.samples = 'many'"),
        (Selection(settings={"robustness.curve": {"epsilons": [0.1, -0.2]}}), r"epsilons = .*greater than 0"),
        (Selection(settings={"explain.lrp": {"samples": -1}}), r"samples = -1: .*greater than or equal to 0"),
        (
            Selection(settings={"explain.integrated_gradients": {"steps": 8}}),
            r"steps = 8: .*greater than or equal to 16",
        ),
        (Selection(settings={"explain.smoothgrad": {"draws": 1}}), r"draws = 1: .*greater than or equal to 2"),
        (Selection(settings={"robustness.curve": {"norm": "l7"}}), r"norm = 'l7': .*'linf'"),
    ],
)
def test_settings_are_validated_before_the_first_check(selection: Selection, message: str) -> None:
    started: list[str] = []
    case = zoo.planted_patch()

    with pytest.raises(UsageError, match=message):
        run(case.model, case.data, selection=selection, tell=Listener(started=started.append))
    assert started == []


def test_the_profile_picks_from_the_declared_sizes_and_a_setting_wins() -> None:
    sizes = {p: choose(Selection(profile=p))[1]["explain.lrp"]["samples"] for p in ("quick", "standard", "deep")}
    given = choose(Selection(profile="deep", settings={"explain.lrp": {"samples": 7}}))[1]["explain.lrp"]["samples"]

    assert sizes == {"quick": 4, "standard": 16, "deep": 64}
    assert given == 7


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(2, 3), "cannot take inputs of shape"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), "gives 5 outputs.*2 are named"),
        (nn.Flatten(), "gives 64 outputs"),
        (nn.Identity(), r"returns \(24, 1, 8, 8\).*expected \(N, classes\)"),
    ],
)
def test_a_model_that_does_not_fit_ends_the_audit_with_one_line(module: nn.Module, message: str) -> None:
    case = zoo.planted_patch()

    with pytest.raises(LoadError, match=message):
        run(Model(module, case.model.classes), case.data, selection=SMALL)


def test_nan_anywhere_in_the_outputs_ends_the_audit() -> None:
    class Sometimes(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x[:, 0], x[:, 0].log()], 1)

    x = torch.ones(200, 1)
    x[150] = -1

    with pytest.raises(LoadError, match="NaN or infinity for 1 of 200"):
        run(Model(Sometimes(), ("a", "b")), Data.of(x, torch.zeros(200).long()), selection=SMALL)


def test_predictions_alone_are_audited_where_no_model_is_needed() -> None:
    from auditor.given import Given

    data = zoo.biased_table().data
    given = Given(("no", "yes"), 1 - data.y, None)
    audit = run(None, Data(data.read, data.y, data.row_ids, data.groups, (), 1, given), selection=Selection("quick"))
    status = {o.check: o.status for o in audit.outcomes}

    assert status["performance.accuracy"] is not Status.NOT_APPLICABLE
    assert status["fairness.groups"] is Status.MEASURED
    assert {status[c] for c in status if c.startswith(("explain.", "robustness."))} == {Status.NOT_APPLICABLE}
    assert not any(s is Status.ERROR for s in status.values())


def test_an_error_in_a_torchscript_program_is_told_by_its_end() -> None:
    class Greedy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.ones(1 << 62)

    with pytest.raises(RuntimeError) as e:
        torch.jit.script(Greedy())(torch.ones(1))

    assert len(str(e.value).splitlines()) > 3 and "Traceback of TorchScript" in str(e.value)
    assert reason(e.value).startswith("RuntimeError: ") and "Traceback" not in reason(e.value)
    assert reason(ZeroDivisionError("a\nb")) == "ZeroDivisionError: a b"
