"""One row as every corruption leaves it: pictures, or a table in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from auditor.corruptions.answers import Answers, parts_of
from auditor.corruptions.kinds import Kind, Part
from auditor.explained.samples import is_image, pixels
from auditor.registry import Context
from auditor.subject import Data, Model
from auditor.types import Image, Table

__all__ = ["pictured"]

LARGEST = 96  # pixels a side of a picture


def pictured(
    ctx: Context, model: Model, data: Data, kind: Kind, severities: Sequence[int], found: Answers
) -> tuple[list[Table], list[Image]]:
    """The first row of `data` that is right as it is, else the first, under every family at every severity.

    Of pictures an image each, at most LARGEST pixels a side, one title for the pictures of a severity; else a table.
    """
    right = np.flatnonzero(found.clean == found.y)
    place = int(right[0]) if len(right) else 0
    (part,) = parts_of(data.at(np.array([place])), 1)
    called = found.corrupted[:, :, place]
    if is_image(ctx):
        return [], _pictures(ctx, model, part, kind, severities, called)
    rows = [
        (family, s, kind.shown(part, family, s), _called(ctx, called[f, k]))
        for f, family in enumerate(kind.families)
        for k, s in enumerate(severities)
    ]
    own = f"row {int(part.rows[0])}, called {_called(ctx, found.clean[place])} as it is"
    return [Table(f"One row under every corruption: {own}", ("corruption", "severity", "what", "called"), (*rows,))], []


def _pictures(
    ctx: Context, model: Model, part: Part, kind: Kind, severities: Sequence[int], called: np.ndarray
) -> list[Image]:
    row, images = int(part.rows[0]), []
    for k, severity in enumerate(severities):
        for f, (family, corrupt) in enumerate(kind.families.items()):
            x = corrupt(part, severity)[0]
            factor = -(-max(x.shape[1:]) // LARGEST)
            small = torch.nn.functional.avg_pool2d(x, factor) if factor > 1 else x
            name = ctx.keep(f"row-{row}-{family}-{severity}", pixels(model, small))
            alt = f"{family.replace('_', ' ')}, called {_called(ctx, called[f, k])}"
            images.append(Image(f"row {row} at severity {severity}", name, "corrupted", alt))
    return images


def _called(ctx: Context, answer: float) -> str:
    if ctx.is_regression:
        return f"{answer:.4g}"
    return ctx.classes[int(answer)] if answer >= 0 else "nothing (no finite answer)"
