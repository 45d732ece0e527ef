"""Learned kernels from every channel to every feature: the convolution of an ordinary network."""

import itertools
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid
from pdenca.solvers.padding import pad
from pdenca.symmetry import CONVOLUTIONS

from .perception import Gathered, Perception


class FullKernels(Perception):
    """Free kernels that lead from every channel c to every feature i:

        feature_i(x) = Σ_c Σ_|m| <= radius  w_icm z_c(x + m),

    without bias and without any symmetry. Taps are in units of cells: nothing here is a differential
    operator, and a rule built on it holds for the spacing it was trained at. What lies beyond the edge is
    said by the grid. One full convolution is several times cheaper on a CPU than as many depthwise ones.

    Attributes:
        weight: w, ``"feature channel *taps"``; put a parametrisation on it to bound what it does.

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
        super().__init__()
        if radius < 1 or num_dims not in CONVOLUTIONS:
            raise BadInputError(
                f"full kernels reach at least 1 cell along 1 to 3 axes, got reach {radius} and "
                f"{num_dims} axes"
            )
        self.radius, self.num_dims = radius, num_dims
        self.num_features = num_channels if num_features is None else num_features
        taps = (2 * radius + 1,) * num_dims
        scale = spread / (num_channels * (2 * radius + 1) ** num_dims) ** 0.5
        start = torch.randn(self.num_features, num_channels, *taps, generator=generator)
        self.weight = nn.Parameter(scale * start)

    def _padded(self, state: Tensor, grid: Grid) -> Tensor:
        if grid.num_dims != self.num_dims:
            raise BadInputError(f"these kernels have {self.num_dims} axes, the grid has {grid.num_dims}")
        return pad(state, grid, self.radius, channels_last=True)

    def gather(self, state: Float[Tensor, "batch *space channel"], grid: Grid) -> Gathered:
        """Return the neighbours, one tensor per tap in the order of the kernel's taps."""
        padded = self._padded(state, grid)
        reach: Final = range(2 * self.radius + 1)
        found = []
        for offset in itertools.product(reach, repeat=self.num_dims):
            part = padded
            for axis, (start, cells) in enumerate(zip(offset, grid.shape, strict=True), start=1):
                part = part.narrow(axis, start, cells)
            found.append(part)
        return tuple(found)

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Weigh the neighbours."""
        taps = self.weight.flatten(2)
        weights = torch.cat([taps[..., number] for number in range(taps.shape[-1])], dim=-1)
        return nn.functional.linear(torch.cat(gathered, dim=-1), weights)

    def forward(
        self,
        state: Float[Tensor, "batch *space channel"],
        grid: Grid,
        parameters: Tensor | None = None,
    ) -> Tensor:
        """Return the features by one convolution; its layout is channels last already."""
        found: Tensor = CONVOLUTIONS[self.num_dims](self._padded(state, grid).movedim(-1, 1), self.weight)
        return found.movedim(1, -1)
