"""Learned kernels that look at one channel each."""

import torch
from torch import Tensor

from pdenca.core import BadInputError

from .perception import Gathered
from .tap_kernels import TapKernels


class DepthwiseKernels(TapKernels):
    """``multiplier`` free kernels for every channel c by itself:

        feature_{c k + j}(x) = Σ_|m| <= radius  w_cjm z_c(x + m),   k = multiplier,  j = 0 ... k - 1.

    See :class:`~pdenca.automaton.tap_kernels.TapKernels` for its limits. Channels meet in the rule.

    Attributes:
        weight: w, ``"feature 1 *taps"``.

    Arguments:
        num_channels: channels of the state.
        radius: reach of the kernels, at least 1 cell.
        multiplier: kernels per channel.
        num_dims: space axes.
        spread: standard deviation of a feature at the start for independent inputs of size 1.
        generator: source of the random start.

    Raises:
        BadInputError: for a reach or multiplier below 1, or other than 1 to 3 axes.
    """

    def __init__(
        self,
        num_channels: int,
        radius: int = 1,
        multiplier: int = 1,
        num_dims: int = 2,
        *,
        spread: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        if multiplier < 1:
            raise BadInputError(f"every channel needs at least one kernel, got {multiplier}")
        features = multiplier * num_channels
        super().__init__(
            1, features, radius, num_dims, groups=num_channels, spread=spread, generator=generator
        )
        self.multiplier = multiplier

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Weigh the neighbours."""
        weight = self.weight.flatten(1).view(self.groups, self.multiplier, -1)
        found: Tensor = torch.einsum("...ct,cjt->...cj", torch.stack(gathered, dim=-1), weight)
        return found.flatten(-2)
