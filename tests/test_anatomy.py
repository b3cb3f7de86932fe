"""Weights, layers and operations against counts by hand; what cannot be counted says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.anatomy import Operators, flops, layers, parameters
from auditor.errors import NotApplicable
from auditor.subject import Model
from tests import zoo
from tests.intake.modelfiles import PROGRAMS, Small

CONVOLUTION, HEAD = 2 * 9 * 4 * 6 * 6, 2 * 4 * 2  # 3 x 3 to 4 channels on 6 x 6 places; 4 to 2


def operations(module: nn.Module, x: Tensor, batch: int | None = None) -> int:
    return flops(Model(module, ("a", "b"), batch=batch), x)


@pytest.mark.parametrize("made", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_has_the_counts_of_its_module(made: Callable[[nn.Module, Tensor], nn.Module]) -> None:
    module, x = Small().eval(), torch.rand(3, 1, 8, 8)
    program = made(module, x)

    assert operations(module, x) == operations(program, x) == CONVOLUTION + HEAD
    assert parameters(module) == parameters(program) == (9 * 4 + 4) + (4 + 4) + (4 * 2 + 2)
    assert layers(module) == layers(program) == 3


def test_a_program_of_one_batch_size_is_counted_by_the_sample() -> None:
    fixed = torch.export.export(Small().eval(), (torch.rand(4, 1, 8, 8),)).module()

    assert flops(Model(fixed, ("a", "b"), batch=4), torch.rand(2, 1, 8, 8)) == CONVOLUTION + HEAD


def test_attention_is_counted_by_its_parts() -> None:
    found = flops(zoo.ZOO["attention"]().model, zoo.images()[:2])
    tokens, width = 16, 8
    products = 3 * width * width + width * width + width * width  # queries, keys, values; output; the layer after it
    pairs = 2 * tokens * tokens * width  # scores and their use

    assert found == 2 * (4 * width * tokens + tokens * products + pairs + width * 3)
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_shared_layer_holds_its_weights_once_and_works_twice() -> None:
    case = zoo.ZOO["shared_weights"]()

    assert parameters(case.model.module) == (4 * 4 + 4) + (4 * 3 + 3)
    assert layers(case.model.module) == 2
    assert flops(case.model, case.data.read(np.arange(1))) == 2 * (2 * 4 * 4 + 4 * 3)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.inner(x)[0][:, -1])


class OnlyTwo(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(2, 3)


@pytest.mark.parametrize(
    ("module", "x", "message"),
    [
        (Recurrent(), torch.rand(2, 5, 3), "mkldnn_rnn_layer does a whole layer at once"),
        (OnlyTwo(), torch.rand(2, 3), "does not go through this module .RuntimeError."),
    ],
)
def test_what_cannot_be_counted_is_left_out(module: nn.Module, x: Tensor, message: str) -> None:
    with pytest.raises(NotApplicable, match=message):
        operations(module, x)


def test_operators_that_draw_numbers_are_known() -> None:
    with Operators() as found:
        torch.relu(torch.rand(3)) + nn.functional.dropout(torch.ones(3), 0.5, training=False)
    assert list(found.random) == ["rand"]
    assert "relu" in found.seen


def test_counting_loads_no_compiler() -> None:
    code = """
import sys, torch
from torch import nn
from auditor.anatomy import flops
from auditor.subject import Model
print(flops(Model(nn.Linear(3, 2), ("a", "b")), torch.ones(1, 3)), "torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["12", "False"]
