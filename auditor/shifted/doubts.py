"""What weakens a comparison of two samples: few rows, the same rows in both, answers that are no numbers."""

from __future__ import annotations

from auditor.shifted.sides import Sides

__all__ = ["doubts"]

COPIES = 0.01
FEW = 30


def doubts(sides: Sides) -> list[str]:
    """A sentence for each."""
    said = []
    if sides.reference is not None:
        said.append(
            "Estimated label shift and foretold accuracy hold as far as the reference rows are none that the model was "
            "fitted to, which the auditor cannot know."
        )
    compared, looked = (len(sides.views[-1].reference), len(sides.views[-1].audited)) if sides.views else (0, 0)
    if sides.views and min(compared, looked) < FEW:
        said.append(
            f"{compared:,} reference rows are compared with {looked:,} audited ones: with fewer than {FEW} only the "
            "largest shifts are seen, and that none is shown says next to nothing."
        )
    if sides.shared > COPIES * looked:
        said.append(
            f"{sides.shared:,} of {looked:,} audited rows have the very inputs of one of the {compared:,} reference "
            "rows compared: what is learnt from one is known of the other."
        )
    for side, odd in zip(("reference", "audited"), sides.odd, strict=True):
        if odd:
            said.append(f"{odd:,} {side} rows have answers that are NaN or infinity; they are left out.")
    return said
