"""What an audit runs on, as far as it can move a figure: versions, arithmetic, threads, determinism."""

from __future__ import annotations

import re
from importlib import metadata

import numpy as np
import torch

from auditor.installed import machine
from auditor.types import Scalar

__all__ = ["environment"]

LIBRARIES = ("torch-auditor", "torch", "numpy", "scipy", "captum", "shap", "lime", "foolbox", "fairlearn")
SEEDS = "each check's from sha256(seed:check), its first four bytes"  # auditor.registry.derive_seed


def environment(device: str) -> dict[str, Scalar]:
    """What it ran on: no clock, no host, no user and no path."""
    return {
        **machine(),
        "processor instructions": torch.backends.cpu.get_cpu_capability(),
        "linear algebra": f"torch {_blas_of_torch()}, numpy {_blas_of_numpy()}",
        "device": device,
        **_gpu(device),
        "threads": torch.get_num_threads(),
        "threads between operators": torch.get_num_interop_threads(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "float32 matrix products": torch.get_float32_matmul_precision(),
        "seeds": SEEDS,
        **{f"{name} version": metadata.version(name) for name in LIBRARIES},
    }


def _blas_of_torch() -> str:
    found = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    return found[1] if found else "unknown"


def _blas_of_numpy() -> str:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"


def _gpu(device: str) -> dict[str, Scalar]:
    """The GPU, and how its library chooses among algorithms; nothing on a processor."""
    if not device.startswith("cuda") or not torch.cuda.is_available():
        return {}
    chosen = torch.backends.cudnn
    return {
        "gpu": torch.cuda.get_device_name(device),
        "cuda version": torch.version.cuda,
        "cudnn version": chosen.version(),
        "cudnn deterministic": chosen.deterministic,
        "cudnn benchmark": chosen.benchmark,
    }
