"""Images of 28 x 28 cells and what they show: what all families of them have in common."""

from dataclasses import dataclass
from typing import Final

from jaxtyping import Int, UInt8
from torch import Tensor

SIDE: Final = 28
"""Cells along each side of an image."""
CLASSES: Final = 10
"""How many digits there are."""
DIGIT_NAMES: Final = tuple("0123456789")


@dataclass(frozen=True, eq=False)
class Digits:
    """Images and what they show: digits, or other things in their format.

    Arguments:
        images: grey values, 0 (paper) to 255 (ink).
        labels: 0 to 9, or to the number of classes less one.
        classes: names of the classes, one for each label.
    """

    images: UInt8[Tensor, "image 28 28"]
    labels: Int[Tensor, " image"]
    classes: tuple[str, ...] = DIGIT_NAMES

    def __len__(self) -> int:
        return len(self.images)

    def select(self, chosen: Int[Tensor, " chosen"]) -> "Digits":
        """Return some of the digits, in this order."""
        return Digits(self.images[chosen], self.labels[chosen], self.classes)
