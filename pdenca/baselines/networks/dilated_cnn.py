"""A small dilated residual network: local, translation-equivariant, no coarser grid."""

from collections.abc import Sequence
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid

from .body import FrameBody, PaddedConvolution, start_at_zero


@final
class DilatedCNN(FrameBody):
    """Blocks of dilated convolutions, each added to what it was given:

        x <- lift(input),  x <- x + conv_dK(... gelu(conv_d1(x))),  output = project(gelu(x)).

    The growing dilations let a few layers see far without losing resolution. It commutes with all shifts of
    a periodic grid.

    Arguments:
        num_inputs, num_outputs: channels.
        num_dims: axes of space.
        width: hidden channels.
        num_blocks: number of blocks.
        dilations: of the convolutions of a block, in cells.

    Raises:
        BadInputError: for a dilation below 1, or none.

    References:
        K. Stachenfeld et al., "Learned coarse models for efficient turbulence simulation", ICLR 2022,
        arXiv 2112.15275, section 3.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        num_dims: int,
        *,
        width: int = 32,
        num_blocks: int = 2,
        dilations: Sequence[int] = (1, 2, 4, 2, 1),
    ) -> None:
        super().__init__()
        if not dilations or min(dilations) < 1:
            raise BadInputError(f"dilations must be at least 1 and not be empty, got {tuple(dilations)}")
        self._radius = num_blocks * sum(dilations)
        self.lift = PaddedConvolution(num_inputs, width, num_dims, 1)
        self.blocks = nn.ModuleList(
            nn.ModuleList(PaddedConvolution(width, width, num_dims, dilation=reach) for reach in dilations)
            for _ in range(num_blocks)
        )
        self.project = PaddedConvolution(width, num_outputs, num_dims, 1)
        self.activation = nn.GELU()
        start_at_zero(self.project)

    @property
    def radius(self) -> int:
        """Sum of all dilations: kernels reach one cell times their dilation."""
        return self._radius

    def forward(
        self, features: Float[Tensor, "batch input *space"], grid: Grid
    ) -> Float[Tensor, "batch output *space"]:
        """Return the outputs in every cell."""
        state = self.lift(features, grid)
        for block in self.blocks:
            inner = state
            for convolution in block:  # type: ignore[attr-defined]  # a ModuleList of convolutions
                inner = convolution(self.activation(inner), grid)
            state = state + inner
        result: Tensor = self.project(self.activation(state), grid)
        return result
