"""Neural cellular automata: perceive, decide, update."""

from .automaton import Automaton, BoundAutomaton
from .codec import HiddenChannels
from .perception import FixedKernels, IsotropicKernels, Perception, require_isotropic
from .rule import LocalRule, PointwiseMLP, ProductRule, Standardised, TransportReaction
from .update import Increment, Replace, Update

__all__ = [
    "Automaton",
    "BoundAutomaton",
    "FixedKernels",
    "HiddenChannels",
    "Increment",
    "IsotropicKernels",
    "LocalRule",
    "Perception",
    "PointwiseMLP",
    "ProductRule",
    "Replace",
    "Standardised",
    "TransportReaction",
    "Update",
    "require_isotropic",
]
