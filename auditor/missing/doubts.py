"""What weakens figures of missing values: what was put in, silence, few rows, a model without skill."""

from __future__ import annotations

import numpy as np

from auditor.lists import listed
from auditor.missing.answers import Answers
from auditor.missing.fill import Fill, How
from auditor.missing.nan import GivenNaN
from auditor.registry import Context

__all__ = ["doubts"]

FEW = 30
NAMED = 5


def doubts(ctx: Context, found: Answers, given: list[GivenNaN], how: How, fill: Fill, looked: int) -> list[str]:
    """What was put in, and what weakens the figures; `looked` columns were made to be missing alone."""
    imputed = (
        f"What is missing is filled in, numbers with the {how} and others with the commonest value of {fill.made_of}: "
        "another imputation has other figures."
    )
    said = [imputed]
    if ctx.reference is None:
        said.append("There is no reference data: what is filled in is known from the very rows that are judged.")
    said += _silent(given, found.values)
    if looked < len(ctx.columns):
        said.append(f"{looked:,} of {len(ctx.columns):,} columns were made to be missing alone; more with `columns`.")
    if ctx.data.relations:
        said.append("Values filled in do not keep the relations of the audit file.")
    odd = int(np.isnan(found.clean).sum())
    if odd:
        what = "figures with them are not known" if found.values else "that counts as wrong"
        said.append(f"{odd:,} rows have no finite answer as they are; {what}.")
    if len(found.y) < FEW:
        said.append(f"With fewer than {FEW} rows ({len(found.y):,}) only the largest falls can be seen.")
    if not found.values:
        said += _unskilled(found)
    return said


def _silent(given: list[GivenNaN], values: bool) -> list[str]:
    one, every, *alone = given
    answer = "a value" if values else "a class"
    said = [
        f"With NaN in {g.where} the model gives {answer} for {g.silent:,} of {g.n:,} rows, silently."
        for g in (one, every)
        if g.silent
    ]
    blind = [g.where for g in alone if g.silent]
    if blind:
        said.append(f"NaN in these columns is answered as if nothing were missing: {listed(blind, NAMED)}.")
    return said


def _unskilled(found: Answers) -> list[str]:
    right, commonest = int((found.clean == found.y).sum()), int(np.unique(found.y, return_counts=True)[1].max())
    if right > commonest:
        return []
    said = (
        f"{right:,} of {len(found.y):,} rows are right as they are, no more than if the commonest class were always "
        f"named ({commonest:,}): what such a model loses says little."
    )
    return [said]
