"""The fifteen families of ImageNet-C beside the `imagecorruptions` package: time for an image, one thread.

The bar: all families together take the package at least three times as long. Both corrupt the same photographs of
224 x 224 pixels at severity 3, ours in batches of 64, the package one at a time, which is how it works. In each round
and family the two take turns; ratios are the medians of the rounds' own, of processor time, which what else runs on the
machine hardly moves. The package is handed the bytes that it works on, and no time that it takes to make floats of its
answer is counted.

It is imagecorruptions-imaug 1.1.5: the first package's last release (1.1.2) asks for functions that numpy, scipy and
scikit-image have removed since; this one is the same code made to run with them, with glass blur compiled by numba.
`pip install --no-deps imagecorruptions-imaug==1.1.5` (it needs opencv-python-headless, scikit-image and numba).
The photographs are in ../shared/data beside the checkout; without either this says so and ends.
    python -m benchmarks.corruptions [FAMILY]... [--rounds 5] [--images 64] [--severity 3]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.corruptions.images import FAMILIES, Family, corrupted
from benchmarks.explain_gradient import PHOTOS, photos

BAR = 3.0
Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Times = Mapping[str, Sequence[tuple[float, float]]]


def ours(family: Family, severity: int, x: Tensor) -> object:
    """All images at once."""
    return corrupted(family, severity, x, (0.0, 1.0), rows=range(len(x)), seed=0)


def theirs(family: Family, severity: int, images: Sequence[Pixels]) -> object:
    """One image after the other."""
    corrupt = import_module("imagecorruptions").corrupt
    return [corrupt(image, severity=severity, corruption_name=family.name) for image in images]


def seconds(job: Callable[[], object]) -> float:
    """Processor time of a job, in seconds."""
    start = time.process_time()
    job()
    return time.process_time() - start


def rounds_of(names: Sequence[str], x: Tensor, severity: int, rounds: int) -> Times:
    """Of each family and round the seconds for an image, ours and theirs; one round before them is not counted."""
    images = list((x * 255).round().byte().movedim(1, -1).contiguous().numpy())
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names:
            family, few = FAMILIES[name], len(images) if turn else 2
            mine = seconds(partial(ours, family, severity, x)) / len(x)
            others = seconds(partial(theirs, family, severity, images[:few])) / few
            if turn:
                found[name].append((mine, others))
    return found


def show(found: Times) -> float:
    """Print a line a family and one for all of them; the ratio of all."""
    print(f"{'family':20}{'ours':>10}{'theirs':>10}{'ratio':>8}   (ms for an image)")
    for name, times in found.items():
        print(_line(name, times))
    whole = [tuple(map(sum, zip(*each, strict=True))) for each in zip(*found.values(), strict=True)]
    print(_line("all", whole))
    each = [_ratio(times) for times in found.values()]
    print(f"of the families' own ratios the geometric mean is {statistics.geometric_mean(each):.2f}, "
          f"{sum(r < BAR for r in each)} of {len(each)} are below {BAR:g}")  # fmt: skip
    return _ratio(whole)


def _ratio(times: Sequence[tuple[float, ...]]) -> float:
    return statistics.median(theirs / ours for ours, theirs in times)


def _line(name: str, times: Sequence[tuple[float, ...]]) -> str:
    mine, others = (1000 * statistics.median(column) for column in zip(*times, strict=True))
    return f"{name:20}{mine:10.2f}{others:10.2f}{_ratio(times):8.2f}"


def main() -> None:
    """Print the table, and whether the bar is met."""
    parser = argparse.ArgumentParser(description="Corruptions beside the imagecorruptions package.")
    parser.add_argument("families", nargs="*", metavar="FAMILY", help="all fifteen where none is named")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--severity", type=int, default=3)
    given = parser.parse_args()
    if unknown := set(given.families) - set(FAMILIES):
        parser.error(f"no family is called {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    if not PHOTOS.is_dir() or find_spec("imagecorruptions") is None:
        print(f"no photographs in {PHOTOS}, or imagecorruptions-imaug 1.1.5 is not installed: nothing measured")
        return
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    x = photos(given.images)
    print(f"{len(x)} photographs of 224 x 224, severity {given.severity}, one thread, rounds: {given.rounds}")
    ratio = show(rounds_of(given.families or list(FAMILIES), x, given.severity, given.rounds))
    print(f"all families together: {ratio:.2f} times as fast as the package (bar {BAR:g})")


if __name__ == "__main__":
    main()
