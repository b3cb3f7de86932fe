"""Whether every explanation that is made of gradients works on every architecture, and what it proves itself by.

Writes docs/explained.md: Grad-CAM's layer, LRP's ledger, the completeness of integrated gradients, attention. Real
models of ../shared/data are among them where they are there.
    python -m benchmarks.explaining [NAME]...        # NAMEs alone, and nothing written
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from html import escape
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from auditor.config import load_audit_file
from auditor.errors import AuditError, one_line
from auditor.opening import open_audit
from auditor.subject import Model
from benchmarks._architectures import need_operators
from benchmarks._explained import LEDGER, STEPS, SUBJECTS, TOLERANCE, Explained, Subject, explain

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explained.md"
AUDITS = ROOT.parent / "shared" / "data" / "audits"
PACKAGES = ("torch", "torchvision", "transformers")
ROWS = 4


def real() -> list[Subject]:
    """The real models of the audit files in ../shared/data, none where they are absent."""

    def opened(path: Path) -> tuple[Model, Tensor]:
        found = open_audit(load_audit_file(path), path.parent)
        assert found.model is not None  # noqa: S101 - they all have one
        return found.model, found.data.read(np.arange(ROWS))

    return [Subject(path.stem, lambda path=path: opened(path)) for path in sorted(AUDITS.glob("*.toml"))]  # type: ignore[misc]


def explained(chosen: Sequence[Subject]) -> list[Explained]:
    """Every one of them, said as it comes."""
    found = []
    for subject in chosen:
        try:
            one = explain(subject)
        except AuditError as e:
            print(f"{subject.name}: not tried: {one_line(str(e), 160)}", flush=True)
            continue
        found.append(one)
        print(_line(one, " "), *one.misses, flush=True)
    return found


def _line(one: Explained, between: str) -> str:
    ledger = "none" if one.ledger is None else f"{one.ledger:.0e}"
    constants = "" if one.constants is None else f"{one.constants:.0%}"
    complete = "none" if one.completeness is None else f"{one.completeness:.2%}"
    complete += f", {one.unresolved} above {TOLERANCE:.0%}" if one.unresolved else ""
    cells = [f"{one.name:44}", one.cam, ledger, constants, complete, one.attention, f"{one.milliseconds:,.0f}"]
    return between.join(cells)


def page(found: Sequence[Explained]) -> str:
    """The page of the documentation."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    misses = [f"- {one.name}: {escape(m)}" for one in found for m in one.misses]
    rows = [f"| {_line(one, ' | ')} |" for one in found]
    closed = sum(one.ledger is not None and one.ledger <= LEDGER for one in found)
    return f"""# Explained
Each architecture with random weights, and statistics of its inputs in BatchNorm, through every explanation that is made
of gradients: four inputs each, on one core of a shared machine ({versions}). Written by `make coverage`.

- **Grad-CAM**: the layer that the rule chose, and its grid.
- **LRP ledger**: the largest error of all composites of rules and of AttnLRP; {LEDGER:g} is the bar, and {closed} of
  {len(found)} are under it. **constants**: what biases and norms hold of all |shares| under LRP-0.
- **IG completeness**: the largest error of integrated gradients of two inputs from a baseline of zeros, with
  {STEPS[0]} to {STEPS[-1]} steps; an audit goes on to 512.
  Deep networks with random weights change their gradient at every step of the path (Balduzzi et al. 2017,
  arXiv:1702.08591), so that few points say little of the rest: that is what the samples above 1 % are, and an audit
  counts them.
- **attention**: what was found of it.
- **ms**: for one input, by Grad-CAM and LRP.

## Misses
{chr(10).join(misses) or "None."}

## Architectures
| architecture | Grad-CAM | LRP ledger | constants | IG completeness | attention | ms |
| --- | --- | ---: | ---: | ---: | --- | ---: |
{chr(10).join(rows)}
"""


def main() -> None:
    """Print every architecture; write the page."""
    logging.disable()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if not need_operators():
        print("torchvision cannot be imported here: its architectures are left out")
    named = sys.argv[1:]
    found = explained([s for s in (*SUBJECTS, *real()) if not named or any(n in s.name for n in named)])
    print(f"{sum(not one.misses for one in found)} of {len(found)} without a miss")
    if not named:
        PAGE.write_text(page(found), "utf-8")


if __name__ == "__main__":
    main()
