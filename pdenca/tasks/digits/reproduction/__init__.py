"""The experiments on restored digits in one go: judges, models, damage, attractors, letters after digits."""

from .plan import PARTS, ReproductionSettings
from .work import STEM, reproduce

__all__ = ["PARTS", "STEM", "ReproductionSettings", "reproduce"]
