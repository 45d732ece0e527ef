"""The experiments on rules that write networks, in one go."""

from .plan import PARTS, MetaReproductionSettings
from .work import STEM, reproduce_meta

__all__ = ["PARTS", "STEM", "MetaReproductionSettings", "reproduce_meta"]
