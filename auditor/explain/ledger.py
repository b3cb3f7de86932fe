"""What a forward pass that is linear in its input leaves behind: its constants, and what it could not split."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

__all__ = ["Ledger"]


@dataclass
class Ledger:
    """The entries beside the input, among which the rest of a logit is shared out.

    `gamma` favours what speaks for a convolution's output over what speaks against it; 0 weighs both alike (LRP-0).
    `constants` are the leaves of all additive constants, `unknown` the functions that have no rule, `squashed` the
    input of the last softmax or sigmoid: a model that ends in one is explained from there.
    """

    gamma: float = 0.0
    constants: list[Tensor] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    squashed: Tensor | None = None
    gates: list[Tensor] = field(default_factory=list)

    def leaf(self, constant: Tensor) -> Tensor:
        """`constant` as a leaf that gets a share of its own."""
        self.constants.append(constant.detach().clone().requires_grad_())
        return self.constants[-1]

    def gate(self, result: Tensor) -> Tensor:
        """`result`, remembered as a gate."""
        self.gates.append(result)
        return result

    def is_gate(self, x: object) -> bool:
        """Whether `x` came from a sigmoid, through nothing but changes of shape."""
        return any(x is gate for gate in self.gates)
