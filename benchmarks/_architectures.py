"""Published architectures with random weights, and whether the product opens what torch saves of them.

Each is saved as a state_dict, as TorchScript and as an exported program, looked at, loaded as an audit loads it, and
must then give what the original module gives.
"""

from __future__ import annotations

import gc
import importlib.util
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from auditor.errors import LoadError, one_line, without_machine
from auditor.intake.inspection import inspect_model
from auditor.intake.outputs import first_outputs
from auditor.intake.programs import load_program
from auditor.intake.weights import fill, read_weights
from auditor.intake.zoos import from_zoo
from auditor.subject import Data, Model

__all__ = ["ARCHITECTURES", "FORMATS", "Architecture", "Covered", "cover", "named", "need_operators"]

SHIM = Path(__file__).resolve().parents[2] / "shared" / "spikes" / "torchvision_on_cpu.py"
FORMATS = ("state_dict", "TorchScript", ".pt2")
ROUNDING = 1e-5  # of the largest output: an exported program does the sums of fused attention one by one
ROWS, SEEN, WORDS, LENGTH = 2, 8, 50, 12


@dataclass(frozen=True)
class Architecture:
    """An architecture as `[model] architecture` names it, the arguments it is built with, and one input's shape.

    Text classifiers (`text`) take LENGTH indices of WORDS words instead.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = (3, 64, 64)

    @property
    def is_text(self) -> bool:
        """Whether it classifies sequences of words."""
        return self.name.endswith("ForSequenceClassification")

    def build(self, seed: int) -> nn.Module:
        """The module in evaluation mode, with weights drawn by `seed`."""
        zoo, _, name = self.name.partition(":")
        torch.manual_seed(seed)
        if not self.is_text:
            return from_zoo(zoo, name, self.arguments).eval()
        import transformers

        kind = getattr(transformers, name)
        return kind(kind.config_class(**self.arguments)).eval()  # type: ignore[no-any-return]

    def settled(self) -> nn.Module:
        """A module whose outputs move: BatchNorm knows its inputs, and no layer's weights are all zero.

        As it is built, BatchNorm lets some networks fade to 1e-10, and some heads are zero until they are trained.
        """
        module = self.build(0)
        norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
        with torch.no_grad():
            for p in module.parameters():
                if p.ndim > 1 and not p.any():
                    p.normal_(0, 0.02)
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # the average of what it sees
                norm.training = True
            if norms:
                module(self.inputs(SEEN))
        return module.eval()

    def inputs(self, rows: int = ROWS) -> Tensor:
        """So many inputs, the same each time."""
        generator = torch.Generator().manual_seed(0)
        if self.is_text:
            return torch.randint(3, WORDS, (rows, LENGTH), generator=generator)
        return torch.rand((rows, *self.shape), generator=generator)


@dataclass(frozen=True)
class Covered:
    """How an architecture came out: for each format the cause of a miss (None: none), and how it was saved.

    `moves`: its outputs differ from input to input, without which the comparison would say little.
    """

    name: str
    parameters: int
    misses: Mapping[str, str | None]
    ways: Mapping[str, str]
    moves: bool


class _MissError(Exception):
    """Why a format was missed, in one line."""


def named(name: str) -> Architecture:
    """The architecture of ARCHITECTURES with that name."""
    return next(a for a in ARCHITECTURES if a.name == name)


def need_operators() -> bool:
    """Whether torchvision can be imported; declares the operators that its wheel for CUDA misses beside CPU torch."""
    if SHIM.is_file() and "torchvision" not in sys.modules and importlib.util.find_spec("torchvision"):
        module = sys.modules[SHIM.stem] = ModuleType(SHIM.stem)
        SourceFileLoader(SHIM.stem, str(SHIM)).exec_module(module)
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        return False
    return True


def cover(architecture: Architecture) -> Covered:
    """The architecture through every format."""
    module = architecture.settled()
    x = architecture.inputs()
    expected = _outputs(module, x)
    moves = not torch.equal(expected[0], expected[1])
    ways: dict[str, str] = {}
    misses: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, (save, load) in zip(FORMATS, _FORMATS, strict=True):
            path = Path(folder) / f"model{len(misses)}.pt2"
            try:
                ways[kind] = save(module, x, path)
                inspect_model(path)
                ways[kind] += _apart(_outputs(load(path, architecture), x), expected)
                misses[kind] = None
            except LoadError as e:
                misses[kind] = str(e)
            except _MissError as e:
                misses[kind] = str(e)
            path.unlink(missing_ok=True)
            gc.collect()
    return Covered(architecture.name, sum(p.numel() for p in module.parameters()), misses, ways, moves)


def _outputs(module: nn.Module, x: Tensor) -> Tensor:
    """What an audit sees of the module's answers."""
    return first_outputs(Model(module, ()), Data.of(x, torch.zeros(len(x)).long()))[1]


def _apart(found: Tensor, expected: Tensor) -> str:
    """How far apart they are where only by rounding, "" where they are the same bit for bit; else _MissError."""
    if torch.equal(found, expected):
        return ""
    apart = float((found - expected).abs().max())
    if apart > ROUNDING * max(1.0, float(expected.abs().max())):
        msg = f"outputs up to {apart:.2g} apart"
        raise _MissError(msg)
    return f", {apart:.0e} apart"


# ---- the formats -------------------------------------------------------------------------------------------------
def _save_weights(module: nn.Module, _: Tensor, path: Path) -> str:
    torch.save(module.state_dict(), path)
    return ""


def _load_weights(path: Path, architecture: Architecture) -> nn.Module:
    module = architecture.build(1)
    fill(module, read_weights(path, "state_dict"), path.name)
    return module


def _save_script(module: nn.Module, x: Tensor, path: Path) -> str:
    return _first_that_works(
        {
            "scripted": lambda: torch.jit.script(module).save(str(path)),
            "traced": lambda: torch.jit.trace(module, x, check_trace=False, strict=False).save(str(path)),
        }
    )


def _save_program(module: nn.Module, x: Tensor, path: Path) -> str:
    def export(**more: Any) -> None:
        torch.export.save(torch.export.export(module, (x,), **more), path)

    auto = torch.export.Dim.AUTO
    return _first_that_works(
        {
            "batch dynamic": lambda: export(dynamic_shapes=({0: auto},)),
            "one size": export,
        }
    )


def _first_that_works(ways: Mapping[str, Callable[[], None]]) -> str:
    """The first of the ways to save a module that torch can go."""
    causes = []
    for way, go in ways.items():
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")
                go()
        except Exception as e:  # noqa: BLE001 - torch raises what it likes here
            causes.append(without_machine(f"{way}: {type(e).__name__}: {one_line(str(e), 100)}"))
        else:
            return way
    msg = f"torch cannot save it ({'; '.join(causes)})"
    raise _MissError(msg)


_FORMATS: tuple[tuple[Callable[[nn.Module, Tensor, Path], str], Callable[[Path, Architecture], nn.Module]], ...] = (
    (_save_weights, _load_weights),
    (_save_script, lambda path, _: load_program(path, "torchscript")),
    (_save_program, lambda path, _: load_program(path, "torch.export")),
)
# ---- the list ----------------------------------------------------------------------------------------------------
CLASSES = {"num_classes": 10}
TORCHVISION = """
    alexnet vgg11_bn resnet18 resnet50 resnext50_32x4d densenet121 squeezenet1_1 googlenet inception_v3:160 mobilenet_v2
    mobilenet_v3_small mnasnet0_5 shufflenet_v2_x0_5 efficientnet_b0 efficientnet_v2_s regnet_x_400mf regnet_y_400mf
    convnext_tiny swin_t swin_v2_t
"""
TIMM = """
    resnet10t ecaresnet26t resnest14d cs3darknet_s darknet17 hrnet_w18_small selecsls42 repvgg_a0 efficientnet_lite0
    mixnet_s mobilenetv4_conv_small ghostnet_050 lcnet_035 tinynet_e nf_regnet_b0 ese_vovnet19b_dw rexnet_100
    hgnetv2_b0 starnet_s1 mobileone_s0 repvit_m0_9 convnext_atto inception_next_atto mambaout_femto caformer_s18
    poolformer_s12 edgenext_xx_small mobilevit_xxs mobilevitv2_050 fastvit_t8:256 efficientformer_l1:224
    efficientvit_b0 vit_tiny_patch16_224:224 crossvit_tiny_240:240 convit_tiny:224 eva02_tiny_patch14_224:224
    xcit_nano_12_p16_224:224 mixer_s32_224:224 resmlp_12_224:224 gmlp_ti16_224:224 hiera_tiny_224:224 levit_128s:224
    mvitv2_tiny:224 pit_ti_224:224 pvt_v2_b0:224 tiny_vit_5m_224:224 visformer_tiny:224 shvit_s1 swiftformer_xs:224
    test_resnet test_vit:160
"""
LABELS = {"num_labels": 10}
PATCHES = {
    **LABELS, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "image_size": 64, "patch_size": 16,
}  # fmt: skip
WINDOWS = {
    **LABELS, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4, "image_size": 64,
}  # fmt: skip
STAGES = {**LABELS, "hidden_sizes": [16, 32, 64, 64], "depths": [1, 1, 1, 1]}
TEXT = {
    "vocab_size": WORDS, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 40, "num_labels": 3, "pad_token_id": 1,
}  # fmt: skip
IMAGES: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(("ViT", "DeiT", "Beit", "Dinov2"), PATCHES),
    **dict.fromkeys(("Swin", "Swinv2"), WINDOWS),
    **dict.fromkeys(("ConvNext", "ConvNextV2", "PoolFormer"), STAGES),
    "ResNet": {**STAGES, "embedding_size": 16},
    "RegNet": {**STAGES, "embedding_size": 16, "groups_width": 8},
    "Bit": {**STAGES, "embedding_size": 16, "num_groups": 4},
    "Segformer": {**STAGES, "num_attention_heads": [1, 2, 2, 2]},
    "MobileNetV2": {**LABELS, "depth_multiplier": 0.25},
    "MobileViT": {
        **LABELS,
        "hidden_sizes": [24, 32, 40],
        "neck_hidden_sizes": [8, 16, 24, 32, 40, 48, 64],
        "image_size": 64,
    },
    "PvtV2": {**LABELS, "image_size": 64},
    "Levit": {**LABELS, "image_size": 64},
}
TEXTS: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(
        ("Bert", "Roberta", "Electra", "Albert", "ConvBert", "RoFormer", "MPNet", "Deberta", "DebertaV2", "MobileBert",
         "ModernBert"), TEXT
    ),
    "DistilBert": {
        "vocab_size": WORDS, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 40,
        "num_labels": 3,
    },
    "XLNet": {
        "vocab_size": WORDS, "d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64, "num_labels": 3,
        "use_mems_eval": False, "return_dict": False,
    },
    "Funnel": {
        "vocab_size": WORDS, "d_model": 32, "block_sizes": [1, 1], "n_head": 2, "d_head": 16, "d_inner": 64,
        "num_labels": 3,
    },
    "GPT2": {
        "vocab_size": WORDS, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 40, "num_labels": 3,
        "pad_token_id": 1, "use_cache": False,
    },
}  # fmt: skip


def _sized(zoo: str, names: str) -> list[Architecture]:
    """Architectures written as NAME or NAME:SIDE."""
    pairs = (text.partition(":") for text in names.split())
    return [Architecture(f"{zoo}:{name}", CLASSES, (3, int(side or 64), int(side or 64))) for name, _, side in pairs]


ARCHITECTURES: tuple[Architecture, ...] = (
    *_sized("torchvision", TORCHVISION),
    Architecture("torchvision:vit_b_16", {**CLASSES, "image_size": 64}),
    *_sized("timm", TIMM),
    *(Architecture(f"transformers:{name}ForImageClassification", given) for name, given in IMAGES.items()),
    *(Architecture(f"transformers:{name}ForSequenceClassification", given) for name, given in TEXTS.items()),
)
