"""A U-Net whose convolutions continue beyond the edges as the grid does."""

from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.solvers.grid import Grid

from .body import TRANSPOSED, FrameBody, PaddedConvolution, coarser_grids, start_at_zero

_POOLING = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}


@final
class UNet(FrameBody):
    """Two convolutions per level on ever coarser grids and back, with what each level saw on the way down.

    Going down takes the largest of 2^d cells and doubles the channels; going up is a transposed convolution
    of 2^d cells, none of which needs padding. On a periodic grid it commutes with shifts by 2^num_levels
    cells; without normalisation it is local too.

    Arguments:
        num_inputs, num_outputs: channels.
        num_dims: axes of space.
        width: channels on the finest grid.
        num_levels: how often the cells are doubled.
        normalisation: ``none``, or ``group`` after every convolution (over the channels and cells of a
            trajectory; it replaces the batch statistics of the published network, which are no function of
            one trajectory, with as many parameters).
        activation: ``gelu`` or, as published, ``tanh``.

    References:
        O. Ronneberger, P. Fischer, T. Brox, MICCAI 2015, arXiv 1505.04597, Fig. 1; with the levels and widths
        of PDEBench (M. Takamoto et al., NeurIPS 2022, arXiv 2210.07182) and The Well (R. Ohana et al.,
        NeurIPS 2024, arXiv 2412.00568).
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        num_dims: int,
        *,
        width: int = 16,
        num_levels: int = 3,
        normalisation: Literal["none", "group"] = "none",
        activation: Literal["gelu", "tanh"] = "gelu",
    ) -> None:
        super().__init__()
        self.num_levels, self.normalisation = num_levels, normalisation
        widths = [width * 2**level for level in range(num_levels + 1)]

        def double(inputs: int, outputs: int) -> _TwoConvolutions:
            return _TwoConvolutions(inputs, outputs, num_dims, normalisation == "group", activation)

        self.down = nn.ModuleList(
            double(inputs, outputs) for inputs, outputs in zip([num_inputs, *widths], widths, strict=False)
        )
        self.pool = _POOLING[num_dims](2)
        pairs = list(zip(widths[1:], widths[:-1], strict=True))
        self.raise_ = nn.ModuleList(TRANSPOSED[num_dims](coarse, fine, 2, stride=2) for coarse, fine in pairs)
        self.up = nn.ModuleList(double(2 * fine, fine) for _, fine in pairs)
        self.project = PaddedConvolution(width, num_outputs, num_dims, 1)
        start_at_zero(self.project)

    @property
    def radius(self) -> int | None:
        """Two kernels per level both ways, and the blocks of the pooling; None with normalisation."""
        if self.normalisation == "group":
            return None
        coarsest: int = 2**self.num_levels
        return 4 * (coarsest - 1) + 2 * coarsest + coarsest - 1

    def forward(
        self, features: Float[Tensor, "batch input *space"], grid: Grid
    ) -> Float[Tensor, "batch output *space"]:
        """Return the outputs in every cell.

        Raises:
            BadInputError: if an axis cannot be halved often enough.
        """
        grids = coarser_grids(grid, self.num_levels)
        state = self.down[0](features, grid)
        seen = []
        for block, coarse in zip(list(self.down)[1:], grids[1:], strict=True):
            seen.append(state)
            state = block(self.pool(state), coarse)
        for level in reversed(range(self.num_levels)):
            raised = self.raise_[level](state)
            state = self.up[level](torch.cat((raised, seen[level]), 1), grids[level])
        result: Tensor = self.project(state, grid)
        return result


class _TwoConvolutions(nn.Module):
    """Convolution, normalisation, activation, twice."""

    def __init__(
        self, num_inputs: int, num_outputs: int, num_dims: int, normalise: bool, activation: str
    ) -> None:
        super().__init__()
        ends = [(num_inputs, num_outputs), (num_outputs, num_outputs)]
        # a normalisation has a bias of its own
        self.convolutions = nn.ModuleList(
            PaddedConvolution(first, last, num_dims, bias=not normalise) for first, last in ends
        )
        self.norms = nn.ModuleList(nn.GroupNorm(1, num_outputs) if normalise else nn.Identity() for _ in ends)
        self.activation = nn.Tanh() if activation == "tanh" else nn.GELU()

    def forward(self, state: Tensor, grid: Grid) -> Tensor:
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            state = self.activation(norm(convolution(state, grid)))
        return state
