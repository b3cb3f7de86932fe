"""Defences on MNIST at .3 with 5,000 training images: clean, robust and proved accuracy beside published figures.

The given model is mnist_conv_small_nat of alpha-beta-CROWN, which knows of no attack; each defence trains a copy of it
on the 5,000 images of ../shared/data beside the checkout. `robust` is what the strongest attack search leaves of 200 of
the 1,000 test images, which on this model lies at AutoAttack's figure or below (docs/benchmarks.md); `proved` what
interval bounds and zonotopes prove of them. The published figures are of the full 60,000 images and other networks:
AutoAttack's (README of auto-attack), and the verified accuracy of IBP (README of CROWN-IBP). They are no bar, but a
measure of what twelve times the data and larger networks give.
    python -m benchmarks.mnist_defences [METHOD]... [--threads 1] [--epochs N]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from auditor.attacks.seen import seen_by_search
from auditor.attacks.strongest import strongest
from auditor.certify.margins import certified
from auditor.config import load_audit_file
from auditor.defend import defence
from auditor.opening import open_audit
from auditor.subject import Data, Model
from auditor.training.watch import Hardened

AUDIT = Path(__file__).resolve().parents[2] / "shared" / "data" / "audits" / "mnist_small.toml"
EPSILON, ROWS = 0.3, 200
PUBLISHED = {  # clean, AutoAttack at .3, verified
    "fgsm_rs": (0.9850, 0.8288, None),
    "pgd": (0.9853, 0.8843, None),
    "trades": (0.9948, 0.9276, None),
    "ibp": (0.9834, 0.9275, 0.9254),
}


def figures(model: Model, data: Data) -> tuple[float, float, float]:
    """Clean accuracy of all rows; robust and proved accuracy of the first ROWS."""
    right = total = 0
    with model.frozen():
        for batch in data.batches(100):
            with torch.no_grad():
                right += int((model(batch.x).argmax(1) == batch.y).sum())
            total += len(batch.y)
        batch = next(data.batches(ROWS))
        found = strongest(seen_by_search(model, batch.x, batch.y), batch.x, batch.y, (EPSILON,))
        with torch.no_grad():
            proved = certified(model, batch.x, batch.y, (EPSILON,)).index > 0
            proved &= model(batch.x).argmax(1) == batch.y
    return right / total, float((found.index > 0).float().mean()), float(proved.float().mean())


def line(name: str, of: tuple[float | None, ...], more: str = "") -> str:
    """One row of the table."""
    return f"{name:22}" + "".join(f"{'-' if f is None else f'{f:.3f}':>9}" for f in of) + more


def main() -> None:
    """Train, measure and print, a defence at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not AUDIT.exists():
        print(f"{AUDIT.name} is not there: nothing is measured")
        return
    file = load_audit_file(AUDIT)
    train = "../images/mnist_train5000.npz"
    file = file.model_copy(update={"data": file.data.model_copy(update={"reference": train, "limit": None})})
    opened = open_audit(file, AUDIT.parent)
    if opened.model is None or opened.reference is None:
        return
    print(f"MNIST at {EPSILON}, {len(opened.reference):,} training images; robust and proved: {ROWS} test images")
    print(f"{'':22}{'clean':>9}{'robust':>9}{'proved':>9}")
    print(line("as it is", figures(opened.model, opened.data)), flush=True)
    settings: dict[str, Any] = {"epochs": given.epochs} if given.epochs else {}
    for method in given.methods or PUBLISHED:
        start = time.process_time()
        hardened = defence(method)(opened.model, opened.reference, 0, epsilon=EPSILON, **settings)
        taken = time.process_time() - start
        if not isinstance(hardened, Hardened):
            print(f"{method} trains nothing: left out")
            continue
        found = figures(replace(opened.model, module=hardened.module), opened.data)
        print(line(method, found, f"  {taken:.0f} s of one core"))
        print(line("  published, full data", PUBLISHED[method]))
        for note in hardened.notes:
            print(f"  {note}")
        print(end="", flush=True)


if __name__ == "__main__":
    main()
