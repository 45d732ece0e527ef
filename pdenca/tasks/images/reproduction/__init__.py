"""The experiments on series of images in one go: reach, hold, regrow, turn, begin elsewhere, lose weights."""

from .plan import PARTS, ImageReproductionSettings
from .work import STEM, reproduce_images

__all__ = ["PARTS", "STEM", "ImageReproductionSettings", "reproduce_images"]
