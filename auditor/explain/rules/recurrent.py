"""Recurrent layers step by step: gates are constant factors, so relevance follows what they let through.

Arras et al. 2019, doi:10.1007/978-3-030-28954-6_11 (signal-take-all). What runs here runs under the mode, so that
linear layers and tanh have their rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]


def lstm_cell(
    x: Tensor, hx: Sequence[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None,
    w_hr: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Hidden state and cell state (N, H) after `x` (N, D); `w_hr` projects the hidden state."""
    h, c = hx
    i, f, g, o = (functional.linear(x, w_ih, b_ih) + functional.linear(h, w_hh, b_hh)).chunk(4, -1)
    i, f, o = (torch.sigmoid(t).detach() for t in (i, f, o))
    c = f * c + i * torch.tanh(g)
    h = o * torch.tanh(c)
    return (h if w_hr is None else functional.linear(h, w_hr)), c


def gru_cell(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Hidden state (N, H) after `x` (N, D)."""
    r, z, n = functional.linear(x, w_ih, b_ih).chunk(3, -1)
    hr, hz, hn = functional.linear(h, w_hh, b_hh).chunk(3, -1)
    r, z = torch.sigmoid(r + hr).detach(), torch.sigmoid(z + hz).detach()
    return (1 - z) * torch.tanh(n + r * hn) + z * h


def _plain(activation: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def cell(
        x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
    ) -> Tensor:
        return activation(functional.linear(x, w_ih, b_ih) + functional.linear(h, w_hh, b_hh))

    return cell


rnn_tanh_cell, rnn_relu_cell = _plain(torch.tanh), _plain(torch.relu)


def lstm(data: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    """torch.lstm, of padded or packed sequences: outputs, last hidden states, last cell states."""
    outputs, last = _run(lstm_cell, data, *rest)
    return outputs, torch.stack([h for h, _ in last]), torch.stack([c for _, c in last])


def _single(cell: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    def layer(data: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        outputs, last = _run(cell, data, *rest)
        return outputs, torch.stack(last)

    return layer


gru, rnn_tanh, rnn_relu = _single(gru_cell), _single(rnn_tanh_cell), _single(rnn_relu_cell)


def _run(cell: Callable[..., Any], data: Tensor, second: Any, third: Any, *rest: Any) -> tuple[Tensor, list[Any]]:
    """(input, hx, weights, ...) or, for packed sequences, (data, batch_sizes, hx, weights, ...)."""
    if rest and isinstance(rest[0], (list, tuple)):
        (weights, has_biases, layers, _, _, bidirectional), hx, sizes = rest, third, second
        steps = list(data.split(sizes.tolist()))
        whole = len(steps[0])
        steps = [torch.cat([s, s.new_zeros(whole - len(s), *s.shape[1:])]) if len(s) < whole else s for s in steps]
        there = [(torch.arange(whole, device=data.device) < n)[:, None] for n in sizes.tolist()]
        outputs, last = _layers(cell, steps, there, _states(hx), weights, layers, bidirectional, has_biases)
        return torch.cat([s[:n] for s, n in zip(outputs, sizes.tolist(), strict=True)]), last
    weights, (has_biases, layers, _, _, bidirectional, batch_first) = third, rest
    axis = 1 if batch_first and data.ndim == 3 else 0
    steps = list(data.unbind(axis))
    outputs, last = _layers(
        cell, steps, [None] * len(steps), _states(second), weights, layers, bidirectional, has_biases
    )
    return torch.stack(outputs, axis), last


def _states(hx: Any) -> list[Any]:
    """The first state of every layer and direction."""
    return list(zip(*(h.unbind(0) for h in hx), strict=True)) if isinstance(hx, (list, tuple)) else list(hx.unbind(0))


def _layers(
    cell: Callable[..., Any], steps: list[Tensor], there: Sequence[Tensor | None], states: list[Any],
    weights: Sequence[Tensor], layers: int, bidirectional: bool, has_biases: bool,
) -> tuple[list[Tensor], list[Any]]:  # fmt: skip
    """Every layer in every direction over the steps (N, D); `there` (N, 1) is where a sequence has not ended."""
    directions = 2 if bidirectional else 1
    each, last = len(weights) // (layers * directions), []
    for layer in range(layers):
        ways = []
        for way in range(directions):
            k = layer * directions + way
            own, state, found = list(weights[k * each : (k + 1) * each]), states[k], []
            if not has_biases and each > 2:
                own[2:2] = [None, None]  # type: ignore[list-item]
            order = range(len(steps)) if way == 0 else reversed(range(len(steps)))
            for i in order:
                state = _kept(there[i], cell(steps[i], state, *own), state)
                found.append(state[0] if isinstance(state, tuple) else state)
            ways.append(found if way == 0 else found[::-1])
            last.append(state)
        steps = [torch.cat(parts, -1) if directions == 2 else parts[0] for parts in zip(*ways, strict=True)]
    return steps, last


def _kept(there: Tensor | None, new: Any, old: Any) -> Any:
    """`new` where a sequence goes on, `old` where it has ended."""
    if there is None or bool(there.all()):
        return new
    if isinstance(new, tuple):
        return tuple(torch.where(there, n, o) for n, o in zip(new, old, strict=True))
    return torch.where(there, new, old)
