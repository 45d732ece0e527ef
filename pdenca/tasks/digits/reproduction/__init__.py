"""The experiments on restored digits in one go: judges, models, damage, attractors, letters after digits."""

from .plan import PARTS, ReproductionSettings
from .work import PAGE, TABLE, reproduce

__all__ = ["PAGE", "PARTS", "TABLE", "ReproductionSettings", "reproduce"]
