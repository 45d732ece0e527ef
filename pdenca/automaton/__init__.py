"""Neural cellular automata: perceive, decide, update."""

from .automaton import Automaton, BoundAutomaton
from .codec import HiddenChannels
from .emission import Emission
from .perception import FixedKernels, IsotropicKernels, Perception, require_isotropic
from .rule import LocalRule, ParameterAffineMLP, PointwiseMLP, ProductRule, Standardised, TransportReaction
from .update import Increment, Replace, Update

__all__ = [
    "Automaton",
    "BoundAutomaton",
    "Emission",
    "FixedKernels",
    "HiddenChannels",
    "Increment",
    "IsotropicKernels",
    "LocalRule",
    "ParameterAffineMLP",
    "Perception",
    "PointwiseMLP",
    "ProductRule",
    "Replace",
    "Standardised",
    "TransportReaction",
    "Update",
    "require_isotropic",
]
