"""What the networks have in common: bodies from scaled inputs to a scaled change, padded convolutions."""

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import ClassVar, Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid
from pdenca.solvers.padding import pad

CONVOLUTIONS: Final = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: Final = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


class FrameBody(nn.Module, ABC):
    """A network from input channels to output channels on a grid, everything of order one.

    Attributes:
        single_precision: whether it works in float32 whatever it is given.
    """

    single_precision: ClassVar[bool] = False

    @property
    @abstractmethod
    def radius(self) -> int | None:
        """How far (cells) a cell's output can look, from above; None: over the whole domain."""

    @abstractmethod
    def forward(
        self, features: Float[Tensor, "batch input *space"], grid: Grid
    ) -> Float[Tensor, "batch output *space"]:
        """Return the outputs in every cell."""


class PaddedConvolution(nn.Module):
    """A convolution whose inputs continue beyond the edges as the grid says.

    Dirichlet values are those of fields, not of hidden channels: these are continued oddly about 0.

    Arguments:
        num_inputs, num_outputs: channels.
        num_dims: axes of space.
        kernel_size: odd.
        dilation: cells between the taps.
        groups: as of torch's convolutions.
        bias: whether there is one.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        num_dims: int,
        kernel_size: int = 3,
        *,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise BadInputError(f"a kernel centred on a cell has an odd size, got {kernel_size}")
        self.radius = dilation * (kernel_size // 2)
        self.convolution = CONVOLUTIONS[num_dims](
            num_inputs, num_outputs, kernel_size, dilation=dilation, groups=groups, bias=bias
        )

    def forward(
        self, state: Float[Tensor, "batch input *space"], grid: Grid
    ) -> Float[Tensor, "batch output *space"]:
        """Return the convolution, on the same grid."""
        result: Tensor = self.convolution(pad(state, grid.with_zero_walls(), self.radius))
        return result


class ChannelNorm(nn.Module):
    """Each cell by itself: its channels to mean 0 and variance 1, then scaled and shifted."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(num_channels, eps=1e-6)

    def forward(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Return the normalised channels."""
        result: Tensor = self.norm(state.movedim(1, -1)).movedim(-1, 1)
        return result


def coarser_grids(grid: Grid, num_levels: int) -> list[Grid]:
    """Return the grid and those with cells twice, four times ... as large.

    Raises:
        BadInputError: if an axis cannot be halved so often.
    """
    factor = 2**num_levels
    if any(cells % factor for cells in grid.shape):
        raise BadInputError(
            f"a network with {num_levels} levels needs a multiple of {factor} cells along every axis, got "
            f"{grid.shape}; usual cure: fewer levels (network.num_levels)"
        )
    return [
        dataclasses.replace(
            grid,
            shape=tuple(cells // 2**level for cells in grid.shape),
            spacing=tuple(h * 2**level for h in grid.spacing),
        )
        for level in range(num_levels + 1)
    ]


def count_parameters(module: nn.Module) -> int:
    """Return the number of learned real numbers; a complex one counts as two."""
    return sum(
        math.prod(value.shape) * (2 if value.is_complex() else 1)
        for value in module.parameters()
        if value.requires_grad
    )


def start_at_zero(layer: nn.Module) -> None:
    """Set all parameters of a last layer to 0, so that an untrained network predicts no change."""
    with torch.no_grad():
        for value in layer.parameters():
            value.zero_()
