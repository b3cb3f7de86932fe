"""What LRP's shares leave out of the logit: under 1e-4 of it, on torchvision's architectures with random weights.

The error is that of explain.lrp (|sum of all shares - logit| / max(|logit|, 0.01 * sum of |shares|)), the largest over
two inputs, in float32, at gamma 0 and 1.
    python -m benchmarks.ledger [NAME]...        # such as timm:levit_128s
"""

from __future__ import annotations

import sys
import warnings

import torch

from auditor.errors import NotApplicable
from auditor.explain.lrp import lrp
from auditor.subject import Model
from benchmarks._architectures import ARCHITECTURES, Architecture, need_operators

BAR, GAMMAS = 1e-4, (0.0, 1.0)


def largest(architecture: Architecture, gamma: float) -> float:
    """The largest ledger error over the inputs of `architecture`; NotApplicable where it cannot be followed."""
    model, x = Model(architecture.settled(), ()), architecture.inputs()
    with model.frozen():
        with torch.no_grad():
            target = model(x).argmax(1)
        return float(lrp(model, x, target, gamma=gamma).ledger_error.max())


def main() -> None:
    """Print each architecture and how many are under the bar."""
    warnings.simplefilter("ignore")
    if not need_operators():
        print("torchvision cannot be imported here: nothing measured")
        return
    named = sys.argv[1:]
    chosen = [a for a in ARCHITECTURES if (a.name in named if named else a.name.startswith("torchvision:"))]
    under = 0
    for architecture in chosen:
        try:
            found = [largest(architecture, gamma) for gamma in GAMMAS]
        except NotApplicable as e:
            print(f"{architecture.name:40} not followed: {e}", flush=True)
            continue
        under += max(found) < BAR
        shown = ", ".join(f"{error:.1e} at gamma {gamma:g}" for error, gamma in zip(found, GAMMAS, strict=True))
        print(f"{architecture.name:40} {shown}: {max(found) / BAR:.2g} of the bar", flush=True)
    print(f"{under} of {len(chosen)} under the bar ({BAR:g})")


if __name__ == "__main__":
    main()
