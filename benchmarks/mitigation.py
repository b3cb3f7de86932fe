"""What each mitigation gains and costs on rows that nobody trained on, at several strengths.

Gaps are the largest between two groups, as fairness.groups measures them, each figure with its 95 % interval. Adult: an
MLP on numbers and categories without sex, race and country, its own split; credit: the demo. Of the reduction also what
its mixture would give, drawn anew for every answer, and its layer of the largest share alone.
Adult lies in ../shared/data beside the checkout; without it this says so and measures the demo alone.
    python -m benchmarks.mitigation
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch
from torch import nn

from app.demos import credit
from auditor.audit import run
from auditor.config import load_audit_file
from auditor.contingency import Criterion
from auditor.defend import defence
from auditor.guard import isolated
from auditor.intake.architectures import mlp
from auditor.opening import open_audit
from auditor.registry import derive_seed
from auditor.selection import Selection
from auditor.subject import Data, Model
from auditor.training.groups import grouped, strata
from auditor.training.head import features_of, head_of, with_head
from auditor.training.loop import split
from auditor.training.reduction import Rows, reduced
from auditor.types import Measure
from benchmarks._adult import ADULT, CATEGORIES, NUMBERS, teach

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
GAPS = {"demographic_parity": "selection", "equal_opportunity": "tpr", "equalized_odds": "tpr, fpr"}


@dataclass(frozen=True)
class Case:
    """A model, the rows that mitigation is fitted on, and those that it is judged on."""

    name: str
    model: Model
    fitted: Data
    judged: Data
    attribute: str


def main() -> None:
    """Print a table for each case."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for case in _cases():
        sizes = pd.Series(list(case.judged.groups[case.attribute])).value_counts().to_dict()
        print(f"\n{case.name} by {case.attribute}: fitted on {len(case.fitted):,} rows, judged on {len(case.judged):,} "
              f"({', '.join(f'{g} {n:,}' for g, n in sizes.items())})")  # fmt: skip
        print(f"{'':46}{'accuracy':24}{'selection gap':24}{'tpr gap':24}larger of tpr and fpr gap")
        _row("as it is", case, case.model.module)
        _row("reweighing", case, defence("reweighing")(case.model, case.fitted, 0, attribute=case.attribute))
        for criterion in get_args(Criterion):
            for strength in STRENGTHS:
                settings: Any = {"criterion": criterion, "strength": strength, "attribute": case.attribute}
                made = defence("fairness_penalty")(case.model, case.fitted, 0, **settings)
                _row(f"fairness_penalty {criterion} {strength:g}", case, made)
        for criterion in get_args(Criterion):
            _reduction(case, criterion)


def _reduction(case: Case, criterion: Criterion) -> None:
    """The model of the defence, its layer of the largest share alone, and the mixture."""
    settings: Any = {"criterion": criterion, "attribute": case.attribute}
    _row(
        f"exponentiated_gradient {criterion}",
        case,
        defence("exponentiated_gradient")(case.model, case.fitted, 0, **settings),
    )
    head = head_of(case.model, case.fitted.read(np.arange(8)))
    fitted, judged = (_rows(case, data, head, criterion) for data in (case.fitted, case.judged))
    kept, _ = split(len(case.fitted), derive_seed(0, "held out"), 10_000)
    mixture = reduced(fitted.at(kept), 0.01, 50, with_bias=True)
    largest = int(mixture.shares.argmax())
    alone = with_head(case.model.module, head, mixture.weights[largest], float(mixture.biases[largest]), 1)
    _row(f"  layer of share {mixture.shares[largest]:.2f} alone", case, alone)
    gap, accuracy = judged.figures(mixture.rate(judged.features))
    drawn = f"  one of {len(mixture.shares)} layers drawn for every answer"
    print(f"{drawn:46}{accuracy:<24.3f}{GAPS[criterion]} gap {gap:.3f}", flush=True)


def _rows(case: Case, data: Data, head: str, criterion: Criterion) -> Rows:
    groups, truly = grouped(data, case.attribute), data.y == 1
    return Rows(features_of(case.model, data, head), truly, groups.codes, strata(groups, criterion, truly)[0])


def _row(name: str, case: Case, made: Any) -> None:
    module: nn.Module = made if isinstance(made, nn.Module) else made.module
    selection = Selection(only=("performance.accuracy", "fairness.groups"))
    audit = run(replace(case.model, module=module), case.judged, selection=selection)
    found = {(m.name, m.slice): m for o in audit.outcomes if o.result is not None for m in o.result.measures}
    gaps = ("demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference")
    figures = [found["accuracy", ""], *(found[gap, case.attribute] for gap in gaps)]
    print(f"{name:46}" + "".join(f"{_shown(m):24}" for m in figures).rstrip(), flush=True)


def _shown(m: Measure) -> str:
    return "unknown" if m.value is None else f"{m.value:.3f} [{m.low:.3f}, {m.high:.3f}]"


def _cases() -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder:
        opened = open_audit(load_audit_file(credit.write(Path(folder))), Path(folder))
    if opened.model is not None and opened.reference is not None:
        yield Case("credit", opened.model, opened.reference, opened.data, "race")
    if not ADULT.is_file():
        print(f"\nno {ADULT.name} beside the checkout: left out")
        return
    model, train, test = _adult()
    yield Case("Adult", model, train, test, "sex")
    yield Case("Adult", model, train, test, "race")


def _adult() -> tuple[Model, Data, Data]:
    """A network trained for ten epochs on Adult's own training rows, these, and the test rows."""
    rows = pd.read_csv(ADULT, keep_default_na=False)
    first = (rows["split"] == "train").to_numpy()
    numbers = rows[list(NUMBERS)].astype(float)
    numbers = (numbers - numbers[first].mean()) / numbers[first].std(ddof=0)
    inputs = np.concatenate([numbers.to_numpy(), pd.get_dummies(rows[list(CATEGORIES)]).to_numpy(float)], 1)
    y = (rows["income"] == ">50K").to_numpy().astype(np.int64)
    train, test = (
        Data.of(
            torch.from_numpy(inputs[at]).float(), torch.from_numpy(y[at]),
            {name: rows[name][at].tolist() for name in ("sex", "race")}, positive=1,
        )
        for at in (first, ~first)
    )  # fmt: skip
    with isolated(0):
        module = mlp(f"{inputs.shape[1]}-64-32-2")
        teach(module, train)
    bounds = (float(inputs.min()), float(inputs.max()))
    return Model(module.eval(), ("<=50K", ">50K"), bounds=bounds), train, test


if __name__ == "__main__":
    main()
