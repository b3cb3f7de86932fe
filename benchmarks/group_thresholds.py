"""What thresholds by group gain and cost on rows that they were not found on, and what leaving the lot out loses.

For each criterion the audits before and after `auditor defend --method group_thresholds`, every figure with its 95 %
interval, and beside them fairlearn's ThresholdOptimizer as it is: it draws between two thresholds for every answer, so
that its figures are means over the draws. Adult: an MLP on numbers and categories without sex, race and country, found
on the training rows of its own split and judged on the others; credit: the demo.
Adult lies in ../shared/data beside the checkout; without it this says so and measures the demo alone.
    python -m benchmarks.group_thresholds
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.linear_model import LinearRegression

from app.defending import defend_file
from app.demos import credit
from app.places import HERE
from auditor.config import load_audit_file
from auditor.contingency import Criterion
from auditor.guard import isolated
from auditor.intake.architectures import mlp
from auditor.intake.weights import write_weights
from auditor.opening import open_audit
from auditor.subject import Data
from auditor.types import Audit, Measure
from auditor.wrapped.cuts import CONSTRAINTS, leads
from benchmarks._adult import ADULT, CATEGORIES, NUMBERS, teach

HEAD = """\
[model]
path = "adult.safetensors"
architecture = "mlp:{sizes}"
[data]
path = "test.csv"
target = "income"
classes = ["<=50K", ">50K"]
sensitive = ["sex", "race"]
reference = "train.csv"
"""
CHECKS = '\n[checks]\nprofile = "quick"\nonly = ["performance.accuracy", "fairness.groups", "fairness.tradeoff"]\n'
GAPS = ("demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference")


@dataclass(frozen=True)
class Case:
    """An audit file whose model has the attribute's gap."""

    name: str
    path: Path
    attribute: str


def main() -> None:
    """Print a table for each case."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for case in _cases(Path(folder)):
            _report(case)


def _report(case: Case) -> None:
    text = case.path.read_text().partition("\n[checks]")
    columns = text[2].partition("\n\n")[2]
    print(f"\n{case.name} by {case.attribute}")
    print(f"{'':30}{'accuracy':24}{'selection gap':24}{'tpr gap':24}larger of tpr and fpr gap")
    for i, criterion in enumerate(get_args(Criterion)):
        given = f'\n[defend.group_thresholds]\nattribute = "{case.attribute}"\ncriterion = "{criterion}"\n'
        path = case.path.with_name("audit.toml")
        path.write_text(text[0] + CHECKS + given + columns)
        done = defend_file(path, "group_thresholds", path.with_name("w.json"), place=HERE)
        if i == 0:
            print(f"{'as it is':30}{_row(done.before, case.attribute)}")
        print(f"{criterion:30}{_row(done.after, case.attribute)}")
        print(f"{'  drawn by lot (fairlearn)':30}{_drawn(path, case.attribute, criterion)}")
        for note in done.notes[1:]:
            print(f"  {note}")
    _curve(done.before, case.attribute)


def _row(audit: Audit, attribute: str) -> str:
    found = {(m.name, m.slice): m for o in audit.outcomes if o.result is not None for m in o.result.measures}
    figures = [found["accuracy", ""], *(found[gap, attribute] for gap in GAPS)]
    return "".join(f"{_shown(m):24}" for m in figures).rstrip()


def _shown(m: Measure) -> str:
    return "unknown" if m.value is None else f"{m.value:.3f} [{m.low:.3f}, {m.high:.3f}]"


def _drawn(path: Path, attribute: str, criterion: Criterion) -> str:
    """Accuracy and gaps of the audited rows, each the mean over fairlearn's draws."""
    opened = open_audit(load_audit_file(path), path.parent)
    (x, y, group), (x_test, y_test, group_test) = (
        (leads(opened.model, data, 1)[:, None], data.y, np.array(list(data.groups[attribute])))
        for data in (opened.reference, opened.data)
        if opened.model is not None and data is not None
    )
    same = LinearRegression().fit(x, x[:, 0])
    constraints = CONSTRAINTS.get(criterion, criterion)
    fitted = ThresholdOptimizer(estimator=same, constraints=constraints, prefit=True, predict_method="predict")
    fitted.fit(x, y, sensitive_features=group)
    chance = fitted._pmf_predict(x_test, sensitive_features=group_test)[:, 1]  # noqa: SLF001 - the mean of its draws
    accuracy = np.where(y_test == 1, chance, 1 - chance).mean()
    named = [g for g in np.unique(group_test) if g != "(missing)"]

    def gap(about: Any) -> float:
        large = [about & (group_test == g) for g in named if (about & (group_test == g)).sum() >= 10]
        rates = [chance[rows].mean() for rows in large]
        return float(max(rates) - min(rates))

    tpr, fpr = gap(y_test == 1), gap(y_test == 0)
    return "".join(f"{v:<24.3f}" for v in (accuracy, gap(np.ones_like(y_test, bool)), tpr, max(tpr, fpr))).rstrip()


def _curve(audit: Audit, attribute: str) -> None:
    """What the report draws: each criterion's own gap part of the way."""
    outcome = audit.outcome("fairness.tradeoff")
    by_slice: dict[str, dict[str, Measure]] = {}
    for m in outcome.result.measures if outcome and outcome.result else ():
        by_slice.setdefault(m.slice, {})[m.name] = m
    for about, found in by_slice.items():
        if about.startswith(f"{attribute}&"):
            (gap,) = (m for name, m in found.items() if name != "accuracy")
            print(f"  {about.partition('&')[2]:46}accuracy {_shown(found['accuracy']):24} gap {_shown(gap)}")


# ---- cases -------------------------------------------------------------------------------------------------------
def _cases(folder: Path) -> Iterator[Case]:
    (folder / "credit").mkdir()
    yield Case("credit", credit.write(folder / "credit"), "race")
    if not ADULT.is_file():
        print(f"\nno {ADULT.name} beside the checkout: left out")
        return
    (folder / "adult").mkdir()
    path = _adult(folder / "adult")
    yield Case("Adult", path, "sex")
    yield Case("Adult", path, "race")


def _adult(folder: Path) -> Path:
    """A network trained for ten epochs on Adult's own training rows, with its data and audit file."""
    rows = pd.read_csv(ADULT, keep_default_na=False)
    first = (rows["split"] == "train").to_numpy()
    rows[first].to_csv(folder / "train.csv", index=False)
    rows[~first].to_csv(folder / "test.csv", index=False)
    scale = {n: (float(rows[n][first].mean()), float(rows[n][first].std(ddof=0))) for n in NUMBERS}
    values = {n: sorted(set(rows[n][first]) - {"?"}) for n in CATEGORIES}
    columns = "".join(
        f'\n[[columns]]\nname = "{n}"\nmean = {mean:.9g}\nstd = {std:.9g}\n' for n, (mean, std) in scale.items()
    ) + "".join(f'\n[[columns]]\nname = "{n}"\nkind = "category"\nvalues = {v}\n' for n, v in values.items())
    size = len(NUMBERS) + sum(map(len, values.values()))
    path = folder / "adult.toml"
    path.write_text(HEAD.format(sizes=f"{size}-64-32-2") + CHECKS + columns)
    with isolated(0):
        module = mlp(f"{size}-64-32-2")
        write_weights(module, folder / "adult.safetensors")
        train = open_audit(load_audit_file(path), folder).reference or Data.of(torch.zeros(0, size), torch.zeros(0))
        teach(module, train)
    write_weights(module.eval(), folder / "adult.safetensors")
    return path


if __name__ == "__main__":
    main()
