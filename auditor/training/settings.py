"""The kinds of settings that trainings have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = ["Batch", "Minutes", "Positive", "Whole"]

Whole = Annotated[int, Field(ge=1, le=100_000)]
Batch = Annotated[int, Field(ge=2, le=100_000)]  # BatchNorm knows no mean of one row
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Minutes = Annotated[float, Field(ge=0, allow_inf_nan=False)]
