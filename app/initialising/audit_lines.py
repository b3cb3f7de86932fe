"""The audit file, line by line: what was found, what was guessed, and what only a person can say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from app.initialising.classes import is_regression
from app.initialising.column_lines import block_lines
from app.initialising.data_lines import data_lines
from app.initialising.lines import Line, comment, few, plain, setting, unset
from app.initialising.model import ModelFound
from app.initialising.plan import Plan
from auditor.config import BUILT_IN

__all__ = ["audit_lines"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PUBLISHED = ("torchvision", "timm")
LONGEST_NAME = 300


def audit_lines(plan: Plan, policy: str) -> Iterator[Line]:
    """Every line of the audit file that `plan` makes; `policy` is the name of the policy file beside it."""
    yield from comment("An audit file. Paths are relative to it; what stands behind # is a remark or is left out.")
    yield from comment("Written from the model and the data, of which nothing was run. Run it: auditor run THIS FILE")
    yield Line()
    yield from _subject(plan)
    if plan.model is not None:
        yield from _model(plan, plan.model)
        yield from _input(plan, plan.model)
    yield from data_lines(plan)
    yield from block_lines(plan)
    yield Line()
    yield Line("[checks]")
    yield from comment('quick, standard or deep: how large the checks are. Settings of one stand in [checks."ID"].')
    yield setting("profile", "standard")
    yield setting("seed", 0)
    yield unset("only", ["performance.*", "fairness.*"])
    yield Line()
    yield Line("[policy]")
    yield from comment(f"A file beside this one, or one of {', '.join(BUILT_IN)}.")
    yield setting("path", policy)


def _subject(plan: Plan) -> Iterator[Line]:
    stem = PurePath(plan.model.file if plan.model else plan.data.file).stem
    yield Line("[subject]")
    yield from comment("Printed in the report, never judged.")
    yield setting("name", plain(stem)[:LONGEST_NAME])
    for key in ("version", "provider", "purpose", "intended_use", "out_of_scope"):
        yield unset(key, "")


# ---- [model] -----------------------------------------------------------------------------------------------------
def _model(plan: Plan, model: ModelFound) -> Iterator[Line]:
    yield Line()
    yield Line("[model]")
    yield from comment(f"{model.format}. {_said(model)}")
    for note in model.notes:
        yield from comment(f"{note}.")
    yield setting("path", plan.model_path)
    yield from _architecture(model)
    if is_regression(plan):
        yield from comment("One output, for a target of many numbers.")
        yield setting("output", "value", look="the model is read as giving a value, not classes")
    else:
        yield unset("output", "logits")
    yield from comment("What the file may bring: data alone; program: TorchScript or .pt2, which runs in the sandbox.")
    yield setting("trust", model.trust)


def _said(model: ModelFound) -> str:
    shapes = model.shapes
    takes = {
        "image": f"images ({shapes.channels} channel{'s' if shapes.channels != 1 else ''})",
        "table": f"vectors of {shapes.width} numbers",
        "text": "texts",
        None: "what its shapes do not tell",
    }[shapes.kind]
    answers = "an unknown number of" if shapes.outputs is None else f"{shapes.outputs:,}"
    return f"By the shapes of its tensors it takes {takes} and gives {answers} outputs."


def _architecture(model: ModelFound) -> Iterator[Line]:
    found = model.architecture
    if found is None:
        return
    yield from comment(found.note)
    if found.name:
        scheme = found.name.partition(":")[0]
        look = {"mlp": "the weights fit mlp:, if ReLU is what stands between their layers"}.get(scheme, "")
        look = "others have the same names and shapes" if found.candidates else look
        yield setting("architecture", found.name, look=look)
        if found.arguments:
            yield setting("arguments", found.arguments)
        return
    yield from comment("MODULE:CALLABLE beside this file or installed; torchvision:NAME, timm:NAME, mlp:8-16-2.")
    if found.candidates:
        yield from comment(f"Defined in the Python files beside it: {few(found.candidates)}.")
    yield setting("architecture", "", needs="what do these weights belong to?")


# ---- [input] -----------------------------------------------------------------------------------------------------
def _input(plan: Plan, model: ModelFound) -> Iterator[Line]:
    yield Line()
    yield Line("[input]")
    yield setting("kind", plan.data.kind, needs=_unfit(plan, model))
    if plan.data.kind == "image" and model.format != "hugging face":
        yield from _size(plan, model)
        yield from _normalisation(plan, model)
    if plan.data.kind == "text" and not model.has_tokenizer:
        yield from comment("The folder of the tokenizer.")
        yield Line(unset("tokenizer", "DIR").text, needs="which tokenizer was the model trained with?")


def _unfit(plan: Plan, model: ModelFound) -> str:
    """Why the data can be none for the model; "" where they may."""
    data, shapes = plan.data, model.shapes
    channels = data.array.channels if data.array else 3 if data.pictures else None
    if data.kind == "image" and shapes.kind == "table":
        return f"the model takes vectors of {shapes.width} numbers, and the data are images"
    if data.kind == "image" and None not in (channels, shapes.channels) and channels != shapes.channels:
        return f"the images are read with {channels} channels, and the model takes {shapes.channels}"
    return ""


def _size(plan: Plan, model: ModelFound) -> Iterator[Line]:
    pictures, array = plan.data.pictures, plan.data.array
    if array is not None or pictures is None:
        return
    sizes = pictures.sizes.most_common()
    shown = ", ".join(f"{h} x {w} {n:,} times" for (h, w), n in sizes[:5])
    yield from comment(f"The pictures are (height x width): {shown}{' ...' if len(sizes) > 5 else ''}.")
    yield from comment("resize brings the short side to a length, size then cuts out the centre; size alone resizes.")
    architecture = model.architecture.name if model.architecture else ""
    if architecture.partition(":")[0] in PUBLISHED or architecture == "demo:efficientnet_lite0":
        yield setting("resize", 256)
        yield setting("size", (224, 224), look="the size is that of most published weights, not known of these")
    elif len(sizes) > 1:
        yield setting("size", sizes[0][0], look="the pictures differ in size and are resized to the commonest")
    else:
        yield unset("size", sizes[0][0])


def _normalisation(plan: Plan, model: ModelFound) -> Iterator[Line]:
    array = plan.data.array
    if array is not None and array.dtype != "uint8" and (array.low < 0 or array.high > 1):
        yield from comment(f"The array holds {array.low:.4g} to {array.high:.4g} in its first rows.")
        yield setting("bounds", (array.low, array.high), look="the legal range of a pixel is what the first rows show")
        return
    yield from comment("(pixel - mean) / std, a value a channel, after pixels are in [0, 1]; ImageNet's stand here.")
    three = model.shapes.channels in (None, 3)
    yield unset("mean", IMAGENET_MEAN if three else (0.5,))
    look = "pixels go in from 0 to 1; if training subtracted a mean, say mean and std"
    yield Line(unset("std", IMAGENET_STD if three else (0.5,)).text, look=look)
