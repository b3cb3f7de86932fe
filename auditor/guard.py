"""What a check may not leave behind: its traces on the model, and on the process's random numbers and settings."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

__all__ = ["Snapshot", "isolated"]

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)
_GLOBAL_HOOKS = (
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
)
_OWN = {"_parameters", "_buffers", "_modules", "training", *_HOOKS}
_CONTAINERS = (list, dict, set)
_Program = torch.jit.ScriptModule


@dataclass(frozen=True)
class _Part:
    """One module of the model as it was: hooks, attributes, and which tensors and children it held."""

    module: nn.Module
    hooks: dict[str, OrderedDict[int, Any]]
    attributes: dict[str, Any]
    contents: dict[str, Any]  # what attributes held that can change in place: tensors, lists, dicts, sets
    held: dict[str, dict[str, Any]]


class Snapshot:
    """The model as it was handed in. `restore` puts it back and says what had changed."""

    def __init__(self, module: nn.Module) -> None:
        self._own: list[str] = []
        self._modes = {m: m.training for m in module.modules()}
        self._flags = {p: (p.requires_grad, p.grad) for p in module.parameters()}
        self._tensors = {name: (t, t.detach().clone()) for name, t in _tensors(module)}
        # a TorchScript program keeps its parts in C++ and takes neither hooks nor attributes
        self._global = {name: OrderedDict(getattr(torch_module, name)) for name in _GLOBAL_HOOKS}
        self._parts = [_part(m) for m in module.modules() if not isinstance(m, _Program)]

    def learn(self) -> list[str]:
        """Restore the model after it ran by itself; what changed was its own doing, which no check is blamed for."""
        self._own = self.restore()
        return self._own

    def restore(self) -> list[str]:
        """Undo whatever was done to the model since; what it was, in words, empty when nothing."""
        changed = [what for part in self._parts for what in _restore_part(part)]
        for name, hooks in self._global.items():
            now = getattr(torch_module, name)
            if OrderedDict(now) != hooks:
                changed.append("hooks of every module")
                now.clear()
                now.update(hooks)
        for name, (tensor, was) in self._tensors.items():
            if tensor.shape != was.shape or tensor.dtype != was.dtype or not torch.equal(_bits(tensor), _bits(was)):
                changed.append(f"weights ({name})")
                with torch.no_grad():
                    tensor.data = was.clone()
        for module, mode in self._modes.items():
            if module.training != mode:
                changed.append("the training mode")
                module.training = mode
        for p, (flag, gradient) in self._flags.items():
            if p.requires_grad != flag or p.grad is not gradient:
                changed.append("gradients or gradient flags")
                p.requires_grad_(flag)
                p.grad = gradient
        return [what for what in dict.fromkeys(changed) if what not in self._own]


def _bits(t: Tensor) -> Tensor:
    """Its bytes: NaN is equal to itself in them."""
    return t.detach().contiguous().reshape(-1).view(torch.uint8)


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _part(m: nn.Module) -> _Part:
    hooks = {name: OrderedDict(getattr(m, name)) for name in _HOOKS if hasattr(m, name)}
    attributes = {k: v for k, v in vars(m).items() if k not in _OWN}
    contents = {k: _copy(v) for k, v in attributes.items() if isinstance(v, (Tensor, *_CONTAINERS))}
    held = {name: dict(vars(m)[name]) for name in ("_parameters", "_buffers", "_modules")}
    return _Part(m, hooks, attributes, contents, held)


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value.copy()


def _restore_part(part: _Part) -> Iterator[str]:
    own, kind = vars(part.module), type(part.module).__name__
    for name, hooks in part.hooks.items():
        if OrderedDict(own[name]) != hooks:
            yield f"hooks of {kind}"
            own[name].clear()
            own[name].update(hooks)
    for name, items in part.held.items():
        if list(own[name]) != list(items) or any(own[name][k] is not v for k, v in items.items()):
            yield f"parts of {kind}"
            own[name].clear()
            own[name].update(items)
    for name in [k for k in own if k not in _OWN and k not in part.attributes]:
        yield f"attribute {name!r} of {kind}"
        del own[name]
    for name, value in part.attributes.items():
        if name not in own or not _same(own[name], value):
            yield f"attribute {name!r} of {kind}"
            own[name] = value
    for name, content in part.contents.items():
        if not _same_content(own[name], content):
            yield f"attribute {name!r} of {kind}"
            _put_back(own[name], content)


def _same(now: object, then: object) -> bool:
    plain = (str, int, float, bool, tuple, type(None))
    return now is then or (isinstance(now, plain) and type(now) is type(then) and bool(now == then))


def _same_content(now: Any, then: Any) -> bool:
    """Whether a container holds the very things that it held, or a tensor the same bytes."""
    if isinstance(then, Tensor):
        return now.shape == then.shape and now.dtype == then.dtype and torch.equal(_bits(now), _bits(then))
    if isinstance(then, dict):
        return list(now) == list(then) and all(_same(now[k], v) for k, v in then.items())
    if isinstance(then, set):
        return bool(now == then)
    return len(now) == len(then) and all(_same(a, b) for a, b in zip(now, then, strict=True))


def _put_back(now: Any, then: Any) -> None:
    if isinstance(then, Tensor):
        with torch.no_grad():
            now.data = then.clone()
        return
    now.clear()
    (now.extend if isinstance(then, list) else now.update)(then)


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seeded torch, numpy and random inside; outside, their states and torch's settings are as before."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - libraries draw from it
    settings = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - lime and shap draw from it
    torch.manual_seed(seed)
    try:
        with torch.enable_grad():
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        torch.set_grad_enabled(settings[0])
        torch.set_default_dtype(settings[1])
        torch.set_num_threads(settings[2])
