"""Steady patterns: where a rule, or an equation, comes to rest from a given start, and whether it stays."""

from .of_equation import steady_of_equation
from .of_rule import one_step, steady_of_rule
from .report import Pattern, SteadyReport
from .settle import Settled, SettleSettings, settle, translations

__all__ = [
    "Pattern",
    "SettleSettings",
    "Settled",
    "SteadyReport",
    "one_step",
    "settle",
    "steady_of_equation",
    "steady_of_rule",
    "translations",
]
