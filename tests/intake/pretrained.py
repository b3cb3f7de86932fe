"""Small Hugging Face directories with random weights, as `save_pretrained` writes them; skipped without the package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tests.intake.zoo_packages import installed

__all__ = ["IMAGE", "TEXT", "TINY", "changed", "saved_images", "saved_texts", "tokenizer_in"]

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
DISTIL = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 24}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXT = ("Bert", "DistilBert", "Roberta")
IMAGE = ("ViT", "ResNet")
IMAGES: dict[str, dict[str, Any]] = {
    "ViT": {**TINY, "image_size": 16, "patch_size": 8},
    "ResNet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]},
}
PROCESSORS: dict[str, tuple[str, dict[str, Any]]] = {
    "ViT": ("ViTImageProcessor", {"size": {"height": 16, "width": 16}}),
    "ResNet": ("ConvNextImageProcessor", {"size": {"shortest_edge": 16}, "crop_pct": 0.875}),
}


def tokenizer_in(folder: Path, corpus: Sequence[str], *, slow: bool = False) -> int:
    """A WordPiece tokenizer of `corpus` in `folder`, as tokenizer.json or (slow) as vocab.txt; how many ids it has."""
    installed("transformers")
    from tokenizers import BertWordPieceTokenizer

    trained = BertWordPieceTokenizer(lowercase=True)
    trained.train_from_iterator(corpus, vocab_size=200, min_frequency=1, show_progress=False)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 24}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if slow:
        trained.save_model(str(folder))
    else:
        trained.save(str(folder / "tokenizer.json"))
    return int(trained.get_vocab_size())


def saved_texts(
    folder: Path, corpus: Sequence[str], name: str = "Bert", *, slow: bool = False, **config: Any
) -> torch.nn.Module:
    """A text classifier with its tokenizer in `folder`; the module that was saved, in evaluation mode."""
    transformers = installed("transformers")
    size = tokenizer_in(folder, corpus, slow=slow)
    given = DISTIL if name == "DistilBert" else {**TINY, "max_position_embeddings": 25 if name == "Roberta" else 24}
    torch.manual_seed(0)
    built = getattr(transformers, f"{name}Config")(**{**given, "vocab_size": size, "pad_token_id": 0, **config})
    module = getattr(transformers, f"{name}ForSequenceClassification")(built).eval()
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn_like(p) * 0.3)  # the usual start says nearly the same of every text
    module.save_pretrained(folder)
    return module


def saved_images(folder: Path, name: str = "ViT", **config: Any) -> torch.nn.Module:
    """An image classifier with its processor in `folder`; the module that was saved, in evaluation mode."""
    transformers = installed("transformers")
    torch.manual_seed(0)
    built = getattr(transformers, f"{name}Config")(**{**IMAGES[name], "num_labels": 3, **config})
    module = getattr(transformers, f"{name}ForImageClassification")(built).eval()
    module.save_pretrained(folder)
    kind, given = PROCESSORS[name]
    processor = {"image_processor_type": kind, "do_resize": True, "do_rescale": True, "do_normalize": True, **given}
    processor |= {"rescale_factor": 1 / 255, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return module


def changed(path: Path, **values: Any) -> None:
    """Write `values` into the JSON object at `path`; None removes a key."""
    found = {**json.loads(path.read_text()), **values} if path.exists() else values
    path.write_text(json.dumps({k: v for k, v in found.items() if v is not None}))
