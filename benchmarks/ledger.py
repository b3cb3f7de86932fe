"""What LRP's shares leave out of the logit: under 1e-4 of it, on torchvision's architectures with random weights.

The error is that of explain.lrp (|sum of all shares - logit| / max(|logit|, 0.01 * sum of |shares|)), the largest over
two inputs, in float32, by each composite of rules and by AttnLRP.
    python -m benchmarks.ledger [NAME]...        # such as timm:levit_128s
"""

from __future__ import annotations

import sys
import warnings

import torch

from auditor.errors import NotApplicable
from auditor.explain.composites import COMPOSITES, Composite, with_attention
from auditor.explain.lrp import lrp
from auditor.subject import Model
from benchmarks._architectures import ARCHITECTURES, Architecture, need_operators

BAR = 1e-4
WAYS: dict[str, Composite] = dict([*COMPOSITES.items(), ("AttnLRP", with_attention("epsilon", "attnlrp"))])


def largest(architecture: Architecture, composite: Composite) -> float:
    """The largest ledger error over the inputs of `architecture`; NotApplicable where it cannot be followed."""
    model, x = Model(architecture.settled(), ()), architecture.inputs()
    with model.frozen():
        with torch.no_grad():
            target = model(x).argmax(1)
        return float(lrp(model, x, target, composite=composite).ledger_error.max())


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
            found = [largest(architecture, way) for way in WAYS.values()]
        except NotApplicable as e:
            print(f"{architecture.name:40} not followed: {e}", flush=True)
            continue
        under += max(found) < BAR
        worst = list(WAYS)[found.index(max(found))]
        print(f"{architecture.name:40} {max(found):.1e} ({worst}): {max(found) / BAR:.2g} of the bar", flush=True)
    print(f"{under} of {len(chosen)} under the bar ({BAR:g})")


if __name__ == "__main__":
    main()
