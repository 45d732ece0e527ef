"""Learned kernels from every channel to every feature: the convolution of an ordinary network."""

import torch
from torch import Tensor, nn

from .perception import Gathered
from .tap_kernels import TapKernels


class FullKernels(TapKernels):
    """Free kernels that lead from every channel c to every feature i:

        feature_i(x) = Σ_c Σ_|m| <= radius  w_icm z_c(x + m).

    See :class:`TapKernels` for its limits. One full convolution is several times cheaper on a CPU than as
    many depth-wise ones.

    Attributes:
        weight: w, ``"feature channel *taps"``.

    Arguments:
        num_channels: channels of the state.
        radius: reach of the kernels, at least 1 cell.
        num_features: features per cell; None: as many as channels.
        num_dims: space axes.
        spread: standard deviation of a feature at the start for independent inputs of size 1.
        generator: source of the random start.

    Raises:
        BadInputError: for a reach below 1 or other than 1 to 3 axes.
    """

    def __init__(
        self,
        num_channels: int,
        radius: int = 1,
        num_features: int | None = None,
        num_dims: int = 2,
        *,
        spread: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        features = num_channels if num_features is None else num_features
        super().__init__(
            num_channels, features, radius, num_dims, groups=1, spread=spread, generator=generator
        )

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Weigh the neighbours."""
        taps = self.weight.flatten(2)
        weights = torch.cat([taps[..., number] for number in range(taps.shape[-1])], dim=-1)
        return nn.functional.linear(torch.cat(gathered, dim=-1), weights)
