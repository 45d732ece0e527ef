"""Free kernels in units of cells: what they share, however their channels are connected."""

import itertools
from abc import abstractmethod
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid
from pdenca.solvers.padding import pad
from pdenca.symmetry import CONVOLUTIONS

from .perception import Gathered, Perception


class TapKernels(Perception):
    """Kernels whose taps are all learned, without bias and without any symmetry.

    Taps are in units of cells: nothing here is a differential operator, and a rule built on it holds for the
    spacing it was trained at. What lies beyond the edge is said by the grid.

    Attributes:
        weight: ``"feature source *taps"``; put a parametrisation on it to bound what it does.

    Arguments:
        num_sources: channels that each feature reads.
        num_features: features per cell.
        radius: reach of the kernels, at least 1 cell.
        num_dims: space axes.
        groups: how many groups of channels are read apart.
        spread: standard deviation of a feature at the start for independent inputs of size 1.
        generator: source of the random start.

    Raises:
        BadInputError: for a reach below 1 or other than 1 to 3 axes.
    """

    def __init__(
        self,
        num_sources: int,
        num_features: int,
        radius: int,
        num_dims: int,
        *,
        groups: int,
        spread: float,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        if radius < 1 or num_dims not in CONVOLUTIONS:
            raise BadInputError(
                f"kernels of free taps reach at least 1 cell along 1 to 3 axes, got reach {radius} and "
                f"{num_dims} axes"
            )
        self.radius, self.num_dims, self.num_features, self.groups = radius, num_dims, num_features, groups
        taps = (2 * radius + 1,) * num_dims
        scale = spread / (num_sources * (2 * radius + 1) ** num_dims) ** 0.5
        start = torch.randn(num_features, num_sources, *taps, generator=generator)
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

    @abstractmethod
    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Weigh the neighbours."""

    def forward(
        self,
        state: Float[Tensor, "batch *space channel"],
        grid: Grid,
        parameters: Tensor | None = None,
    ) -> Tensor:
        """Return the features by one convolution; its layout is channels last already."""
        padded, groups = self._padded(state, grid), self.groups
        if self.weight.shape[1] == 1 and groups < self.num_features:
            # torch is twice as fast with a copy of its channel for every kernel
            padded, groups = padded.repeat_interleave(self.num_features // groups, -1), self.num_features
        found: Tensor = CONVOLUTIONS[self.num_dims](padded.movedim(-1, 1), self.weight, groups=groups)
        return found.movedim(1, -1)
