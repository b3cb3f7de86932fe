"""Uploads whose audit takes a second or two, with known answers: the model says whether column `a` is above 0."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable

import numpy as np
from safetensors.numpy import save

from app import jobs, worker
from app.jobs import Job

__all__ = ["AUDIT_FILE", "CHECKS", "again", "finished", "images", "queued", "table", "until"]

AUDIT_FILE = "audit.toml"
CHECKS = ("performance.accuracy", "explain.lrp", "robustness.curve")
ROWS = 40


def table(name: str = "sign", *, steps: int = 2, **replaced: str) -> dict[str, bytes]:
    """Weights, a csv and an audit file; texts of the audit file are replaced by those given."""
    a, b = np.random.default_rng(0).normal(size=(2, ROWS))
    lines = [
        f"{x:.3f},{z:.3f},{'yes' if x > 0 else 'no'},{'fm'[i % 2]}" for i, (x, z) in enumerate(zip(a, b, strict=True))
    ]
    sign = {"0.weight": [[1, 0], [-1, 0]], "0.bias": [0, 0], "2.weight": [[-1, 1], [1, -1]], "2.bias": [0, 0]}
    text = _audit_file(name, steps)
    for old, new in replaced.items():
        text = text.replace(old, new)
    return {
        "weights.safetensors": save({k: np.array(v, np.float32) for k, v in sign.items()}),
        "rows.csv": "\n".join(["a,b,answer,sex", *lines]).encode(),
        AUDIT_FILE: text.encode(),
    }


def _audit_file(name: str, steps: int) -> str:
    return f"""\
[subject]
name = {json.dumps(name)}
[model]
path = "weights.safetensors"
architecture = "mlp:2-2-2"
[data]
path = "rows.csv"
target = "answer"
classes = ["no", "yes"]
positive = "yes"
sensitive = ["sex"]
[checks]
profile = "quick"
only = {json.dumps(CHECKS)}
[checks."robustness.curve"]
samples = 0
steps = {steps}
"""


def images() -> dict[str, bytes]:
    """A digits network with random weights, and pictures for it."""
    draw = np.random.default_rng(0)
    shapes = {"0": (32, 1, 3, 3), "2": (32, 32, 3, 3), "5": (128, 2048), "7": (10, 128)}
    weights = {f"{k}.weight": draw.normal(size=s, scale=(2 / np.prod(s[1:])) ** 0.5) for k, s in shapes.items()}
    weights |= {f"{k}.bias": np.zeros(s[0]) for k, s in shapes.items()}
    arrays = io.BytesIO()
    np.savez(arrays, x=draw.integers(0, 256, (12, 8, 8), np.uint8), y=np.arange(12) % 10)
    only = ["explain.gradcam", "explain.lrp", "robustness.curve"]
    text = f"""\
[subject]
name = "pictures"
[model]
path = "cnn.safetensors"
architecture = "demo:digits_cnn"
[input]
kind = "image"
[data]
path = "pictures.npz"
[checks]
profile = "quick"
only = {json.dumps(only)}
[checks."robustness.curve"]
samples = 0
steps = 2
"""
    small = {k: v.astype(np.float32) for k, v in weights.items()}
    return {"cnn.safetensors": save(small), "pictures.npz": arrays.getvalue(), AUDIT_FILE: text.encode()}


def queued(files: dict[str, bytes] | None = None) -> Job:
    """A job of these files, of `table` by default."""
    return jobs.queue(files or table(), AUDIT_FILE)


def finished(files: dict[str, bytes] | None = None) -> Job:
    """The same, run to its end."""
    job = queued(files)
    worker.run_job(job)
    return again(job)


def again(job: Job) -> Job:
    """The job as it is now."""
    (found,) = [j for j in jobs.every() if j.id == job.id]
    return found


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is true; fails when it does not become so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
