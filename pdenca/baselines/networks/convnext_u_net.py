"""A U-Net of ConvNeXt blocks, the strongest network of The Well's tables on Gray-Scott roll-outs."""

import itertools
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.solvers.grid import Grid

from .body import (
    CONVOLUTIONS,
    TRANSPOSED,
    ChannelNorm,
    FrameBody,
    PaddedConvolution,
    coarser_grids,
    start_at_zero,
)


@final
class ConvNextUNet(FrameBody):
    """Wide depthwise kernels and pointwise networks on ever coarser grids and back.

    A block adds to its input, per channel γ: γ · W₂ gelu(W₁ norm(depthwise 7^d convolution)), with four
    times as many hidden channels. Between levels stand a normalisation of each cell's channels and a
    (transposed) convolution of 2^d cells; what a level saw on the way down joins it on the way up by a 1 x 1
    map. Nothing looks at batch statistics, so it is local and commutes with shifts by 2^num_levels cells of
    a periodic grid.

    Arguments:
        num_inputs, num_outputs: channels.
        num_dims: axes of space.
        width: channels on the finest grid.
        num_levels: how often the cells are doubled.
        num_blocks: blocks per level on either way; the coarsest level has one.
        scale: γ at the start. Published is 1e-6, which makes a fresh network almost linear.

    References:
        Z. Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv 2201.03545, Fig. 4 (the block);
        R. Ohana et al., "The Well", NeurIPS 2024, arXiv 2412.00568, appendix on baselines (the sizes).
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        num_dims: int,
        *,
        width: int = 42,
        num_levels: int = 4,
        num_blocks: int = 2,
        scale: float = 1e-6,
    ) -> None:
        super().__init__()
        self.num_levels, self.num_blocks = num_levels, num_blocks
        widths = [width * 2**level for level in range(num_levels + 1)]
        pairs = list(itertools.pairwise(widths))

        def blocks(channels: int, count: int) -> nn.ModuleList:
            return nn.ModuleList(_Block(channels, num_dims, scale) for _ in range(count))

        self.lift = PaddedConvolution(num_inputs, width, num_dims)
        self.down_blocks = nn.ModuleList(blocks(fine, num_blocks) for fine, _ in pairs)
        self.down = nn.ModuleList(
            nn.Sequential(ChannelNorm(fine), CONVOLUTIONS[num_dims](fine, coarse, 2, stride=2))
            for fine, coarse in pairs
        )
        self.middle = blocks(widths[-1], 1)
        self.join = nn.ModuleList(CONVOLUTIONS[num_dims](2 * coarse, coarse, 1) for _, coarse in pairs[:-1])
        self.up_blocks = nn.ModuleList(blocks(coarse, num_blocks) for _, coarse in pairs)
        self.up = nn.ModuleList(
            nn.Sequential(ChannelNorm(coarse), TRANSPOSED[num_dims](coarse, fine, 2, stride=2))
            for fine, coarse in pairs
        )
        self.project = PaddedConvolution(width, num_outputs, num_dims)
        start_at_zero(self.project)

    @property
    def radius(self) -> int:
        """Reach 3 per block on each level, reach 1 of the first and last layer, and the blocks of cells."""
        coarsest: int = 2**self.num_levels
        down = 3 * self.num_blocks * (coarsest - 1)
        return 2 + down + 3 * coarsest + 2 * down + coarsest - 1

    def forward(
        self, features: Float[Tensor, "batch input *space"], grid: Grid
    ) -> Float[Tensor, "batch output *space"]:
        """Return the outputs in every cell.

        Raises:
            BadInputError: if an axis cannot be halved often enough.
        """
        grids = coarser_grids(grid, self.num_levels)
        state = self.lift(features, grid)
        seen: list[Tensor] = []
        for level in range(self.num_levels):
            seen.append(state)
            for block in self.down_blocks[level]:  # type: ignore[attr-defined]
                state = block(state, grids[level])
            state = self.down[level](state)
        for block in self.middle:
            state = block(state, grids[-1])
        for level in reversed(range(self.num_levels)):
            if level < self.num_levels - 1:
                state = self.join[level](torch.cat((state, seen[level + 1]), 1))
            for block in self.up_blocks[level]:  # type: ignore[attr-defined]
                state = block(state, grids[level + 1])
            state = self.up[level](state)
        result: Tensor = self.project(state, grid)
        return result


class _Block(nn.Module):
    """A depthwise convolution and a network in every cell, added to the input."""

    def __init__(self, num_channels: int, num_dims: int, scale: float) -> None:
        super().__init__()
        self.depthwise = PaddedConvolution(num_channels, num_channels, num_dims, 7, groups=num_channels)
        self.norm = nn.LayerNorm(num_channels, eps=1e-6)
        self.widen = nn.Linear(num_channels, 4 * num_channels)
        self.narrow = nn.Linear(4 * num_channels, num_channels)
        self.scale = nn.Parameter(torch.full((num_channels,), scale))

    def forward(self, state: Tensor, grid: Grid) -> Tensor:
        inner = self.norm(self.depthwise(state, grid).movedim(1, -1))
        inner = self.narrow(nn.functional.gelu(self.widen(inner)))
        changed: Tensor = state + (self.scale * inner).movedim(-1, 1)
        return changed
