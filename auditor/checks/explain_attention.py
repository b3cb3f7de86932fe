"""explain.attention: where the tokens that decide took from, and whether that is what moved the class."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.explain.attention import attention, attention_gradient, readers, rollout
from auditor.explain.followed import how_followed
from auditor.explain.heads import distance, entropy
from auditor.explain.parts import Parts, column_parts, drops, image_parts, text_parts
from auditor.explained.samples import (
    Sample,
    bars,
    explained_samples,
    heatmap,
    is_image,
    need_explainable,
    original,
    word_table,
)
from auditor.registry import Context, check, sizes
from auditor.stats import mean_correlation, rank_correlation
from auditor.types import Image, Measure, Result, Scalar, Table

BACKGROUND = 32
METHODS = ("rollout", "attention x gradient")
AGREEMENTS = ("occlusion_correlation", "occlusion_correlation_gradient")


@check(
    "explain.attention",
    title="Attention (routing)",
    measures=("heads", "layers", "occlusion_correlation", "occlusion_correlation_gradient"),
    source=(
        "Abnar & Zuidema 2020, arXiv:2005.00928; Chefer et al. 2021, arXiv:2103.15679; Jain & Wallace 2019, "
        "arXiv:1902.10186"
    ),
)
def explain_attention(ctx: Context, *, samples: int = sizes(4, 16, 64)) -> Result:
    """Where the tokens that decide took from, layer by layer, with how far that agrees with what moved the class.

    What it measures: for `samples` rows (0: all) how much of what the logit is read from (the class token; else the
    tokens that are averaged, or the last of a text) came from each patch, word or column. Rollout multiplies the
    layers' attention, averaged over heads, half of each token being what it was before; it knows no class. Attention x
    gradient counts only attention that speaks for the predicted class. `occlusion_correlation` is Spearman's rank
    correlation of rollout with the drop of that class's logit when the part is removed: 1 is the same order, 0 none,
    below 0 the opposite; None where all parts are alike, and for fewer than 3. `occlusion_correlation_gradient` is the
    same for attention x gradient. A removed patch has the image's mean colour, a removed word is taken out, a removed
    column comes from other rows; above 64 parts, neighbours go together. The table of heads has for each the entropy of
    its attention (0 on one token, 1 on all alike) and how far away it takes from, in patches or tokens.

    How to read it: attention is routing, not importance. Where the correlation is near 0, the map says nothing of what
    moved the class; trust LRP or SHAP there.

    When it misleads: what tokens carry is not what they began as; values and what follows attention decide too.
    Removal makes inputs that the model has never seen. Attention in windows, or between tokens that are merged on the
    way, has no map of the whole input: the check does not apply.
    """
    ctx.need_model()
    need_explainable(ctx)
    found = [_of_row(ctx, s) for s in explained_samples(ctx, samples)]
    measures = [m for i, name in enumerate(AGREEMENTS) for m in _agreements(name, found, i)]
    heads = [each.shape[1] for _, each in found[0].layers]
    measures += [Measure("layers", "", len(heads), len(found)), Measure("heads", "", sum(heads), len(found))]
    shown = [_shown(ctx, r) for r in found]
    tables = (*(t for _, some in shown for t in some), _heads(found))
    images = tuple(image for some, _ in shown for image in some)
    return Result(tuple(measures), tables, images, (*how_followed(ctx.need_model()), *_caveats(found, measures)))


@dataclass(frozen=True)
class _Row:
    """What is kept of one sample: its parts, how many tokens the logit is read from, scores and correlations.

    `scores` (T,) and `agreements` are those of METHODS; `heads` (H, T) what each head of the last layer gave to the
    tokens that are read; `layers` each layer's name, and its heads' entropy and distance (2, H).
    """

    sample: Sample
    parts: Parts
    read: int
    scores: tuple[Tensor, ...]
    agreements: tuple[float | None, ...]
    heads: Tensor
    layers: tuple[tuple[str, Tensor], ...]


def _of_row(ctx: Context, s: Sample) -> _Row:
    """One at a time: attention takes memory by the square of the tokens."""
    model = ctx.need_model()
    found = attention(model, s.x[None], torch.tensor([s.predicted]))
    (read,) = readers(found)
    parts = _parts(ctx, s, read)
    scores = (read @ rollout(found)[0], read @ attention_gradient(found)[0])
    dropped = drops(model, s.x, s.predicted, parts, ctx.batch_size).tolist()
    agreements = tuple(rank_correlation(parts.sums(score).tolist(), dropped) for score in scores)
    layers = tuple(
        (name, torch.stack([entropy(w).mean(2), distance(w, parts.places)])[:, 0])
        for name, w in zip(found.names, found.weights, strict=True)
    )
    heads = torch.einsum("q,hqk->hk", read, found.weights[-1][0])
    return _Row(s, parts, int((read > 0).sum()), scores, agreements, heads, layers)


def _parts(ctx: Context, s: Sample, read: Tensor) -> Parts:
    if is_image(ctx):
        return image_parts(s.x, read)
    if ctx.data.words is not None:
        (words,) = ctx.data.words(np.flatnonzero(ctx.data.row_ids == s.row)[:1])
        return text_parts(s.x, words.of_token, len(read))
    rows = (ctx.reference or ctx.data).take(BACKGROUND, ctx.seed)
    return column_parts(s.x, rows.read(np.arange(len(rows))), ctx.columns, read)


def _agreements(name: str, found: list[_Row], which: int) -> list[Measure]:
    values = [r.agreements[which] for r in found]
    whole = mean_correlation(name, [v for v in values if v is not None], better="higher")
    return [whole, *(Measure(name, f"row={r.sample.row}", r.agreements[which], 1, better="higher") for r in found)]


# ---- what is shown -----------------------------------------------------------------------------------------------
def _shown(ctx: Context, r: _Row) -> tuple[list[Image], list[Table]]:
    """A row's pictures or tables; an image's map by attention x gradient and those of single heads are evidence."""
    s, inside, grid = r.sample, r.parts.of_token >= 0, r.parts.grid
    if grid is None:
        ctx.keep(f"row-{s.row}-heads", r.heads.numpy())
        if ctx.is_text:
            return [], [word_table(ctx, s, scores, name) for scores, name in zip(r.scores, METHODS, strict=True)]
        each = [scores[inside].tolist() for scores in r.scores]
        return [], [bars(s, ctx.columns, effects, name) for effects, name in zip(each, METHODS, strict=True)]
    rolled, speaking = (scores[inside].view(grid) for scores in r.scores)
    ctx.keep(f"row-{s.row}-heads", r.heads[:, inside].unflatten(1, grid).numpy())
    ctx.keep(f"row-{s.row}-gradient", speaking.numpy())
    words = f"Attention rollout (routing, not importance) on a grid of {grid[0]} by {grid[1]}"
    return [original(ctx, s), heatmap(ctx, s, rolled - rolled.min(), words)], []


def _heads(found: list[_Row]) -> Table:
    """Every head, with its means over the rows."""
    rows: list[tuple[Scalar, ...]] = []
    for i, (name, _) in enumerate(found[0].layers):
        even, far = torch.stack([r.layers[i][1] for r in found]).mean(0).tolist()
        for head, (e, f) in enumerate(zip(even, far, strict=True), 1):
            rows.append((i + 1, name, head, e, None if math.isnan(f) else f))
    return Table("Heads", ("layer", "runs in", "head", "mean entropy", "mean distance"), tuple(rows))


def _caveats(found: list[_Row], measures: list[Measure]) -> list[str]:
    said = [next(m.value for m in measures if m.name == name) for name in AGREEMENTS]
    words = " and ".join(
        f"{'not known' if v is None else f'{v:.2f}'} for {m}" for v, m in zip(said, METHODS, strict=True)
    )
    least, most, parts = min(r.read for r in found), max(r.read for r in found), found[0].parts
    some = f"the {most} tokens that" if least == most else f"the {least} to {most} tokens that"
    one = f"{'the one token that' if most == 1 else some} the logit is read from"
    caveats = [
        f"Attention is routing, not importance: its rank correlation with occlusion is {words}.",
        f"The scores say what came to {one}.",
    ]
    if parts.grid is not None:
        extra = len(parts.of_token) - math.prod(parts.grid)
        rest = f"; {extra} of the tokens stand{'s' if extra == 1 else ''} for no patch" if extra else ""
        caveats.append(f"A map shows how much more each patch gave than the patch that gave least{rest}.")
    elif not any(bool(r.parts.places.isfinite().any()) for r in found):
        caveats.append("The tokens are taken to be the columns in their order.")
    joined = sum(r.parts.block > 1 for r in found)
    if joined:
        caveats.append(f"In {joined} of {len(found)} rows there are over 64 parts: neighbours were removed together.")
    unknown = sum(r.agreements[0] is None for r in found)
    if unknown:
        caveats.append(f"{unknown} of {len(found)} rows have no correlation: their parts are alike, or fewer than 3.")
    return caveats
