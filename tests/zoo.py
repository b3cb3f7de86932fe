"""Tiny models with known answers, each with data it fits: every check must be able to live with every one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.columns import Column
from auditor.feeds import Packed, Part, Tokens, channels_last
from auditor.integers import Integers
from auditor.subject import Data, Model, Normalize
from auditor.words import Vocabulary, Words

ROWS = 24
SIDE = 8
PATCH = (slice(1, 4), slice(4, 7))  # rows and columns of the planted patch


@dataclass(frozen=True)
class Case:
    """A model with its data."""

    model: Model
    data: Data


def images(channels: int = 1, seed: int = 0) -> Tensor:
    """ROWS images in [0, 1]."""
    return torch.rand(ROWS, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def labelled(model: Model, x: Tensor, wrong: int = 4) -> Data:
    """`x` with the model's own answers as targets, the first `wrong` rows given another class; with two groups."""
    with torch.no_grad(), model.frozen():
        y = model(x).argmax(1)
    y[:wrong] = (y[:wrong] + 1) % len(model.classes)
    groups = {"sex": ["female", "male"] * (len(x) // 2), "race": [("a", "b", "c")[i % 3] for i in range(len(x))]}
    columns = tuple(Column(f"c{i}", i, i + 1) for i in range(x.shape[1])) if x.ndim == 2 else ()
    return Data.of(x, y, groups, columns=columns, positive=1 if len(model.classes) == 2 else None)


def case(module: nn.Module, x: Tensor, classes: int, *, seed: int = 0, **facts: object) -> Case:
    """The module with random weights under `seed`, in the mode it was built in, and data that it labels itself."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.4)
    names = tuple("abcdefghij"[:classes])
    model = Model(module, names, **facts)
    return Case(model, labelled(model, x))


# ---- models with answers that can be counted by hand -------------------------------------------------------------
def linear_table() -> Case:
    """Two logits of three columns: z = (0, w x + b). The Linf distance to the boundary is |w x + b| / ||w||_1."""
    head = nn.Linear(3, 2)
    head.weight.data = torch.tensor([[0.0, 0.0, 0.0], [2.0, -1.0, 0.5]])
    head.bias.data = torch.tensor([0.0, 0.25])
    x = torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(1))
    model = Model(head, ("no", "yes"), bounds=(torch.full((3,), -50.0), torch.full((3,), 50.0)))
    return Case(model, labelled(model, x))


def planted_patch() -> Case:
    """The logit of class 1 is the mean of PATCH minus one half, of class 0 its opposite: nothing else matters."""
    weight = torch.zeros(SIDE, SIDE)
    weight[PATCH] = 1 / weight[PATCH].numel()
    head = nn.Linear(SIDE * SIDE, 2)
    head.weight.data = torch.stack([-weight.flatten(), weight.flatten()])
    head.bias.data = torch.tensor([0.5, -0.5])
    model = Model(nn.Sequential(nn.Flatten(), head), ("dark", "bright"))
    x = images()
    x[ROWS // 2 :, :, *PATCH] = x[ROWS // 2 :, :, *PATCH] * 0.3
    x[: ROWS // 2, :, *PATCH] = 1 - x[: ROWS // 2, :, *PATCH] * 0.3
    return Case(model, labelled(model, x, wrong=2))


def biased_table(per_group: int = 60) -> Case:
    """Decides by the group column alone: group a always gets the favourable answer, group b never."""
    head = nn.Linear(2, 2)
    head.weight.data = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    head.bias.data = torch.tensor([0.0, -2.0])
    group = torch.tensor([1.0] * per_group + [0.0] * per_group)
    skill = torch.linspace(-1, 1, 2 * per_group)
    columns = (Column("group", 0, 1, kind="flag"), Column("skill", 1, 2))
    model = Model(head, ("no", "yes"), bounds=(torch.tensor([0.0, -1.0]), torch.tensor([1.0, 1.0])),
                  unit=torch.tensor([0.0, 0.6]))  # fmt: skip
    groups = {"group": ["a"] * per_group + ["b"] * per_group}
    data = Data.of(torch.stack([group, skill], 1), (skill > 0).long(), groups, columns=columns, positive=1)
    return Case(model, data)


# ---- architectures that trip others up ---------------------------------------------------------------------------
class Residual(nn.Module):
    """A convolution and a functional residual add, then global average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.stem(x))
        return self.head((x + functional.relu(self.body(x))).mean((2, 3)))


class SharedWeights(nn.Module):
    """One linear layer used twice, and known under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(4, 4), nn.Linear(4, 3)
        self.again = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.again(torch.relu(self.first(x)))))


class Attention(nn.Module):
    """Patches, one self-attention block with its norms and residual adds, the mean over tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.norm = nn.Conv2d(1, 8, 2, 2), nn.LayerNorm(8)
        self.attend, self.mix, self.head = (
            nn.MultiheadAttention(8, 2, batch_first=True),
            nn.Linear(8, 8),
            nn.Linear(8, 3),
        )
        self.position = nn.Parameter(torch.zeros(16, 8))

    def forward(self, x: Tensor) -> Tensor:
        t = self.patch(x).flatten(2).transpose(1, 2) + self.position
        n = self.norm(t)
        t = t + self.attend(n, n, n, need_weights=False)[0]
        return self.head((t + functional.gelu(self.mix(t))).mean(1))


def batch_norm() -> Case:
    """Convolution and BatchNorm with statistics of its own; its counter is a buffer without dimensions."""
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    )
    found = case(module, images(3), 3)
    norm = module[1]
    assert isinstance(norm, nn.BatchNorm2d)
    norm.running_mean.normal_(0, 0.3, generator=torch.Generator().manual_seed(2))
    norm.running_var.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(3))
    return Case(found.model, labelled(found.model, images(3)))


def inplace_relu() -> Case:
    """Every activation works in place."""
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(64, 3),
    )
    return case(module, images(), 3)


def softmax_output() -> Case:
    """Gives probabilities where logits are declared."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(1))
    found = case(module, images(), 3, output="probabilities")
    return Case(Model(module, found.model.classes), found.data)


def single_logit() -> Case:
    """One output a sample, which means two classes."""
    return case(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1)), torch.randn(ROWS, 4), 2)


def sigmoid_output() -> Case:
    """One probability a sample."""
    module = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1), nn.Sigmoid())
    return case(module, torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(4)), 2, output="probabilities")


def dropout_left_on() -> Case:
    """Handed over in training mode, with a dropout that would make every pass another."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3)).train()
    return case(module, images(), 3)


def normalized() -> Case:
    """Mean and deviation sit inside the handle."""
    normalize = Normalize(torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3]))
    module = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.GELU(), nn.Flatten(), nn.Linear(36, 3))
    return case(module, images(3), 3, normalize=normalize)


def constant() -> Case:
    """The same answer whatever comes in."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    found = case(module, images(), 3)
    with torch.no_grad():
        found.model.module[1].weight.zero_()
    return Case(found.model, labelled(found.model, images()))


def categories() -> Case:
    """A table with a number, a flag and a category of three values."""
    columns = (
        Column("age", 0, 1, mean=40.0, std=10.0),
        Column("member", 1, 2, kind="flag"),
        Column("city", 2, 5, kind="category", values=("x", "y", "z")),
    )
    generator = np.random.default_rng(0)
    x = np.zeros((ROWS, 5), np.float32)
    x[:, 0], x[:, 1] = generator.normal(size=ROWS), generator.integers(0, 2, ROWS)
    x[np.arange(ROWS), 2 + generator.integers(0, 3, ROWS)] = 1
    found = case(nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2)), torch.from_numpy(x), 2)
    unit = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0])
    model = Model(
        found.model.module, found.model.classes, bounds=(torch.full((5,), -3.0), torch.full((5,), 3.0)), unit=unit
    )
    data = labelled(model, torch.from_numpy(x))
    return Case(model, Data(data.read, data.y, data.row_ids, data.groups, columns, data.positive))


class Bag(nn.Module):
    """The mean of the embeddings of the tokens that are there, through a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.head = nn.Embedding(10, 4), nn.Linear(4, 2)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.tokens

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None
    ) -> Tensor:
        embedded = self.tokens(input_ids) if inputs_embeds is None else inputs_embeds
        mask = attention_mask[..., None]
        return self.head((embedded * mask).sum(1) / mask.sum(1))


def texts() -> Case:
    """Texts of one to six words, as ids of ten."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randint(0, 10, (ROWS, 6), generator=generator)
    x[torch.arange(6) >= torch.randint(1, 7, (ROWS, 1), generator=generator)] = -1
    found = case(Bag(), x, 2, feed=Tokens(pad=0), bounds=(-1.0, 9.0))

    def words(rows: Integers) -> list[Words]:
        of_token = np.arange(6)
        held = [[f"word{i}" for i in row[row >= 0].tolist()] for row in found.data.read(rows)]
        return [Words(tuple(row), np.where(of_token < len(row), of_token, -1)) for row in held]

    def ids(texts: Sequence[str]) -> Tensor:
        held = [[int(digit) for digit in text if digit.isdigit()][:6] for text in texts]  # however words are written
        return torch.tensor([row + [-1] * (6 - len(row)) for row in held])

    texts = lambda rows: [" ".join(row.words) for row in words(rows)]  # noqa: E731
    vocabulary = Vocabulary(ids, lambda: {i: f"word{i}" for i in range(10)})
    return Case(found.model, replace(found.data, columns=(), texts=texts, words=words, vocabulary=vocabulary))


class TwoInputs(nn.Module):
    """A category by its embedding, and two numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(4, 3), nn.Linear(5, 3)

    def forward(self, kind: Tensor, numbers: Tensor) -> Tensor:
        return self.head(torch.relu(torch.cat([self.embed(kind), numbers], 1)))


def several_inputs() -> Case:
    """A whole number that stands for something, and two numbers, in one vector."""
    generator = torch.Generator().manual_seed(6)
    kinds = torch.randint(0, 4, (ROWS, 1), generator=generator).float()
    x = torch.cat([kinds, torch.randn(ROWS, 2, generator=generator)], 1)
    packed = Packed((Part("kind", (), whole=True), Part("numbers", (2,), whole=False)))
    unit = torch.tensor([0.0, 1.0, 1.0])
    bounds = (torch.tensor([0.0, -5.0, -5.0]), torch.tensor([3.0, 5.0, 5.0]))
    found = case(TwoInputs(), x, 3, feed=packed, unit=unit, bounds=bounds)
    columns = (Column("kind", 0, 1, kind="flag"), Column("numbers[0]", 1, 2), Column("numbers[1]", 2, 3))
    return Case(found.model, replace(found.data, columns=columns))


class Last(nn.Module):
    """A convolution over images with the channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.conv(x.permute(0, 3, 1, 2))).mean((2, 3)))


ZOO: dict[str, Callable[[], Case]] = {
    "linear_table": linear_table,
    "planted_patch": planted_patch,
    "biased_table": biased_table,
    "batch_norm": batch_norm,
    "inplace_relu": inplace_relu,
    "softmax_output": softmax_output,
    "shared_weights": lambda: case(SharedWeights(), torch.randn(ROWS, 4), 3),
    "residual": lambda: case(Residual(), images(), 3),
    "gelu": lambda: case(nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3)), torch.randn(ROWS, 4), 3),
    "attention": lambda: case(Attention(), images(), 3),
    "single_logit": single_logit,
    "sigmoid_output": sigmoid_output,
    "dropout_left_on": dropout_left_on,
    "normalized": normalized,
    "constant": constant,
    "categories": categories,
    "texts": texts,
    "several_inputs": several_inputs,
    "channels_last": lambda: case(Last(), images(3), 3, feed=channels_last),
}
