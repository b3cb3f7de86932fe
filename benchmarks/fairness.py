"""fairness.groups against fairlearn's MetricFrame, and on ten million rows from Parquet.

Everything is timed in turn, in one run; printed are the ratios, and the peak memory of a process of its own.
    python -m benchmarks.fairness [ROWS]        # ROWS of the Parquet file, 10,000,000 where left out
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import torch
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score, precision_score

from auditor.audit import run
from auditor.columns import Labels
from auditor.counting.crossings import crossing_of
from auditor.counting.tally import Rows, tally
from auditor.given import Given
from auditor.progress import Listener
from auditor.selection import Selection
from auditor.stats import rate
from auditor.subject import Data

ROUNDS = 3
CROSSED = {"sex": 2, "race": 5, "region": 3}
WIDE = {"sex": 2, "race": 5, "age": 4, "region": 3, "disability": 2}
METRICS = {
    "selection_rate": selection_rate, "tpr": true_positive_rate, "fpr": false_positive_rate, "ppv": precision_score,
    "accuracy": accuracy_score,
}  # fmt: skip
CHILD = """
import json, sys, time
from pathlib import Path
from auditor.audit import run
from auditor.config import load_audit_file
from auditor.opening import open_audit
from auditor.progress import Listener
file = Path(sys.argv[1])
start, costs = time.perf_counter(), []
o = open_audit(load_audit_file(file), file.parent)
read = time.perf_counter() - start
tell = Listener(finished=costs.append)
audit = run(o.model, o.data, selection=o.selection, policy=o.policy, subject=o.subject, tell=tell)
own = next(f for f in costs if f.outcome.check == "fairness.groups")
print(json.dumps({
    "seconds": time.perf_counter() - start, "read": read, "check": own.cost.seconds,
    "peak_mb": int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024,  # its own alone
    "measures": len(own.outcome.result.measures),
}))
"""


def rows_of(n: int, groups: Mapping[str, int]) -> tuple[Data, Any]:
    """n rows with scores that go with the labels, and the groups' names as fairlearn takes them."""
    random = np.random.default_rng(0)
    labels = {
        name: Labels(tuple(f"{name}{i}" for i in range(k)), random.integers(0, k, n)) for name, k in groups.items()
    }
    p = random.random(n, dtype=np.float32)
    y = (random.random(n, dtype=np.float32) < p).astype(np.int64)
    given = Given(("no", "yes"), (p > 0.5).astype(np.int64), np.stack([1 - p, p], 1))
    data = Data(lambda rows: torch.zeros(len(rows), 0), y, np.arange(n), labels, positive=1, given=given)
    return data, {name: np.array(own.names)[own.codes] for name, own in labels.items()}


def counted(data: Data) -> Any:
    """Five metrics in every group of all attributes crossed, from groups that are numbers already."""
    given = data.given
    assert given is not None  # noqa: S101
    rows = Rows(len(data), data.groups, lambda at: given.predicted[at] == 1, lambda at: data.y[at] == 1)
    found = tally(rows, crossing_of(tuple(data.groups), data.groups))
    return {group: [getattr(cell, name) for name in METRICS] for group, cell in found}


def with_intervals(data: Data) -> Any:
    """The same with an interval on each."""
    return {
        group: [rate(name, *c) for name, c in zip(METRICS, own, strict=True)] for group, own in counted(data).items()
    }


def checked(data: Data) -> float:
    """Seconds of the default fairness.groups, every figure, gap and interval of it."""
    costs: list[Any] = []
    run(None, data, selection=Selection(only=("fairness.groups",)), tell=Listener(finished=costs.append))
    return float(next(f.cost.seconds for f in costs if f.outcome.check == "fairness.groups"))


def framed(data: Data, names: Any, **more: Any) -> Any:
    """fairlearn's figures of the same rows."""
    given = data.given
    assert given is not None  # noqa: S101
    return MetricFrame(
        metrics=METRICS, y_true=data.y, y_pred=given.predicted, sensitive_features=names, **more
    ).by_group  # fmt: skip


def seconds(of: Callable[[], Any]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    of()
    return time.perf_counter() - start


def against_fairlearn() -> None:
    """A million rows; then intervals on a hundred thousand."""
    data, names = rows_of(1_000_000, CROSSED)
    ours, whole, theirs = [], [], []
    for _ in range(ROUNDS):
        ours.append(seconds(lambda: counted(data)))
        whole.append(checked(data))
        theirs.append(seconds(lambda: framed(data, names)))
    base = statistics.median(theirs)
    print(f"1,000,000 rows, 3 attributes, 30 crossed groups, median of {ROUNDS} interleaved rounds")
    print(f"  fairlearn takes {base / statistics.median(ours):,.0f} times as long as counting 5 metrics (bar: 100)")
    print(f"  and {base / statistics.median(whole):.0f} times as long as the whole fairness.groups (bar: 20)")
    data, names = rows_of(100_000, CROSSED)
    replicates = 10
    ours = [seconds(lambda: with_intervals(data)) for _ in range(ROUNDS)]
    booted = seconds(lambda: framed(data, names, n_boot=replicates, ci_quantiles=[0.025, 0.975], random_state=0))
    ratio = booted / statistics.median(ours)
    print(f"100,000 rows, an interval on each: n_boot = {replicates} takes {ratio:,.0f} times as long (bar: 1,000)")


def write_parquet(path: Path, n: int) -> None:
    """n rows with five attributes, a score and a label, a million at a time."""
    random = np.random.default_rng(0)
    names = {a: pa.array([f"{a}{i}" for i in range(k)]) for a, k in WIDE.items()}
    writer = None
    for start in range(0, n, 1_000_000):
        size = min(1_000_000, n - start)
        codes = {a: pa.array(random.integers(0, k, size, dtype=np.int32)) for a, k in WIDE.items()}
        columns = {a: pa.DictionaryArray.from_arrays(codes[a], names[a]).cast(pa.string()) for a in WIDE}
        p = random.random(size, dtype=np.float32)
        table = pa.table({**columns, "p": p, "y": (random.random(size) < p).astype(np.int8)})
        writer = writer or pa.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def from_parquet(n: int) -> dict[str, float]:
    """What an audit of n rows from a file takes, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_parquet(Path(folder) / "rows.parquet", n)
        file = Path(folder) / "audit.toml"
        file.write_text(
            f'[data]\npath = "rows.parquet"\ntarget = "y"\nscore = "p"\nsensitive = {json.dumps(list(WIDE))}\n'
            '[checks]\nonly = ["fairness.groups"]\n[checks."fairness.groups"]\ndepth = 0\n'
        )
        found = subprocess.run([sys.executable, "-c", CHILD, str(file)], capture_output=True, text=True, check=True)
        return dict(json.loads(found.stdout.splitlines()[-1]))


def main() -> None:
    """Print the figures."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    against_fairlearn()
    half, full, twice = (from_parquet(rows) for rows in (n // 2, n, 2 * n))
    print(f"{n:,} rows from Parquet, 5 attributes, all 31 crossings, {full['measures']:,.0f} figures")
    print(
        f"  {full['seconds']:.1f} s (bar: 15): {full['read']:.1f} reading, {full['check']:.1f} fairness.groups; "
        f"peak {full['peak_mb']:,.0f} MB (bar: 1,500)"
    )
    print(f"  twice the rows: {twice['seconds'] / full['seconds']:.2f} times as long (bar: 2.1)")
    print(f"  half of them: {half['seconds'] / full['seconds']:.2f} times")
    print(
        f"  peak memory of half, all, twice: {half['peak_mb']:,.0f}, {full['peak_mb']:,.0f}, {twice['peak_mb']:,.0f} MB"
    )


if __name__ == "__main__":
    main()
