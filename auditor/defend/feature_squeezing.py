"""Feature squeezing."""

from __future__ import annotations

from auditor.intake.outputs import settle
from auditor.subject import Data, Model
from auditor.training.watch import Watch
from auditor.wrapped.ends import ends_of, is_picture, need_numbers
from auditor.wrapped.feature_squeezing import Bits
from auditor.wrapped.wrapping import Wrapping, wrapped

__all__ = ["feature_squeezing"]


def feature_squeezing(
    model: Model,
    data: Data,
    seed: int,  # noqa: ARG001 - nothing is drawn
    watch: Watch = Watch(),  # noqa: B008 - frozen
    *,
    bits: Bits = 4,
    median: bool = True,
) -> Wrapping:
    """A wrapper that makes every input coarser first: 2**`bits` values an element, then the median of 2 x 2 pixels.

    Xu et al. 2018, arXiv:1704.01155, section III. The values lie between the bounds, or those of `data` where these are
    endless. Of tables, numbers are rounded and `median` has no part. Nothing is trained, so that it also fits programs.
    NotApplicable for texts.
    """
    need_numbers(data, "feature squeezing")
    low, high = ends_of(model, data)
    found = Wrapping(
        "feature_squeezing", {"bits": bits, "median": median and is_picture(data), "low": low, "high": high}
    )
    wrapped(settle(model, data)[0], found)  # what cannot stand around this model is refused here
    watch.on_epoch(1, 1)
    return found
