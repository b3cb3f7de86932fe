"""What a model answers to inputs that it may not be able to take."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.subject import Model

__all__ = ["asked"]

Values = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


def asked(model: Model, x: Tensor) -> tuple[Values, Flags]:
    """(N,) the classes (indices) or values that the model gives for inputs (N, ...), and (N,) where it raises instead.

    NaN where an output is NaN or infinite, and where it raises.
    """
    try:
        with torch.no_grad():
            outputs = model(x.clone()).cpu()  # a copy, since some models write into their input
    except Exception:  # noqa: BLE001 - the model's own code
        if len(x) == 1:
            return np.array([np.nan]), np.array([True])
        parts = [asked(model, row) for row in x.split(1)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    raised = np.zeros(len(x), np.bool_)
    if model.output == "value":
        return np.where(outputs.isfinite(), outputs.double(), np.nan), raised
    return np.where(outputs.isfinite().all(1), outputs.argmax(1).double(), np.nan), raised
