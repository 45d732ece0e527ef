"""A distance over a part of the image only."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError

from .base import Distance


@final
@dataclass(frozen=True, eq=False)
class Within(Distance):
    """Another distance of what lies inside a mask: see :func:`within`.

    Arguments:
        distance: the other one.
        mask: cells that count.

    Raises:
        BadInputError: for a mask without a cell, or images on another grid.
    """

    distance: Distance
    mask: Bool[Tensor, "*space"]

    def __post_init__(self) -> None:
        if not bool(self.mask.any()):
            raise BadInputError("no cell lies inside the mask; usual cure: a mask with at least one")

    def require(self, images: Float[Tensor, "batch channel *space"]) -> None:
        """Refuse images on another grid than the mask, and what the other distance refuses of the rest."""
        super().require(images)
        if images.shape[2:] != self.mask.shape:
            raise BadInputError(
                f"the mask has {tuple(self.mask.shape)} cells and the images {tuple(images.shape[2:])}; "
                "expected the same; usual cure: a mask made for these images"
            )
        self.distance.require(self.cut(images))

    def cut(self, images: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *box"]:
        """Return the bounding box of the mask, zero outside of the mask."""
        mask = self.mask.to(images.device)
        inside = mask.nonzero()
        lows, highs = inside.amin(0).tolist(), (inside.amax(0) + 1).tolist()
        box = tuple(slice(low, high) for low, high in zip(lows, highs, strict=True))
        return torch.where(mask[box], images[(slice(None), slice(None), *box)], 0.0)

    def measure(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the distance of both boxes."""
        return self.distance.measure(self.cut(found), self.cut(wanted))


def within(distance: Distance, mask: Bool[Tensor, "*space"]) -> Distance:
    """Return a distance that looks at part of the image: a box, or the cells of a mask.

    Both images are cut to the bounding box of the mask, and are zero in those cells of the box that lie
    outside of the mask. What happens elsewhere does not count and gets no gradient, not even if it is a NaN.
    For a box there is nothing to be zeroed; the box, not the image, is then what counts as periodic to the
    distances that take images to be so. For other masks a mean runs over the whole box, and the edge of the
    mask is an edge in the image, the same in both.

    Arguments:
        distance: what to take inside.
        mask: cells that count, the same for all images.

    Raises:
        BadInputError: for a mask without a cell.
    """
    return Within(distance, mask)
