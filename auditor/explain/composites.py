"""Which rule of LRP goes to which layers: the composites of the literature, by name.

    epsilon              y itself, less a stabiliser                        Bach et al. 2015, eq. 58
    gamma                y + gamma * (what speaks for y)                    Montavon et al. 2019, section 10.2.3
    alpha-beta           alpha * (what speaks for y) - beta * (against)     Bach et al. 2015, eq. 60
    z-plus               alpha-beta with alpha 1 and beta 0                 Montavon et al. 2017, eq. 19
    w-square             w^2, whatever the input                            Montavon et al. 2017, eq. 12
    flat                 every input alike                                  Lapuschkin et al. 2019
    z-B                  x w - low w+ - high w-                             Montavon et al. 2017, eq. 23

Composites as in Montavon et al. 2019 and Kohlbrenner et al. 2020, arXiv:1910.09840.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

__all__ = [
    "COMPOSITES",
    "AlphaBeta",
    "Attention",
    "Composite",
    "Epsilon",
    "First",
    "Gamma",
    "Named",
    "Rule",
    "with_attention",
]

Named = Literal[
    "epsilon", "epsilon_gamma", "epsilon_plus", "epsilon_plus_flat", "epsilon_gamma_box", "epsilon_alpha2_beta1"
]
Attention = Literal["values", "attnlrp"]
First = Literal["as the others", "flat", "w_square", "box"]


@dataclass(frozen=True)
class Epsilon:
    """In proportion to a w, less `epsilon` root mean squares of a sample's outputs; 0 is LRP-0."""

    epsilon: float = 0.0


@dataclass(frozen=True)
class Gamma:
    """Like LRP-0, what speaks for an output counting `gamma` times more."""

    gamma: float = 0.25


@dataclass(frozen=True)
class AlphaBeta:
    """`alpha` times in proportion to what speaks for an output, less `beta` times to what speaks against it.

    alpha - beta is 1. alpha 1 and beta 0 is z-plus.
    """

    alpha: float = 2.0
    beta: float = 1.0


Rule = Epsilon | Gamma | AlphaBeta


@dataclass(frozen=True)
class Composite:
    """Rules by kind of layer.

    `dense` is for linear layers and batch norms of vectors, `convolution` for convolutions and batch norms of maps,
    `first` for a convolution whose inputs are those of the model. `attention` says where relevance goes in attention:
    to the `values` alone, the weights being constant factors, or by AttnLRP (Achtibat et al. 2024, arXiv:2402.05602)
    half to the weights too, and through their softmax.
    """

    dense: Rule = Epsilon()
    convolution: Rule = Epsilon()
    first: First = "as the others"
    attention: Attention = "values"


COMPOSITES: Mapping[Named, Composite] = {
    "epsilon": Composite(),
    "epsilon_gamma": Composite(convolution=Gamma(0.1)),  # of .03 to 1 the best on photographs (docs/benchmarks.md)
    "epsilon_plus": Composite(convolution=AlphaBeta(1, 0)),
    "epsilon_plus_flat": Composite(convolution=AlphaBeta(1, 0), first="flat"),
    "epsilon_gamma_box": Composite(convolution=Gamma(), first="box"),
    "epsilon_alpha2_beta1": Composite(convolution=AlphaBeta(2, 1)),
}


def with_attention(name: Named, attention: Attention) -> Composite:
    """The composite of that name with this way through attention."""
    return replace(COMPOSITES[name], attention=attention)
