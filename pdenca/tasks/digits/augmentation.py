"""Digits moved, turned and stretched a little: what a reader of handwriting should not care about."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Jitter:
    """A random map per image, every amount uniform in its range; the paper beyond the edge is empty.

    Arguments:
        shift: largest move along each axis (cells).
        rotation: largest turn either way (degrees).
        scale: largest stretch either way (share).
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0

    def __call__(
        self, images: Float[Tensor, "batch height width"], generator: torch.Generator
    ) -> Float[Tensor, "batch height width"]:
        """Return the images moved, interpolated linearly between cells."""
        batch, height, width = images.shape
        turn, stretch, down, right = 2 * torch.rand(4, batch, generator=generator) - 1
        angle = math.radians(self.rotation) * turn
        size = 1 + self.scale * stretch
        cosine, sine = torch.cos(angle) / size, torch.sin(angle) / size
        # in the units of grid_sample, where the image is 2 wide
        across, along = 2 * self.shift / width * right, 2 * self.shift / height * down
        maps = torch.stack(
            (torch.stack((cosine, -sine, across), 1), torch.stack((sine, cosine, along), 1)), 1
        )
        grid = torch.nn.functional.affine_grid(maps, [batch, 1, height, width], align_corners=False)
        moved: Tensor = torch.nn.functional.grid_sample(images[:, None], grid, align_corners=False)
        return moved[:, 0]
