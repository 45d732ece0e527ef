"""A rule that mixes what was perceived and brings every cell to the same size."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError

from .lattice import Lattice
from .rule import ACTIVATIONS, RuleInHalves, known_activation


class NormalisedMixing(RuleInHalves):
    """An activation, a linear map, and a normalisation over the channels of the cell:

        proposal = g ∘ (y - mean y) / sqrt(var y + 1e-5) + h,   y = W φ(x) + V p.

    Mean and variance are those of one cell, so the rule stays local; over the whole lattice they would let
    every cell know of every other.

    Arguments:
        num_features: size of x.
        num_parameters: size of p.
        num_channels: size of the proposal.
        activation: φ, one of ``tanh``, ``relu``, ``silu``, ``linear``.
        generator: source of the random start.

    Raises:
        BadInputError: for an unknown activation, or a single channel, which has no variance.
    """

    def __init__(
        self,
        num_features: int,
        num_parameters: int,
        num_channels: int,
        *,
        activation: str = "relu",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if num_channels < 2:
            raise BadInputError(f"a normalisation over channels needs at least two, got {num_channels}")
        self.activation: Callable[[Tensor], Tensor] = ACTIVATIONS[known_activation(activation)]
        total = num_features + num_parameters
        start = torch.randn(num_channels, total, generator=generator) / total**0.5
        self.num_features = num_features
        self.weight = nn.Parameter(start)
        self.norm = nn.LayerNorm(num_channels)

    def prepare(
        self, parameters: Float[Tensor, "*cells_or_1 parameter"], lattice: Lattice | None = None
    ) -> Float[Tensor, "*cells_or_1 channel"]:
        """Return V p, where there are parameters; else 0."""
        return nn.functional.linear(parameters, self.weight[:, self.num_features :])

    def decide(
        self, features: Float[Tensor, "*cells feature"], prepared: Float[Tensor, "*cells_or_1 channel"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the proposal of every cell."""
        mixed = nn.functional.linear(self.activation(features), self.weight[:, : self.num_features])
        normed: Tensor = self.norm(mixed + prepared)
        return normed
