"""What is done to digits that are to be restored: pixels, blocks or strokes blanked, or noise on all."""

import math
from collections.abc import Callable
from typing import Final, Literal

import pydantic
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError, Settings
from pdenca.datasets.digits import SIDE

_BLOCK: Final = 7  # cells along each side
_LENGTH: Final = 14.0  # of a stroke's middle line, cells
_REACH: Final = 1.0  # from that line to the stroke's rim, cells

Images = Float[Tensor, "batch 28 28"]
Cells = Bool[Tensor, "batch 28 28"]


class Damage(Settings):
    """A random damage, other for every image, that the image itself has no say in.

    - ``pixels``: every cell is blanked with probability ``share``, independently of the others.
    - ``blocks``: squares of 7 x 7 cells are blanked one after another until at least ``share`` of the image
      is. Their corners are uniform among the places where a square meets the image, so some are cut by the
      edge and every cell is as likely to be hit as any other.
    - ``strokes``: the same with straight strokes: all cells whose centres are within 1 cell of a line that is
      14 cells long, an area of 31 cells. Its direction is uniform, and its midpoint uniform in the square
      from all of which a stroke may reach the image.
    - ``noise``: share * (standard normal) is added to every cell, and the sum clipped to 0 and 1.

    Blanked cells are 0, the grey value of paper. The share of blocks and strokes is exceeded by less than one
    of them.

    Arguments:
        kind: of damage.
        share: of the cells that are blanked; of ``noise`` its standard deviation (grey values).
    """

    kind: Literal["pixels", "blocks", "strokes", "noise"] = "pixels"
    share: float = pydantic.Field(default=0.7, ge=0, le=0.95)

    def __call__(self, images: Images, generator: torch.Generator) -> tuple[Images, Images]:
        """Damage images.

        Arguments:
            images: grey values, 0 (paper) to 1 (ink).
            generator: source of the damage. The mask is a function of its state and the number of images
                alone; it may live on another device than they do.

        Returns:
            (damaged images, 1 where a cell still has its true value and may be relied on and 0 elsewhere);
            after ``noise`` no cell is known.

        Raises:
            BadInputError: for values that are not within 0 and 1.
        """
        if not bool(((images >= 0) & (images <= 1)).all()):  # written so that a NaN fails
            low, high = float(images.min()), float(images.max())
            raise BadInputError(
                f"got images with values from {low:g} to {high:g}; expected grey values from 0 to 1; usual "
                "cure: images.float() / 255"
            )
        if self.kind == "noise":
            normal = torch.randn(
                images.shape, generator=generator, device=generator.device, dtype=torch.float32
            )
            return (images + self.share * normal.to(images)).clamp(0, 1), torch.zeros_like(images)
        blank = self._blanked(len(images), generator).to(images.device)
        return images.masked_fill(blank, 0), (~blank).to(images.dtype)

    def describe(self) -> str:
        """Return the damage in words, for a table or a figure."""
        share = f"{100 * self.share:.3g} %"
        return {
            "pixels": f"{share} of the pixels blanked",
            "blocks": f"{share} blanked in blocks of {_BLOCK} x {_BLOCK} pixels",
            "strokes": f"{share} blanked in strokes of {2 * _REACH:g} pixels' width",
            "noise": f"noise of standard deviation {self.share:g}",
        }[self.kind]

    def _blanked(self, batch: int, generator: torch.Generator) -> Cells:
        if self.kind == "pixels":
            drawn = torch.rand(
                batch, SIDE, SIDE, generator=generator, device=generator.device, dtype=torch.float32
            )
            blank: Tensor = drawn < self.share
            return blank
        return _until_share(batch, self.share, {"blocks": _block, "strokes": _stroke}[self.kind], generator)


def _until_share(
    batch: int, share: float, draw: Callable[[int, torch.Generator], Cells], generator: torch.Generator
) -> Cells:
    """Blank shapes one after another, in every image until its share is reached.

    Images that have theirs draw on, in vain: so a shape depends on when it is drawn and for which image, and
    not on how the others fare.
    """
    blank = torch.zeros(batch, SIDE, SIDE, dtype=torch.bool, device=generator.device)
    while True:
        short = blank.sum((1, 2)) < share * SIDE**2
        if not bool(short.any()):
            return blank
        blank |= draw(batch, generator) & short[:, None, None]


def _block(batch: int, generator: torch.Generator) -> Cells:
    """Return one square per image, its first row and column uniform from -6 to 27."""
    device = generator.device
    first = torch.randint(1 - _BLOCK, SIDE, (2, batch, 1), generator=generator, device=device)
    offset = torch.arange(SIDE, device=device) - first
    rows, columns = (offset >= 0) & (offset < _BLOCK)
    square: Tensor = rows[:, :, None] & columns[:, None, :]
    return square


def _stroke(batch: int, generator: torch.Generator) -> Cells:
    """Return one stroke per image: the cells whose distance from its line is at most its reach."""
    device = generator.device
    drawn = torch.rand(3, batch, 1, 1, generator=generator, device=device, dtype=torch.float32)
    margin = _LENGTH / 2 + _REACH
    down, right = (SIDE - 1 + 2 * margin) * drawn[:2] - margin
    angle = math.pi * drawn[2]
    cells = torch.arange(SIDE, device=device)
    rows, columns = cells[None, :, None] - down, cells[None, None, :] - right
    along = rows * torch.sin(angle) + columns * torch.cos(angle)
    across = rows * torch.cos(angle) - columns * torch.sin(angle)
    beyond = (along.abs() - _LENGTH / 2).clamp(min=0)
    near: Tensor = across.square() + beyond.square() <= _REACH**2
    return near
