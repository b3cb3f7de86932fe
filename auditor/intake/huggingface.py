"""A Hugging Face directory: config.json, safetensors, and how its inputs are prepared. Read as bytes; nothing is run.

What names code, a repository of a hub or a kernel from there is refused, whatever would be made of it later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from auditor.errors import LoadError, one_line
from auditor.intake.image_processor import input_of
from auditor.intake.strict_json import read_object

__all__ = [
    "BESIDE",
    "MOST_WEIGHTS",
    "VOCABULARIES",
    "Directory",
    "is_directory",
    "most_tokens",
    "need_data_alone",
    "read_directory",
]

CONFIG, PROCESSOR, TOKENIZER = "config.json", "preprocessor_config.json", "tokenizer_config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model")
BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
PICKLED = (".bin", ".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".joblib")
MOST_WEIGHTS = 2_000_000_000  # 8 GB
MOST_LAYERS, MOST_LABELS, DEEPEST = 1000, 100_000, 32
FREE_TEXT = {"id2label", "label2id", "_name_or_path", "name_or_path", "task_specific_params", "finetuning_task"}
NEVER_BUILT = (
    "_attn_implementation",
    "_experts_implementation",
    "attn_implementation",
    "_name_or_path",
    "name_or_path",
)
KINDS: Mapping[str, Literal["text", "image"]] = {
    "ForSequenceClassification": "text", "ForImageClassification": "image",
}  # fmt: skip
WIDTHS, INNER = ("hidden_size", "dim", "d_model", "n_embd"), ("intermediate_size", "hidden_dim", "ffn_dim")
OFFSET = {"roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "longformer", "data2vec-text", "mpnet", "esm"}


@dataclass(frozen=True)
class Directory:
    """What the directory says of its model.

    `config` is what the model is built from: what names a place or an implementation is left out. `labels` are None
    where it names none of its own. `input` are keys of [input] for its images, `longest` the most tokens of a text.
    `files` are those that are read, config.json first.
    """

    path: Path
    config: Mapping[str, Any]
    architecture: str
    kind: Literal["text", "image"]
    weights: Path
    labels: tuple[str, ...] | None
    files: tuple[Path, ...]
    vocabulary: tuple[str, ...] = ()
    longest: int | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    @property
    def is_regression(self) -> bool:
        """Whether it gives one value instead of classes."""
        kind, count = self.config.get("problem_type"), len(self.config.get("id2label") or {0: "", 1: ""})
        return kind == "regression" or (kind is None and count == 1)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know, a line each."""
        found = [f"{self.architecture}, which takes {'texts' if self.kind == 'text' else 'images'}"]
        if self.labels:
            shown = ", ".join(one_line(name, 40) for name in self.labels[:8])
            found.append(f"{len(self.labels):,} labels: {shown}{' ...' if len(self.labels) > 8 else ''}")
        else:
            found.append("it names no labels of its own")
        if self.kind == "text":
            limit = f", at most {self.longest:,} tokens" if self.longest else ""
            said = f"tokenizer: {', '.join(self.vocabulary)}{limit}"
            found.append(said if self.vocabulary else "no tokenizer in it; give [input] tokenizer")
        elif self.input:
            found.append(f"image processor: {', '.join(f'{k} = {_toml(v)}' for k, v in self.input.items())}")
        else:
            found.append("no image processor in it; give [input] resize, size, mean and std")
        if self.ignored:
            more = " ..." if len(self.ignored) > 8 else ""
            found.append(f"beside it and not read: {', '.join(self.ignored[:8])}{more}")
        return tuple(found)


def is_directory(path: Path) -> bool:
    """Whether there is such a directory at `path`."""
    return (path / CONFIG).is_file()


def read_directory(path: Path) -> Directory:
    """The directory at `path`; LoadError, in one line, when it is none whose model can be loaded as data."""
    names = sorted(p.name for p in path.iterdir() if p.is_file())
    config = read_object(path / CONFIG)
    need_data_alone(path)
    architecture, kind = _architecture(config, path)
    _need_modest(config, path)
    weights = _weights(path, names)
    vocabulary = tuple(n for n in VOCABULARIES if n in names) if kind == "text" else ()
    processor = PROCESSOR if kind == "image" and PROCESSOR in names else None
    read = {CONFIG, weights.name, *vocabulary, *((processor,) if processor else ())}
    read |= {n for n in BESIDE if n in names} if vocabulary else set()
    listed = read | ({n for n in names if n.endswith(".safetensors")} if weights.name.endswith(".json") else set())
    return Directory(
        path=path,
        config={k: v for k, v in config.items() if k not in NEVER_BUILT},
        architecture=architecture,
        kind=kind,
        weights=weights,
        labels=_labels(config, path),
        files=tuple(path / n for n in (CONFIG, *sorted(read - {CONFIG, weights.name}))),
        vocabulary=vocabulary,
        longest=most_tokens(path) if kind == "text" else None,
        input=input_of(read_object(path / processor), processor) if processor else {},
        ignored=tuple(one_line(n, 60) for n in names if n not in listed),
    )


# ---- what it may not ask for -------------------------------------------------------------------------------------
def need_data_alone(path: Path) -> None:
    """LoadError for a directory whose configurations name code, a repository, a file or an address."""
    for name in (CONFIG, TOKENIZER, PROCESSOR):
        if (path / name).is_file():
            _need_data(read_object(path / name, 8 << 20), path, name)


def _need_data(found: Mapping[str, Any], path: Path, name: str) -> None:
    """LoadError for whatever names code, a repository, a file or an address."""
    for key, value in _leaves(found, DEEPEST):
        where = f"model directory {path.name!r}: {name}"
        if key == "auto_map":
            msg = f"{where} brings its own Python code (auto_map), which is never run; use a model of transformers' own"
            raise LoadError(msg)
        if "implementation" in key and isinstance(value, str) and set(value) & set("/:@"):
            msg = f"{where} names a remote kernel ({key} = {value!r:.60}), which is never fetched; remove that key"
            raise LoadError(msg)
        if name == CONFIG and key not in FREE_TEXT and isinstance(value, str) and set(value) & set("/\\"):
            named = f"{key!r:.40} = {value!r:.60}"
            msg = f"{where} names a file or repository ({named}), which is never read; remove that key"
            raise LoadError(msg)
        if key in {"use_pretrained_backbone", "quantization_config"} and value:
            msg = f"{where} asks for {key}, which is not loaded; save the model whole, in float"
            raise LoadError(msg)


def _leaves(found: Any, depth: int, key: str = "") -> Iterator[tuple[str, Any]]:
    """(key, value) of everything nested, the texts of labels left out; objects come before what they hold."""
    yield key, found
    if not depth:
        msg = f"a configuration nests more than {DEEPEST} deep"
        raise LoadError(msg)
    if isinstance(found, dict):
        for name, value in found.items():
            if name in FREE_TEXT:
                continue
            yield from _leaves(value, depth - 1, name)
    elif isinstance(found, list):
        for value in found:
            yield from _leaves(value, depth - 1, key)


def _need_modest(config: Mapping[str, Any], path: Path) -> None:
    """LoadError for sizes that no file here could fill: one layer and the vocabulary alone count."""
    sizes = {k: v for k, v in config.items() if type(v) is int}
    layers = next((k for k, v in sizes.items() if v > MOST_LAYERS and ("layers" in k or "depth" in k)), None)
    if layers is not None:
        msg = f"model directory {path.name!r}: {CONFIG} asks for {layers} = {sizes[layers]:,}; at most {MOST_LAYERS:,}"
        raise LoadError(msg)
    width = next((sizes[k] for k in WIDTHS if k in sizes), 0)
    inner = next((sizes[k] for k in INNER if k in sizes), 0)
    least = sizes.get("vocab_size", 0) * sizes.get("embedding_size", width) + 4 * width**2 + 2 * width * inner
    if least > MOST_WEIGHTS:
        msg = (
            f"model directory {path.name!r}: {CONFIG} describes at least {least:,} weights; "
            f"at most {MOST_WEIGHTS:,} are built"
        )
        raise LoadError(msg)


# ---- what it is --------------------------------------------------------------------------------------------------
def _architecture(config: Mapping[str, Any], path: Path) -> tuple[str, Literal["text", "image"]]:
    named = config.get("architectures")
    name = named[0] if isinstance(named, list) and len(named) == 1 else None
    kind = next((k for ending, k in KINDS.items() if isinstance(name, str) and name.endswith(ending)), None)
    if kind is None or not str(name).isidentifier():
        msg = (
            f"model directory {path.name!r}: {CONFIG} names the architecture {named!r:.60}; "
            f"expected one that ends in {' or '.join(KINDS)}"
        )
        raise LoadError(msg)
    if config.get("problem_type") == "multi_label_classification":
        msg = f"model directory {path.name!r} gives several labels at once (multi_label_classification); one is audited"
        raise LoadError(msg)
    return str(name), kind


def _weights(path: Path, names: list[str]) -> Path:
    found = next((n for n in WEIGHTS if n in names), None)
    if found is not None:
        return path / found
    pickled = next((n for n in names if n.endswith(PICKLED)), None)
    beside = f"found {pickled!r:.60}" if pickled else "found no weights"
    msg = f"model directory {path.name!r}: weights must be safetensors ({beside}); expected {WEIGHTS[0]} or its index"
    raise LoadError(msg)


def _labels(config: Mapping[str, Any], path: Path) -> tuple[str, ...] | None:
    """The names of the classes in order; None where they are missing or the library's own LABEL_0, LABEL_1 ..."""
    given = config.get("id2label")
    if given is None:
        return None
    try:
        named = {int(k): str(v) for k, v in given.items()}
    except (AttributeError, ValueError):
        named = {}
    if sorted(named) != list(range(len(named))) or not 0 < len(named) <= MOST_LABELS:
        msg = f"model directory {path.name!r}: id2label of {CONFIG} is not a name for each class 0, 1, 2 ..."
        raise LoadError(msg)
    labels = tuple(named[i] for i in range(len(named)))
    return None if all(name == f"LABEL_{i}" for i, name in enumerate(labels)) else labels


def most_tokens(path: Path) -> int | None:
    """How many tokens the model in the folder `path`, or that of the tokenizer there, takes; None if nothing says."""
    config, tokenizer = (read_object(path / n, 8 << 20) if (path / n).is_file() else {} for n in (CONFIG, TOKENIZER))
    places = config.get("max_position_embeddings", config.get("n_positions"))
    if type(places) is int and str(config.get("model_type")) in OFFSET:
        pad = config.get("pad_token_id")
        places -= (pad if type(pad) is int else 1) + 1  # positions are counted from behind the padding's
    given = tokenizer.get("model_max_length")
    known = [n for n in (places, given) if type(n) is int and 0 < n < 1 << 20]
    return min(known) if known else None


def _toml(value: Any) -> str:
    shown = [f"{v:.6g}" if isinstance(v, float) else str(v) for v in (value if isinstance(value, tuple) else (value,))]
    return f"[{', '.join(shown)}]" if isinstance(value, tuple) else shown[0]
