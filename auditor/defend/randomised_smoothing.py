"""Randomised smoothing of a model as it is."""

from __future__ import annotations

from auditor.intake.outputs import settle
from auditor.subject import Data, Model
from auditor.training.watch import Watch
from auditor.wrapped.ends import need_numbers
from auditor.wrapped.randomised_smoothing import Draws, Sigma
from auditor.wrapped.wrapping import Wrapping, wrapped

__all__ = ["randomised_smoothing"]


def randomised_smoothing(
    model: Model,
    data: Data,
    seed: int,
    watch: Watch = Watch(),  # noqa: B008 - frozen
    *,
    sigma: Sigma = 0.25,
    draws: Draws = 65,
) -> Wrapping:
    """A wrapper that asks the model under `draws` draws of Gaussian noise and answers what it names most often.

    Cohen et al. 2019, arXiv:1902.02918. `sigma` is the standard deviation in input units (of tables: in each column's
    own), the same noise for every row, drawn by `seed`. Nothing is trained, so that it also fits programs; a model that
    was not trained under noise of that size loses accuracy. Every answer costs `draws` of the model. NotApplicable for
    texts and for models that return a value.
    """
    need_numbers(data, "noise")
    found = Wrapping("randomised_smoothing", {"sigma": sigma, "draws": draws, "seed": seed})
    wrapped(settle(model, data)[0], found)  # what cannot stand around this model is refused here
    watch.on_epoch(1, 1)
    return found
