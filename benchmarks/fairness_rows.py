"""fairness.groups on a million rows with three sensitive columns: under 2 s and 1 GB, and against fairlearn.

Both count the same predictions in turn, in one run; printed are the ratio of their times and our peak memory.
    python -m benchmarks.fairness_rows
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score, precision_score

from auditor.audit import run
from auditor.cost import Meter
from auditor.intake.architectures import mlp
from auditor.progress import Finished, Listener
from auditor.selection import Selection
from auditor.subject import Column, Data, Labels, Model

ROWS, FEATURES, ROUNDS = 1_000_000, 10, 3
GROUPS = {"sex": 2, "race": 5, "region": 3}


def made() -> tuple[Model, Data]:
    """A small network and a million rows in memory."""
    generator = np.random.default_rng(0)
    x = torch.from_numpy(generator.standard_normal((ROWS, FEATURES), dtype=np.float32))
    groups = {
        name: Labels(tuple(f"{name}{i}" for i in range(k)), generator.integers(0, k, ROWS))
        for name, k in GROUPS.items()
    }
    torch.manual_seed(0)
    bounds = (torch.full((FEATURES,), -9.0), torch.full((FEATURES,), 9.0))
    model = Model(mlp(f"{FEATURES}-16-2"), ("no", "yes"), bounds=bounds)
    columns = tuple(Column(f"c{i}", i, i + 1) for i in range(FEATURES))
    y = generator.integers(0, 2, ROWS)
    return model, Data(lambda rows: x[torch.from_numpy(rows)], y, np.arange(ROWS), groups, columns, 1)


def main() -> None:
    """Print the figures."""
    model, data = made()
    with torch.no_grad():
        predicted = np.concatenate([model(b.x).argmax(1).numpy() for b in data.batches(65_536)])
    names = {name: np.array(labels.names)[labels.codes] for name, labels in data.groups.items()}
    metrics = {
        "selection rate": selection_rate, "tpr": true_positive_rate, "fpr": false_positive_rate,
        "precision": precision_score, "accuracy": accuracy_score,
    }  # fmt: skip
    costs: list[Finished] = []
    whole, theirs, peak = [], [], 0.0
    for _ in range(ROUNDS):
        meter = Meter()
        start = time.perf_counter()
        run(model, data, selection=Selection(only=("fairness.groups",)), tell=Listener(finished=costs.append))
        whole.append(time.perf_counter() - start)
        peak = max(peak, meter.read().peak_mb)
        start = time.perf_counter()
        frame = MetricFrame(metrics=metrics, y_true=data.y, y_pred=predicted, sensitive_features=names)
        assert len(frame.by_group) == 30  # noqa: S101
        theirs.append(time.perf_counter() - start)
    ours = [f.cost.seconds for f in costs if f.outcome.check == "fairness.groups"]
    check, audit, reference = (statistics.median(t) for t in (ours, whole, theirs))
    print(f"{ROWS:,} rows, 3 sensitive columns, median of {ROUNDS} interleaved rounds")
    print(f"fairness.groups: {check:.2f} s; with the predictions and the preflight: {audit:.2f} s (bar: 2 s)")
    print(f"peak memory of the process: {peak:,.0f} MB, inputs and fairlearn's own included (bar: 1,000 MB)")
    times = reference / check
    print(f"fairlearn's MetricFrame, 5 metrics in the 30 crossed groups: {reference:.1f} s, {times:.0f} times as long")


if __name__ == "__main__":
    main()
